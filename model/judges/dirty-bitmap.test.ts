import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import { DIRTY_NO_CLEAR } from "../../spec/uapi/flags";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const IOVA = 0x1000_0000n;
const MAP = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x2000n, iova: IOVA };
const RANGE = { hwpt_id: 5, iova: IOVA, length: 0x2000n, page_size: 0x800n };
const GET = { ...RANGE, data: 0x1_0000_0000n, prefill: "00" };
const WRITE = { ...RANGE, uptr: 0x1_0000_0000n };

/** Two pages, which are four of the IOMMU, in HWPT 5; the first and the last are dirty. */
const bench = (profile: Profile = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: 2 });
  b.done("IOAS_MAP", MAP);
  b.done("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 5, flags: 1 });
  b.done("DIRTY", { ...WRITE, bitmap: "09" });
  return b;
};

describe("HWPT_GET_DIRTY_BITMAP", () => {
  test("reports what is dirty once, or as often as it is told not to clear", () => {
    const b = bench();
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", { ...GET, flags: 1 }, { bitmap: "09" })).toBeUndefined();
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" })).toBeUndefined();
    expect(blamed(b.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" }))).toBe("DTY-20");
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", GET)).toBeUndefined();
  });

  test.each([
    ["too little", GET, "01", "DTY-20"],
    ["too much", GET, "0b", "DTY-20"],
    ["nothing", GET, undefined, "DTY-20"],
    ["another page", GET, "05", "DTY-18"],
    ["without the caller's bits", { ...GET, prefill: "f0" }, "09", "DTY-19"],
    ["small pages in part", { ...GET, page_size: 0x400n }, "41", "DTY-22"],
    ["large pages in part", { ...GET, page_size: 0x1000n }, "01", "DTY-22"],
  ] as const)("must not report %s", (_, get, bitmap, clause) => {
    const out = bitmap === undefined ? {} : { bitmap };
    expect(blamed(bench().ok("HWPT_GET_DIRTY_BITMAP", get, out))).toBe(clause);
  });

  test.each([
    ["of the caller's bits", { ...GET, prefill: "f0" }, "f9"],
    ["in small pages", { ...GET, page_size: 0x400n }, "c3"],
    ["in large pages", { ...GET, page_size: 0x1000n }, "03"],
    ["of a part", { ...GET, iova: IOVA + 0x1000n, length: 0x1000n }, "02"],
  ] as const)("makes the best %s", (_, get, bitmap) => {
    expect(bench().ok("HWPT_GET_DIRTY_BITMAP", get, { bitmap })).toBeUndefined();
  });

  test.each([
    ["an unknown flag", { flags: 2 }, "EOPNOTSUPP", "DTY-10"],
    ["a reserved word", { reserved: 1 }, "EOPNOTSUPP", "DTY-10"],
    ["no HWPT", { hwpt_id: 1 }, "ENOENT", "DTY-11"],
    ["no length", { length: 0n }, "EINVAL", "DTY-12"],
    ["a range that wraps", { iova: 2n ** 64n - 0x1000n }, "EOVERFLOW", "DTY-13"],
    ["a crooked range", { iova: IOVA + 1n, page_size: 1n }, "EINVAL", "DTY-14"],
    ["no page size", { page_size: 0n }, "EINVAL", "DTY-15"],
    ["too large a page size", { page_size: 0x4000n }, "EINVAL", "DTY-16"],
    ["an HWPT that cannot track", { hwpt_id: 4 }, "EOPNOTSUPP", "DTY-17"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    expect(bench().fails("HWPT_GET_DIRTY_BITMAP", { ...GET, ...wrong }, errno)).toBeUndefined();
    const planted = bench().ok("HWPT_GET_DIRTY_BITMAP", { ...GET, ...wrong });
    expect(blamed(planted)).toBe(clause);
  });

  /** The range begins a page before the mapping. */
  const HOLE = { ...GET, iova: IOVA - 0x1000n, length: 0x3000n };

  test("may stop at a hole in 6.12, and must not elsewhere", () => {
    const a = bench();
    expect(a.ok("HWPT_GET_DIRTY_BITMAP", HOLE)).toBeUndefined();
    expect(a.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" })).toBeUndefined();
    // It need not have the defect; then it has cleared what it told of.
    const fixed = bench();
    expect(fixed.ok("HWPT_GET_DIRTY_BITMAP", HOLE, { bitmap: "24" })).toBeUndefined();
    expect(blamed(fixed.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" }))).toBe("DTY-20");
    const half = bench().ok("HWPT_GET_DIRTY_BITMAP", HOLE, { bitmap: "20" });
    expect(blamed(half)).toBe("DTY-21");
    const b = bench("documented");
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", HOLE, { bitmap: "24" })).toBeUndefined();
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", GET)).toBeUndefined();
    expect(blamed(bench("documented").ok("HWPT_GET_DIRTY_BITMAP", HOLE))).toBe("DTY-20");
  });

  test.each(["09", undefined])(
    "may refuse a hole elsewhere, having cleared or not: %s",
    (after) => {
      const b = bench("documented");
      expect(b.fails("HWPT_GET_DIRTY_BITMAP", HOLE, "EINVAL")).toBeUndefined();
      const out = after === undefined ? {} : { bitmap: after };
      expect(b.ok("HWPT_GET_DIRTY_BITMAP", GET, out)).toBeUndefined();
      expect(blamed(bench().fails("HWPT_GET_DIRTY_BITMAP", HOLE, "EINVAL"))).toBe("DTY-21");
    },
  );

  describe("that shows not whether it looked behind the hole", () => {
    const doubtful = () => {
      const b = bench();
      expect(b.ok("HWPT_GET_DIRTY_BITMAP", { ...HOLE, prefill: "ff" })).toBeUndefined();
      return b;
    };
    const get = (b: Bench, bitmap?: string, flags = 0) =>
      b.ok("HWPT_GET_DIRTY_BITMAP", { ...GET, flags }, bitmap === undefined ? {} : { bitmap });

    test.each(["09", undefined])("may have cleared or not: %s", (bitmap) => {
      const b = doubtful();
      expect(get(b, bitmap)).toBeUndefined();
      expect(get(b)).toBeUndefined();
      expect(blamed(get(b, "09"))).toBe("DTY-20");
    });

    test.each([
      ["09", undefined],
      [undefined, "09"],
    ])("has done what a look says: %s", (bitmap, other) => {
      const b = doubtful();
      expect(get(b, bitmap, DIRTY_NO_CLEAR)).toBeUndefined();
      expect(blamed(get(b, other, DIRTY_NO_CLEAR))).toBe("DTY-20");
      expect(get(b, bitmap)).toBeUndefined();
    });

    test.each([
      ["half of each page", { page_size: 0x400n }, "41"],
      ["one page and not the other", {}, "01"],
    ])("has done the same to all of it: not %s", (_, how, bitmap) => {
      const b = doubtful();
      const half = b.ok("HWPT_GET_DIRTY_BITMAP", { ...GET, ...how }, { bitmap });
      expect(half).toBeDefined();
    });

    test("has kept what a bit of several pages speaks of", () => {
      const b = doubtful();
      const coarse = { ...GET, flags: DIRTY_NO_CLEAR, page_size: 0x2000n };
      expect(b.ok("HWPT_GET_DIRTY_BITMAP", coarse, { bitmap: "01" })).toBeUndefined();
      expect(blamed(get(b))).toBe("DTY-20");
    });

    test.each(["01", "03"])(
      "may have kept one page of a bit, where another is sure: %s",
      (after) => {
        const b = bench();
        b.done("DIRTY", { ...WRITE, bitmap: "0b" });
        // Pages 0 and 1 by one answer, and page 3 by the next; then page 0 is sure again.
        for (const length of [0x2000n, 0x3000n]) {
          expect(b.ok("HWPT_GET_DIRTY_BITMAP", { ...HOLE, length, prefill: "ff" })).toBeUndefined();
        }
        b.done("DIRTY", { ...WRITE, bitmap: "01" });
        // Page 3 is clean, so it cannot be that its bit speaks for page 1.
        const coarse = { ...GET, flags: DIRTY_NO_CLEAR, page_size: 0x1000n };
        expect(b.ok("HWPT_GET_DIRTY_BITMAP", coarse, { bitmap: "01" })).toBeUndefined();
        expect(get(b, after)).toBeUndefined();
      },
    );

    test("leaves no doubt about what is written to again", () => {
      const b = doubtful();
      b.done("DIRTY", { ...WRITE, bitmap: "09" });
      expect(blamed(get(b, undefined, DIRTY_NO_CLEAR))).toBe("DTY-20");
      expect(get(b, "09")).toBeUndefined();
    });
  });

  test("that has nowhere to write to loses what was dirty in 6.12", () => {
    const nowhere = { ...GET, prefill: "" };
    const b = bench();
    expect(blamed(b.fails("HWPT_GET_DIRTY_BITMAP", nowhere, "EFAULT"))).toBe("DTY-23");
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", nowhere)).toBeUndefined();
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", GET)).toBeUndefined();
    const c = bench("documented");
    expect(c.fails("HWPT_GET_DIRTY_BITMAP", nowhere, "EFAULT")).toBeUndefined();
    expect(c.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" })).toBeUndefined();
  });
});

describe("dirty bits", () => {
  const isClean = (b: Bench) => b.ok("HWPT_GET_DIRTY_BITMAP", GET);
  const isDirty = (b: Bench) => b.ok("HWPT_GET_DIRTY_BITMAP", GET, { bitmap: "09" });

  test("go with the mapping", () => {
    const b = bench();
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: IOVA, length: 0x2000n });
    b.done("IOAS_MAP", MAP);
    expect(isClean(b)).toBeUndefined();
    expect(b.counts("DTY-25")).toEqual([1, 0]);
  });

  test("go when tracking is switched on", () => {
    const b = bench();
    expect(b.ok("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 5, flags: 1 })).toBeUndefined();
    expect(blamed(isDirty(b))).toBe("DTY-20");
    expect(isClean(b)).toBeUndefined();
  });

  test("are not reported while tracking is off", () => {
    const b = bench();
    b.done("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 5, flags: 0 });
    expect(blamed(isDirty(b))).toBe("DTY-21");
    const off = { ...WRITE, bitmap: "01" };
    expect(b.fails("DIRTY", off, "EINVAL")).toBeUndefined();
  });

  test("are those of one HWPT", () => {
    const b = bench();
    b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: 2 });
    b.done("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 6, flags: 1 });
    const other = { ...GET, hwpt_id: 6 };
    const planted = b.ok("HWPT_GET_DIRTY_BITMAP", other, { bitmap: "09" });
    expect(blamed(planted)).toBe("DTY-24");
    // Neither its own pages nor those of the other: it is wrong by itself.
    const wrong = b.ok("HWPT_GET_DIRTY_BITMAP", other, { bitmap: "02" });
    expect(blamed(wrong)).toBe("DTY-20");
    expect(b.ok("HWPT_GET_DIRTY_BITMAP", other)).toBeUndefined();
    expect(isDirty(b)).toBeUndefined();
  });
});

describe("HWPT_SET_DIRTY_TRACKING", () => {
  test.each([
    ["an unknown flag", { hwpt_id: 5, flags: 2 }, "EOPNOTSUPP", "DTY-01"],
    ["no HWPT", { hwpt_id: 3, flags: 1 }, "ENOENT", "DTY-02"],
    ["an HWPT that cannot track", { hwpt_id: 4, flags: 1 }, "EOPNOTSUPP", "DTY-03"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    expect(bench().fails("HWPT_SET_DIRTY_TRACKING", wrong, errno)).toBeUndefined();
    expect(blamed(bench().ok("HWPT_SET_DIRTY_TRACKING", wrong))).toBe(clause);
  });
});

describe("DIRTY", () => {
  test("says how many of the pages were there", () => {
    const wide = { ...WRITE, length: 0x4000n, bitmap: "ff" };
    expect(bench().ok("DIRTY", wide, { out_nr_dirty: 4n })).toBeUndefined();
    expect(blamed(bench().ok("DIRTY", wide, { out_nr_dirty: 8n }))).toBe("DTY-20");
  });

  test.each([
    ["no page size", { page_size: 0n }, "EINVAL"],
    ["no length", { length: 0n }, "EINVAL"],
    ["a crooked iova", { iova: IOVA + 1n }, "EINVAL"],
    ["no pointer", { uptr: 0n }, "EINVAL"],
    ["no HWPT", { hwpt_id: 2 }, "ENOENT"],
    ["too short a bitmap", { length: 0x8000n }, "EFAULT"],
  ] as const)("refuses %s", (_, wrong, errno) => {
    const call = { ...WRITE, bitmap: "ff", ...wrong };
    expect(bench().fails("DIRTY", call, errno)).toBeUndefined();
    expect(blamed(bench().ok("DIRTY", call, { out_nr_dirty: 0n }))).toBe("DTY-20");
  });
});
