import { INVARIANTS } from "../properties/invariants/catalogue";
import { CLAUSES } from "../spec/clauses/registry";

/** Ids of all clauses and invariants: what --clause selects from. */
export const allIds = (): string[] => [
  ...CLAUSES.map((clause) => clause.id),
  ...INVARIANTS.map((invariant) => invariant.id),
];
