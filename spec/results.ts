/**
 * What a run found out, as data. Everything here follows from seed, version and IUT, so two
 * equal runs give equal bytes; times and paths of this machine are for the console only.
 */
import type { Side } from "./clauses/clause";
import type { Profile } from "./verdict";

/**
 * inconclusive: within reach, but this run never came there. unsupported: out of reach, for want
 * of something in the IUT or its platform. error: a fault of the harness itself. Each of them is
 * counted on its own, so that none can pass for another.
 */
export type Verdict = "pass" | "fail" | "inconclusive" | "unsupported" | "error";

export interface ClauseResult {
  readonly id: string;
  readonly statement: string;
  readonly errno?: string;
  /** Long names of the bases of its rule: ["documented", "selftest"]. */
  readonly basis: readonly string[];
  readonly source: readonly string[];
  readonly sides: readonly Side[];
  readonly verdict: Verdict;
  /** Why it is unsupported or inconclusive; "" otherwise. */
  readonly reason: string;
  readonly success: number;
  readonly violation: number;
}

export interface InvariantResult {
  readonly id: string;
  readonly statement: string;
  readonly verdict: Verdict;
  readonly reason: string;
  /** How many times it was really compared with something. */
  readonly checked: number;
}

export interface CallResult {
  readonly call: string;
  readonly count: number;
  /** "OK" or an errno, with how often. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** A lower bound that a healthy run meets, so that a useless IUT cannot pass. */
export interface Quota {
  readonly name: string;
  /** Share in percent, or a count. */
  readonly required: number;
  readonly actual: number;
  readonly met: boolean;
}

/** One step of a failure, ready to print; text that came from the IUT is untrusted. */
export interface StepRow {
  readonly step: number;
  readonly call: string;
  readonly expected: string;
  readonly actual: string;
  readonly deviates: boolean;
}

export interface Failure {
  readonly clause: string;
  readonly statement: string;
  /** All clauses named, the first one included. */
  readonly clauses: readonly string[];
  readonly kind: string;
  readonly expected: string;
  readonly actual: string;
  readonly platform: string;
  /** What the run as a whole says about it, and its own steps do not show; absent: nothing. */
  readonly notes?: readonly string[];
  /** The minimal trace. */
  readonly steps: readonly StepRow[];
  /** Sequences of this run that failed in the same way. */
  readonly occurrences: number;
  /** An expectation of --known-failing covers it. */
  readonly known: boolean;
  /** File name in --db. */
  readonly capsule: string;
  /** SEED:PATH of the unshrunk run. */
  readonly seedPath: string;
}

export interface Results {
  readonly format: "iommufd-results/1";
  readonly version: string;
  readonly iut: {
    readonly spec: string;
    readonly name: string;
    readonly version: string;
    readonly capabilities: readonly string[];
  };
  readonly profile: Profile;
  readonly campaign: string;
  readonly seed: number;
  readonly sequences: number;
  /** Calls that change or may change something, and calls that only observe. */
  readonly calls: number;
  readonly probes: number;
  readonly platforms: readonly { readonly name: string; readonly sequences: number }[];
  readonly verdict: Verdict;
  readonly exitCode: number;
  /** One line on why, for verdicts other than pass. */
  readonly reason: string;
  readonly clauses: readonly ClauseResult[];
  readonly invariants: readonly InvariantResult[];
  readonly callResults: readonly CallResult[];
  readonly health: {
    /** Calls whose arguments mean something in the state they meet, of all calls, percent. */
    readonly meaningfulPercent: number;
    /** Calls that break a rule, percent of all calls that are not probes. */
    readonly violatingPercent: number;
    readonly quotas: readonly Quota[];
  };
  readonly failures: readonly Failure[];
  /** Sequences that could not be run to their end through no fault of the IUT; absent: none. */
  readonly cutShort?: readonly { readonly reason: string; readonly sequences: number }[];
  /** Known quirks of the IUT that ended sequences (properties/quirks.ts); absent: none. */
  readonly quirks?: readonly { readonly name: string; readonly sequences: number }[];
  /** Expectations that no longer hold. */
  readonly staleExpectations: readonly string[];
  /** sha-256 over all histories of the run, in order. */
  readonly historyHash: string;
}
