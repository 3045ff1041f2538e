/**
 * What coverage remembers. Some clauses say what holds after a call and show only when a later
 * call looks: that a failed map left nothing behind, that a copy outlives its source. The call
 * puts the clause on a list here, with an address at which it can be seen; a later answer that
 * is right and covers that address takes it off and counts it. Nothing here is a rule: no judge
 * lets its verdict depend on these lists.
 */
import { CLAUSES, type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import type { Coverage } from "../../spec/coverage";
import { U64_MAX } from "../../spec/units";

/** A clause, by its index, and the address at which it will show. */
interface Expected {
  readonly index: number;
  at: bigint;
}

/** One entry per clause keeps the lists short. */
export type Pending = Expected[];

/** A clause that is exercised by failing calls only is counted on that side. */
const byFailure = CLAUSES.map((clause) => !(clause.sides as readonly string[]).includes("success"));

export const expectLater = (pending: Pending, clause: ClauseId, at = 0n): void => {
  const index = clauseIndex(clause);
  for (const expected of pending) {
    if (expected.index !== index) continue;
    expected.at = at;
    return;
  }
  pending.push({ index, at });
};

/** It will not show after all. */
export const expectNoMore = (pending: Pending, clause: ClauseId): void => {
  const at = pending.findIndex(({ index }) => index === clauseIndex(clause));
  if (at >= 0) pending.splice(at, 1);
};

/** Counts what a right answer about [first, last] has shown. */
export const settle = (
  pending: Pending,
  coverage: Coverage,
  first = 0n,
  last: bigint = U64_MAX,
): void => {
  let left = 0;
  for (const expected of pending) {
    if (expected.at < first || expected.at > last) pending[left++] = expected;
    else countSeen(coverage, expected.index);
  }
  // Mostly nothing was settled, and to set a length is a slow call.
  if (left < pending.length) pending.length = left;
};

/** Counts a clause on the side on which the registry wants to see it. */
export const countSeen = (coverage: Coverage, index: number): void => {
  const counters = byFailure[index] === true ? coverage.violation : coverage.success;
  counters[index] = (counters[index] ?? 0) + 1;
};
