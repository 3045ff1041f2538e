import { describe, expect, test } from "@jest/globals";
import type { Call, Outcome } from "../../spec/calls";
import { type Comparison, compare, type Seen } from "./agree";

const seen = (call: Call["call"], args: object, outcome: object, step = 0): Seen => ({
  step,
  call: { call, proc: 0, thread: 0, fd: 0, in: args } as Call,
  outcome: outcome as Outcome,
});

const verdict = (first: Seen, last: Seen, how: Comparison = {}) => {
  const compared = compare([first], last, how, 4096);
  return typeof compared === "string" ? compared : "differ";
};

const map = (flags: number, iova: bigint, at: bigint): Seen =>
  seen("IOAS_MAP", { flags, iova }, { errno: 0, out: { iova: at } });
const runs = (iova: bigint, ...given: readonly (readonly [bigint, bigint, number, bigint])[]) => {
  const list = given.map(([at, length, perm, pa]) => ({ iova: at, length, perm, pa }));
  return seen("TRANSLATE", { iova }, { errno: 0, out: { runs: list } });
};
const ranges = (room: number, array: readonly (readonly [bigint, bigint])[], short = false) =>
  seen(
    "IOAS_IOVA_RANGES",
    { num_iovas: room },
    { errno: short ? "EMSGSIZE" : 0, out: { num_iovas: 2, out_iova_alignment: 1n, array } },
  );

