import type { ClauseId } from "./clauses/registry";

/** Whose promises an IUT is held to: those of the documents, or those of one kernel (basis.ts). */
export const PROFILES = ["documented", "linux-6.12"] as const;
export type Profile = (typeof PROFILES)[number];

/** What is wrong with one outcome. */
export interface Deviation {
  /** The clauses that say so, the most telling one first; invariants go by their own id. */
  readonly clauses: readonly [ClauseId | InvariantId, ...(ClauseId | InvariantId)[]];
  /**
   * errno: another errno, or success instead of failure, or the reverse. output: the call
   * succeeded and an output is wrong. crash: no answer at all, or the implementation
   * reported an error of its own. invariant: answers that each fit their call contradict one another.
   */
  readonly kind: "errno" | "output" | "crash" | "invariant";
  /** For people: what would have been right, and what was answered. */
  readonly expected: string;
  readonly actual: string;
}

/** "I-30": see spec/invariants.ts. */
export type InvariantId = `I-${number}`;

/** What stays the same while a failing trace is made smaller. */
export interface Signature {
  readonly clause: string;
  readonly kind: Deviation["kind"];
}

export const signatureOf = (deviation: Deviation): Signature => ({
  clause: deviation.clauses[0],
  kind: deviation.kind,
});
