/**
 * The random campaign: fast-check draws traces, the IUT runs them, the oracle judges them.
 *
 * The property records verdicts and never throws: a single `fc.check` then goes through the
 * whole budget, however many bugs there are on the way (failures.ts).
 */
import fc from "fast-check";
import { Coverage } from "../spec/coverage";
import type { Results } from "../spec/results";
import type { History, Trace } from "../spec/trace";
import { traceArbitrary } from "./arbitrary/trace-arbitrary";
import { canRun } from "./can-run";
import { concludeRun } from "./conclude";
import { areAlike, Failures } from "./failures";
import { guarded } from "./guard";
import { Health } from "./health";
import { fingerprint, HistoryHash } from "./history-hash";
import { InvariantTally } from "./invariants/watch";
import type { CampaignOptions, Stop } from "./options";
import { type Finding, judgeHistory } from "./oracle";
import { behavedAlike } from "./repetition";
import { replayTrace, runTrace } from "./replay";

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
  readonly #failures: Failures;
  readonly #perPlatform = new Map<string, number>();
  readonly #inconclusive: string[] = [];
  #runs = 0;
  #done = 0;
  #stopped: Stop | undefined;
  #nondeterministic: string | undefined;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#failures = new Failures(options, () => this.#breathe());
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
      if (finding === undefined || !this.#failures.isSelected(finding)) continue;
      failing++;
      const isSame = areAlike(finding.deviation, capsule.deviation);
      if (isSame) this.#failures.addReplayed(history, finding, capsule.found, name);
      else await this.#failures.add(history, finding, capsule.found, 0);
    }
    onReplayed(replayed, failing);
  }

  async explore(): Promise<void> {
    const { seed, sequences, shard } = this.#options;
    const [index, of] = shard;
    let drawn = 0;
    let batch: Drawn[] = [];
    const { restore } = withOwnSettings();
    try {
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
    } finally {
      restore();
    }
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
    return signal.aborted;
  }

  async #sequence(history: History, path: number): Promise<void> {
    const { iut, profile, sequences, onProgress } = this.#options;
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
    const isDoubtful = finding !== undefined && iut.fresh !== undefined;
    if (this.#mustStop()) await this.#fail(history, finding, path);
    else if (isDoubtful) await this.#confirm(history, finding, path);
    else await this.#repeat(history, finding, path, print);
    onProgress(this.#done, sequences, this.#failures.size);
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
    const isAsked = finding !== undefined || path % REPEAT_EVERY === 0;
    if (isAsked && this.#nondeterministic === undefined && !(await isAlike())) {
      await iut.fresh?.();
      if (iut.fresh === undefined || !(await isAlike())) this.#nondeterministic = `${seed}:${path}`;
      else this.#inconclusive.push(`${seed}:${path} gives other answers after other traces`);
    }
    await this.#fail(history, finding, path);
  }

  /** The same for an IUT that an earlier trace may have damaged: what fails on a fresh one counts. */
  async #confirm(history: History, finding: Finding, path: number): Promise<void> {
    const { iut, seed, profile } = this.#options;
    if (!this.#failures.isNew(finding)) return this.#fail(history, finding, path);
    await iut.fresh?.();
    const again = await replayTrace(iut, history.trace, profile);
    if (again.finding !== undefined) return this.#fail(again.history, again.finding, path);
    // Nobody knows which trace it was that did it: no failure of this one, and no run with it passes.
    this.#inconclusive.push(
      `${seed}:${path} fails after earlier traces, but not on a fresh machine`,
    );
  }

  async #fail(history: History, finding: Finding | undefined, path: number): Promise<void> {
    if (finding === undefined) return;
    await this.#failures.add(history, finding, { seed: this.#options.seed, path: String(path) });
  }

  results(): Results {
    return concludeRun(this.#options, {
      coverage: this.#coverage,
      tally: this.#tally,
      health: this.#health,
      historyHash: this.#hash.digest(),
      done: this.#done,
      sequences: this.#perPlatform,
      failures: this.#failures.list(),
      unshrunk: this.#failures.unshrunk,
      held: this.#failures.held,
      stopped: this.#stopped,
      nondeterministic: this.#nondeterministic,
      inconclusive: this.#inconclusive,
    });
  }
}

/**
 * Whoever uses fast-check in the same process (a jest suite, a ts: module) may have configured it
 * for all runs: a time limit, a path, another generator of random numbers. A run is its own.
 */
const withOwnSettings = (): { readonly restore: () => void } => {
  const theirs = fc.readConfigureGlobal();
  fc.resetConfigureGlobal();
  return { restore: () => fc.configureGlobal(theirs) };
};

/** Thrown by the property to make fast-check stop; never seen outside this file. */
const STOP = new Error("stop");

type Space = Pick<CampaignOptions, "iut" | "platforms" | "length">;

const arbitraryOf = ({ iut, platforms, length }: Space): fc.Arbitrary<Trace> =>
  traceArbitrary({ platforms, capabilities: iut.info.capabilities, length });

/** The unshrunk trace that SEED:PATH names; good for one version and the same options only. */
export const traceOfPath = (space: Space, seed: number, path: string): Trace | undefined => {
  const { restore } = withOwnSettings();
  try {
    return fc.sample(arbitraryOf(space), { seed, path, numRuns: 1 })[0];
  } finally {
    restore();
  }
};
