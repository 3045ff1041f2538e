/**
 * What the registry says about whom a clause binds, as tables: these are asked many times per
 * judged call. D, S and T bind in every profile, I in linux-6.12 only, U never (DESIGN §2).
 */
import { CLAUSES } from "../spec/clauses/registry";
import type { Profile } from "../spec/verdict";

const BINDS_ALWAYS = /[DST]/;
const BINDS_LINUX = /[DSTI]/;

const ruleAlways = CLAUSES.map((clause) => BINDS_ALWAYS.test(clause.basis.rule));
const ruleLinux = CLAUSES.map((clause) => BINDS_LINUX.test(clause.basis.rule));
const errnoAlways = CLAUSES.map((clause) =>
  BINDS_ALWAYS.test(clause.basis.errno ?? clause.basis.rule),
);

/** True if a call that breaks the clause must fail, or an answer must keep it. */
export const ruleBinds = (clause: number, profile: Profile): boolean =>
  (profile === "linux-6.12" ? ruleLinux : ruleAlways)[clause] === true;

/** True if the clause's own errno is the one to expect, and not just any errno of the call. */
export const errnoBinds = (clause: number, profile: Profile): boolean =>
  profile === "linux-6.12" || errnoAlways[clause] === true;
