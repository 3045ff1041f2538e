/**
 * The oracle: folds a history through the model and the invariants.
 *
 * It needs no IUT: a live run, a stored history and a recording of a real kernel are judged by
 * the same code. Judging stops at the first deviation, because nothing is known after it.
 */
import { Model } from "../model/model";
import type { Call, CallName, Outcome } from "../spec/calls";
import { clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import { malformed } from "../spec/outcome";
import type { Platform } from "../spec/platform";
import { Resolver } from "../spec/resolve";
import type { Ending, History } from "../spec/trace";
import type { Deviation, Profile } from "../spec/verdict";
import { TwinWatch } from "./algebra/twin-watch";
import { inPart } from "./in-part";
import { type InvariantTally, InvariantWatch } from "./invariants/watch";
import { type Quirk, quirkOf } from "./quirks";

/** The first deviation of a history and the step that shows it. */
export interface Finding {
  readonly step: number;
  readonly deviation: Deviation;
}

const LIV_01 = clauseIndex("LIV-01");
const LIV_02 = clauseIndex("LIV-02");
const LIV_03 = clauseIndex("LIV-03");

/** Judges one machine's life, call by call. */
export class Oracle {
  readonly #model: Model;
  readonly #watch: InvariantWatch;

  constructor(platform: Platform, profile: Profile, coverage: Coverage, tally: InvariantTally) {
    this.#model = new Model(platform, profile, coverage);
    this.#watch = new InvariantWatch(platform, tally);
  }

  /** undefined: conformant so far. */
  judge(call: Call, outcome: Outcome): Deviation | undefined {
    const wrong = malformed(call, outcome);
    if (wrong !== undefined) {
      return {
        clauses: ["LIV-02"],
        kind: "output",
        expected: wrong.expected,
        actual: wrong.actual,
      };
    }
    return told(this.#model.judge(call, outcome) ?? this.#watch.step(call, outcome));
  }

  /** So much was left open that nothing more can be said. */
  get isLost(): boolean {
    return this.#model.isLost;
  }

  /** The known quirk that the IUT has ended with. */
  quirk(ending: Ending, during: CallName | undefined): Quirk | undefined {
    return quirkOf(ending, during, this.#model.state);
  }
}

/** A deviation goes into tables, reports and capsules. */
const told = (deviation: Deviation | undefined): Deviation | undefined =>
  deviation && {
    ...deviation,
    expected: inPart(deviation.expected),
    actual: inPart(deviation.actual),
  };

/** Judges a history from its first call; undefined: conformant. */
export const judgeHistory = (
  history: History,
  profile: Profile,
  coverage: Coverage,
  tally: InvariantTally,
): Finding | undefined => {
  const { trace, outcomes, ending } = history;
  const oracle = new Oracle(trace.platform, profile, coverage, tally);
  const twins = new TwinWatch(trace, profile, tally);
  const resolver = new Resolver(trace.platform);
  for (const [i, outcome] of outcomes.entries()) {
    const step = trace.steps[i];
    if (step === undefined) throw new Error(`history has more outcomes than steps`);
    const call = resolver.resolve(step);
    const deviation = oracle.judge(call, outcome) ?? told(twins.step(i, call, outcome));
    if (deviation !== undefined) return { step: i, deviation };
    resolver.note(step, outcome);
  }
  coverage.success[LIV_01] = (coverage.success[LIV_01] ?? 0) + outcomes.length;
  coverage.success[LIV_02] = (coverage.success[LIV_02] ?? 0) + outcomes.length;
  coverage.success[LIV_03] = (coverage.success[LIV_03] ?? 0) + outcomes.length;
  if (ending === undefined || ending.kind === "inconclusive") return undefined;
  const quirk = oracle.quirk(ending, trace.steps[outcomes.length]?.call);
  if (quirk !== undefined) {
    coverage.meetQuirk(quirk.name);
    return undefined;
  }
  const isCrash = ending.kind === "crash";
  return {
    step: outcomes.length,
    deviation: {
      clauses: [isCrash ? "LIV-01" : "LIV-03"],
      kind: "crash",
      expected: isCrash ? "an outcome" : "no report of an error",
      actual: ending.reason,
    },
  };
};
