import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { NodePool } from "./node-pool";
import { LARGEST, RadixTable } from "./radix-table";

const STEP = 8;
const [MiB2, GiB] = [512, 512 * 512];

interface Op {
  readonly at: number;
  readonly count: number;
  readonly set: boolean;
}

/** Runs around few places, so that they meet; the places are far apart, so that levels differ. */
const opsUpTo = (lastIndex: number): fc.Arbitrary<Op[]> => {
  const places = [0, 500, 2 ** 18 - 3, 2 ** 27 - 40, 2 ** 36 - 7, 2 ** 45 - 600, lastIndex - 3000];
  const place = fc.constantFrom(...places.filter((p) => p >= 0 && p <= lastIndex - 3000));
  const count = fc.oneof(fc.integer({ min: 1, max: 700 }), fc.constantFrom(512, 1024, 2000));
  const op = fc.record({
    at: fc.tuple(place, fc.nat(600)).map(([base, offset]) => base + offset),
    count,
    set: fc.boolean(),
  });
  return fc.array(op, { maxLength: 40 });
};

const entriesOf = (table: RadixTable, first: number, last: number): [number, number][] => {
  const entries: [number, number][] = [];
  table.walk(first, last, (index, count, entry) => {
    for (let i = 0; i < count; i += 1) entries.push([index + i, entry + STEP * i]);
  });
  return entries;
};

const runsOf = (table: RadixTable, first: number, last: number): [number, number, number][] => {
  const runs: [number, number, number][] = [];
  table.walk(first, last, (...run) => {
    runs.push(run);
  });
  return runs;
};

/** What a sink is fed; short runs come one by one. */
const fedEntriesOf = (table: RadixTable, first: number, last: number): [number, number][] => {
  const entries: [number, number][] = [];
  table.feed(first, last, {
    run: (index, count, entry) => {
      for (let i = 0; i < count; i += 1) entries.push([index + i, entry + STEP * i]);
    },
    each: (index, count, slab, from) => {
      for (let i = 0; i < count; i += 1) entries.push([index + i, slab[from + i] ?? 0]);
    },
  });
  return entries;
};

/** Applies an op to what it applies to: sets free indexes of the run, or clears present ones. */
const apply = (table: RadixTable, map: Map<number, number>, op: Op, value: number): void => {
  for (let at = op.at; at < op.at + op.count; ) {
    if (map.has(at) === op.set) {
      at += 1;
      continue;
    }
    let count = 1;
    while (at + count < op.at + op.count && map.has(at + count) !== op.set) count += 1;
    if (op.set) table.setRun(at, count, value, LARGEST);
    else table.clearRun(at, count);
    for (let i = 0; i < count; i += 1) {
      if (op.set) map.set(at + i, value + STEP * i);
      else map.delete(at + i);
    }
    at += count;
  }
};

