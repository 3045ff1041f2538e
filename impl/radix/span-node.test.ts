import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ENTRIES_MAX, type Span, SpanNode } from "./span-node";

/** The largest hole between neighbours of a list. */
const largestHole = (spans: readonly Span[]): number =>
  Math.max(0, ...spans.slice(1).map(({ iova }, i) => Number(iova - (spans[i]?.last ?? 0n) - 1n)));

// That a node takes its largest hole for smaller than it is would be seen in what a tree finds.
// That it takes it for larger would not, and would only be slow.
test.each([0n, 2n ** 53n - 500n])("a node knows its largest hole exactly, from %d", (base) => {
  const puts = fc.array(fc.tuple(fc.bigInt(0n, 1000n), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(puts, (ops) => {
      const node = new SpanNode<Span>(true);
      const list: Span[] = [];
      for (const [offset, isPut] of ops) {
        const iova = base + offset;
        const at = node.lowerBound(iova);
        const isThere = node.beginsBy(at, iova);
        if (!isPut && isThere) {
          node.drop(at);
          list.splice(at, 1);
        } else if (isPut && !isThere && list.length < ENTRIES_MAX) {
          node.put(at, { iova, last: iova });
          list.splice(at, 0, { iova, last: iova });
        }
        expect(node.hole).toBe(largestHole(list));
      }
      expect(node.entries).toEqual(list);
    }),
  );
});

test("a node above takes note of what its nodes have become", () => {
  const spans = [0n, 10n, 20n, 100n, 110n].map((iova) => ({ iova, last: iova + 4n }));
  const nodes = [spans.slice(0, 3), spans.slice(3)].map((part) => {
    const node = new SpanNode<Span>(true);
    for (const [i, span] of part.entries()) node.put(i, span);
    return node;
  });
  const above = new SpanNode<Span>(false);
  for (const [i, node] of nodes.entries()) above.put(i, node);
  expect([above.hole, above.holeAt(0), above.holeAt(1)]).toEqual([75, 5, 75]);
  nodes[0]?.drop(1);
  above.renew(0);
  expect([above.hole, above.holeAt(0)]).toEqual([75, 15]);
  nodes[0]?.put(2, { iova: 90n, last: 99n });
  above.renew(0);
  expect([above.hole, above.holeAt(0), above.holeAt(1)]).toEqual([65, 65, 5]);
  nodes[1]?.put(2, { iova: 200n, last: 200n });
  above.renew(1);
  expect([above.hole, above.holeAt(1), above.last]).toEqual([85, 85, 200n]);
});
