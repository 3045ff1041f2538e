/**
 * The random campaign: fast-check draws traces, the IUT runs them, the oracle judges them.
 *
 * The property records verdicts and never throws: a single `fc.check` then goes through the
 * whole budget, however many bugs there are on the way. A failure is shrunk and saved at once; later failures
 * with the same signature are only counted.
 */
import fc from "fast-check";
import type { Capsule } from "../spec/capsule";
import { Coverage } from "../spec/coverage";
import type { Need } from "../spec/needs";
import { callMade } from "../spec/raw";
import type { Failure, Results } from "../spec/results";
import type { History, Trace } from "../spec/trace";
import { type Deviation, type Signature, signatureOf } from "../spec/verdict";
import { VERSION } from "../spec/version";
import { availableCalls } from "./arbitrary/composer";
import { traceArbitrary } from "./arbitrary/trace-arbitrary";
import { concludeRun, statementOf } from "./conclude";
import { covers, type Expectation } from "./expectation";
import { guarded } from "./guard";
import { Health } from "./health";
import { fingerprint, HistoryHash } from "./history-hash";
import { InvariantTally } from "./invariants/watch";
import type { CampaignOptions, Stop } from "./options";
import { type Finding, judgeHistory } from "./oracle";
import { behavedAlike } from "./repetition";
import { type Replayed, replayTrace, runTrace } from "./replay";
import { shrink } from "./shrink/shrink";
import { stepRows } from "./step-table";

/** Traces the shrinker may try for one failure. */
const SHRINK_TRIES = 4000;
/** Failures of different signatures that are shrunk; further ones are only counted. */
const MAX_FAILURES = 12;
/** Every so many sequences one is run twice, to see that the IUT answers the same again. */
const REPEAT_EVERY = 50;

/** Sequences that are drawn, run and judged together. */
const BATCH = 8;

interface Drawn {
  readonly trace: Trace;
  /** Its place in the run, which is its fast-check path. */
  readonly path: number;
}

interface Ran {
  readonly history: History;
  readonly path: number;
}

interface Found {
  readonly failure: Omit<Failure, "occurrences">;
  occurrences: number;
}

export const runCampaign = async (options: CampaignOptions): Promise<Results> => {
  const campaign = new Campaign({ ...options, iut: guarded(options.iut) });
  await campaign.replayCorpus();
  await campaign.explore();
  return campaign.results();
};

