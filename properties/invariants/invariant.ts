/** The shape of one invariant: what it says, and how it looks at an answer. */
import type { CallName, CallOf, OutcomeOf } from "../../spec/calls";
import type { ClauseId } from "../../spec/clauses/registry";
import type { Need } from "../../spec/needs";
import type { InvariantId } from "../../spec/verdict";
import type { Finding } from "./finding";
import type { Ledger } from "./ledger/ledger";

/** Looks at one answer, before the ledger has taken note of it. Never changes the ledger. */
export type Check<K extends CallName> = (
  call: CallOf<K>,
  outcome: OutcomeOf<K>,
  ledger: Ledger,
) => Finding;

export type Checks = { readonly [K in CallName]?: Check<K> };

export interface Invariant {
  readonly id: InvariantId;
  readonly statement: string;
  readonly needs: readonly Need[];
  /** Clauses that say so, for the report of a contradiction. */
  readonly clauses: readonly ClauseId[];
  /** Looks last, after those that can say more precisely what is wrong. */
  readonly general?: true;
  readonly on: Checks;
}
