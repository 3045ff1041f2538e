import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  findCovering,
  type IntervalNode,
  insertInterval,
  nextStart,
  removeInterval,
  takeSerial,
} from "./interval-treap";

class Interval implements IntervalNode<Interval> {
  readonly serial = takeSerial();
  left: Interval | undefined;
  right: Interval | undefined;
  reach = 0;
  readonly firstIndex: number;
  readonly lastIndex: number;

  constructor(firstIndex: number, lastIndex: number) {
    this.firstIndex = firstIndex;
    this.lastIndex = lastIndex;
  }
}

const depthOf = (node: Interval | undefined): number =>
  node === undefined ? 0 : 1 + Math.max(depthOf(node.left), depthOf(node.right));

test("finds what covers an index and what begins behind it, as a list does", () => {
  const op = fc.record({ first: fc.nat(60), more: fc.nat(15), removes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 80, size: "max" }), (ops) => {
      let root: Interval | undefined;
      const list: Interval[] = [];
      for (const { first, more, removes } of ops) {
        const removed = removes ? list.splice(first, 1)[0] : undefined;
        if (removed !== undefined) root = removeInterval(root, removed);
        else list.push(new Interval(first, first + more));
        if (removed === undefined) root = insertInterval(root, list.at(-1) as Interval);
        for (let index = 0; index < 80; index += 1) {
          const covers = list.filter((i) => i.firstIndex <= index && index <= i.lastIndex);
          const found = findCovering(root, index);
          expect(covers.length > 0).toBe(found !== undefined);
          if (found !== undefined) expect(covers).toContain(found);
          const starts = list.map((i) => i.firstIndex).filter((start) => start > index);
          expect(nextStart(root, index)).toBe(Math.min(...starts));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test.each(["ascending", "all alike"])("stays flat: 10,000 intervals, %s", (order) => {
  const intervals = Array.from({ length: 10_000 }, (_, i) =>
    order === "ascending" ? new Interval(i, i + 3) : new Interval(5, 9),
  );
  let root: Interval | undefined;
  for (const interval of intervals) root = insertInterval(root, interval);
  expect(depthOf(root)).toBeLessThan(50);
  for (const interval of intervals) root = removeInterval(root, interval);
  expect(root).toBeUndefined();
});
