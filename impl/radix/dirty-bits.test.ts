import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { DirtyBits } from "./dirty-bits";

/** Around word borders, low and near the highest IO page there can be. */
const ioPage = fc.oneof(fc.nat(200), fc.integer({ min: 2 ** 53 - 200, max: 2 ** 53 - 1 }));
const range = fc.tuple(ioPage, ioPage).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const step = fc.oneof({ weight: 4, arbitrary: ioPage }, { weight: 1, arbitrary: range });

test("it holds what was added and not cleared, and visits it in order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), range, (steps, [first, last]) => {
      const dirty = new DirtyBits();
      const pages = new Set<number>();
      for (const step of steps) {
        if (typeof step === "number") {
          dirty.add(step);
          pages.add(step);
        } else {
          dirty.clear(...step);
          for (const page of pages) if (step[0] <= page && page <= step[1]) pages.delete(page);
        }
      }
      const visited: number[] = [];
      dirty.visit(first, last, (page) => visited.push(page));
      const inside = [...pages].filter((page) => first <= page && page <= last);
      expect(visited).toEqual(inside.sort((a, b) => a - b));
    }),
    { seed: 1, numRuns: 300 },
  );
});
