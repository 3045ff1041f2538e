import { describe, expect, test } from "@jest/globals";
import type { In } from "../../spec/calls";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import {
  HWPT_DATA_MOCK,
  HWPT_DATA_VTD_S1,
  HWPT_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  INVALIDATE_DATA_MOCK,
  INVALIDATE_DATA_MOCK_INVALID,
  MOCK_HUGE_IOVA,
  MOCK_NO_DIRTY,
} from "../../spec/uapi/flags";
import type { Bytes, Iova, UserVa } from "../../spec/units";
import { boot } from "./fixture";
import { nodePool } from "./node-pool";

const SCRATCH = 0x1_0000_0000n as UserVa;
const BUF = 0x2000_0000_0000n as UserVa;
const IOVA = 0x100_0000n as Iova;
const PAGE = 0x1000n as Bytes;
const IOTLB = { data_type: HWPT_DATA_MOCK, data_len: 4, data_uptr: SCRATCH, data: "efbeadde" };

/** A mock device on IOAS 1: stdev 2, device 3, automatic HWPT 4. */
const bootMock = () => {
  const world = boot(MOCK_PLATFORM);
  const { call } = world;
  call("MOCK_DOMAIN", { pt_id: 1 });
  const alloc = (args: Partial<In<"HWPT_ALLOC">>) =>
    call("HWPT_ALLOC", { dev_id: 3, pt_id: 1, ...args });
  const replace = (pt_id: number) => call("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id });
  const destroy = (id: number) => call("DESTROY", { id }).errno;
  const map = (flags = 7) =>
    call("IOAS_MAP", { flags, ioas_id: 1, user_va: BUF, length: PAGE, iova: IOVA });
  const check = (hwpt_id: number) =>
    call("MD_CHECK_MAP", { hwpt_id, iova: IOVA, length: PAGE, uptr: BUF }).errno;
  return { ...world, alloc, replace, destroy, map, check };
};

describe("HWPT_ALLOC on an IOAS", () => {
  test("the HWPT mirrors what is mapped, before and after, and stays without devices", () => {
    const { alloc, map, check, destroy, replace } = bootMock();
    map();
    expect(alloc({})).toEqual({ errno: 0, out: { out_hwpt_id: 5 } });
    expect(check(5)).toBe(0);
    expect(replace(5)).toEqual({ errno: 0, out: { pt_id: 5 } }); // the automatic one is gone
    expect(check(4)).toBe("ENOENT");
    expect(destroy(5)).toBe("EBUSY");
    expect(replace(1)).toEqual({ errno: 0, out: { pt_id: 4 } }); // DEV-13: not picked
    expect(check(5)).toBe(0);
    expect(destroy(5)).toBe(0);
    expect(check(5)).toBe("ENOENT");
  });

  test("it uses the IOAS", () => {
    const { alloc, call, destroy } = bootMock();
    alloc({});
    expect(destroy(2)).toBe(0); // the device goes, and the automatic HWPT
    expect(destroy(1)).toBe("EBUSY");
    expect(call("DESTROY", { id: 5 }).errno).toBe(0);
    expect(destroy(1)).toBe(0);
  });

  test("errors come in the order of the clauses, and leave no id behind", () => {
    const { alloc } = bootMock();
    const all = { reserved: 1, data_type: 0, data_len: 1, dev_id: 9, pt_id: 9, flags: 8 };
    expect(alloc({ ...all }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ ...all, reserved: 0 }).errno).toBe("EINVAL");
    expect(alloc({ ...all, reserved: 0, data_len: 0 }).errno).toBe("ENOENT");
    expect(alloc({ pt_id: 9, flags: 8 }).errno).toBe("EINVAL");
    expect(alloc({ pt_id: 3 }).errno).toBe("EINVAL");
    expect(alloc({ flags: 8 }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ flags: HWPT_FAULT_ID_VALID }).errno).toBe("EOPNOTSUPP");
    expect(alloc(IOTLB).errno).toBe("EOPNOTSUPP");
    expect(alloc({ size: 23 }).errno).toBe("EINVAL");
    expect(alloc({ reserved2: 1 }).out).toEqual({ out_hwpt_id: 5 });
  });

  test("a caller of the first struct gets neither data nor a fault queue", () => {
    const { alloc } = bootMock();
    expect(alloc({ size: 24, ...IOTLB, fault_id: 9 }).errno).toBe(0);
  });

  test("a domain that does not fit the IOAS leaves nothing", () => {
    const { call, alloc, destroy } = bootMock();
    call("IOAS_ALLOC");
    const at = { user_va: BUF, length: PAGE, ioas_id: 5, flags: 7 };
    call("IOAS_MAP", { ...at, iova: 0n as Iova }); // below the aperture
    expect(alloc({ pt_id: 5 }).errno).toBe("EADDRINUSE");
    expect(destroy(5)).toBe(0);
  });

  test("DIRTY_TRACKING is for devices that can track, also when they come later", () => {
    const { call, alloc } = bootMock();
    expect(alloc({ flags: HWPT_DIRTY_TRACKING }).out).toEqual({ out_hwpt_id: 5 });
    expect(call("MOCK_DOMAIN_FLAGS", { pt_id: 5, dev_flags: MOCK_NO_DIRTY }).errno).toBe("EINVAL");
    expect(call("MOCK_DOMAIN_FLAGS", { pt_id: 5, dev_flags: MOCK_HUGE_IOVA }).errno).toBe(0);
    call("MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: MOCK_NO_DIRTY });
    expect(alloc({ dev_id: 9, flags: HWPT_DIRTY_TRACKING }).errno).toBe("EOPNOTSUPP");
  });

  test("VT-d without nesting and tracking makes plain ones", () => {
    const { call } = boot(VFIO_PLATFORM);
    call("DEVICE_OPEN", { dev: 0 });
    call("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    const alloc = (args: Partial<In<"HWPT_ALLOC">>) =>
      call("HWPT_ALLOC", { dev_id: 2, pt_id: 1, ...args });
    expect(alloc({ flags: HWPT_NEST_PARENT }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ flags: HWPT_DIRTY_TRACKING }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ data_type: HWPT_DATA_VTD_S1, data_len: 4 }).errno).toBe("EOPNOTSUPP");
    expect(alloc({}).out).toEqual({ out_hwpt_id: 3 });
    expect(call("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 3 }).out).toEqual({ pt_id: 3 });
  });
});

describe("nested HWPTs", () => {
  /** Parent 5, and 6 on it. */
  const bootNested = () => {
    const world = bootMock();
    world.alloc({ flags: HWPT_NEST_PARENT });
    expect(world.alloc({ pt_id: 5, ...IOTLB })).toEqual({ errno: 0, out: { out_hwpt_id: 6 } });
    const iotlb = (iotlb_id: number, value: number) =>
      world.call("MD_CHECK_IOTLB", { hwpt_id: 6, iotlb_id, iotlb: value }).errno;
    return { ...world, iotlb };
  };

  test("they use their parent, and are used by devices", () => {
    const { destroy, replace, check, map } = bootNested();
    map();
    expect(destroy(5)).toBe("EBUSY");
    expect(replace(6).out).toEqual({ pt_id: 6 });
    expect(destroy(6)).toBe("EBUSY");
    expect(check(6)).toBe("ENOENT"); // HWP-23
    expect(replace(5).out).toEqual({ pt_id: 5 }); // HWP-25
    expect([destroy(6), destroy(5)]).toEqual([0, "EBUSY"]);
    expect(replace(1).out).toEqual({ pt_id: 4 });
    expect(destroy(5)).toBe(0);
  });

  test("what they may stand on, and be made of", () => {
    const { alloc } = bootNested();
    expect(alloc({ pt_id: 5 }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ pt_id: 5, ...IOTLB, flags: HWPT_NEST_PARENT }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ pt_id: 4, ...IOTLB }).errno).toBe("EINVAL"); // automatic
    expect(alloc({ pt_id: 6, ...IOTLB }).errno).toBe("EINVAL"); // nested itself
    expect(alloc({ pt_id: 5, ...IOTLB, data_type: HWPT_DATA_VTD_S1 }).errno).toBe("EOPNOTSUPP");
    expect(alloc({ pt_id: 5, ...IOTLB, data_len: 3 }).errno).toBe("EINVAL");
    expect(alloc({ pt_id: 5, ...IOTLB, data_len: 8, data: "00".repeat(8) }).errno).toBe("EINVAL");
    expect(alloc({ pt_id: 5, ...IOTLB, data: "0000" }).errno).toBe("EFAULT");
    expect(alloc({ pt_id: 5, ...IOTLB, flags: HWPT_FAULT_ID_VALID, fault_id: 1 }).errno).toBe(
      "ENOENT",
    );
    expect(alloc({}).out).toEqual({ out_hwpt_id: 7 });
  });

  test("MD_CHECK_IOTLB sees the four slots", () => {
    const { iotlb, call } = bootNested();
    expect([0, 1, 2, 3, 4].map((slot) => iotlb(slot, 0xdead_beef))).toEqual([0, 0, 0, 0, "EINVAL"]);
    expect(iotlb(0, 0)).toBe("EINVAL");
    expect(call("MD_CHECK_IOTLB", { hwpt_id: 5, iotlb: 0 }).errno).toBe("ENOENT");
  });

  test("HWPT_INVALIDATE stops at the first bad entry, and says how far it came", () => {
    const { iotlb, call } = bootNested();
    const invalidate = (entries: string[], args: Partial<In<"HWPT_INVALIDATE">> = {}) =>
      call("HWPT_INVALIDATE", {
        hwpt_id: 6,
        data_uptr: SCRATCH,
        data_type: INVALIDATE_DATA_MOCK,
        entry_len: 8,
        entry_num: entries.length,
        data: entries.join(""),
        ...args,
      });
    const [slot0, slot2, slot4] = ["0000000000000000", "0000000002000000", "0000000004000000"];
    const [all, unknown] = ["0100000003000000", "0200000000000000"];
    expect(invalidate([slot0!, slot2!])).toEqual({ errno: 0, out: { entry_num: 2 } });
    expect([0, 1, 2].map((slot) => iotlb(slot, 0))).toEqual([0, "EINVAL", 0]);
    expect(invalidate([slot0!, slot4!, all!])).toEqual({ errno: "EINVAL", out: { entry_num: 1 } });
    expect(invalidate([unknown!])).toEqual({ errno: "EOPNOTSUPP", out: { entry_num: 0 } });
    expect(invalidate([slot0!], { entry_num: 2 })).toEqual({
      errno: "EFAULT",
      out: { entry_num: 1 },
    });
    expect(iotlb(3, 0)).toBe("EINVAL");
    expect(invalidate([all!]).errno).toBe(0);
    expect(iotlb(3, 0)).toBe(0);
    const none = { errno: "EINVAL", out: { entry_num: 0 } };
    expect(invalidate([all!], { entry_len: 16 })).toEqual(none);
    expect(invalidate([all!], { data_uptr: 0n as UserVa })).toEqual(none);
    expect(invalidate([all!], { entry_len: 0 })).toEqual(none);
    expect(invalidate([all!], { entry_num: 2 ** 19 + 1 })).toEqual(none);
    expect(invalidate([all!], { hwpt_id: 5 })).toEqual({ errno: "ENOENT", out: { entry_num: 0 } });
    expect(invalidate([all!], { reserved: 1 }).errno).toBe("EOPNOTSUPP");
    // INV-04: without entries it tells whether the type is known.
    expect(invalidate([])).toEqual({ errno: 0, out: { entry_num: 0 } });
    expect(invalidate([], { data_type: INVALIDATE_DATA_MOCK_INVALID })).toEqual({
      errno: "EINVAL",
    });
  });
});

