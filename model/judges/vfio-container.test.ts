import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const PAGE = 0x1000n;
const U64 = 0xffff_ffff_ffff_ffffn;
const TYPE1 = 1n;
const V2 = 3n;

/** IOAS 1 is the container, with four pages at 0. */
const bench = (type: bigint, profile: Profile = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", {});
  b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
  b.done("VFIO_SET_IOMMU", { arg: type });
  b.done("VFIO_MAP_DMA", { ...map, size: 4n * PAGE });
  return b;
};

const map = { argsz: 32, flags: 3, vaddr: buf(0), iova: 0n, size: PAGE };
const unmap = (iova: bigint, size: bigint) => ({ argsz: 24, flags: 0, iova, size });

describe("the container's numbers", () => {
  const b = new Bench();

  test("the version is 0", () => {
    expect(b.ok("VFIO_GET_API_VERSION", { arg: 7n }, { rc: 0 })).toBeUndefined();
    expect(blamed(b.ok("VFIO_GET_API_VERSION", { arg: 7n }, { rc: 1 }))).toBe("VCC-01");
  });

  test.each([
    [1n, 1],
    [3n, 1],
    [9n, 1],
    [6n, 0],
    [0x1_0000_0001n, 0],
  ])("extension %d is answered by %d", (arg, rc) => {
    expect(b.ok("VFIO_CHECK_EXTENSION", { arg }, { rc })).toBeUndefined();
    expect(blamed(b.ok("VFIO_CHECK_EXTENSION", { arg }, { rc: 1 - rc }))).toBe("VCC-02");
  });

  test("coherency is a question about the container's domains", () => {
    const ask = { arg: 4n };
    expect(blamed(new Bench().ok("VFIO_CHECK_EXTENSION", ask, { rc: 1 }))).toBe("VCC-02");
    expect(new Bench().fails("VFIO_CHECK_EXTENSION", ask, "ENODEV")).toBeUndefined();
    const c = bench(V2);
    expect(c.ok("VFIO_CHECK_EXTENSION", ask, { rc: 1 })).toBeUndefined();
    c.done("IOAS_UNMAP", { ioas_id: 1, length: U64 });
    c.done("MOCK_DOMAIN", { pt_id: 1 });
    expect(blamed(c.ok("VFIO_CHECK_EXTENSION", ask, { rc: 1 }))).toBe("VCC-02");
    expect(c.ok("VFIO_CHECK_EXTENSION", ask, { rc: 0 })).toBeUndefined();
  });

  test("a type is wrong before the container is missing", () => {
    expect(new Bench().fails("VFIO_SET_IOMMU", { arg: 2n }, "EINVAL")).toBeUndefined();
    expect(blamed(new Bench().fails("VFIO_SET_IOMMU", { arg: 2n }, "ENODEV"))).toBe("VCC-03");
    expect(new Bench().fails("VFIO_SET_IOMMU", { arg: 1n }, "ENODEV")).toBeUndefined();
  });

  test("TYPE1 turns huge pages off, and TYPE1v2 does not turn them on", () => {
    const c = bench(TYPE1);
    c.done("VFIO_SET_IOMMU", { arg: V2 });
    const get = { option_id: 1, op: 1, object_id: 1 };
    expect(blamed(c.ok("OPTION", get, { val64: 1n }))).toBe("OPT-10");
    expect(c.ok("OPTION", get, { val64: 0n })).toBeUndefined();
  });

  test("TYPE1 can be too late", () => {
    const c = bench(V2);
    c.done("VFIO_MAP_DMA", { ...map, iova: 0x8000n, size: 0x800n });
    expect(blamed(c.ok("VFIO_SET_IOMMU", { arg: TYPE1 }, { rc: 0 }))).toBe("VCC-03");
    expect(c.fails("VFIO_SET_IOMMU", { arg: TYPE1 }, "EADDRINUSE")).toBeUndefined();
  });
});

