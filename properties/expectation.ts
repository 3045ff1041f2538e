import { DEVIATIONS_OF_LINUX_6_12 } from "../spec/clauses/deviations";
import type { ClauseId } from "../spec/clauses/registry";
import type { Deviation } from "../spec/verdict";

/**
 * A known failure. It must still fail: a run in which it does not is told about it, so that a
 * list of known failures can only shrink.
 */
export interface Expectation {
  /** Id of the first clause or invariant named by the failure. */
  readonly clause: string;
  readonly kind: Deviation["kind"];
  /** Why it is accepted, for people. */
  readonly reason: string;
  /** It need not fail in every run. */
  readonly rare?: true;
  /** It is the failure that names this one too, and no other of the clause. */
  readonly also?: ClauseId;
}

/** What fails in profile `documented` of whoever does as Linux 6.12 does. */
export const AS_LINUX_6_12: readonly Expectation[] = DEVIATIONS_OF_LINUX_6_12.map(
  ({ clause, kind, what, instead }) => ({ clause, kind, reason: what, rare: true, also: instead }),
);

export const covers = ({ clause, kind, also }: Expectation, deviation: Deviation): boolean =>
  clause === deviation.clauses[0] &&
  kind === deviation.kind &&
  (also === undefined || deviation.clauses.includes(also));