describe("two answers are alike", () => {
  const TWO = [
    [0n, 9n],
    [20n, 29n],
  ] as const;

  test.each([
    ["whatever their ids", seen("OPEN", {}, { errno: 0, out: { fd: 1 } }), "fd", 2],
    [
      "whatever their ids",
      seen("IOAS_ALLOC", {}, { errno: 0, out: { out_ioas_id: 1 } }),
      "out_ioas_id",
      7,
    ],
  ])("%s", (_, first, name, other) => {
    const last = seen(first.call.call, {}, { errno: 0, out: { [name]: other } });
    expect(verdict(first, last)).toBe("agree");
  });

  test.each<readonly [string, Seen, Seen, string]>([
    [
      "FIXED maps, each where it was sent",
      map(7, 0x1000n, 0x1000n),
      map(7, 0x5000n, 0x5000n),
      "agree",
    ],
    ["FIXED maps, one elsewhere", map(7, 0x1000n, 0x1000n), map(7, 0x5000n, 0x6000n), "differ"],
    ["automatic maps", map(6, 0n, 0x1000n), map(6, 0n, 0x9000n), "agree"],
    ["an automatic and a FIXED map", map(6, 0n, 0x1000n), map(7, 0x1000n, 0x1000n), "agree"],
    [
      "runs cut differently",
      runs(0n, [0n, 8192n, 3, 0n]),
      runs(0n, [0n, 2048n, 3, 0n], [2048n, 6144n, 3, 2048n]),
      "agree",
    ],
    [
      "runs at shifted windows",
      runs(0n, [1n, 4096n, 3, 0n]),
      runs(4096n, [4097n, 4096n, 3, 0n]),
      "agree",
    ],
    ["other pages", runs(0n, [0n, 4096n, 3, 0n]), runs(0n, [0n, 4096n, 3, 81920n]), "agree"],
    [
      "two pages and twice the same",
      runs(0n, [0n, 4096n, 3, 0n], [4096n, 4096n, 3, 4096n]),
      runs(0n, [0n, 4096n, 3, 0n], [4096n, 4096n, 3, 0n]),
      "differ",
    ],
    ["other rights", runs(0n, [0n, 4096n, 3, 0n]), runs(0n, [0n, 4096n, 1, 0n]), "differ"],
    [
      "other places in a page",
      runs(0n, [0n, 2048n, 3, 0n]),
      runs(0n, [0n, 2048n, 3, 2048n]),
      "differ",
    ],
    [
      "ranges that are not joined",
      ranges(9, [[0n, 9n]]),
      ranges(9, [
        [5n, 9n],
        [0n, 4n],
      ]),
      "agree",
    ],
    ["fewer ranges", ranges(9, TWO), ranges(9, TWO.slice(1)), "differ"],
    ["less room, the first ranges", ranges(9, TWO), ranges(1, TWO.slice(0, 1), true), "agree"],
    ["less room, the last ranges", ranges(9, TWO), ranges(1, TWO.slice(1), true), "differ"],
    ["as much room, EMSGSIZE", ranges(9, TWO), ranges(9, TWO, true), "differ"],
  ])("%s", (_, first, last, expected) => {
    expect(verdict(first, last)).toBe(expected);
  });

  test("pages that stay pinned keep their addresses", () => {
    const [first, last] = [runs(0n, [0n, 4096n, 3, 0n]), runs(0n, [0n, 4096n, 3, 8192n])];
    expect(verdict(first, last, { pinnedThroughout: true })).toBe("differ");
    expect(verdict(first, first, { pinnedThroughout: true })).toBe("agree");
  });

  test("errnos count, unless the relation does not name one", () => {
    const [one, other] = ["EINVAL", "ENOSPC"].map((errno) => seen("IOAS_MAP", {}, { errno }));
    if (one === undefined || other === undefined) throw new Error("no answers");
    expect(verdict(one, other)).toBe("differ");
    expect(verdict(one, other, { anyErrno: true })).toBe("agree");
    expect(verdict(one, map(7, 0n, 0n), { anyErrno: true })).toBe("differ");
  });

  test("a failure that implies a failure says nothing when it is none", () => {
    const failure = seen("IOAS_MAP", {}, { errno: "ENOSPC" });
    const how = { failureImpliesFailure: true } as const;
    expect(verdict(map(7, 0n, 0n), failure, how)).toBe("no");
    expect(verdict(failure, failure, how)).toBe("agree");
    expect(verdict(failure, map(7, 0n, 0n), how)).toBe("differ");
  });

  test("a call that is wrong in several ways fails like one that is wrong in one of them", () => {
    const how = { failsLikeOneOf: true } as const;
    const fails = (errno: string | 0, step = 0): Seen => seen("IOAS_MAP", {}, { errno }, step);
    const [one, two] = [fails("EINVAL"), fails("ENOENT", 1)];
    expect(compare([one, two], fails("ENOENT", 2), how, 4096)).toBe("agree");
    expect(compare([one, two], fails("ENOSPC", 2), how, 4096)).toEqual({
      expected: "like step 0, 1: EINVAL or ENOENT",
      actual: "IOAS_MAP: ENOSPC",
    });
    expect(compare([one, two], fails(0, 2), how, 4096)).toMatchObject({ actual: "IOAS_MAP: ok" });
    expect(compare([one, fails(0, 1)], fails("ENOSPC", 2), how, 4096)).toBe("no");
  });

  test("outputs for which one struct is too short do not count, if the relation says so", () => {
    const info = { data_len: 4, out_data_type: 1, out_max_pasid_log2: 0 };
    const short = seen("GET_HW_INFO", {}, { errno: 0, out: info });
    const whole = seen("GET_HW_INFO", {}, { errno: 0, out: { ...info, out_capabilities: 1n } });
    const other = seen("GET_HW_INFO", {}, { errno: 0, out: { ...info, out_data_type: 2 } });
    expect(verdict(whole, short)).toBe("differ");
    expect(verdict(whole, short, { sharedOutputs: true })).toBe("agree");
    expect(verdict(whole, other, { sharedOutputs: true })).toBe("differ");
  });

  test("an unmapped length is a size for VFIO", () => {
    const native = seen("IOAS_UNMAP", {}, { errno: 0, out: { length: 4096n } });
    const vfio = (size: bigint) => seen("VFIO_UNMAP_DMA", {}, { errno: 0, out: { size } });
    expect(verdict(native, vfio(4096n))).toBe("agree");
    expect(verdict(native, vfio(8192n))).toBe("differ");
  });

  test("one UNMAP tells the sum of several", () => {
    const unmap = (length: bigint, step: number): Seen =>
      seen("IOAS_UNMAP", {}, { errno: 0, out: { length } }, step);
    expect(compare([unmap(1n, 0), unmap(2n, 1)], unmap(3n, 2), {}, 4096)).toBe("agree");
    expect(compare([unmap(1n, 0), unmap(2n, 1)], unmap(4n, 2), {}, 4096)).toEqual({
      expected: "like step 0, 1: ok, length 0x3",
      actual: "IOAS_UNMAP: ok, length 0x4",
    });
  });
});
