/**
 * The failures of a campaign: each is shrunk and saved at once; later ones with the same signature
 * are only counted.
 */
import type { Capsule } from "../spec/capsule";
import { Coverage } from "../spec/coverage";
import type { Failure } from "../spec/results";
import type { History, Trace } from "../spec/trace";
import { type Deviation, type Signature, signatureOf } from "../spec/verdict";
import { VERSION } from "../spec/version";
import { canRun } from "./can-run";
import { statementOf } from "./conclude";
import { covers, type Expectation } from "./expectation";
import { InvariantTally } from "./invariants/watch";
import type { CampaignOptions } from "./options";
import { type Finding, judgeHistory } from "./oracle";
import { type Replayed, replayTrace, runTrace } from "./replay";
import { shrink } from "./shrink/shrink";
import { stepRows } from "./step-table";

/** Traces the shrinker may try for one failure. */
const SHRINK_TRIES = 4000;
/** Failures of different signatures that are shrunk; further ones are only counted. */
const MAX_FAILURES = 12;

/** What a failure was found with. */
export interface Found {
  readonly seed: number;
  /** Its fast-check path. */
  readonly path: string;
}

interface Kept {
  readonly failure: Omit<Failure, "occurrences">;
  occurrences: number;
}

export class Failures {
  /** Expectations that a failure has met. */
  readonly held = new Set<Expectation>();
  /** Failures that were one too many to be shrunk. */
  unshrunk = 0;
  readonly #options: CampaignOptions;
  readonly #breathe: () => Promise<void>;
  readonly #kept = new Map<string, Kept>();

  /** @param breathe gives timers and signals their turn; called before each try of the shrinker */
  constructor(options: CampaignOptions, breathe: () => Promise<void>) {
    this.#options = options;
    this.#breathe = breathe;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Sorted, so that a used --db and a fresh one list the same failures in the same order. */
  list(): Failure[] {
    return [...this.#kept]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { failure, occurrences }]) => ({ ...failure, occurrences }));
  }

  /** It is of a clause that the run is about. */
  isSelected({ deviation }: Finding): boolean {
    return deviation.clauses.some((id) => this.#options.clauses.has(id));
  }

  /** A failure like this one is going to be shrunk. */
  isNew({ deviation }: Finding): boolean {
    return !this.#kept.has(this.#keyOf(deviation)) && this.#kept.size < MAX_FAILURES;
  }

  /** A replayed capsule that fails as it did: it is on disk, and in no count. */
  addReplayed(history: History, finding: Finding, found: Found, name: string): void {
    this.#keep(history, finding, found, () => name);
  }

  /**
   * Shrinks a failure and saves it at once, unless one like it is there already.
   * @param drawn 1 for a sequence of this run, 0 for a replayed one, which no count includes
   */
  async add(history: History, finding: Finding, found: Found, drawn: 0 | 1 = 1): Promise<void> {
    const { iut, signal, saveCapsule, saveUnshrunk } = this.#options;
    if (!this.isSelected(finding)) return;
    const known = this.#kept.get(this.#keyOf(finding.deviation));
    if (known !== undefined) {
      known.occurrences += drawn;
      return;
    }
    if (!this.isNew(finding)) {
      this.unshrunk++;
      return;
    }
    const unshrunk = this.#capsuleOf(history, finding, found);
    if (signal.aborted) {
      this.#keep(history, finding, found, () => saveCapsule(unshrunk)).occurrences += drawn;
      return;
    }
    // Shrinking takes its time where each try may hang, and so many a run is ended meanwhile.
    const takeAway = saveUnshrunk(unshrunk);
    const upToFailure = { ...history.trace, steps: history.trace.steps.slice(0, finding.step + 1) };
    let minimal = await this.#minimise(upToFailure, finding, false);
    if (iut.fresh !== undefined) {
      // On a machine that others had damaged a trace may have seemed to fail, or not to. So again,
      // from what is sure and with a fresh machine after each failure; mostly few are left by now.
      const from = minimal.finding === undefined ? upToFailure : minimal.history.trace;
      minimal = await this.#minimise(from, finding, true);
      await iut.fresh();
    }
    // An IUT that fails only now and then may fail to fail here: then the original is the best.
    const [best, at] =
      minimal.finding === undefined ? [history, finding] : [minimal.history, minimal.finding];
    const save = (): string => saveCapsule(this.#capsuleOf(best, at, found));
    this.#keep(best, at, found, save).occurrences += drawn;
    takeAway();
  }

  /** @param renews whether the machine is made anew after each trace that has failed */
  async #minimise(from: Trace, finding: Finding, renews: boolean): Promise<Replayed> {
    const { iut, profile, platforms, signal } = this.#options;
    const key = this.#keyOf(finding.deviation);
    const { capabilities } = iut.info;
    const stillFails = async (trace: Trace): Promise<boolean> => {
      await this.#breathe();
      if (signal.aborted || !canRun(capabilities, trace)) return false;
      const history = await runTrace(iut, trace);
      const found = judgeHistory(history, profile, new Coverage(), new InvariantTally());
      if (found === undefined || this.#keyOf(found.deviation) !== key) return false;
      if (renews) await iut.fresh?.();
      return true;
    };
    const able = platforms.filter(({ frontEnd }) => capabilities.includes(frontEnd));
    await iut.fresh?.();
    const { trace } = await shrink(from, stillFails, SHRINK_TRIES, able, signal);
    await iut.fresh?.();
    return replayTrace(iut, trace, profile);
  }

  #capsuleOf(history: History, { deviation, step }: Finding, { seed, path }: Found): Capsule {
    const { iutSpec: iut, profile } = this.#options;
    const found = { version: VERSION, seed, path };
    return { iut, profile, deviation, step, history, found };
  }

  #keep(history: History, at: Finding, { seed, path }: Found, save: () => string): Kept {
    const { deviation } = at;
    const [clause] = deviation.clauses;
    const expectation = this.#expectationOf(deviation);
    if (expectation !== undefined) this.held.add(expectation);
    const key = this.#keyOf(deviation);
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const failure = {
      clause,
      statement: statementOf(clause),
      clauses: deviation.clauses,
      kind: deviation.kind,
      expected: deviation.expected,
      actual: deviation.actual,
      platform: history.trace.platform.name,
      // Of a trace that could not be shrunk, the calls after the failure tell nobody anything.
      steps: stepRows(history, at).slice(0, at.step + 1),
      known: expectation !== undefined,
      capsule: save(),
      seedPath: `${seed}:${path}`,
    };
    const kept = { failure, occurrences: 0 };
    this.#kept.set(key, kept);
    return kept;
  }

  #expectationOf(deviation: Deviation): Expectation | undefined {
    return this.#options.knownFailing.find((e) => covers(e, deviation));
  }

  /** Failures with the same are one failure. A known one never hides another of its signature. */
  #keyOf(deviation: Deviation): string {
    const key = keyOf(signatureOf(deviation));
    return this.#expectationOf(deviation) === undefined ? key : `${key}, as expected`;
  }
}

const keyOf = (signature: Signature): string => `${signature.clause} ${signature.kind}`;

/** Of the same clause and the same kind. */
export const areAlike = (a: Deviation, b: Deviation): boolean =>
  keyOf(signatureOf(a)) === keyOf(signatureOf(b));
