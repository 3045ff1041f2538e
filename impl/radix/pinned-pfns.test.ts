import { expect, test } from "@jest/globals";
import { nodePool } from "./node-pool";
import { PinnedPfns } from "./pinned-pfns";

test("pinned_pfns holds pfns sparsely and no memory when it holds none", () => {
  const before = nodePool.lent;
  const pfns = new PinnedPfns();
  pfns.run(0, 3, 77);
  pfns.run(2 ** 51, 2, 5);
  expect([0, 1, 2, 2 ** 51, 2 ** 51 + 1].map((index) => pfns.load(index))).toEqual([
    77, 78, 79, 5, 6,
  ]);
  pfns.erase(1, 1);
  expect([0, 2].map((index) => pfns.load(index))).toEqual([77, 79]);
  pfns.erase(0, 1);
  pfns.erase(2, 1);
  pfns.erase(2 ** 51, 2);
  expect(nodePool.lent).toBe(before);
});
