import { expect, test } from "@jest/globals";
import { nodePool } from "./node-pool";
import { PinnedPfns } from "./pinned-pfns";

const lent = (): number[] => [nodePool.lent, nodePool.lentLarge];

test("pinned_pfns holds pfns sparsely and no memory when it holds none", () => {
  const before = lent();
  const pfns = new PinnedPfns();
  pfns.run(0, 3, 77);
  pfns.run(2 ** 51, 2, 5);
  pfns.each(2 ** 20, 2, Float64Array.of(1, 9, 4), 1);
  const places = [0, 1, 2, 2 ** 20, 2 ** 20 + 1, 2 ** 51, 2 ** 51 + 1];
  expect(places.map((index) => pfns.load(index))).toEqual([77, 78, 79, 9, 4, 5, 6]);
  pfns.erase(1, 1);
  expect([0, 2].map((index) => pfns.load(index))).toEqual([77, 79]);
  pfns.erase(0, 1);
  pfns.erase(2, 1);
  pfns.erase(2 ** 20, 2);
  pfns.erase(2 ** 51, 2);
  expect(lent()).toEqual(before);
});

test("a huge page is one entry, and a user who lets go of its middle splits no more than that", () => {
  const [nodes = 0, large = 0] = lent();
  const pfns = new PinnedPfns();
  const [MiB2, GiB] = [512, 512 * 512];
  pfns.run(0, GiB, GiB);
  expect(lent()).toEqual([nodes + 1, large + 1]);
  pfns.erase(MiB2 + 7, 3);
  // A directory of 511 large entries, and a leaf.
  expect(lent()).toEqual([nodes + 3, large + 511]);
  expect([0, MiB2 + 6, MiB2 + 10, GiB - 1].map((index) => pfns.load(index))).toEqual([
    GiB,
    GiB + MiB2 + 6,
    GiB + MiB2 + 10,
    2 * GiB - 1,
  ]);
  const fed: number[][] = [];
  pfns.feed(0, MiB2 + 6, { run: (...run) => fed.push(run), each: () => fed.push([]) });
  expect(fed).toEqual([[0, MiB2 + 7, GiB]]);
  pfns.erase(0, MiB2 + 7);
  pfns.erase(MiB2 + 10, GiB - MiB2 - 10);
  expect(lent()).toEqual([nodes, large]);
});
