/** From rules and an outcome to the deviation, if there is one. */
import type { Outcome } from "../spec/calls";
import { type ClauseId, clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import type { Deviation, Profile } from "../spec/verdict";
import { errnoBinds, ruleBinds } from "./basis";
import { allBroken, clausesOf, firstBroken, forbids, type Judge, type Rule } from "./judge";

type AnyRule = Rule<object>;

/** What the outcome's errno means to a judge. */
export type Reading =
  /** Success is right, as far as the rules go. */
  | { readonly kind: "success" }
  /** Failure is right; `by` is the rule that explains it, if a rule does. */
  | { readonly kind: "failure"; readonly by: AnyRule | undefined }
  | { readonly kind: "deviation"; readonly deviation: Deviation };

const SUCCESS: Reading = { kind: "success" };

export const read = (judge: Judge, view: object, outcome: Outcome, profile: Profile): Reading =>
  profile === "linux-6.12"
    ? readStrictly(judge, view, outcome)
    : readByDocuments(judge, view, outcome, profile);

const readStrictly = (judge: Judge, view: object, outcome: Outcome): Reading => {
  const by = firstBroken(judge.rules, view);
  const { errno } = outcome;
  if (errno === by?.errno) return { kind: "failure", by };
  if (errno === 0) return by === undefined ? SUCCESS : wrongSuccess(by, view);
  if (judge.leeway?.(view, errno) !== undefined) return { kind: "failure", by: undefined };
  return unexpectedErrno(judge, view, errno, by === undefined ? [] : [by]);
};

const readByDocuments = (
  judge: Judge,
  view: object,
  outcome: Outcome,
  profile: Profile,
): Reading => {
  const broken = allBroken(judge.rules, view);
  const { errno } = outcome;
  if (errno === 0) {
    const forbidding = broken.find((rule) => forbids(rule, view, profile));
    return forbidding === undefined ? SUCCESS : wrongSuccess(forbidding, view);
  }
  const named = broken.filter((rule) => rule.errno === errno);
  if (named.length > 0) return { kind: "failure", by: named.length === 1 ? named[0] : undefined };
  // Where only 6.12 says which errno it is, any errno of this call will do.
  const anyErrno = broken.some((rule) => !errnoBinds(rule.basis, profile));
  if (anyErrno && judge.rules.some((rule) => rule.errno === errno)) {
    return { kind: "failure", by: broken.length === 1 ? broken[0] : undefined };
  }
  if (judge.leeway?.(view, errno) !== undefined) return { kind: "failure", by: undefined };
  if (judge.mayRunOut && errno === "ENOMEM") return { kind: "failure", by: undefined };
  return unexpectedErrno(judge, view, errno, broken);
};

const wrongSuccess = (rule: AnyRule, view: object): Reading => ({
  kind: "deviation",
  deviation: {
    clauses: clausesOf(rule, view),
    kind: "errno",
    expected: `${rule.errno} (${rule.clause})`,
    actual: "success",
  },
});

const unexpectedErrno = (
  judge: Judge,
  view: object,
  errno: Errno,
  broken: readonly AnyRule[],
): Reading => {
  const named = new Set<ClauseId>();
  // Whatever else a call is about, its file is there; unless it is about another one too.
  const [about, ...others] = judge.rules.filter((rule) => rule.errno === "EBADF");
  if (errno === "EBADF" && about && others.length === 0) named.add(about.clause);
  for (const rule of broken) for (const id of clausesOf(rule, view)) named.add(id);
  const promised = broken.length === 0 ? judge.promises?.(view, errno) : undefined;
  if (promised !== undefined) named.add(promised);
  // Rules about what a call is for come after those about its form.
  const owner = judge.rules.findLast((rule) => rule.errno === errno && applies(rule, view));
  if (owner !== undefined) named.add(owner.clause);
  named.add(judge.promise);
  const [first = judge.promise, ...rest] = named;
  const right = broken.map((rule) => `${rule.errno} (${rule.clause})`);
  return {
    kind: "deviation",
    deviation: {
      clauses: [first, ...rest],
      kind: "errno",
      expected: right.length === 0 ? "success" : right.join(" or "),
      actual: errno,
    },
  };
};

const applies = (rule: AnyRule, view: object): boolean => rule.applies?.(view) ?? true;

/** What is wrong with the outputs of a success; counts the facts that they show. */
export const checkOutputs = (
  judge: Judge,
  view: object,
  outcome: Outcome,
  profile: Profile,
  coverage: Coverage,
): Deviation | undefined => {
  const out = outcome.out ?? NO_OUTPUTS;
  const { success } = coverage;
  const { rules, facts } = judge;
  for (let i = 0; i < facts.length; i++) {
    const fact = facts[i];
    if (fact === undefined || fact.when?.(view, out) === false) continue;
    if (fact.holds?.(view, out) === false) {
      if (!ruleBinds(fact.index, profile)) continue;
      return wrongOutput(fact.clause, fact.right?.(view) ?? "", out, fact.also);
    }
    if (!fact.uncounted) success[fact.index] = (success[fact.index] ?? 0) + 1;
  }
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i];
    if (rule === undefined || rule.applies?.(view) === false) continue;
    success[rule.index] = (success[rule.index] ?? 0) + 1;
  }
  return undefined;
};

const NO_OUTPUTS = {};

export const wrongOutput = (
  clause: ClauseId,
  right: string,
  out: object,
  also: readonly ClauseId[] = [],
): Deviation => ({
  clauses: [clause, ...also],
  kind: "output",
  expected: right,
  actual: show(out),
});

export const countViolation = (rule: AnyRule, view: object, coverage: Coverage): void => {
  const { violation } = coverage;
  violation[rule.index] = (violation[rule.index] ?? 0) + 1;
  if (rule.also === undefined) return;
  const also = rule.also(view);
  for (let i = 0; i < also.length; i++) {
    const index = clauseIndex(also[i] as ClauseId);
    violation[index] = (violation[index] ?? 0) + 1;
  }
};

/** Outputs in one line, with numbers as the uAPI's users write them. */
export const show = (value: unknown): string => {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (Array.isArray(value)) {
    const shown = value.slice(0, 12).map(show).join(", ");
    return value.length > 12 ? `[${shown}, … ${value.length} in all]` : `[${shown}]`;
  }
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([name, field]) => `${name} ${show(field)}`);
    return fields.length === 0 ? "no outputs" : fields.join(", ");
  }
  return String(value);
};
