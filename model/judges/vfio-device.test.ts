import { describe, expect, test } from "@jest/globals";
import { FD_NOT_AN_IOMMUFD, FD_NOT_OPEN } from "../../spec/calls";
import { VFIO_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const BIND = { argsz: 16, flags: 0, iommufd: 0 };
const ATTACH = { argsz: 12, flags: 0 };

/** IOAS 1 and 2 on iommufd 0; device `dev` of the platform is open as file number `dev`. */
const bench = (profile: Profile = "linux-6.12") => {
  const b = new Bench(VFIO_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("IOAS_ALLOC", { flags: 0 });
  for (let dev = 0; dev < VFIO_PLATFORM.devices.length; dev++) b.done("DEVICE_OPEN", { dev });
  return b;
};

const bind = (b: Bench, devfd: number, iommufd = 0) =>
  b.done("VFIO_BIND", { ...BIND, devfd, iommufd });
const attach = (b: Bench, devfd: number, pt_id: number) =>
  b.done("VFIO_ATTACH", { ...ATTACH, devfd, pt_id }).pt_id;
const ask = (
  b: Bench,
  ioas_id: number,
  array: readonly (readonly [bigint, bigint])[],
  align: bigint,
) =>
  b.ok(
    "IOAS_IOVA_RANGES",
    { ioas_id, num_iovas: 8, writable_elems: 8 },
    { num_iovas: array.length, out_iova_alignment: align, array: array as never },
  );

const END = 0xffff_ffff_ffffn;
const AROUND_MSI = [
  [0n, 0xfedf_ffffn],
  [0xfef0_0000n, END],
] as const;

describe("VFIO_GET_INFO", () => {
  const info = { argsz: 24, flags: 2, num_regions: 9, num_irqs: 5, cap_offset: 0 };
  const ask = { devfd: 0, argsz: 24 };

  test("tells the same every time, once the device is bound", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("DEVICE_OPEN", { dev: 0 });
    expect(blamed(b.ok("VFIO_GET_INFO", ask, info))).toBe("VFD-02");
    expect(b.fails("VFIO_GET_INFO", ask, "EINVAL")).toBeUndefined();
    b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    expect(b.fails("VFIO_GET_INFO", { ...ask, argsz: 15 }, "EINVAL")).toBeUndefined();
    expect(b.ok("VFIO_GET_INFO", ask, { ...info, num_irqs: 3 })).toBeUndefined();
    expect(blamed(b.ok("VFIO_GET_INFO", ask, info))).toBe("VFD-02");
    expect(blamed(b.ok("VFIO_GET_INFO", ask, { ...info, argsz: 16 }))).toBe("VFD-02");
  });
});

describe("VFIO_BIND", () => {
  test.each([
    ["a short argsz", 0, { argsz: 15 }, "EINVAL", "VFD-01"],
    ["a flag", 0, { flags: 1 }, "EINVAL", "VFD-01"],
    ["a negative iommufd", 0, { iommufd: -1 }, "EINVAL", "VFD-01"],
    ["a closed fd", 0, { iommufd: FD_NOT_OPEN }, "EBADF", "VFD-05"],
    ["a file that is no iommufd", 0, { iommufd: FD_NOT_AN_IOMMUFD }, "EBADFD", "VFD-05"],
    ["an incoherent device", 6, {}, "EINVAL", "DEV-01"],
    ["a device without a group", 7, {}, "ENODEV", "DEV-02"],
    ["a device without MSI isolation", 8, {}, "EPERM", "DEV-03"],
    ["a device whose group a kernel driver holds", 9, {}, "EPERM", "DEV-05"],
  ] as const)("%s is refused", (_, devfd, wrong, errno, clause) => {
    const args = { ...BIND, devfd, ...wrong };
    expect(bench().fails("VFIO_BIND", args, errno)).toBeUndefined();
    expect(blamed(bench().ok("VFIO_BIND", args, { out_devid: 3 }))).toBe(clause);
  });

  test("a file binds once, a device through one file, a group to one iommufd", () => {
    const b = bench();
    b.done("OPEN", {});
    bind(b, 2);
    expect(b.fails("VFIO_BIND", { ...BIND, devfd: 2 }, "EINVAL")).toBeUndefined();
    expect(b.counts("VFD-04")[1]).toBe(1);
    const { devfd } = b.done("DEVICE_OPEN", { dev: 2 });
    expect(b.fails("VFIO_BIND", { ...BIND, devfd }, "EINVAL")).toBeUndefined();
    expect(b.counts("VFD-06")[1]).toBe(1);
    const elsewhere = { ...BIND, devfd: 3, iommufd: 1 };
    expect(b.fails("VFIO_BIND", elsewhere, "EPERM")).toBeUndefined();
    expect(b.ok("VFIO_BIND", { ...BIND, devfd: 3 }, { out_devid: 4 })).toBeUndefined();
    expect(b.counts("DEV-06")).toEqual([1, 0]);
    b.done("DEVICE_CLOSE", { devfd: 2 });
    expect(b.fails("VFIO_BIND", { ...BIND, devfd, iommufd: 1 }, "EPERM")).toBeUndefined();
    b.done("DEVICE_CLOSE", { devfd: 3 });
    expect(b.ok("VFIO_BIND", { ...BIND, devfd, iommufd: 1 }, { out_devid: 1 })).toBeUndefined();
    expect(b.counts("DEV-42")).toEqual([1, 0]);
  });
});

describe("VFIO_ATTACH", () => {
  test("reserves the device's regions until it detaches", () => {
    const b = bench();
    bind(b, 0);
    expect(ask(b, 1, [[0n, 2n ** 64n - 1n]], 1n)).toBeUndefined();
    attach(b, 0, 1);
    expect(ask(b, 1, AROUND_MSI, 0x1000n)).toBeUndefined();
    expect(b.counts("RSV-01")).toEqual([1, 0]);
    expect(b.ok("VFIO_DETACH", { devfd: 0, argsz: 8, flags: 0 })).toBeUndefined();
    expect(b.ok("VFIO_DETACH", { devfd: 0, argsz: 8, flags: 0 })).toBeUndefined();
    expect(ask(b, 1, [[0n, 2n ** 64n - 1n]], 1n)).toBeUndefined();
    expect(b.counts("RSV-04")).toEqual([1, 0]);
  });

  test("a region that the answer shows is the fault of RSV-01", () => {
    const b = bench();
    bind(b, 0);
    attach(b, 0, 1);
    expect(blamed(ask(b, 1, [[0n, END]], 0x1000n))).toBe("RSV-01");
  });

  test("a group has one HWPT, and each device its own regions", () => {
    const b = bench();
    bind(b, 2);
    bind(b, 3);
    const hwpt = attach(b, 2, 1);
    const other = { ...ATTACH, devfd: 3, pt_id: 2 };
    expect(b.fails("VFIO_ATTACH", other, "EINVAL")).toBeUndefined();
    expect(b.counts("DEV-15")[1]).toBe(1);
    const same = { ...ATTACH, devfd: 3, pt_id: 1 };
    expect(b.ok("VFIO_ATTACH", same, { pt_id: hwpt })).toBeUndefined();
    const both = [
      [0n, 0x1ff_ffffn],
      [0x201_0000n, 0xfedf_ffffn],
      [0xfef0_0000n, END],
    ] as const;
    expect(ask(b, 1, both, 0x1000n)).toBeUndefined();
    expect(b.counts("RSV-05")).toEqual([1, 0]);
    // A replace moves both, with their regions.
    expect(b.ok("VFIO_ATTACH", { ...ATTACH, devfd: 2, pt_id: 2 }, { pt_id: 90 })).toBeUndefined();
    expect(ask(b, 2, both, 0x1000n)).toBeUndefined();
    expect(b.counts("DEV-32")).toEqual([1, 0]);
    expect(b.ok("DESTROY", { id: 1 })).toBeUndefined();
    // One that detaches leaves the other its translation.
    b.done("VFIO_DETACH", { devfd: 2, argsz: 8, flags: 0 });
    expect(b.fails("DESTROY", { id: 2 }, "EBUSY")).toBeUndefined();
  });

  test("a mapping or an allowed IOVA in a region is in the way", () => {
    const b = bench();
    bind(b, 0);
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0xfee0_0000n };
    b.done("IOAS_MAP", map);
    const args = { ...ATTACH, devfd: 0, pt_id: 1 };
    expect(b.fails("VFIO_ATTACH", args, "EADDRINUSE")).toBeUndefined();
    expect(b.counts("RSV-02")[1] + b.counts("RSV-08")[1]).toBe(2);
    expect(blamed(b.ok("VFIO_ATTACH", args, { pt_id: 9 }))).toBe("RSV-02");
  });

  test("devices of different IOMMUs get an HWPT each", () => {
    const b = bench();
    bind(b, 0);
    bind(b, 4);
    const first = attach(b, 0, 1);
    const args = { ...ATTACH, devfd: 4, pt_id: 1 };
    expect(blamed(b.ok("VFIO_ATTACH", args, { pt_id: first }))).toBe("DEV-12");
    const second = bench();
    bind(second, 0);
    bind(second, 4);
    attach(second, 0, 1);
    const named = { ...args, pt_id: first };
    expect(second.fails("VFIO_ATTACH", named, "EINVAL")).toBeUndefined();
    expect(second.ok("VFIO_ATTACH", args, { pt_id: 77 })).toBeUndefined();
    // Both apertures count.
    const narrow = [
      [0x1000n, 0xfedf_ffffn],
      [0xfef0_0000n, 0x7f_ffff_ffffn],
    ] as const;
    expect(ask(second, 1, narrow, 0x1000n)).toBeUndefined();
  });

  test("an IOMMU page larger than the CPU's does not fit", () => {
    const b = bench();
    bind(b, 5);
    expect(b.fails("VFIO_ATTACH", { ...ATTACH, devfd: 5, pt_id: 1 }, "EINVAL")).toBeUndefined();
    expect(b.counts("ALN-02")).toEqual([0, 1]);
  });

  test("is refused before the bind, and with a bad argsz", () => {
    const b = bench();
    expect(b.fails("VFIO_ATTACH", { ...ATTACH, devfd: 0, pt_id: 1 }, "EINVAL")).toBeUndefined();
    expect(b.counts("VFD-18")[1]).toBe(1);
    bind(b, 0);
    const short = { argsz: 11, flags: 0, devfd: 0, pt_id: 1 };
    expect(b.fails("VFIO_ATTACH", short, "EINVAL")).toBeUndefined();
    expect(b.counts("VFD-10")[1]).toBe(1);
  });

  test.each([true, false])(
    "a replace within one IOAS may lose its regions in 6.12 (lost: %s)",
    (lost) => {
      const b = bench();
      bind(b, 4);
      bind(b, 0);
      attach(b, 4, 1);
      const own = attach(b, 0, 1);
      // The HWPT of the other IOMMU is tried first, and refused by the driver.
      const again = { ...ATTACH, devfd: 0, pt_id: 1 };
      expect(b.ok("VFIO_ATTACH", again, { pt_id: own })).toBeUndefined();
      const whole = [[0x1000n, 0x7f_ffff_ffffn]] as const;
      const holed = [
        [0x1000n, 0xfedf_ffffn],
        [0xfef0_0000n, 0x7f_ffff_ffffn],
      ] as const;
      expect(ask(b, 1, lost ? whole : holed, 0x1000n)).toBeUndefined();
      // From then on it is known.
      expect(ask(b, 1, lost ? holed : whole, 0x1000n)).toBeDefined();
    },
  );

  test("elsewhere they stay", () => {
    const b = bench("documented");
    bind(b, 4);
    bind(b, 0);
    attach(b, 4, 1);
    const own = attach(b, 0, 1);
    b.ok("VFIO_ATTACH", { ...ATTACH, devfd: 0, pt_id: 1 }, { pt_id: own });
    expect(ask(b, 1, [[0x1000n, 0x7f_ffff_ffffn]], 0x1000n)).toBeDefined();
  });

  test("where only the documents bind, a device may get an HWPT of its own", () => {
    const args = { ...ATTACH, devfd: 1, pt_id: 1 };
    const prepared = (profile: Profile) => {
      const b = bench(profile);
      bind(b, 0);
      bind(b, 1);
      attach(b, 0, 1);
      return b;
    };
    expect(prepared("documented").ok("VFIO_ATTACH", args, { pt_id: 70 })).toBeUndefined();
    expect(blamed(prepared("linux-6.12").ok("VFIO_ATTACH", args, { pt_id: 70 }))).toBe("DEV-12");
  });
});