describe("VFIO_MAP_DMA", () => {
  test.each([
    ["a short argsz", { argsz: 31 }, "EINVAL"],
    ["an unknown flag", { flags: 4 }, "EINVAL"],
    ["size 0", { size: 0n }, "EINVAL"],
    ["an address that wraps", { vaddr: U64 - 7n }, "EOVERFLOW"],
    ["an IOVA that wraps", { iova: U64, size: 2n }, "EOVERFLOW"],
    ["what is mapped", { iova: 0x3000n }, "EEXIST"],
  ] as const)("refuses %s", (_, change, errno) => {
    const args = { ...map, iova: 0x10000n, ...change };
    expect(bench(V2).fails("VFIO_MAP_DMA", args, errno)).toBeUndefined();
    expect(blamed(bench(V2).ok("VFIO_MAP_DMA", args))).toBe("VCC-10");
    expect(blamed(bench(V2).fails("VFIO_MAP_DMA", args, "EPERM"))).toBe("VCC-10");
  });

  test("needs a container, no rights, and no more than the last IOVA", () => {
    expect(new Bench().fails("VFIO_MAP_DMA", map, "ENODEV")).toBeUndefined();
    const args = { ...map, flags: 0, iova: U64, size: 1n };
    expect(bench(V2).ok("VFIO_MAP_DMA", args)).toBeUndefined();
    expect(blamed(bench(V2).fails("VFIO_MAP_DMA", args, "EOVERFLOW"))).toBe("VCC-10");
  });

  test("makes mappings that IOAS_UNMAP takes", () => {
    const b = bench(V2);
    const all = { ioas_id: 1, iova: 0n, length: 4n * PAGE };
    expect(blamed(b.ok("IOAS_UNMAP", all, { length: PAGE }))).toBe("UNM-20");
    expect(bench(V2).ok("IOAS_UNMAP", all, { length: 4n * PAGE })).toBeUndefined();
  });
});

