import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import { Bench, blamed, buf } from "../fixture";

/** IOAS 1; mock device 2 with id 3, on the automatic HWPT 4. */
const bench = (profile: "linux-6.12" | "documented" = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  return b;
};

const MOCK = { data_type: 0xdead, data_len: 4, data: "efbeadde", data_uptr: 0x1_0000_0000n };
const ON_IOAS = { dev_id: 3, pt_id: 1 };

/** The same, and HWPT 5 that may be a parent. */
const withParent = () => {
  const b = bench();
  b.done("HWPT_ALLOC", { ...ON_IOAS, flags: 1 });
  return b;
};

describe("HWPT_ALLOC on an IOAS", () => {
  test.each([
    ["a live id", 4, "OBJ-01"],
    ["id 0", 0, "OBJ-02"],
  ])("must not answer %s", (_, out_hwpt_id, clause) => {
    expect(bench().ok("HWPT_ALLOC", ON_IOAS, { out_hwpt_id: 77 })).toBeUndefined();
    expect(blamed(bench().ok("HWPT_ALLOC", ON_IOAS, { out_hwpt_id }))).toBe(clause);
  });

  test.each([
    ["a reserved word", { reserved: 1 }, "EOPNOTSUPP", "HWP-01"],
    ["a length without a type", { data_len: 4 }, "EINVAL", "HWP-02"],
    ["a type without a length", { data_type: 1 }, "EINVAL", "HWP-02"],
    ["no device", { dev_id: 1 }, "ENOENT", "HWP-03"],
    ["nothing as page table", { pt_id: 99 }, "EINVAL", "HWP-04"],
    ["a device as page table", { pt_id: 3 }, "EINVAL", "HWP-05"],
    ["an unknown flag", { flags: 0x8000_0000 }, "EOPNOTSUPP", "HWP-07"],
    ["a fault queue", { flags: 4 }, "EOPNOTSUPP", "HWP-07"],
    ["data", MOCK, "EOPNOTSUPP", "HWP-09"],
    ["too small a struct", { size: 23 }, "EINVAL", "GEN-07"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    expect(bench().fails("HWPT_ALLOC", { ...ON_IOAS, ...wrong }, errno)).toBeUndefined();
    const planted = bench().ok("HWPT_ALLOC", { ...ON_IOAS, ...wrong }, { out_hwpt_id: 5 });
    expect(blamed(planted)).toBe(clause);
  });

  test("leaves out what the caller's struct does not reach", () => {
    const b = bench();
    const short = { ...ON_IOAS, ...MOCK, size: 24 };
    expect(blamed(b.fails("HWPT_ALLOC", short, "EOPNOTSUPP"))).toBe("HWP-29");
    expect(b.ok("HWPT_ALLOC", short, { out_hwpt_id: 5 })).toBeUndefined();
    expect(b.counts("HWP-29")).toEqual([1, 0]);
  });

  test("wants a device that can track for DIRTY_TRACKING, and so does attaching", () => {
    const b = bench();
    b.done("HWPT_ALLOC", { ...ON_IOAS, flags: 2 });
    b.done("MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: 1 });
    const blind = { dev_id: 7, pt_id: 1, flags: 2 };
    expect(b.fails("HWPT_ALLOC", blind, "EOPNOTSUPP")).toBeUndefined();
    expect(b.counts("HWP-08")).toEqual([0, 1]);
    expect(b.fails("MOCK_DOMAIN_REPLACE", { stdev_id: 6, pt_id: 5 }, "EINVAL")).toBeUndefined();
    expect(b.counts("HWP-24")).toEqual([0, 1]);
    expect(blamed(b.ok("MOCK_DOMAIN_FLAGS", { pt_id: 5, dev_flags: 1 }, {}))).toBe("HWP-24");
    expect(b.ok("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 5 }, { pt_id: 5 })).toBeUndefined();
  });

  test("adds the domain at once, and takes it away with the HWPT", () => {
    const b = bench();
    b.done("DESTROY", { id: 2 });
    b.done("IOAS_ALLOC", { flags: 0 });
    b.done("MOCK_DOMAIN", { pt_id: 2 });
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    const refs = (pins: number) =>
      b.ok("PAGE_REFS", { uptr: buf(0), length: 0x1000n }, { refs: [[pins, 1]] });
    const { out_hwpt_id } = b.done("HWPT_ALLOC", { dev_id: 4, pt_id: 1 });
    expect(blamed(refs(0))).toBe("PIN-01");
    expect(refs(1)).toBeUndefined();
    expect(b.fails("DESTROY", { id: 1 }, "EBUSY")).toBeUndefined();
    expect(blamed(b.fails("DESTROY", { id: out_hwpt_id }, "EBUSY"))).toBe("DES-02");
    expect(b.ok("DESTROY", { id: out_hwpt_id })).toBeUndefined();
    expect(refs(0)).toBeUndefined();
    expect(b.ok("DESTROY", { id: 1 })).toBeUndefined();
  });

  test("fails as its domain fails to join", () => {
    const b = bench();
    b.done("IOAS_ALLOC", { flags: 0 });
    const map = { ioas_id: 5, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0n };
    b.done("IOAS_MAP", map);
    expect(b.fails("HWPT_ALLOC", { dev_id: 3, pt_id: 5 }, "EADDRINUSE")).toBeUndefined();
    expect(b.counts("HWP-10")).toEqual([0, 1]);
    expect(b.ok("DESTROY", { id: 5 })).toBeUndefined();
  });

  test("refuses a parent for an IOMMU that cannot nest", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("IOAS_ALLOC", { flags: 0 });
    b.done("DEVICE_OPEN", { dev: 0 });
    b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    expect(b.fails("HWPT_ALLOC", { dev_id: 2, pt_id: 1, flags: 1 }, "EOPNOTSUPP")).toBeUndefined();
    expect(b.counts("HWP-09")).toEqual([0, 1]);
    expect(b.counts("HWP-06")).toEqual([0, 1]);
    expect(b.ok("HWPT_ALLOC", { dev_id: 2, pt_id: 1 }, { out_hwpt_id: 3 })).toBeUndefined();
  });
});

test("an HWPT of another IOMMU is refused when a device is attached to it", () => {
  const b = new Bench(VFIO_PLATFORM);
  b.done("IOAS_ALLOC", { flags: 0 });
  for (const [devfd, dev] of [0, 4].entries()) {
    b.done("DEVICE_OPEN", { dev });
    b.done("VFIO_BIND", { devfd, argsz: 16, iommufd: 0 });
  }
  const { out_hwpt_id: pt_id } = b.done("HWPT_ALLOC", { dev_id: 2, pt_id: 1 });
  const attach = { devfd: 1, argsz: 12, pt_id };
  expect(b.fails("VFIO_ATTACH", attach, "EINVAL")).toBeUndefined();
  expect(b.counts("HWP-27")).toEqual([1, 0]);
  expect(blamed(b.ok("VFIO_ATTACH", attach, { pt_id }))).toBe("DEV-17");
});

describe("HWPT_ALLOC on an HWPT", () => {
  const NESTED = { dev_id: 3, pt_id: 5, ...MOCK };

  test.each([
    ["another flag", { flags: 1 }, "EOPNOTSUPP", "HWP-11"],
    ["no data", { data_type: 0, data_len: 0 }, "EOPNOTSUPP", "HWP-11"],
    ["an automatic parent", { pt_id: 4 }, "EINVAL", "HWP-12"],
    ["data of another kind", { data_type: 2 }, "EOPNOTSUPP", "HWP-13"],
    ["more data", { data_len: 8, data: "efbeadde00000000" }, "EINVAL", "HWP-13"],
    ["data that cannot be read", { data: "efbead" }, "EFAULT", "HWP-13"],
    ["a fault queue that is none", { flags: 4, fault_id: 1 }, "ENOENT", "HWP-14"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    expect(withParent().fails("HWPT_ALLOC", { ...NESTED, ...wrong }, errno)).toBeUndefined();
    const planted = withParent().ok("HWPT_ALLOC", { ...NESTED, ...wrong }, { out_hwpt_id: 6 });
    expect(blamed(planted)).toBe(clause);
  });

  test("makes one that is no parent, no paging HWPT, and holds its parent", () => {
    const b = withParent();
    expect(b.ok("HWPT_ALLOC", NESTED, { out_hwpt_id: 6 })).toBeUndefined();
    expect(b.fails("HWPT_ALLOC", { ...NESTED, pt_id: 6 }, "EINVAL")).toBeUndefined();
    expect(b.counts("HWP-26")).toEqual([0, 1]);
    expect(b.fails("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 6 }, "ENOENT")).toBeUndefined();
    expect(b.counts("HWP-23")).toEqual([0, 1]);
    expect(b.fails("DESTROY", { id: 5 }, "EBUSY")).toBeUndefined();
    expect(b.counts("DES-05")).toEqual([0, 1]);
    expect(b.ok("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 6 }, { pt_id: 6 })).toBeUndefined();
    expect(b.fails("DESTROY", { id: 6 }, "EBUSY")).toBeUndefined();
    expect(b.fails("DESTROY", { id: 4 }, "ENOENT")).toBeUndefined();
    b.done("DESTROY", { id: 2 });
    for (const id of [6, 5, 1]) expect(b.ok("DESTROY", { id })).toBeUndefined();
  });
});

describe("an attach to an IOAS", () => {
  test("never picks an HWPT that was made by hand", () => {
    const b = bench();
    b.done("HWPT_ALLOC", ON_IOAS);
    b.done("DESTROY", { id: 2 });
    const own = { out_stdev_id: 2, out_idev_id: 3, out_hwpt_id: 4 };
    expect(blamed(b.ok("MOCK_DOMAIN", { pt_id: 1 }, { ...own, out_hwpt_id: 5 }))).toBe("DEV-13");
    const c = bench();
    c.done("HWPT_ALLOC", ON_IOAS);
    expect(c.ok("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 5 }, { pt_id: 5 })).toBeUndefined();
    expect(c.ok("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 1 }, { pt_id: 4 })).toBeUndefined();
    expect(c.counts("DEV-13")).toEqual([1, 0]);
    expect(c.ok("DESTROY", { id: 5 })).toBeUndefined();
    expect(c.counts("DEV-21")).toEqual([1, 0]);
  });

  test("may pick one elsewhere: only 6.12 says that it does not", () => {
    const b = bench("documented");
    b.done("HWPT_ALLOC", ON_IOAS);
    const own = { out_stdev_id: 8, out_idev_id: 9, out_hwpt_id: 5 };
    expect(b.ok("MOCK_DOMAIN", { pt_id: 1 }, own)).toBeUndefined();
  });
});
