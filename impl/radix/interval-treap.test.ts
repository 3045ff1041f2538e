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

const INDEXES = Array.from({ length: 80 }, (_, index) => index);

const covers = ({ firstIndex, lastIndex }: Interval, index: number): boolean =>
  firstIndex <= index && index <= lastIndex;

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
        // One comparison for all indexes: an `expect` for each is most of this test's time.
        const answers = INDEXES.map((index) => {
          const found = findCovering(root, index);
          const isRight = found === undefined || (list.includes(found) && covers(found, index));
          return [found !== undefined, isRight, nextStart(root, index)];
        });
        const naive = INDEXES.map((index) => {
          const starts = list.map((i) => i.firstIndex).filter((start) => start > index);
          return [list.some((i) => covers(i, index)), true, Math.min(...starts)];
        });
        expect(answers).toEqual(naive);
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