describe("VFIO_UNMAP_DMA", () => {
  test("cuts with TYPE1, and not with TYPE1v2", () => {
    const b = bench(TYPE1);
    const middle = unmap(PAGE, PAGE);
    expect(blamed(b.fails("VFIO_UNMAP_DMA", middle, "ENOENT", { size: 0n }))).toBe("VCC-15");
    expect(b.ok("VFIO_UNMAP_DMA", middle, { size: PAGE })).toBeUndefined();
    expect(b.ok("VFIO_UNMAP_DMA", unmap(0n, U64), { size: 3n * PAGE })).toBeUndefined();
    const c = bench(V2);
    expect(blamed(c.ok("VFIO_UNMAP_DMA", middle, { size: PAGE }))).toBe("VCC-14");
    expect(c.fails("VFIO_UNMAP_DMA", middle, "ENOENT", { size: 0n })).toBeUndefined();
  });

  test("leaves cuts where it fails", () => {
    const b = bench(TYPE1);
    const wrong = b.fails("VFIO_UNMAP_DMA", unmap(PAGE, 0n), "EINVAL", { size: PAGE });
    expect(blamed(wrong)).toBe("VCC-18");
    expect(b.fails("VFIO_UNMAP_DMA", unmap(PAGE, 0n), "EINVAL", { size: 0n })).toBeUndefined();
    const half = { ioas_id: 1, iova: 0n, length: PAGE };
    expect(b.ok("IOAS_UNMAP", half, { length: PAGE })).toBeUndefined();
  });

  test("refuses cuts inside a page or in pages that in-kernel users hold", () => {
    const b = bench(TYPE1);
    expect(b.fails("VFIO_UNMAP_DMA", unmap(PAGE, 0x800n), "EINVAL")).toBeUndefined();
    b.done("CREATE_ACCESS", { ioas_id: 1, flags: 1 });
    b.done("ACCESS_PAGES", { access_fd: 0, length: PAGE });
    expect(blamed(b.ok("VFIO_UNMAP_DMA", unmap(PAGE, PAGE), { size: PAGE }))).toBe("VCC-15");
    expect(b.fails("VFIO_UNMAP_DMA", unmap(PAGE, PAGE), "EINVAL")).toBeUndefined();
    expect(b.ok("VFIO_UNMAP_DMA", unmap(0n, 4n * PAGE), { size: 4n * PAGE })).toBeUndefined();
  });

  test("skips a cut behind the first byte, as 6.12 does", () => {
    const b = bench(TYPE1);
    expect(blamed(b.fails("VFIO_UNMAP_DMA", unmap(0n, 1n), "EINVAL"))).toBe("VCC-14");
    expect(b.fails("VFIO_UNMAP_DMA", unmap(0n, 1n), "ENOENT", { size: 0n })).toBeUndefined();
  });

  test("says how much is gone, on failure as well", () => {
    const b = bench(V2);
    b.done("VFIO_MAP_DMA", { ...map, iova: 0x8000n, size: 2n * PAGE });
    const cut = unmap(0n, 0x9000n);
    expect(blamed(b.fails("VFIO_UNMAP_DMA", cut, "ENOENT", { size: 0n }))).toBe("VCC-18");
    const c = bench(V2);
    c.done("VFIO_MAP_DMA", { ...map, iova: 0x8000n, size: 2n * PAGE });
    expect(c.fails("VFIO_UNMAP_DMA", cut, "ENOENT", { size: 4n * PAGE })).toBeUndefined();
    expect(c.ok("VFIO_UNMAP_DMA", unmap(0n, 4n * PAGE), { size: 0n })).toBeUndefined();
  });

  test.each([
    ["a short argsz", { argsz: 23 }, "EINVAL", "VCC-11"],
    ["a dirty bitmap", { flags: 1 }, "EINVAL", "VCC-11"],
    ["everything with a size", { flags: 2 }, "EINVAL", "VCC-12"],
    ["a range that wraps", { iova: U64, size: 2n }, "EOVERFLOW", "VCC-13"],
  ] as const)("refuses %s", (_, change, errno, clause) => {
    const args = { ...unmap(0n, PAGE), ...change };
    const out = errno === "EOVERFLOW" ? { size: 0n } : {};
    expect(bench(V2).fails("VFIO_UNMAP_DMA", args, errno, out)).toBeUndefined();
    expect(blamed(bench(V2).ok("VFIO_UNMAP_DMA", args, { size: 0n }))).toBe(clause);
  });

  test("with ALL takes everything", () => {
    const all = { argsz: 24, flags: 2 };
    for (const profile of ["linux-6.12", "documented"] as const) {
      const wrong = bench(V2, profile).ok("VFIO_UNMAP_DMA", all, { size: 0n });
      expect(blamed(wrong)).toBe("VCC-12");
      const part = bench(V2, profile).ok("VFIO_UNMAP_DMA", unmap(0n, 4n * PAGE), { size: 0n });
      expect(blamed(part)).toBe("VCC-13");
    }
    expect(bench(V2).ok("VFIO_UNMAP_DMA", all, { size: 4n * PAGE })).toBeUndefined();
  });

  test("elsewhere may keep its cuts or not", () => {
    const b = bench(TYPE1, "documented");
    expect(b.fails("VFIO_UNMAP_DMA", unmap(PAGE, 0n), "EINVAL")).toBeUndefined();
    const half = { ioas_id: 1, iova: 0n, length: PAGE };
    expect(b.fails("IOAS_UNMAP", half, "ENOENT")).toBeUndefined();
  });
});

