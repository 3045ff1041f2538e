/**
 * What a judge of a call is, and how its rules become a verdict.
 *
 * A judge has rules (what makes the call fail, and with which errno) in the order of 6.12, facts
 * (what a successful call shows), and one effect. In profile linux-6.12 the first rule that is
 * broken decides. In profile documented each broken one may decide, and the call may succeed if
 * none of them binds there (basis I or U only).
 */
import type { CallName, CallOf, Out, OutcomeOf } from "../spec/calls";
import { type ClauseId, clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import type { Profile } from "../spec/verdict";
import { ruleBinds } from "./basis";
import type { MachineState } from "./state/machine";

/**
 * A reason to fail. Each predicate stands alone: it answers without the rules before it having
 * been kept, and says false where what it is about does not exist. One that is about arguments
 * only looks at nothing else: an IUT may well see that a length is 0 before it looks for the id.
 */
export interface Rule<V> {
  readonly clause: ClauseId;
  readonly index: number;
  /** The clause whose basis says whom it binds: its own, or the one that it repeats. */
  readonly basis: number;
  readonly errno: Errno;
  readonly broken: (view: V) => boolean;
  /** The call was one that could have broken it; undefined: every call. */
  readonly applies: ((view: V) => boolean) | undefined;
  /** Other clauses that say the same about this call. */
  readonly also: ((view: V) => readonly ClauseId[]) | undefined;
  /** A success would mean nothing, so it is wrong even where the clause does not bind. */
  readonly hard: boolean;
  /** The host or the framing refuses the call before anyone looks what else is wrong (UNS-07). */
  readonly outranks: boolean;
}

type RuleOptions<V> = Partial<Pick<Rule<V>, "applies" | "also" | "hard" | "outranks">> & {
  /** The clause that says the same of another call, and binds this one as it binds that. */
  readonly as?: ClauseId;
};

export const rule = <V>(
  clause: ClauseId,
  errno: Errno,
  broken: (view: V) => boolean,
  options: RuleOptions<V> = {},
): Rule<V> => ({
  // All rules have the same fields in the same order: the fold reads thousands per millisecond.
  clause,
  index: clauseIndex(clause),
  basis: clauseIndex(options.as ?? clause),
  errno,
  broken,
  applies: options.applies,
  also: options.also,
  hard: options.hard ?? false,
  outranks: options.outranks ?? false,
});

export const never = (): boolean => false;

/** Something that a successful call shows; judged on the state before its effect. */
export interface Fact<V, O> {
  readonly clause: ClauseId;
  readonly index: number;
  /** The call shows it; undefined: every successful call. */
  readonly when: ((view: V, out: O) => boolean) | undefined;
  /** The outputs agree; undefined: the success says it all. */
  readonly holds: ((view: V, out: O) => boolean) | undefined;
  /** For people: the right outputs. */
  readonly right: ((view: V) => string) | undefined;
  /** Checked, but no exercise of the clause. */
  readonly uncounted: boolean;
  /** Clauses that a wrong answer is named after as well. */
  readonly also: readonly ClauseId[];
}

type FactOptions<V, O> = Partial<
  Pick<Fact<V, O>, "when" | "holds" | "right" | "uncounted" | "also">
>;

const NO_OTHERS: readonly ClauseId[] = [];

export const fact = <V, O>(clause: ClauseId, options: FactOptions<V, O> = {}): Fact<V, O> => ({
  clause,
  index: clauseIndex(clause),
  when: options.when,
  holds: options.holds,
  right: options.right,
  uncounted: options.uncounted ?? false,
  also: options.also ?? NO_OTHERS,
});

export interface JudgeOf<K extends CallName, V> {
  /** Promises that a call which breaks no rule succeeds. */
  readonly promise: ClauseId;
  /** A more telling clause that promises it for this very call, which failed with that errno. */
  readonly promises?: (view: V, errno: Errno) => ClauseId | undefined;
  /** Looks up, once per call, what the rules ask about. */
  readonly view: (
    machine: MachineState,
    call: CallOf<K>,
    claimed: OutcomeOf<K> | undefined,
    profile: Profile,
  ) => V;
  readonly rules: readonly Rule<V>[];
  readonly facts: readonly Fact<V, Partial<Out<K>>>[];
  /** The outputs that 6.12 would give; absent: the call has none. */
  readonly answer?: (view: V) => Partial<Out<K>>;
  /** Counts what a right answer has shown of earlier calls; see state/seen.ts. */
  readonly shown?: (view: V, out: Partial<Out<K>>, coverage: Coverage) => void;
  /** What a successful call changes. */
  readonly effect?: (view: V, out: Partial<Out<K>>) => void;
  /** What a failing call changes, beside what coverage remembers. */
  readonly failure?: (view: V, broken: Broken, coverage: Coverage | undefined) => void;
  /** What a failing call writes nevertheless. */
  readonly answerOfFailure?: (view: V, errno: Errno) => Partial<Out<K>> | undefined;
  /** What is wrong with what a failing call wrote. */
  readonly checkFailure?: (view: V, errno: Errno, out: Partial<Out<K>>) => Flaw | undefined;
  /** An errno that is right in this state although no rule has it: the clause that says so. */
  readonly leeway?: (view: V, errno: Errno) => ClauseId | undefined;
  /** The documents leave open what the call did: what else it may have done before it ended. */
  readonly otherwise?: (view: V, errno: 0 | Errno) => readonly ((view: V) => void)[];
  /** What it may have done is more than `otherwise` can say. */
  readonly endless?: (view: V, errno: 0 | Errno) => boolean;
  /** The same of a failing call, where one state can say that something is perhaps so. */
  readonly perhaps?: (view: V, errno: Errno) => void;
}

/** The rule that made a call fail. */
export type Broken = Pick<Rule<never>, "clause" | "errno">;

/** A wrong output. */
export interface Flaw {
  readonly clause: ClauseId;
  readonly right: string;
}

/** A judge whose view type only it knows; the table and the fold pass views through. */
export interface Judge extends JudgeOf<CallName, object> {
  /** It may fail for want of memory in any state (UNS-12). */
  readonly mayRunOut: boolean;
  /** A call of the uAPI that answers more than an errno, and must not when it fails (GEN-15). */
  readonly writesBack: boolean;
}

/** What only lets go, and what is no call of the uAPI but a way to look at or set up its world. */
const NEVER_RUN_OUT: ReadonlySet<CallName> = new Set<CallName>([
  ...([
    "CLOSE",
    "DEVICE_CLOSE",
    "CLOSE_ACCESS",
    "CLOSE_FAULT",
    "FAULT_POLL",
    "DESTROY_ACCESS_PAGES",
  ] as const),
  ...(["MMAP", "MUNMAP", "MPROTECT", "MEM_WRITE", "MEM_READ", "DMA"] as const),
  ...(["SETRLIMIT_MEMLOCK", "SETUID", "FORK", "EXIT"] as const),
  ...([
    "TRANSLATE",
    "PAGE_REFS",
    "PROC_STATUS",
    "MD_CHECK_MAP",
    "MD_CHECK_REFS",
    "MD_CHECK_IOTLB",
  ] as const),
]);

export const judge = <K extends CallName, V extends object>(
  call: K,
  definition: JudgeOf<K, V>,
): Judge => {
  // All judges have the same fields in the same order, for the sake of the fold.
  const { promise, promises, view, rules, facts, answer, shown, effect, failure } = definition;
  const { answerOfFailure, checkFailure, leeway, otherwise, endless, perhaps } = definition;
  return {
    promise,
    promises,
    view,
    rules,
    facts,
    answer,
    shown,
    effect,
    failure,
    answerOfFailure,
    checkFailure,
    leeway,
    otherwise,
    endless,
    perhaps,
    mayRunOut: !NEVER_RUN_OUT.has(call),
    writesBack: answer !== undefined && checkFailure === undefined && !NEVER_RUN_OUT.has(call),
  } as unknown as Judge;
};

/** The rule that decides in linux-6.12. */
export const firstBroken = <V>(rules: readonly Rule<V>[], view: V): Rule<V> | undefined => {
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i];
    if (rule?.broken(view)) return rule;
  }
  return undefined;
};

/** The rules that may decide where no order is promised. */
export const allBroken = <V>(rules: readonly Rule<V>[], view: V): Rule<V>[] => {
  const broken = rules.filter((rule) => rule.broken(view));
  const outranking = broken.find((rule) => rule.outranks);
  return outranking === undefined ? broken : [outranking];
};

/** True if a call that breaks this rule must not succeed. */
export const forbids = <V>(rule: Rule<V>, view: V, profile: Profile): boolean =>
  rule.hard ||
  ruleBinds(rule.basis, profile) ||
  (rule.also?.(view).some((id) => ruleBinds(clauseIndex(id), profile)) ?? false);

/** The clause and those that say the same about this call. */
export const clausesOf = <V>(rule: Rule<V>, view: V): [ClauseId, ...ClauseId[]] => [
  rule.clause,
  ...(rule.also?.(view) ?? []),
];
