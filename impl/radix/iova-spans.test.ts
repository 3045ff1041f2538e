import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { U64_MAX } from "../../spec/units";
import { findInHoles, IovaSpans } from "./iova-spans";

const LAST = 60n;
const range = fc
  .tuple(fc.bigInt(0n, LAST), fc.bigInt(0n, 12n))
  .map(([start, more]): [bigint, bigint] => [start, start + more > LAST ? LAST : start + more]);

const spansOf = (ranges: readonly (readonly [bigint, bigint])[]): IovaSpans => {
  const spans = new IovaSpans();
  for (const [start, last] of ranges) spans.add(start, last);
  return spans;
};

const holesOf = (spans: IovaSpans, first: bigint, last: bigint): [bigint, bigint][] => {
  const holes: [bigint, bigint][] = [];
  findInHoles(spans, first, last, (start, end) => {
    holes.push([start, end]);
    return undefined;
  });
  return holes;
};

const within = (ranges: readonly (readonly [bigint, bigint])[], at: bigint): boolean =>
  ranges.some(([start, last]) => start <= at && at <= last);

describe("IovaSpans", () => {
  test("is the union of what was added, in maximal spans", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, (ranges, window) => {
        const spans = spansOf(ranges);
        const all = Array.from({ length: spans.count }, (_, i) => [
          spans.startAt(i),
          spans.lastAt(i),
        ]) as [bigint, bigint][];
        const holes = holesOf(spans, ...window);
        for (let at = 0n; at <= LAST; at += 1n) {
          expect(within(all, at)).toBe(within(ranges, at));
          expect(within(holes, at)).toBe(within([window], at) && !within(ranges, at));
        }
        for (const list of [all, holes]) {
          for (const [i, [start]] of list.entries()) {
            if (i > 0) expect(start).toBeGreaterThan((list[i - 1]?.[1] ?? 0n) + 1n);
          }
        }
        const met = ranges.some(([start, last]) => start <= window[1] && last >= window[0]);
        expect(spans.intersects(...window)).toBe(met);
      }),
    );
  });

  test("reaches both ends of the 64-bit space", () => {
    const spans = spansOf([
      [0n, 9n],
      [U64_MAX, U64_MAX],
    ]);
    expect(holesOf(spans, 0n, U64_MAX)).toEqual([[10n, U64_MAX - 1n]]);
    spans.add(10n, U64_MAX - 1n);
    expect(spans.count).toBe(1);
    expect(holesOf(spans, 0n, U64_MAX)).toEqual([]);
  });
});
