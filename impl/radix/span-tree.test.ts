import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { U64_MAX } from "../../spec/units";
import { type Span, SpanTree } from "./span-tree";

const LAST = 600n;

const span = fc
  .tuple(fc.bigInt(0n, LAST), fc.bigInt(0n, 3n))
  .map(([iova, more]): Span => ({ iova, last: iova + more }));

/** Inserts what fits between what is there, and removes what an op hits, as a Set does. */
const grown = (ops: readonly (readonly [Span, boolean])[]): [SpanTree<Span>, Span[]] => {
  const tree = new SpanTree<Span>();
  const list: Span[] = [];
  for (const [op, insert] of ops) {
    const met = list.filter(({ iova, last }) => iova <= op.last && last >= op.iova);
    expect(tree.intersects(op.iova, op.last)).toBe(met.length > 0);
    if (insert && met.length === 0) {
      tree.insert(op);
      list.push(op);
    } else if (!insert) {
      for (const hit of met) {
        tree.remove(hit);
        list.splice(list.indexOf(hit), 1);
      }
    }
  }
  return [tree, list.sort((a, b) => Number(a.iova - b.iova))];
};

const holesOf = (tree: SpanTree<Span>, first: bigint, last: bigint, least: bigint) => {
  const holes: [bigint, bigint][] = [];
  tree.findHole(first, last, least, (...hole) => {
    holes.push(hole);
    return undefined;
  });
  return holes;
};

const naiveHoles = (list: readonly Span[], first: bigint, last: bigint, least: bigint) => {
  const holes: [bigint, bigint][] = [];
  let at = first;
  for (const { iova, last: end } of list) {
    if (end < first || iova > last) continue;
    if (iova - at >= least && iova > at) holes.push([at, iova - 1n]);
    at = end + 1n;
  }
  if (last - at + 1n >= least && at <= last) holes.push([at, last]);
  return holes;
};

describe("SpanTree", () => {
  // Few removals make a tree of several levels, many make it shrink again. From 2^53 on, bounds
  // round when they are made plain numbers.
  const bases = [0n, 2n ** 53n - LAST / 2n, U64_MAX - LAST - 3n];
  const cases = [0.1, 0.4, 0.6].flatMap((share) => bases.map((base) => [share, base] as const));
  test.each(cases)("is an ordered list; %d of the ops remove, from %d", (share, base) => {
    const op = fc.tuple(
      span.map(({ iova, last }) => ({ iova: base + iova, last: base + last })),
      fc.integer({ min: 0, max: 99 }).map((n) => n >= share * 100),
    );
    const window = fc.tuple(fc.bigInt(0n, LAST), fc.bigInt(0n, LAST), fc.bigInt(1n, 12n));
    fc.assert(
      fc.property(
        fc.array(op, { minLength: 100, maxLength: 300, size: "max" }),
        fc.array(window, { maxLength: 20 }),
        (ops, windows) => {
          const [tree, list] = grown(ops);
          expect(tree.count).toBe(list.length);
          expect([...tree]).toEqual(list);
          for (const [a, b, least] of windows) {
            const [first, last] = a < b ? [base + a, base + b] : [base + b, base + a];
            const met = list.find((s) => s.last >= first && s.iova <= last);
            expect(tree.first(first, last)).toBe(met);
            expect(holesOf(tree, first, last, least)).toEqual(naiveHoles(list, first, last, least));
          }
        },
      ),
      { numRuns: 30, endOnFailure: true },
    );
  });

  test.each(["ascending", "descending", "from both ends"])("holds 10,000 spans, %s", (order) => {
    const tree = new SpanTree<Span>();
    const spans = Array.from({ length: 10_000 }, (_, i) => {
      const iova = BigInt(i) * 16n;
      return { iova, last: iova + (i === 7000 ? 9n : 13n) };
    });
    if (order === "descending") spans.reverse();
    if (order === "from both ends") spans.sort((a, b) => Number((a.iova % 32n) - (b.iova % 32n)));
    for (const s of spans) tree.insert(s);
    expect(tree.findHole(0n, U64_MAX, 3n, (start) => start)).toBe(7000n * 16n + 10n);
    for (const s of spans.slice(0, 9999)) tree.remove(s);
    expect([...tree]).toEqual(spans.slice(9999));
    tree.remove(spans[9999] as Span);
    expect(holesOf(tree, 5n, 9n, 1n)).toEqual([[5n, 9n]]);
  });

  test("reaches both ends of the 64-bit space, and sees holes too large for plain numbers", () => {
    const tree = new SpanTree<Span>();
    tree.insert({ iova: 0n, last: 9n });
    tree.insert({ iova: U64_MAX, last: U64_MAX });
    expect(holesOf(tree, 0n, U64_MAX, U64_MAX - 10n)).toEqual([[10n, U64_MAX - 1n]]);
    expect(holesOf(tree, 0n, U64_MAX, U64_MAX - 9n)).toEqual([]);
    tree.insert({ iova: 10n, last: U64_MAX - 1n });
    expect(holesOf(tree, 0n, U64_MAX, 1n)).toEqual([]);
  });

  test("refuses to remove what is not there", () => {
    const tree = new SpanTree<Span>();
    const there = { iova: 5n, last: 7n };
    expect(() => tree.remove(there)).toThrow("is in the tree");
    tree.insert(there);
    expect(() => tree.remove({ ...there })).toThrow("is in the tree");
  });
});