describe("RadixTable", () => {
  test.each([4000, 2 ** 20, 2 ** 36, 2 ** 53 - 1])("is a Map of indexes up to %d", (lastIndex) => {
    fc.assert(
      fc.property(opsUpTo(lastIndex), (ops) => {
        const pool = new NodePool();
        const table = new RadixTable(pool, STEP);
        const map = new Map<number, number>();
        for (const [i, op] of ops.entries()) {
          apply(table, map, op, STEP * (i + 1));
          for (const index of [op.at - 1, op.at, op.at + op.count - 1, op.at + op.count]) {
            if (index >= 0) expect(table.get(index)).toBe(map.get(index) ?? 0);
          }
          let hole = op.at;
          while (map.has(hole)) hole += 1;
          expect(table.nextHole(op.at, op.at + 5000)).toBe(Math.min(hole, op.at + 5001));
        }
        const sorted = [...map].sort(([a], [b]) => a - b);
        expect(entriesOf(table, 0, lastIndex)).toEqual(sorted);
        const [first, last] = [sorted[3]?.[0] ?? 0, sorted.at(-3)?.[0] ?? 0];
        const inside = sorted.filter(([index]) => index >= first && index <= last);
        expect(entriesOf(table, first, last)).toEqual(inside);
        for (const index of map.keys()) table.clearRun(index, 1);
        expect(table.isEmpty).toBe(true);
        expect([pool.lent, pool.lentLarge]).toEqual([0, 0]);
      }),
      { numRuns: 30 },
    );
  });

  test("feeds long runs as runs and the rest one by one, in order", () => {
    const table = new RadixTable(new NodePool(), STEP);
    const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(700)), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.nat(600), lengths, (first, runs) => {
        let at = first;
        for (const [i, count] of runs.entries()) {
          table.setRun(at, count, (i % 2 === 0 ? 1e6 : 2e9) + STEP * at, LARGEST);
          at += count;
        }
        expect(fedEntriesOf(table, first, at - 1)).toEqual(entriesOf(table, first, at - 1));
        const copy = new RadixTable(new NodePool(), 2 * STEP);
        table.feed(first, at - 1, {
          run: (index, count, entry) => copy.setRun(index, count, 2 * entry + 6, 0),
          each: (index, count, entries, from) => copy.setEach(index, count, entries, from, 2, 6),
        });
        const doubled = entriesOf(table, first, at - 1).map(([i, entry]) => [i, 2 * entry + 6]);
        expect(Array.from(doubled, ([i]) => [i, copy.get(i ?? 0)])).toEqual(doubled);
        copy.dispose();
        table.dispose();
      }),
      { numRuns: 60 },
    );
  });

  test("keeps a run in as few large entries as its place allows", () => {
    const pool = new NodePool();
    const table = new RadixTable(pool, STEP);
    table.setRun(0, 3 * GiB, STEP, LARGEST);
    expect([pool.lent, pool.lentLarge]).toEqual([1, 3]);
    expect(table.get(2 * GiB + 5)).toBe(STEP * (2 * GiB + 6));
    expect(runsOf(table, 7, 3 * GiB - 2)).toEqual([[7, 3 * GiB - 8, STEP * 8]]);
    table.clearRun(0, 3 * GiB);
    expect([pool.lent, pool.lentLarge]).toEqual([0, 0]);

    table.setRun(100, MiB2 + GiB, STEP, LARGEST);
    expect(runsOf(table, 0, 2 * GiB)).toEqual([[100, MiB2 + GiB, STEP]]);
    expect(pool.lentLarge).toBe(512);
    table.dispose();
    expect([pool.lent, pool.lentLarge]).toEqual([0, 0]);

    table.setRun(0, GiB, STEP, 1);
    expect(pool.lentLarge).toBe(512);
    table.dispose();
  });

  test("splits a large entry where it is changed, and nowhere else", () => {
    const pool = new NodePool();
    const table = new RadixTable(pool, STEP);
    table.setRun(0, 2 * GiB, STEP, LARGEST);
    table.clearRun(GiB + MiB2 + 3, 2);
    expect([pool.lent, pool.lentLarge]).toEqual([3, 1 + 511]);
    const hole = GiB + MiB2 + 3;
    expect(runsOf(table, 0, 2 * GiB)).toEqual([
      [0, hole, STEP],
      [hole + 2, GiB - MiB2 - 5, STEP * (hole + 3)],
    ]);
    table.clearRun(0, hole);
    table.clearRun(hole + 2, GiB - MiB2 - 5);
    expect([table.isEmpty, pool.lent, pool.lentLarge]).toEqual([true, 0, 0]);
  });

  test("gives its nodes back clean when it is disposed of", () => {
    const pool = new NodePool();
    const places = [0, 511, 512, 2 ** 20, 2 ** 40 + 5];
    for (let round = 0; round < 3; round += 1) {
      const table = new RadixTable(pool, STEP);
      expect(entriesOf(table, 0, 2 ** 41)).toEqual([]);
      for (const at of places) table.setRun(at, 1, STEP, LARGEST);
      const made = pool.lent;
      table.dispose();
      expect(pool.lent).toBe(0);
      expect(made).toBeGreaterThan(places.length);
      expect(entriesOf(table, 0, 2 ** 41)).toEqual([]);
    }
    expect(pool.leafSlabs).toHaveLength(1);
  });

  test("refuses to overwrite, and to clear what is not there", () => {
    const table = new RadixTable(new NodePool(), STEP);
    table.setRun(5, 10, STEP, LARGEST);
    table.setRun(GiB, GiB, STEP, LARGEST);
    expect(() => table.setRun(14, 1, STEP, LARGEST)).toThrow("no entry is present");
    expect(() => table.setRun(0, MiB2, STEP, LARGEST)).toThrow("no entry is present");
    expect(() => table.setRun(0, GiB, STEP, LARGEST)).toThrow("no entry is present");
    expect(() => table.setRun(GiB + 5, 1, STEP, LARGEST)).toThrow("no entry is present");
    const one = Float64Array.of(STEP);
    expect(() => table.setEach(14, 1, one, 0, 1, 0)).toThrow("no entry is present");
    expect(() => table.clearRun(4, 2)).toThrow("all entries are present");
    expect(() => table.clearRun(900, 1)).toThrow("all entries are present");
  });

  test("refuses indexes that are no safe integers", () => {
    const table = new RadixTable(new NodePool(), STEP);
    table.setRun(2 ** 53 - 1, 1, STEP, LARGEST);
    expect(() => table.setRun(2 ** 53, 1, STEP, LARGEST)).toThrow("below 2^53");
  });
});
