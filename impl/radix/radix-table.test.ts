import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { NodePool, nodePool } from "./node-pool";
import { RadixTable } from "./radix-table";

interface Op {
  readonly at: number;
  readonly count: number;
  readonly set: boolean;
}

/** Runs around few places, so that they meet; the places are far apart, so that levels differ. */
const opsUpTo = (lastIndex: number): fc.Arbitrary<Op[]> => {
  const places = [0, 500, 2 ** 18 - 3, 2 ** 27 - 40, 2 ** 36 - 7, 2 ** 45 - 600, lastIndex - 1300];
  const place = fc.constantFrom(...places.filter((p) => p >= 0 && p <= lastIndex - 1300));
  const op = fc.record({
    at: fc.tuple(place, fc.nat(600)).map(([base, offset]) => base + offset),
    count: fc.integer({ min: 1, max: 700 }),
    set: fc.boolean(),
  });
  return fc.array(op, { maxLength: 40 });
};

const entriesOf = (table: RadixTable, first: number, last: number): [number, number][] => {
  const entries: [number, number][] = [];
  table.walk(first, last, (index, entry) => {
    entries.push([index, entry]);
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
    if (op.set) table.setRun(at, count, value, 8);
    else table.clearRun(at, count);
    for (let i = 0; i < count; i += 1) {
      if (op.set) map.set(at + i, value + 8 * i);
      else map.delete(at + i);
    }
    at += count;
  }
};

describe("RadixTable", () => {
  test.each([2000, 2 ** 20, 2 ** 36, 2 ** 53 - 1])("is a Map of indexes up to %d", (lastIndex) => {
    fc.assert(
      fc.property(opsUpTo(lastIndex), (ops) => {
        const pool = new NodePool();
        const table = new RadixTable(pool, lastIndex);
        const map = new Map<number, number>();
        for (const [i, op] of ops.entries()) {
          apply(table, map, op, 8 * (i + 1));
          for (const index of [op.at - 1, op.at, op.at + op.count - 1, op.at + op.count]) {
            if (index >= 0) expect(table.get(index)).toBe(map.get(index) ?? 0);
          }
        }
        const sorted = [...map].sort(([a], [b]) => a - b);
        expect(entriesOf(table, 0, lastIndex)).toEqual(sorted);
        const [first, last] = [sorted[3]?.[0] ?? 0, sorted.at(-3)?.[0] ?? 0];
        const inside = sorted.filter(([index]) => index >= first && index <= last);
        expect(entriesOf(table, first, last)).toEqual(inside);
        for (const index of map.keys()) table.clearRun(index, 1);
        expect(table.isEmpty).toBe(true);
        expect(pool.lent).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test("gives its nodes back clean when it is disposed of", () => {
    const pool = new NodePool();
    const places = [0, 511, 512, 2 ** 20, 2 ** 40 + 5];
    for (let round = 0; round < 3; round += 1) {
      const table = new RadixTable(pool, 2 ** 41);
      expect(entriesOf(table, 0, 2 ** 41)).toEqual([]);
      for (const at of places) table.setRun(at, 1, 8, 8);
      const made = pool.lent;
      table.dispose();
      expect(pool.lent).toBe(0);
      expect(made).toBeGreaterThan(places.length);
      expect(entriesOf(table, 0, 2 ** 41)).toEqual([]);
    }
    expect(pool.leafSlabs).toHaveLength(1);
  });

  test("refuses to overwrite, and to clear what is not there", () => {
    const table = new RadixTable(new NodePool(), 1000);
    table.setRun(5, 10, 8, 8);
    expect(() => table.setRun(14, 1, 8, 8)).toThrow("no entry is present");
    expect(() => table.clearRun(4, 2)).toThrow("all entries are present");
    expect(() => table.clearRun(900, 1)).toThrow("all entries are present");
  });

  test("refuses indexes that are no safe integers", () => {
    expect(() => new RadixTable(nodePool, 2 ** 53)).toThrow("below 2^53");
  });
});
