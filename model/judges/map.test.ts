import { describe, expect, test } from "@jest/globals";
import type { Errno } from "../../spec/errno";
import { MOCK_PLATFORM } from "../../spec/platform";
import { Bench, blamed, buf } from "../fixture";

const FIXED = 1;
const RW = 6;
const U64 = 0xffff_ffff_ffff_ffffn;

/** An IOAS without a domain, and one with. */
const bench = () => {
  const b = new Bench();
  const plain = b.done("IOAS_ALLOC", { flags: 0 }).out_ioas_id;
  const pinned = b.done("IOAS_ALLOC", { flags: 0 }).out_ioas_id;
  b.done("MOCK_DOMAIN", { pt_id: pinned });
  return { b, plain, pinned };
};

const good = { flags: FIXED | RW, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };

describe("IOAS_MAP", () => {
  test.each<[string, object, Errno, string]>([
    ["an unknown flag", { flags: 8 | RW }, "EOPNOTSUPP", "MAP-01"],
    ["a reserved field", { reserved: 1 }, "EOPNOTSUPP", "MAP-01"],
    ["iova 2^64-1", { iova: U64 }, "EOVERFLOW", "MAP-02"],
    ["neither right", { flags: FIXED }, "EINVAL", "MAP-03"],
    ["no IOAS", { ioas_id: 77 }, "ENOENT", "MAP-04"],
    ["length 0", { length: 0n }, "EINVAL", "MAP-05"],
    ["a buffer that wraps", { user_va: U64 - 0xfffn }, "EOVERFLOW", "MAP-06"],
    ["a misaligned length", { length: 0x801n }, "EINVAL", "MAP-08"],
    ["a misaligned iova", { iova: 0x1000_0001n }, "EINVAL", "MAP-09a"],
    ["an iova that wraps", { iova: U64 - 0x7ffn }, "EOVERFLOW", "MAP-10a"],
    ["a reserved iova", { iova: 0n }, "EINVAL", "MAP-11a"],
    ["a misaligned buffer", { user_va: buf(0, 1n) }, "EINVAL", "MAP-13"],
    ["memory that is not there", { user_va: 0x3000_0000_0000n }, "EFAULT", "MAP-14"],
    ["memory that is read-only", { user_va: buf(2) }, "EFAULT", "MAP-14"],
    ["the last page", { user_va: U64 - 0xffen, length: 0x800n }, "EINVAL", "MAP-13"],
    ["the last page, aligned", { user_va: U64 - 0xfffn, length: 0x800n }, "EOVERFLOW", "MAP-14"],
  ])("%s is refused, with this errno only", (_, wrong, errno, clause) => {
    const { b, pinned } = bench();
    const args = { ioas_id: pinned, ...good, ...wrong };
    expect(
      b.model.foresee({
        call: "IOAS_MAP",
        proc: 0,
        thread: 0,
        fd: 0,
        in: { reserved: 0, ...args } as never,
      }),
    ).toEqual({ errno, clause });
    expect(blamed(b.ok("IOAS_MAP", args, { iova: good.iova }))).toBe(clause);
    expect(blamed(b.fails("IOAS_MAP", args, errno === "EBUSY" ? "EIO" : "EBUSY"))).toBe(clause);
    expect(b.fails("IOAS_MAP", args, errno)).toBeUndefined();
    expect(b.counts(clause as never)[1]).toBe(1);
  });

  test("a range that ends at 2^64 overflows only if it is pinned in one go (TST-06)", () => {
    const { b, pinned } = bench();
    const args = { ioas_id: pinned, ...good, user_va: U64 - 0x1fffn, length: 0x1800n };
    expect(b.fails("IOAS_MAP", args, "EOVERFLOW")).toBeUndefined();
    expect(blamed(b.fails("SET_TEMP_MEMORY_LIMIT", { limit: 12 }, "EINVAL"))).toBe("TST-06");
    expect(b.fails("SET_TEMP_MEMORY_LIMIT", { limit: 11 }, "EINVAL")).toBeUndefined();
    expect(b.fails("IOAS_MAP", args, "EOVERFLOW")).toBeUndefined();
    expect(blamed(b.ok("SET_TEMP_MEMORY_LIMIT", { limit: 11 }))).toBe("TST-06");
    b.done("SET_TEMP_MEMORY_LIMIT", { limit: 12 });
    expect(blamed(b.fails("IOAS_MAP", args, "EOVERFLOW"))).toBe("MAP-14");
    expect(b.fails("IOAS_MAP", args, "EFAULT")).toBeUndefined();
    expect(b.counts("TST-06")).toEqual([0, 1]);
  });

  test("an overlap is EEXIST, the neighbours are free", () => {
    const { b, pinned } = bench();
    b.done("IOAS_MAP", { ioas_id: pinned, ...good });
    for (const iova of [0x1000_0000n, 0x0fff_f800n, 0x1000_0800n]) {
      expect(b.fails("IOAS_MAP", { ioas_id: pinned, ...good, iova }, "EEXIST")).toBeUndefined();
    }
    for (const iova of [0x0fff_f000n, 0x1000_1000n]) {
      expect(b.ok("IOAS_MAP", { ioas_id: pinned, ...good, iova }, { iova })).toBeUndefined();
    }
  });

  test("a wrong iova is the fault of MAP-20", () => {
    const { b, plain } = bench();
    expect(blamed(b.ok("IOAS_MAP", { ioas_id: plain, ...good }, { iova: 1n }))).toBe("MAP-20");
  });

  test("a failure that nothing explains is the fault of what promises success", () => {
    const { b, plain } = bench();
    const at = (iova: bigint, errno: Errno) =>
      blamed(b.fails("IOAS_MAP", { ioas_id: plain, ...good, iova }, errno));
    expect(at(0n, "EINVAL")).toBe("MAP-25");
    expect(at(U64 - 0xfffn, "EOVERFLOW")).toBe("MAP-26");
    expect(at(0x4000n, "EEXIST")).toBe("RNG-16");
  });

  test("garbage can be mapped while nothing is pinned", () => {
    const { b, plain } = bench();
    const args = { ioas_id: plain, flags: FIXED | RW, user_va: 0x1234_5678_9abcn, length: 3n };
    expect(b.ok("IOAS_MAP", { ...args, iova: 7n }, { iova: 7n })).toBeUndefined();
    expect(b.counts("MAP-22")).toEqual([1, 0]);
    expect(b.counts("MAP-24")).toEqual([1, 0]);
  });

  test("a failing call must not write its output", () => {
    const { b, plain } = bench();
    const deviation = b.fails("IOAS_MAP", { ioas_id: plain, flags: 8 }, "EOPNOTSUPP", { iova: 1n });
    expect(blamed(deviation)).toBe("GEN-15");
  });
});

