/** What is left open makes several states of one, and what is the same again makes one of them. */
import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../spec/platform";
import { Bench, blamed, buf } from "./fixture";
import { outlineOf } from "./state/outline";

const U64 = 0xffff_ffff_ffff_ffffn;

/** An IOAS with that id, and an unmap that failed: its first page may be gone or not (UNS-04). */
const doubt = (b: Bench, id: number): void => {
  expect(b.ok("IOAS_ALLOC", { flags: 0 }, { out_ioas_id: id })).toBeUndefined();
  const map = { ioas_id: id, flags: 7, user_va: buf(0) };
  for (const [iova, length] of [
    [0x1000n, 0x1000n],
    [0x2000n, 0x2000n],
  ] as const) {
    expect(b.ok("IOAS_MAP", { ...map, iova, length }, { iova })).toBeUndefined();
  }
  const cut = { ioas_id: id, iova: 0x1000n, length: 0x2000n };
  expect(b.fails("IOAS_UNMAP", cut, "ENOENT")).toBeUndefined();
};

const clear = (b: Bench, id: number, length: bigint) =>
  b.ok("IOAS_UNMAP", { ioas_id: id, iova: 0n, length: U64 }, { length });

describe("hypotheses", () => {
  test("end with the answer that tells", () => {
    const b = new Bench(MOCK_PLATFORM, "documented");
    doubt(b, 1);
    doubt(b, 2);
    expect(clear(b, 1, 0x2000n)).toBeUndefined();
    expect(clear(b, 2, 0x3000n)).toBeUndefined();
    expect(blamed(clear(b, 1, 0x3000n))).toBe("UNM-20");
  });

  test("that have become the same are one", () => {
    const b = new Bench(MOCK_PLATFORM, "documented");
    for (let i = 0; i < 20; i++) {
      doubt(b, 1);
      // Closing takes all with it, and nobody has learnt what was there.
      expect(b.ok("CLOSE", {})).toBeUndefined();
      expect(b.ok("OPEN", {}, { fd: 0 })).toBeUndefined();
    }
    expect(blamed(b.ok("IOAS_ALLOC", { flags: 0 }, { out_ioas_id: 0 }))).toBe("OBJ-02");
  });

  test("that are too many lead to no verdict rather than to a wrong one", () => {
    const b = new Bench(MOCK_PLATFORM, "documented");
    const ids = Array.from({ length: 8 }, (_, i) => i + 1);
    for (const id of ids) doubt(b, id);
    for (const id of ids) expect(clear(b, id, 0x2000n)).toBeUndefined();
    expect(b.model.isLost).toBe(true);
    expect(b.coverage.lost).toBe(1);
    expect(clear(b, 1, 0x5000n)).toBeUndefined();
  });

  // All of these are right; how soon few states are left depends on the order.
  test.each([...Array(16).keys()])("that were too many are no failure: case %i", (bits) => {
    for (const isBackwards of [false, true]) {
      const b = new Bench(MOCK_PLATFORM, "documented");
      const ids = Array.from({ length: 8 }, (_, i) => i + 1);
      for (const id of ids) doubt(b, id);
      if (isBackwards) ids.reverse();
      for (const id of ids) {
        const isGone = (bits & (1 << (id & 3))) !== 0;
        expect(clear(b, id, isGone ? 0x2000n : 0x3000n)).toBeUndefined();
      }
    }
  });
});

describe("the outline of a state", () => {
  const bench = () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", { flags: 0 });
    return b;
  };
  const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000n };
  const outline = ({ model }: Bench): string => outlineOf(model.state);

  test("knows nothing of when and how it came about", () => {
    const [a, b] = [bench(), bench()];
    b.fails("IOAS_MAP", { ...map, flags: 8 }, "EOPNOTSUPP");
    for (const one of [a, b]) one.done("IOAS_MAP", map);
    expect(outline(a)).toBe(outline(b));
  });

  test.each([
    ["an address", { ...map, iova: 0x2000n }],
    ["a right", { ...map, flags: 5 }],
    ["the memory", { ...map, user_va: buf(0, 0x1000n) }],
  ])("tells %s", (_, other) => {
    const [a, b] = [bench(), bench()];
    a.done("IOAS_MAP", map);
    b.done("IOAS_MAP", other);
    expect(outline(a)).not.toBe(outline(b));
  });

  test("tells which of two a thing belongs to", () => {
    const [a, b] = [bench(), bench()];
    for (const one of [a, b]) one.done("IOAS_ALLOC", { flags: 0 });
    a.done("IOAS_MAP", map);
    b.done("IOAS_MAP", { ...map, ioas_id: 2 });
    expect(outline(a)).not.toBe(outline(b));
  });
});