describe("a bound device", () => {
  test("keeps the context alive after CLOSE", () => {
    const b = bench();
    bind(b, 0);
    attach(b, 0, 1);
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0n };
    b.done("IOAS_MAP", map);
    expect(b.ok("CLOSE", {})).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 1, VmLck_pages: 0 })).toBeUndefined();
    const load = { devfd: 0, dir: "to_device", iova: 0n, length: 64 } as const;
    expect(b.ok("DMA", load, { fault: 0 })).toBeUndefined();
    expect(b.ok("VFIO_ATTACH", { ...ATTACH, devfd: 0, pt_id: 2 }, { pt_id: 50 })).toBeUndefined();
    expect(b.counts("VFD-16")).toEqual([2, 0]);
    expect(b.ok("DEVICE_CLOSE", { devfd: 0 })).toBeUndefined();
    expect(b.counts("OBJ-08")).toEqual([1, 0]);
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 0, VmLck_pages: 0 })).toBeUndefined();
  });

  test("calls on closed files are EBADF", () => {
    const b = bench();
    expect(b.fails("IOAS_ALLOC", { flags: 0 }, "EBADF", {}, 9)).toBeUndefined();
    expect(b.fails("VFIO_DETACH", { devfd: 99, argsz: 8 }, "EBADF")).toBeUndefined();
    expect(b.fails("DEVICE_CLOSE", { devfd: 99 }, "EBADF")).toBeUndefined();
    expect(b.fails("CLOSE", {}, "EBADF", {}, 9)).toBeUndefined();
  });
});