describe("an automatic IOVA", () => {
  const auto = { flags: RW, user_va: buf(0, 0x3000n), length: 0x1000n };

  test.each<[string, bigint, string]>([
    ["over a mapping", 0x1000_0000n, "AUT-02"],
    ["outside the aperture", 0x8000_0000n, "AUT-01"],
    ["misaligned", 0x2000_0400n, "AUT-03"],
    ["less aligned than buffer and length", 0x2000_0800n, "AUT-07"],
  ])("%s is refused", (_, iova, clause) => {
    const { b, pinned } = bench();
    b.done("IOAS_MAP", { ioas_id: pinned, ...good });
    expect(blamed(b.ok("IOAS_MAP", { ioas_id: pinned, ...auto }, { iova }))).toBe(clause);
  });

  test("may lie anywhere that keeps the relations", () => {
    const { b, pinned } = bench();
    for (const iova of [0x7fff_f000n, 0x100_0000n, 0x4000_0000n]) {
      expect(b.ok("IOAS_MAP", { ioas_id: pinned, ...auto }, { iova })).toBeUndefined();
    }
  });

  test("stays inside the allowed list", () => {
    const { b, plain } = bench();
    const array = [[0x5000n, 0x8fffn] as const];
    b.done("IOAS_ALLOW_IOVAS", { ioas_id: plain, num_iovas: 1, array: array as never });
    const map = { ioas_id: plain, ...auto };
    expect(blamed(b.ok("IOAS_MAP", map, { iova: 0x9000n }))).toBe("AUT-01");
    const c = bench();
    c.b.done("IOAS_ALLOW_IOVAS", { ioas_id: c.plain, num_iovas: 1, array: array as never });
    expect(c.b.ok("IOAS_MAP", { ...map, ioas_id: c.plain }, { iova: 0x8000n })).toBeUndefined();
    expect(c.b.counts("ALW-08")).toEqual([1, 0]);
  });

  test("is refused for want of room only when there is none", () => {
    const { b, plain } = bench();
    const array = [[0x5000n, 0x5fffn] as const];
    const map = { ioas_id: plain, ...auto };
    expect(blamed(b.fails("IOAS_MAP", map, "ENOSPC"))).toBe("MAP-32");
    b.done("IOAS_ALLOW_IOVAS", { ioas_id: plain, num_iovas: 1, array: array as never });
    expect(b.ok("IOAS_MAP", map, { iova: 0x5000n })).toBeUndefined();
    expect(b.fails("IOAS_MAP", map, "ENOSPC")).toBeUndefined();
    expect(blamed(b.ok("IOAS_MAP", map, { iova: 0x6000n }))).toBe("MAP-11b");
  });

  test("binds relations of 6.12 in its own profile only", () => {
    const documented = new Bench(MOCK_PLATFORM, "documented");
    const linux = new Bench();
    const map = { flags: RW, user_va: buf(0), length: 0x1000n };
    for (const b of [documented, linux]) b.done("IOAS_ALLOC", { flags: 0 });
    expect(documented.ok("IOAS_MAP", { ioas_id: 1, ...map }, { iova: 0n })).toBeUndefined();
    expect(blamed(linux.ok("IOAS_MAP", { ioas_id: 1, ...map }, { iova: 0n }))).toBe("AUT-04");
  });
});