class Campaign {
  readonly #options: CampaignOptions;
  readonly #coverage = new Coverage();
  readonly #tally = new InvariantTally();
  readonly #health = new Health();
  readonly #hash = new HistoryHash();
  readonly #found = new Map<string, Found>();
  readonly #perPlatform = new Map<string, number>();
  readonly #held = new Set<Expectation>();
  readonly #inconclusive: string[] = [];
  #unshrunk = 0;
  #runs = 0;
  #done = 0;
  #stopped: Stop | undefined;
  #nondeterministic: string | undefined;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /** Failures of earlier runs first: they are the most likely to fail again. */
  async replayCorpus(): Promise<void> {
    const { iut, profile, corpus, onReplayed } = this.#options;
    let [replayed, failing] = [0, 0];
    for (const { name, capsule } of corpus) {
      if (this.#mustStop()) return;
      const { trace } = capsule.history;
      if (!canRun(iut.info.capabilities, trace)) continue;
      const { history, finding } = await replayTrace(iut, trace, profile);
      replayed++;
      if (finding === undefined) continue;
      failing++;
      const { seed, path } = capsule.found;
      const same = keyOf(signatureOf(finding.deviation)) === keyOf(signatureOf(capsule.deviation));
      if (same) this.#keep(history, finding, `${seed}:${path}`, () => name);
      else await this.#fail(history, finding, seed, path, 0);
    }
    onReplayed(replayed, failing);
  }

  async explore(): Promise<void> {
    const { seed, sequences, shard } = this.#options;
    const [index, of] = shard;
    let drawn = 0;
    let batch: Drawn[] = [];
    const property = fc.asyncProperty(arbitraryOf(this.#options), async (trace) => {
      const path = drawn++;
      if (path % of === index - 1) batch.push({ trace, path });
      if (batch.length < BATCH) return;
      await this.#sequences(batch);
      batch = [];
      if (this.#mustStop()) throw STOP;
    });
    const details = await fc.check(property, { seed, numRuns: sequences, endOnFailure: true });
    const error: unknown = details.errorInstance;
    if (details.failed && error !== STOP) throw error;
    if (!details.failed) await this.#sequences(batch);
  }

  /**
   * First all are run and then all are judged: each half stays in the caches of the CPU. But what
   * ended badly is judged at once: it may have taken its time, and so may the next.
   */
  async #sequences(batch: readonly Drawn[]): Promise<void> {
    let ran: Ran[] = [];
    for (const { trace, path } of batch) {
      await this.#breathe();
      if (this.#mustStop()) break;
      const history = await runTrace(this.#options.iut, trace);
      ran.push({ history, path });
      if (history.ending === undefined) continue;
      await this.#judgeAll(ran);
      ran = [];
    }
    await this.#judgeAll(ran);
  }

  /** Once the run must stop, only what ended badly: that has failed, whatever else it did. */
  async #judgeAll(ran: readonly Ran[]): Promise<void> {
    for (const { history, path } of ran) {
      if (!this.#mustStop() || history.ending !== undefined) await this.#sequence(history, path);
    }
  }

  /** Timers and signals get their turn only between macrotasks. */
  async #breathe(): Promise<void> {
    if (this.#runs++ % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #mustStop(): boolean {
    const { signal } = this.#options;
    if (signal.aborted) this.#stopped = signal.reason === "time" ? "time" : "interrupted";
    return signal.aborted || this.#nondeterministic !== undefined;
  }

  async #sequence(history: History, path: number): Promise<void> {
    const { iut, profile, seed, sequences, onProgress } = this.#options;
    const { trace } = history;
    const finding = judgeHistory(history, profile, this.#coverage, this.#tally);
    const print = fingerprint(trace, history);
    this.#hash.add(print);
    this.#health.add(history);
    this.#options.onHistory?.(history, path);
    if (history.ending?.kind === "inconclusive") this.#inconclusive.push(history.ending.reason);
    const { name } = trace.platform;
    this.#perPlatform.set(name, (this.#perPlatform.get(name) ?? 0) + 1);
    this.#done++;
    // Once time is up a failure is kept as it is: running it again may take longer than it may.
    if (this.#mustStop()) {
      if (finding !== undefined) await this.#fail(history, finding, seed, String(path));
    } else if (finding !== undefined && iut.fresh !== undefined)
      await this.#confirm(history, finding, path);
    else await this.#repeat(history, finding, path, print);
    onProgress(this.#done, sequences, this.#found.size);
  }

  /** Does the IUT answer the same again? What fails must not merely have failed once. */
  async #repeat(
    history: History,
    finding: Finding | undefined,
    path: number,
    print: string,
  ): Promise<void> {
    const { iut, seed } = this.#options;
    const { trace } = history;
    const isAlike = async (): Promise<boolean> => {
      const again = await runTrace(iut, trace);
      // A run that was cut short, as when somebody ends a VM, tells nothing about the IUT.
      const whole = [history, again].every(({ ending }) => ending?.kind !== "inconclusive");
      return !whole || fingerprint(trace, again) === print || behavedAlike(history, again);
    };
    if ((finding !== undefined || path % REPEAT_EVERY === 0) && !(await isAlike())) {
      await iut.fresh?.();
      if (iut.fresh === undefined || !(await isAlike())) this.#nondeterministic = `${seed}:${path}`;
      else this.#inconclusive.push(`${seed}:${path} gives other answers after other traces`);
    }
    if (finding !== undefined) await this.#fail(history, finding, seed, String(path));
  }

  /** The same for an IUT that an earlier trace may have damaged: what fails on a fresh one counts. */
  async #confirm(history: History, finding: Finding, path: number): Promise<void> {
    const { iut, seed } = this.#options;
    if (!this.#isNew(finding)) return this.#fail(history, finding, seed, String(path));
    await iut.fresh?.();
    const again = await runTrace(iut, history.trace);
    const found = this.#judged(again);
    if (found !== undefined) return this.#fail(again, found, seed, String(path));
    // Nobody knows which trace it was that did it: no failure of this one, and no run with it passes.
    this.#inconclusive.push(
      `${seed}:${path} fails after earlier traces, but not on a fresh machine`,
    );
  }

  #judged(history: History): Finding | undefined {
    const { profile } = this.#options;
    return judgeHistory(history, profile, new Coverage(), new InvariantTally());
  }

  /** A failure like this one is going to be shrunk. */
  #isNew({ deviation }: Finding): boolean {
    return !this.#found.has(this.#keyOf(deviation)) && this.#found.size < MAX_FAILURES;
  }

