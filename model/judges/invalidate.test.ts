import { describe, expect, test } from "@jest/globals";
import { Bench, blamed } from "../fixture";

/** Mock device 3; parent 5; nested HWPT 6, whose slots hold 7. */
const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: 1 });
  const data = { data_type: 0xdead, data_len: 4, data: "07000000" };
  b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 5, ...data });
  return b;
};

const entry = (flags: number, slot: number): string =>
  `0${flags}000000${slot.toString(16).padStart(2, "0")}000000`;

const call = (...entries: string[]) => ({
  hwpt_id: 6,
  data_uptr: 0x1_0000_0000n,
  data_type: 0xdead_beef,
  entry_len: 8,
  entry_num: entries.length,
  data: entries.join(""),
});

/** The slots, as MD_CHECK_IOTLB finds them. */
const slots = (b: Bench): number[] =>
  [0, 1, 2, 3].map((iotlb_id) =>
    b.ok("MD_CHECK_IOTLB", { hwpt_id: 6, iotlb_id, iotlb: 7 }) === undefined ? 7 : 0,
  );

describe("HWPT_INVALIDATE", () => {
  test("clears the slots that the entries name", () => {
    const b = bench();
    expect(slots(b)).toEqual([7, 7, 7, 7]);
    const two = call(entry(0, 1), entry(0, 3));
    expect(b.ok("HWPT_INVALIDATE", two, { entry_num: 2 })).toBeUndefined();
    expect(slots(b)).toEqual([7, 0, 7, 0]);
    expect(b.ok("HWPT_INVALIDATE", call(entry(1, 0)), { entry_num: 1 })).toBeUndefined();
    expect(slots(b)).toEqual([0, 0, 0, 0]);
    expect(blamed(bench().ok("HWPT_INVALIDATE", two, { entry_num: 1 }))).toBe("INV-06");
  });

  test("does what comes before a bad entry", () => {
    const b = bench();
    const late = call(entry(0, 0), entry(0, 4), entry(0, 2));
    expect(blamed(bench().fails("HWPT_INVALIDATE", late, "EINVAL", { entry_num: 0 }))).toBe(
      "INV-06",
    );
    expect(blamed(bench().fails("HWPT_INVALIDATE", late, "EINVAL"))).toBe("INV-06");
    expect(b.fails("HWPT_INVALIDATE", late, "EINVAL", { entry_num: 1 })).toBeUndefined();
    expect(slots(b)).toEqual([0, 7, 7, 7]);
  });

  test("without entries asks for the type", () => {
    expect(bench().ok("HWPT_INVALIDATE", call(), { entry_num: 0 })).toBeUndefined();
    const other = { ...call(), data_type: 1 };
    expect(bench().fails("HWPT_INVALIDATE", other, "EINVAL")).toBeUndefined();
    expect(blamed(bench().ok("HWPT_INVALIDATE", other, { entry_num: 0 }))).toBe("INV-04");
  });

  const ONE = call(entry(0, 0));

  test.each([
    ["a reserved word", { reserved: 1 }, "EOPNOTSUPP", "INV-01"],
    ["no pointer", { data_uptr: 0n }, "EINVAL", "INV-02"],
    ["entries without a length", { entry_len: 0 }, "EINVAL", "INV-02"],
    ["entries longer than a page", { entry_len: 4097 }, "EINVAL", "INV-02"],
    ["a paging HWPT", { hwpt_id: 5 }, "ENOENT", "INV-03"],
    ["entries of another length", { entry_len: 16 }, "EINVAL", "INV-05"],
    ["an unknown flag", { data: entry(2, 0) }, "EOPNOTSUPP", "INV-05"],
    ["a slot that is not there", { data: entry(1, 4) }, "EINVAL", "INV-05"],
    ["an entry that cannot be read", { data: "" }, "EFAULT", "INV-05"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    const b = bench();
    const bad = { ...ONE, ...wrong };
    expect(b.fails("HWPT_INVALIDATE", bad, errno, { entry_num: 0 })).toBeUndefined();
    expect(slots(b)).toEqual([7, 7, 7, 7]);
    expect(blamed(bench().ok("HWPT_INVALIDATE", bad, { entry_num: 1 }))).toBe(clause);
  });
});

describe("MD_CHECK_IOTLB", () => {
  test.each([
    ["another value", { iotlb: 8 }, "EINVAL"],
    ["a slot that is not there", { iotlb_id: 4 }, "EINVAL"],
    ["a paging HWPT", { hwpt_id: 5 }, "ENOENT"],
  ] as const)("refuses %s", (_, wrong, errno) => {
    const check = { hwpt_id: 6, iotlb_id: 0, iotlb: 7, ...wrong };
    expect(bench().fails("MD_CHECK_IOTLB", check, errno)).toBeUndefined();
    expect(blamed(bench().ok("MD_CHECK_IOTLB", check))).toBe("INV-07");
  });
});
