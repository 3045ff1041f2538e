import { CLAUSES } from "../spec/clauses/registry";
import { INVARIANTS } from "./invariants/catalogue";

/** Ids of all clauses and invariants: what --clause selects from. */
export const allIds = (): string[] => [
  ...CLAUSES.map((clause) => clause.id),
  ...INVARIANTS.map((invariant) => invariant.id),
];
