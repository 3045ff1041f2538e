import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { U64_MAX } from "../../spec/units";
import { allocIova, type Room } from "./iova-alloc";
import { IovaSpans } from "./iova-spans";

const PAGE = 0x1000n;
const THP = 0x20_0000n;

type Range = readonly [start: bigint, last: bigint];
const spansOf = (ranges: readonly Range[]): IovaSpans => {
  const spans = new IovaSpans();
  for (const [start, last] of ranges) spans.add(start, last);
  return spans;
};

const roomOf = (room: {
  readonly areas?: readonly Range[];
  readonly reserved?: readonly Range[];
  readonly allowed?: readonly Range[];
  readonly alignment?: bigint;
}): Room => ({
  areas: spansOf(room.areas ?? []),
  reserved: spansOf(room.reserved ?? []),
  allowed: spansOf(room.allowed ?? []),
  alignment: room.alignment ?? 1n,
  pageSize: PAGE,
  thpSize: THP,
});

/** Ranges of half pages in the first 40 pages. */
const ranges = fc.array(
  fc
    .tuple(fc.bigInt(0n, 80n), fc.bigInt(1n, 12n))
    .map(([start, count]): Range => [start * 0x800n, (start + count) * 0x800n - 1n]),
  { maxLength: 6 },
);

describe("allocIova", () => {
  test("places once, where areas and reservations leave room together", () => {
    const room = roomOf({
      areas: [[0x1400n, 0x22ffn]],
      reserved: [
        [0x2300n, 0x23ffn],
        [0x2600n, U64_MAX],
      ],
    });
    expect(allocIova(room, 0x2000_0000_0400n, 0x100n)).toBe(0x2400n);
  });

  test("finds the lowest address that fits (AUT-01..03, AUT-08)", () => {
    const args = fc.record({
      areas: ranges,
      reserved: ranges,
      allowed: ranges,
      // Page-aligned memory: then every aligned address is a candidate, and nothing else is.
      userPage: fc.bigInt(0n, 16n),
      pages: fc.bigInt(1n, 9n),
    });
    fc.assert(
      fc.property(args, ({ areas, reserved, allowed, userPage, pages }) => {
        const length = pages * PAGE;
        const answer = allocIova(roomOf({ areas, reserved, allowed }), userPage * PAGE, length);

        let step = PAGE;
        while (step < length) step *= 2n;
        while (userPage !== 0n && (userPage * PAGE) % step !== 0n) step /= 2n;
        const union = spansOf(allowed);
        const fits = (at: bigint): boolean => {
          const last = at + length - 1n;
          if ([...areas, ...reserved].some(([s, l]) => s <= last && l >= at)) return false;
          if (allowed.length === 0) return true;
          const span = union.first(at, at);
          return span !== undefined && span.last >= last;
        };
        let expected: bigint | string = "ENOSPC";
        for (let at = 0n; at <= 128n * PAGE && expected === "ENOSPC"; at += step) {
          if (at >= PAGE && fits(at)) expected = at;
        }
        expect(answer).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("carries the offset in the page over (AUT-05)", () => {
    expect(allocIova(roomOf({}), 0x2000_0001_ade7n, 0x123n)).toBe(0x1de7n);
  });

  test("aligns to a huge page at most (AUT-06)", () => {
    expect(allocIova(roomOf({}), 0n, 8n * THP)).toBe(THP);
  });

  test("has its order of failures (AUT-14)", () => {
    const tight = roomOf({ alignment: PAGE, reserved: [[0n, U64_MAX]] });
    expect(allocIova(tight, 0x800n, U64_MAX / 2n)).toBe("EOVERFLOW");
    expect(allocIova(tight, 0x800n, PAGE)).toBe("EINVAL");
    expect(allocIova(tight, PAGE, PAGE)).toBe("ENOSPC");
  });

  test("does not wrap at the end of the space (AUT-11), nor use its edges (AUT-04)", () => {
    const top = U64_MAX - 0x10_0000n;
    expect(allocIova(roomOf({ reserved: [[0n, top - 1n]] }), THP, THP)).toBe("ENOSPC");
    const lastPages = roomOf({ reserved: [[0n, U64_MAX - PAGE]] });
    expect(allocIova(lastPages, PAGE, PAGE)).toBe("ENOSPC");
  });

  test("never uses a hole of one byte (AUT-10)", () => {
    const oneByte = roomOf({
      reserved: [
        [0n, 0x1fffn],
        [0x2001n, U64_MAX],
      ],
    });
    expect(allocIova(oneByte, 1n, 1n)).toBe("ENOSPC");
  });
});
