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
}

export const covers = (expectation: Expectation, deviation: Deviation): boolean =>
  expectation.clause === deviation.clauses[0] && expectation.kind === deviation.kind;
