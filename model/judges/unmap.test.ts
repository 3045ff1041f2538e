import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const U64 = 0xffff_ffff_ffff_ffffn;

/** Three mappings of a page each: 0x1000, 0x2000, 0x5000. */
const bench = (profile: Profile = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  for (const iova of [0x1000n, 0x2000n, 0x5000n]) {
    b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova });
  }
  return b;
};

const range = (iova: bigint, length: bigint) => ({ ioas_id: 1, iova, length });

describe("IOAS_UNMAP", () => {
  test("removes what lies in the range, holes not counted", () => {
    const b = bench();
    expect(b.ok("IOAS_UNMAP", range(0x800n, 0x8000n), { length: 0x3000n })).toBeUndefined();
    expect(b.counts("UNM-21")).toEqual([1, 0]);
    expect(b.ok("IOAS_UNMAP", range(0n, U64), { length: 0n })).toBeUndefined();
  });

  test("a wrong length is the fault of UNM-20", () => {
    expect(blamed(bench().ok("IOAS_UNMAP", range(0n, U64), { length: 0x2000n }))).toBe("UNM-20");
  });

  test("cuts no mapping", () => {
    const b = bench();
    expect(blamed(b.ok("IOAS_UNMAP", range(0x1000n, 0x800n), { length: 0x800n }))).toBe("UNM-07");
    expect(b.fails("IOAS_UNMAP", range(0x1000n, 0x800n), "ENOENT")).toBeUndefined();
  });

  test.each([
    ["an empty range", range(0x3000n, 0x1000n), "ENOENT", "UNM-08"],
    ["length 0", range(0x1000n, 0n), "EINVAL", "UNM-04"],
    ["length 2^64-1", range(0x1000n, U64), "EOVERFLOW", "UNM-03"],
    ["a range that wraps", range(0x1000n, U64 - 1n), "EOVERFLOW", "UNM-05"],
    ["no IOAS", { ...range(0x1000n, U64), ioas_id: 9 }, "ENOENT", "UNM-01"],
  ] as const)("%s is refused", (_, args, errno, clause) => {
    expect(bench().fails("IOAS_UNMAP", args, errno)).toBeUndefined();
    expect(blamed(bench().ok("IOAS_UNMAP", args, { length: 0x1000n }))).toBe(clause);
    expect(blamed(bench().fails("IOAS_UNMAP", args, "EBUSY"))).toBe(clause);
  });

  test("the last byte can be unmapped by a range, and adds up to 2^64 as 0", () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", { flags: 0 });
    const half = 1n << 63n;
    const map = { ioas_id: 1, flags: 5, user_va: 0n, length: half };
    b.done("IOAS_MAP", { ...map, iova: 0n });
    b.done("IOAS_MAP", { ...map, iova: half });
    expect(b.ok("IOAS_UNMAP", range(0n, U64), { length: 0n })).toBeUndefined();
  });

  test("in linux-6.12 a failing unmap has removed what came before", () => {
    const b = bench();
    expect(b.fails("IOAS_UNMAP", range(0x1000n, 0x1800n), "ENOENT")).toBeUndefined();
    expect(blamed(b.ok("IOAS_UNMAP", range(0n, U64), { length: 0x3000n }))).toBe("UNM-20");
    const c = bench();
    c.fails("IOAS_UNMAP", range(0x1000n, 0x1800n), "ENOENT");
    expect(c.ok("IOAS_UNMAP", range(0n, U64), { length: 0x2000n })).toBeUndefined();
    expect(c.counts("UNM-24")).toEqual([0, 1]);
  });

  test.each([0x2000n, 0x3000n])("elsewhere it may or may not: 0x%s bytes are left", (length) => {
    const b = bench("documented");
    expect(b.fails("IOAS_UNMAP", range(0x1000n, 0x1800n), "ENOENT")).toBeUndefined();
    expect(b.ok("IOAS_UNMAP", range(0n, U64), { length })).toBeUndefined();
  });

  test.each([0x3000n, 0x2000n, 0x1000n])(
    "out of memory, the lowest may be gone: %s left",
    (length) => {
      const b = bench("documented");
      expect(b.fails("IOAS_UNMAP", range(0n, U64), "ENOMEM")).toBeUndefined();
      expect(b.ok("IOAS_UNMAP", range(0n, U64), { length })).toBeUndefined();
    },
  );

  test("but a single one is not, nor are all, nor the highest alone", () => {
    const one = bench("documented");
    one.fails("IOAS_UNMAP", range(0x1000n, 0x1000n), "ENOMEM");
    expect(blamed(one.fails("IOAS_UNMAP", range(0x1000n, 0x1000n), "ENOENT"))).toBe("UNM-08");
    const all = bench("documented");
    all.fails("IOAS_UNMAP", range(0n, U64), "ENOMEM");
    expect(blamed(all.ok("IOAS_UNMAP", range(0n, U64), { length: 0n }))).toBe("UNM-20");
    const highest = bench("documented");
    highest.fails("IOAS_UNMAP", range(0n, U64), "ENOMEM");
    expect(highest.fails("IOAS_UNMAP", range(0x1000n, 0x1000n), "ENOENT")).toBeUndefined();
    expect(highest.ok("IOAS_UNMAP", range(0x5000n, 0x1000n), { length: 0x1000n })).toBeUndefined();
    const gap = bench("documented");
    gap.fails("IOAS_UNMAP", range(0n, U64), "ENOMEM");
    gap.ok("IOAS_UNMAP", range(0x1000n, 0x1000n), { length: 0x1000n });
    expect(blamed(gap.fails("IOAS_UNMAP", range(0x2000n, 0x1000n), "ENOENT"))).toBe("UNM-08");
  });

  test("but not both, nor a part of it", () => {
    const b = bench("documented");
    b.fails("IOAS_UNMAP", range(0x1000n, 0x1800n), "ENOENT");
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000n };
    expect(b.fails("IOAS_MAP", map, "EEXIST")).toBeUndefined();
    expect(blamed(b.ok("IOAS_UNMAP", range(0n, U64), { length: 0x2000n }))).toBe("UNM-20");
  });
});
