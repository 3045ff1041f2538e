/**
 * The reference model: a set of machine states and the judge of each call.
 *
 * The set holds what the IUT's state may be, given its answers so far. It nearly always has one
 * member, which is changed in place; a member is copied only where the documents leave open what
 * a call did, and goes when a later answer contradicts it. No member left means a deviation.
 */
import type { Call, Outcome } from "../spec/calls";
import { type ClauseId, clauseIndex } from "../spec/clauses/registry";
import { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import type { Platform } from "../spec/platform";
import type { Deviation, Profile } from "../spec/verdict";
import { ruleBinds } from "./basis";
import { allBroken, type Broken, firstBroken, type Judge } from "./judge";
import { judgeOf } from "./judges";
import { judgeInstead, seenBy } from "./processes";
import { boot, type MachineState } from "./state/machine";
import { outlineOf } from "./state/outline";
import { checkOutputs, countViolation, read, wrongOutput } from "./verdict";

const WRITES_NOTHING = clauseIndex("GEN-15");

const writes = (outcome: Outcome): boolean =>
  outcome.out !== undefined && Object.keys(outcome.out).length > 0;

/** So many alternatives are followed; those beyond them are dropped, and with them what is sure. */
const STATES_MAX = 64;

/** To have so many judge each call takes less time than to see whether some are the same. */
const FEW = 4;

const NOTHING_ELSE: ReturnType<NonNullable<Judge["otherwise"]>> = [];

export class Model {
  readonly #profile: Profile;
  readonly #coverage: Coverage;
  #states: [MachineState, ...MachineState[]];
  /** Alternatives that the present call has opened. */
  #opened: MachineState[] = [];
  /** Some are not among them: if no other fits any more, nobody knows whether they would have. */
  #isPartial = false;
  #isLost = false;

  constructor(platform: Platform, profile: Profile, coverage: Coverage) {
    this.#profile = profile;
    this.#coverage = coverage;
    this.#states = [boot(platform)];
  }

  /** The present state, the first of the set; to be read, never written. */
  get state(): MachineState {
    return this.#states[0];
  }

  /** Too much was left open: from now on everything conforms, because nothing is known. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /**
   * Judges one outcome and moves on; undefined: it conforms. After a deviation the model goes on
   * as if a wrong output were right and a wrong errno had changed nothing.
   */
  judge(call: Call, outcome: Outcome): Deviation | undefined {
    if (this.#isLost) return undefined;
    const judge = judgeOf(call);
    if (this.#states.length > 1 || this.#isPartial) return this.#judgeInAll(judge, call, outcome);
    const deviation = this.#judgeIn(this.#states[0], judge, call, outcome, this.#coverage);
    if (this.#opened.length > 0) this.#follow([...this.#states, ...this.#opened.splice(0)]);
    return deviation;
  }

  /** Each hypothesis once, for there is no end to those that differ in nothing. */
  #follow(states: [MachineState, ...MachineState[]]): void {
    if (states.length <= FEW) {
      this.#states = states;
      return;
    }
    const outlines = new Set<string>();
    const [head, ...others] = states;
    outlines.add(outlineOf(head));
    const distinct = others.filter((state) => {
      const outline = outlineOf(state);
      const isNew = !outlines.has(outline);
      outlines.add(outline);
      return isNew;
    });
    this.#isPartial ||= distinct.length >= STATES_MAX;
    this.#states = [head, ...distinct.slice(0, STATES_MAX - 1)];
  }

  #judgeInAll(judge: Judge, call: Call, outcome: Outcome): Deviation | undefined {
    const fitting: MachineState[] = [];
    const uncounted = new Coverage();
    let first: Deviation | undefined;
    let opened = 0;
    for (const state of this.#states) {
      const coverage = fitting.length === 0 ? this.#coverage : uncounted;
      const deviation = this.#judgeIn(state, judge, call, outcome, coverage);
      if (deviation === undefined) {
        opened += this.#opened.length;
        fitting.push(state, ...this.#opened);
      } else first ??= deviation;
      this.#opened = [];
    }
    const [head, ...tail] = fitting;
    if (head === undefined) return this.#isPartial ? this.#lose() : first;
    if (opened > 0) this.#follow([head, ...tail]);
    else this.#states = [head, ...tail];
    return undefined;
  }

  #lose(): undefined {
    this.#isLost = true;
    this.#coverage.lost++;
  }

  #judgeIn(
    state: MachineState,
    ordinary: Judge,
    made: Call,
    outcome: Outcome,
    coverage: Coverage,
  ): Deviation | undefined {
    state.calls++;
    const call = seenBy(state, made);
    const judge = judgeInstead(state, call) ?? ordinary;
    const profile = this.#profile;
    const view = judge.view(state, call, outcome, profile);
    const reading = read(judge, view, outcome, profile);
    if (reading.kind === "deviation") return reading.deviation;
    const { errno } = outcome;
    for (const effect of judge.otherwise?.(view, errno) ?? NOTHING_ELSE) {
      const copy = structuredClone(state);
      effect(judge.view(copy, call, outcome, profile));
      this.#opened.push(copy);
    }
    if (judge.endless?.(view, errno)) this.#isPartial = true;
    if (errno === 0) {
      const deviation = checkOutputs(judge, view, outcome, profile, coverage);
      if (deviation === undefined) judge.shown?.(view, outcome.out ?? {}, coverage);
      judge.effect?.(view, outcome.out ?? {});
      return deviation;
    }
    return this.#judgeFailure(
      judge,
      view,
      errno,
      outcome,
      reading.kind === "failure" ? reading.by : undefined,
      coverage,
    );
  }

  #judgeFailure(
    judge: Judge,
    view: object,
    errno: Errno,
    outcome: Outcome,
    by: Judge["rules"][number] | undefined,
    coverage: Coverage,
  ): Deviation | undefined {
    if (judge.checkFailure !== undefined) {
      const flaw = judge.checkFailure(view, errno, outcome.out ?? {});
      const isOpen = flaw?.clause === "GEN-15" && !ruleBinds(WRITES_NOTHING, this.#profile);
      if (flaw !== undefined && !isOpen) {
        return wrongOutput(flaw.clause, flaw.right, outcome.out ?? {});
      }
    } else if (writes(outcome) && ruleBinds(WRITES_NOTHING, this.#profile)) {
      return wrongOutput("GEN-15", "nothing written", outcome.out ?? {});
    }
    if (judge.writesBack && ruleBinds(WRITES_NOTHING, this.#profile)) {
      coverage.violation[WRITES_NOTHING] = (coverage.violation[WRITES_NOTHING] ?? 0) + 1;
    }
    if (by !== undefined) {
      countViolation(by, view, coverage);
      judge.failure?.(view, by, coverage);
    }
    judge.perhaps?.(view, errno);
    return undefined;
  }

  /** Another model that knows what this one knows, and counts for itself. */
  copy(): Model {
    const copy = new Model(this.state.platform, this.#profile, new Coverage());
    copy.#states = structuredClone(this.#states);
    copy.#isPartial = this.#isPartial;
    copy.#isLost = this.#isLost;
    return copy;
  }

  /** What linux-6.12 would do, choosing ids and IOVAs as it does; moves on. Counts nothing. */
  predict(made: Call): Outcome {
    const state = this.#states[0];
    state.calls++;
    const call = seenBy(state, made);
    const judge = judgeInstead(state, call) ?? judgeOf(call);
    const view = judge.view(state, call, undefined, "linux-6.12");
    const broken = firstBroken(judge.rules, view);
    if (broken !== undefined) {
      const out = judge.answerOfFailure?.(view, broken.errno);
      judge.failure?.(view, broken, undefined);
      return (
        out === undefined ? { errno: broken.errno } : { errno: broken.errno, out }
      ) as Outcome;
    }
    const out = judge.answer?.(view);
    judge.effect?.(view, out ?? {});
    return (out === undefined ? { errno: 0 } : { errno: 0, out }) as Outcome;
  }

  /** Which rule a call would break now, without moving. */
  foresee(made: Call): { errno: 0 } | { errno: Errno; clause: ClauseId } {
    const [judge, view] = this.#look(made);
    const broken = firstBroken(judge.rules, view);
    return broken === undefined ? { errno: 0 } : { errno: broken.errno, clause: broken.clause };
  }

  /** All rules that a call would break now, in the order of linux-6.12. */
  foreseeAll(made: Call): readonly Broken[] {
    const [judge, view] = this.#look(made);
    return allBroken(judge.rules, view);
  }

  #look(made: Call): readonly [Judge, object] {
    const call = seenBy(this.#states[0], made);
    const judge = judgeInstead(this.#states[0], call) ?? judgeOf(call);
    return [judge, judge.view(this.#states[0], call, undefined, "linux-6.12")];
  }
}
