import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { U64_MAX } from "../../spec/units";
import { IovaSpans, ReservedIovas } from "./iova-spans";
import type { Span } from "./span-tree";

const LAST = 60n;
const range = fc
  .tuple(fc.bigInt(0n, LAST), fc.bigInt(0n, 12n))
  .map(([start, more]): [bigint, bigint] => [start, start + more > LAST ? LAST : start + more]);

const within = (ranges: readonly (readonly [bigint, bigint])[], at: bigint): number =>
  ranges.filter(([start, last]) => start <= at && at <= last).length;

/** Spans that touch are one, unless they differ in something else. */
const expectMaximal = (spans: readonly (Span & { readonly regions?: number })[]): void => {
  for (const [i, { iova, regions }] of spans.entries()) {
    const before = spans[i - 1];
    if (before === undefined) continue;
    expect(iova).toBeGreaterThan(before.last);
    if (iova === before.last + 1n) expect(regions).not.toBe(before.regions);
  }
};

describe("IovaSpans", () => {
  test("is the union of what was added, in maximal spans", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, (ranges, window) => {
        const spans = new IovaSpans();
        for (const [start, last] of ranges) spans.add(start, last);
        for (let at = 0n; at <= LAST; at += 1n) {
          expect(spans.intersects(at, at)).toBe(within(ranges, at) > 0);
        }
        expectMaximal([...spans]);
        const met = ranges.some(([start, last]) => start <= window[1] && last >= window[0]);
        expect(spans.intersects(...window)).toBe(met);
      }),
    );
  });

  test("reaches both ends of the 64-bit space", () => {
    const spans = new IovaSpans();
    spans.add(0n, 9n);
    spans.add(U64_MAX, U64_MAX);
    spans.add(10n, U64_MAX - 1n);
    expect([...spans]).toEqual([{ iova: 0n, last: U64_MAX }]);
  });
});

describe("ReservedIovas", () => {
  test("counts the regions of all owners; one owner's go without the others'", () => {
    const owners = [undefined, {}, {}, {}];
    const op = fc.oneof(
      { weight: 4, arbitrary: fc.record({ range, owner: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ owner: fc.integer({ min: 1, max: 3 }) }) },
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 30 }), (ops) => {
        const reserved = new ReservedIovas();
        let regions: { readonly range: [bigint, bigint]; readonly owner: number }[] = [];
        for (const step of ops) {
          if ("range" in step) {
            reserved.add(...step.range, owners[step.owner]);
            regions.push(step);
          } else {
            reserved.removeAllOf(owners[step.owner] as object);
            regions = regions.filter(({ owner }) => owner !== step.owner);
          }
          const ranges = regions.map((region) => region.range);
          for (let at = 0n; at <= LAST; at += 1n) {
            expect(reserved.pieces.first(at, at)?.regions ?? 0).toBe(within(ranges, at));
          }
          expectMaximal([...reserved.pieces]);
        }
      }),
    );
  });

  test("reaches both ends of the 64-bit space", () => {
    const reserved = new ReservedIovas();
    const owner = {};
    reserved.add(0n, U64_MAX, owner);
    reserved.add(5n, U64_MAX, undefined);
    expect([...reserved.pieces]).toEqual([
      { iova: 0n, last: 4n, regions: 1 },
      { iova: 5n, last: U64_MAX, regions: 2 },
    ]);
    reserved.removeAllOf(owner);
    expect([...reserved.pieces]).toEqual([{ iova: 5n, last: U64_MAX, regions: 1 }]);
  });
});