test("GET_HW_INFO stores what fits, zeros behind it, and says how much there is", () => {
  const { call } = bootMock();
  const ask = (args: Partial<In<"GET_HW_INFO">>) =>
    call("GET_HW_INFO", { dev_id: 3, data_uptr: SCRATCH, writable_bytes: 64, ...args });
  const mock = { data_len: 8, out_data_type: 0xfeed_beef, out_max_pasid_log2: 0 };
  const rest = { ...mock, out_capabilities: 1n };
  expect(ask({ data_len: 4 }).out).toEqual({ ...rest, data: "00000000" });
  expect(ask({ data_len: 10 }).out).toEqual({ ...rest, data: "00000000efbeadde0000" });
  expect(ask({ writable_bytes: 0 }).out).toEqual({ ...rest, data: "" });
  expect(ask({ size: 32 }).out).toEqual({ ...mock, data: "" });
  expect(ask({ data_len: 65 }).errno).toBe("EFAULT");
  expect(ask({ dev_id: 1, data_len: 65 }).errno).toBe("ENOENT");
  expect(ask({ dev_id: 1, reserved2: 1 }).errno).toBe("EOPNOTSUPP");
  call("MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: MOCK_NO_DIRTY }); // device 6
  expect(ask({ dev_id: 6 }).out?.out_capabilities).toBe(0n);
});

test("GET_HW_INFO of an IOMMU that has nothing to tell", () => {
  const { call } = boot(VFIO_PLATFORM);
  call("DEVICE_OPEN", { dev: 4 });
  call("VFIO_BIND", { devfd: 4, argsz: 16, iommufd: 0 });
  expect(call("GET_HW_INFO", { dev_id: 2, data_len: 2, writable_bytes: 2 }).out).toEqual({
    data_len: 0,
    out_data_type: 0,
    out_max_pasid_log2: 0,
    out_capabilities: 0n,
    data: "0000",
  });
});

test("a machine that ends with all of it alive returns its memory", () => {
  const before = nodePool.lent;
  const { machine, alloc, call, map, replace } = bootMock();
  map();
  alloc({ flags: HWPT_NEST_PARENT | HWPT_DIRTY_TRACKING });
  call("FAULT_QUEUE_ALLOC");
  alloc({ pt_id: 5, ...IOTLB, flags: HWPT_FAULT_ID_VALID, fault_id: 6 });
  replace(7);
  machine.end();
  expect(nodePool.lent).toBe(before);
});
