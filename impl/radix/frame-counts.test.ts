import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { FrameCounts } from "./frame-counts";

const [BLOCK, REGION] = [512, 512 * 512];

/** Counts that tell what they free. */
const make = () => {
  const freed: [number, number][] = [];
  return { freed, counts: new FrameCounts((pfn, count) => freed.push([pfn, count])) };
};

interface Change {
  readonly pfn: number;
  readonly count: number;
  readonly delta: number;
  readonly each: boolean;
}

/** Runs around the bounds of blocks and regions, so that they meet, and whole ones. */
const change: fc.Arbitrary<Change> = fc.record({
  pfn: fc
    .tuple(fc.constantFrom(0, 500, BLOCK, REGION - BLOCK, REGION, 2 * REGION - 9), fc.nat(20))
    .map(([near, offset]) => near + offset - (offset % 3 === 0 ? offset : 0)),
  count: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constantFrom(BLOCK, 1500, REGION)),
  delta: fc.constantFrom(-3, -1, 1, 2),
  each: fc.boolean(),
});

test("counts like an array, whatever is counted as one", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const { counts, freed } = make();
      const end = 4 * REGION;
      const expected = new Float64Array(end).fill(5);
      counts.start(0, end, 5);
      for (const { pfn, count, delta, each } of changes) {
        const range = expected.subarray(pfn, pfn + count);
        // Frames that are free take part in nothing, and none is counted below 0.
        if (range.some((value) => value === 0 || value + delta < 0)) continue;
        freed.length = 0;
        const pfns = Float64Array.from({ length: count + 1 }, (_, i) => pfn + i - 1);
        if (each) counts.addEach(count, pfns, 1, delta);
        else counts.add(pfn, count, delta);
        for (const [i, value] of range.entries()) range[i] = value + delta;
        const gone = freed.flatMap(([at, many]) => Array.from({ length: many }, (_, i) => at + i));
        const zeros = [...range.keys()].filter((i) => range[i] === 0).map((i) => pfn + i);
        expect(gone).toEqual(zeros);
        for (const at of [0, pfn - 1, pfn, pfn + count - 1, pfn + count, end - 1]) {
          if (at >= 0) expect(counts.get(at)).toBe(expected[at]);
        }
      }
      counts.dispose();
    }),
    { numRuns: 20 },
  );
});

test("what was counted as one is freed as one, and in parts where it was split", () => {
  const { counts, freed } = make();
  counts.start(0, REGION, 1);
  counts.add(0, REGION, 2);
  counts.add(0, REGION, -3);
  expect(freed).toEqual([[0, REGION]]);
  freed.length = 0;
  counts.start(0, REGION, 1);
  counts.add(BLOCK, BLOCK + 2, 2);
  counts.add(BLOCK, 2 * BLOCK, -1);
  expect(freed.splice(0)).toEqual(
    Array.from({ length: BLOCK - 2 }, (_, i) => [2 * BLOCK + 2 + i, 1]),
  );
  counts.add(BLOCK, BLOCK + 2, -2);
  expect(freed).toEqual([
    [BLOCK, BLOCK],
    [2 * BLOCK, 1],
    [2 * BLOCK + 1, 1],
  ]);
  expect([0, BLOCK, 3 * BLOCK, REGION - 1, REGION].map((pfn) => counts.get(pfn))).toEqual([
    1, 0, 1, 1, 0,
  ]);
});

test("counts more frames than 31 bits have numbers for", () => {
  const { counts, freed } = make();
  const far = 2 ** 32;
  counts.start(0, 3, 1);
  counts.start(far, REGION, 1);
  counts.addEach(3, Float64Array.of(far, far + 2, 1), 0, 2);
  expect([0, 1, 2, far, far + 1, far + 2].map((pfn) => counts.get(pfn))).toEqual([
    1, 3, 1, 3, 1, 3,
  ]);
  counts.addEach(1, Float64Array.of(far + 1), 0, -1);
  expect(freed).toEqual([[far + 1, 1]]);
  counts.dispose();
});

test("new counts do not show what others have left behind", () => {
  const { counts } = make();
  counts.start(3, 1, 77);
  counts.dispose();
  expect(counts.get(3)).toBe(0);
  const next = make().counts;
  next.start(5, 1, 1);
  expect([3, 5].map((pfn) => next.get(pfn))).toEqual([0, 1]);
});

test("refuses to start what is not free, to count what is, and to go below 0", () => {
  const { counts } = make();
  const one = Float64Array.of(700);
  counts.start(0, 600, 1);
  expect(() => counts.start(0, BLOCK, 1)).toThrow("from free to free");
  expect(() => counts.start(599, 1, 1)).toThrow("from free to free");
  expect(() => counts.add(600, 1, 1)).toThrow("from free to free");
  expect(() => counts.add(BLOCK, 2, -2)).toThrow("from free to free");
  expect(() => counts.addEach(1, one, 0, 1)).toThrow("from free to free");
  expect(() => counts.addEach(1, Float64Array.of(2), 0, -2)).toThrow("from free to free");
  expect(() => counts.addEach(1, Float64Array.of(5 * REGION), 0, 1)).toThrow("from free to free");
});
