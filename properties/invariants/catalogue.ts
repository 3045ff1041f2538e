/** Every invariant that is watched, in the order in which they look at an answer. */
import type { Need } from "../../spec/needs";
import type { InvariantId } from "../../spec/verdict";
import type { Invariant } from "./invariant";

export interface InvariantInfo {
  readonly id: InvariantId;
  readonly statement: string;
  readonly needs: readonly Need[];
  /** "A structure": the section of the list of invariants it belongs to. */
  readonly section: string;
}

const SECTIONS: readonly { readonly section: string; readonly invariants: readonly Invariant[] }[] =
  [];

export const WATCHED: readonly Invariant[] = SECTIONS.flatMap(({ invariants }) => invariants);

export const INVARIANTS: readonly InvariantInfo[] = SECTIONS.flatMap(({ section, invariants }) =>
  invariants.map(({ id, statement, needs }) => ({ id, statement, needs, section })),
);