  #expectationOf(deviation: Deviation): Expectation | undefined {
    return this.#options.knownFailing.find((e) => covers(e, deviation));
  }

  /** Failures with the same are one failure. A known one never hides another of its signature. */
  #keyOf(deviation: Deviation): string {
    const key = keyOf(signatureOf(deviation));
    return this.#expectationOf(deviation) === undefined ? key : `${key}, as expected`;
  }

  /**
   * Shrinks a failure and saves it at once, unless one like it is there already.
   * @param drawn 1 for a sequence of this run, 0 for a replayed one, which no count includes
   */
  async #fail(
    history: History,
    finding: Finding,
    seed: number,
    path: string,
    drawn: 0 | 1 = 1,
  ): Promise<void> {
    const { iut, iutSpec, profile, clauses, saveCapsule } = this.#options;
    if (!finding.deviation.clauses.some((id) => clauses.has(id))) return;
    const key = this.#keyOf(finding.deviation);
    const known = this.#found.get(key);
    if (known !== undefined) {
      known.occurrences += drawn;
      return;
    }
    if (!this.#isNew(finding)) {
      this.#unshrunk++;
      return;
    }
    const capsuleOf = (history: History, { deviation, step }: Finding): Capsule => {
      const found = { version: VERSION, seed, path };
      return { iut: iutSpec, profile, deviation, step, history, found };
    };
    if (this.#options.signal.aborted) {
      const save = (): string => saveCapsule(capsuleOf(history, finding));
      this.#keep(history, finding, `${seed}:${path}`, save).occurrences += drawn;
      return;
    }
    // Shrinking takes its time where each try may hang, and so many a run is ended meanwhile.
    const takeAway = this.#options.saveUnshrunk(capsuleOf(history, finding));
    const stillFails = async (trace: Trace, renews: boolean): Promise<boolean> => {
      await this.#breathe();
      // Interrupted while shrinking: the smallest trace so far is kept.
      if (this.#options.signal.aborted) return false;
      const found = this.#judged(await runTrace(iut, trace));
      if (found === undefined || this.#keyOf(found.deviation) !== key) return false;
      if (renews) await iut.fresh?.();
      return true;
    };
    const upToFailure = { ...history.trace, steps: history.trace.steps.slice(0, finding.step + 1) };
    const { capabilities } = iut.info;
    const able = this.#options.platforms.filter(({ frontEnd }) => capabilities.includes(frontEnd));
    const minimise = async (from: Trace, renews: boolean): Promise<Replayed> => {
      await iut.fresh?.();
      const fails = (trace: Trace): Promise<boolean> => stillFails(trace, renews);
      const { trace } = await shrink(from, fails, SHRINK_TRIES, able);
      await iut.fresh?.();
      return replayTrace(iut, trace, profile);
    };
    let minimal = await minimise(upToFailure, false);
    if (iut.fresh !== undefined) {
      // On a machine that others had damaged a trace may have seemed to fail, or not to. So again,
      // from what is sure and with a fresh machine after each failure; mostly few are left by now.
      const from = minimal.finding === undefined ? upToFailure : minimal.history.trace;
      minimal = await minimise(from, true);
      await iut.fresh();
    }
    // An IUT that fails only now and then may fail to fail here: then the original is the best.
    const [best, at] =
      minimal.finding === undefined ? [history, finding] : [minimal.history, minimal.finding];
    const save = (): string => saveCapsule(capsuleOf(best, at));
    this.#keep(best, at, `${seed}:${path}`, save).occurrences += drawn;
    takeAway();
  }

  #keep(history: History, at: Finding, seedPath: string, save: () => string): Found {
    const { deviation } = at;
    const [clause] = deviation.clauses;
    const expectation = this.#expectationOf(deviation);
    if (expectation !== undefined) this.#held.add(expectation);
    const key = this.#keyOf(deviation);
    const known = this.#found.get(key);
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
      seedPath,
    };
    const found = { failure, occurrences: 0 };
    this.#found.set(key, found);
    return found;
  }

  results(): Results {
    // Sorted, so that a used --db and a fresh one list the same failures in the same order.
    const found = [...this.#found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    return concludeRun(this.#options, {
      coverage: this.#coverage,
      tally: this.#tally,
      health: this.#health,
      historyHash: this.#hash.digest(),
      done: this.#done,
      sequences: this.#perPlatform,
      failures: found.map(({ failure, occurrences }) => ({ ...failure, occurrences })),
      unshrunk: this.#unshrunk,
      held: this.#held,
      stopped: this.#stopped,
      nondeterministic: this.#nondeterministic,
      inconclusive: this.#inconclusive,
    });
  }
}

/** A capsule of another IUT may need what this one lacks. */
const canRun = (capabilities: readonly Need[], { platform, steps }: Trace): boolean => {
  if (!capabilities.includes(platform.frontEnd)) return false;
  const available = availableCalls(platform, capabilities);
  return steps.every((step) => available.has(callMade(step)));
};

/** Thrown by the property to make fast-check stop; never seen outside this file. */
const STOP = new Error("stop");

const keyOf = (signature: Signature): string => `${signature.clause} ${signature.kind}`;

type Space = Pick<CampaignOptions, "iut" | "platforms" | "length">;

const arbitraryOf = ({ iut, platforms, length }: Space): fc.Arbitrary<Trace> =>
  traceArbitrary({ platforms, capabilities: iut.info.capabilities, length });

/** The unshrunk trace that SEED:PATH names; good for one version and the same options only. */
export const traceOfPath = (space: Space, seed: number, path: string): Trace | undefined =>
  fc.sample(arbitraryOf(space), { seed, path, numRuns: 1 })[0];