describe("VFIO_IOMMU_GET_INFO", () => {
  const full = (b: Bench) => b.done("VFIO_IOMMU_GET_INFO", { argsz: 72 });

  test.each([
    ["VCC-21", { flags: 1 }],
    ["VCC-22", { iova_pgsizes: 0x1000n }],
    ["VCC-24", { argsz: 88 }],
    ["VCC-24", { cap_offset: 0 }],
    ["VCC-24", { bytes: "00".repeat(73) }],
    ["VCC-23", { caps: [] }],
    ["VCC-23", { bytes: "00".repeat(72) }],
  ] as const)("holds the answer to %s: %j", (clause, change) => {
    const b = bench(V2);
    const right = full(b);
    expect(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, right)).toBeUndefined();
    const wrong = { ...right, ...change };
    expect(blamed(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, wrong))).toBe(clause);
  });

  test("reports the ranges of IOVA_RANGES", () => {
    const b = bench(V2);
    const before = full(b);
    b.done("IOAS_UNMAP", { ioas_id: 1, length: U64 });
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const iova_pgsizes = 0x1000n;
    const stale = { ...before, iova_pgsizes };
    expect(blamed(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, stale))).toBe("VCC-25");
    expect(full(b).caps?.[1]?.ranges).toEqual([[0x100_0000n, 0x7fff_ffffn]]);
  });

  test("has no chain where there is no room for all of it", () => {
    const b = bench(V2);
    const right = b.done("VFIO_IOMMU_GET_INFO", { argsz: 71 });
    expect([right.argsz, right.cap_offset, right.caps]).toEqual([72, 0, undefined]);
    const { caps } = full(b);
    const wrong = { ...right, caps };
    expect(blamed(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 71 }, wrong as never))).toBe("VCC-23");
    expect(b.fails("VFIO_IOMMU_GET_INFO", { argsz: 15 }, "EINVAL")).toBeUndefined();
    expect(new Bench().fails("VFIO_IOMMU_GET_INFO", { argsz: 16 }, "ENODEV")).toBeUndefined();
  });

  test.each(["linux-6.12", "documented"] as const)("has a chain that ends: %s", (profile) => {
    const b = bench(V2, profile);
    const { caps = [], bytes = "", ...rest } = full(b);
    const endless = {
      ...rest,
      caps: [caps[0], { ...caps[1], next: 24 }] as typeof caps,
      bytes: `${bytes.slice(0, 88)}18000000${bytes.slice(96)}`,
    };
    expect(blamed(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, endless))).toBe("VCC-23");
  });

  test("elsewhere the capabilities may come in any order", () => {
    const b = bench(V2, "documented");
    const { caps = [], bytes = "", ...rest } = full(b);
    const [avail, ranges] = [bytes.slice(48, 72), bytes.slice(80)];
    // The other way round: the next of the first is 56, that of the second 0.
    const turned = `${ranges.slice(0, 8)}38000000${ranges.slice(16)}${avail.slice(0, 8)}00000000`;
    const other = {
      ...rest,
      caps: [
        { ...caps[1], at: 24, next: 56 },
        { ...caps[0], at: 56, next: 0 },
      ] as typeof caps,
      bytes: `${bytes.slice(0, 48)}${turned}ffffffff`,
    };
    expect(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, other)).toBeUndefined();
    expect(blamed(b.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, { ...other, caps }))).toBe("VCC-23");
    const strict = bench(V2);
    expect(blamed(strict.ok("VFIO_IOMMU_GET_INFO", { argsz: 72 }, other))).toBe("VCC-23");
  });
});

describe("a mapping that may be neither read nor written", () => {
  const rightless = { ...map, flags: 0 };

  test("is a mapping where there is no device", () => {
    expect(
      blamed(bench(V2).fails("VFIO_MAP_DMA", { ...rightless, iova: 0x10_0000n }, "EINVAL")),
    ).toBe("VCC-10");
  });

  test("may be refused by the IOMMU of a device, as VT-d does, now or when it joins", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("IOAS_ALLOC", {});
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    b.done("DEVICE_OPEN", { dev: 0 });
    b.done("VFIO_BIND", { devfd: 0, argsz: 16 });
    const attach = { devfd: 0, argsz: 12, pt_id: 1 };
    expect(blamed(b.fails("VFIO_ATTACH", attach, "EINVAL"))).toBeDefined();
    expect(blamed(b.fails("VFIO_MAP_DMA", rightless, "EINVAL"))).toBe("VCC-10");
    b.done("VFIO_MAP_DMA", rightless);
    expect(b.fails("VFIO_ATTACH", attach, "EINVAL")).toBeUndefined();
    b.done("IOAS_UNMAP", { ioas_id: 1, length: U64 });
    b.done("VFIO_ATTACH", attach);
    expect(b.fails("VFIO_MAP_DMA", rightless, "EINVAL")).toBeUndefined();
    expect(b.ok("VFIO_MAP_DMA", rightless)).toBeUndefined();
  });
});
