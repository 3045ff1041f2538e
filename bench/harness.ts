/**
 * How fast the harness is, and where its time goes: the same traces are drawn, run and judged,
 * each stage by itself. In CPU time of this process, so that a busy machine disturbs less, and
 * by the clock. Rounds are repeated, because the compiler goes on improving hot code for about a
 * million calls, and because another program may disturb any of them: the fastest one counts.
 */
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { radix } from "../impl/radix";
import { Model } from "../model/model";
import { traceArbitrary } from "../properties/arbitrary/trace-arbitrary";
import { runCampaign } from "../properties/campaign";
import { InvariantTally, InvariantWatch } from "../properties/invariants/watch";
import { judgeRecordings } from "../properties/judge";
import { QUICK, quickRun } from "../properties/options";
import { judgeHistory } from "../properties/oracle";
import type { Call, Outcome } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { Run } from "../spec/iut";
import { PLATFORMS } from "../spec/platform";
import { readRecordings } from "../spec/recording";
import { Resolver } from "../spec/resolve";
import type { Trace } from "../spec/trace";

export interface Stage {
  readonly stage: string;
  /** Judged calls, probes included, per second of CPU time. */
  readonly callsPerSecond: number;
  readonly microsecondsPerCall: number;
  /** The same by the clock on the wall: garbage collector and compiler have threads of their own. */
  readonly callsPerSecondElapsed: number;
  /** What `callsPerSecond` is to be. */
  readonly atLeast?: number;
}

interface Time {
  readonly cpuMs: number;
  readonly elapsedMs: number;
}

const now = (): Time => ({
  cpuMs: process.cpuUsage().user / 1000,
  elapsedMs: performance.now(),
});

/** Does some work and says on how many calls. */
type Work = () => number | Promise<number>;

const measure = async (stage: string, work: Work): Promise<Stage> => {
  const from = now();
  const calls = await work();
  const to = now();
  const cpuMs = to.cpuMs - from.cpuMs;
  return {
    stage,
    callsPerSecond: Math.round((1000 * calls) / cpuMs),
    microsecondsPerCall: Math.round((100_000 * cpuMs) / calls) / 100,
    callsPerSecondElapsed: Math.round((1000 * calls) / (to.elapsedMs - from.elapsedMs)),
  };
};

/** What a part of the oracle does with one call. */
type Part = (call: Call, outcome: Outcome) => unknown;

const modelOf = ({ platform }: Trace): Part => {
  const model = new Model(platform, "linux-6.12", new Coverage());
  return (call, outcome) => model.judge(call, outcome);
};

const invariantsOf = ({ platform }: Trace): Part => {
  const watch = new InvariantWatch(platform, new InvariantTally());
  return (call, outcome) => watch.step(call, outcome);
};

/** Judges with one part of the oracle, to tell its share; handles are resolved for each. */
const judgeWith = (part: Part, { platform, steps }: Trace, { outcomes }: Run): void => {
  const resolver = new Resolver(platform);
  for (const [i, step] of steps.entries()) {
    const outcome = outcomes[i];
    if (outcome === undefined) return;
    part(resolver.resolve(step), outcome);
    resolver.note(step, outcome);
  }
};

const callsIn = (traces: readonly Trace[]): number =>
  traces.reduce((sum, { steps }) => sum + steps.length, 0);

/** A stage, and how many calls per second are wanted of it. */
type Planned = readonly [name: string, work: Work, atLeast?: number];

/** The stages of one round; later ones work on what earlier ones made. */
const stagesOf = (sequences: number): Planned[] => {
  const { capabilities } = radix.info;
  const arbitrary = traceArbitrary({ platforms: PLATFORMS, capabilities, length: QUICK.length });
  let traces: Trace[] = [];
  let runs: Run[] = [];
  const each = (visit: (trace: Trace, run: Run) => void): number => {
    for (const [i, trace] of traces.entries()) visit(trace, runs[i] as Run);
    return callsIn(traces);
  };
  const oracle = (): number => {
    const [coverage, tally] = [new Coverage(), new InvariantTally()];
    return each((trace, { outcomes }) =>
      judgeHistory({ trace, outcomes }, "linux-6.12", coverage, tally),
    );
  };
  return [
    [
      "generator",
      () => {
        traces = fc.sample(arbitrary, { seed: SEED, numRuns: sequences });
        return callsIn(traces);
      },
    ],
    [
      "IUT (radix)",
      () => {
        runs = traces.map((trace) => radix.run(trace) as Run);
        return callsIn(traces);
      },
    ],
    ["model alone", () => each((trace, run) => judgeWith(modelOf(trace), trace, run))],
    ["invariants alone", () => each((trace, run) => judgeWith(invariantsOf(trace), trace, run))],
    ["oracle", oracle],
    ["recordings, read and judged", judgeRecorded, 50_000],
    ["whole campaign", () => campaign(sequences, QUICK.length), 300_000],
    ...LENGTHS.map(
      (length): Planned => [
        `sequences of ${length.toLocaleString("en")}`,
        () => campaign(Math.ceil((sequences * 40) / length), [length, length]),
      ],
    ),
  ];
};

const SEED = 2;
const ROUNDS = 4;

/** Calls per sequence, probes not counted: a call must cost the same in all of them. */
const LENGTHS = [100, 1000, 10_000];

const campaign = async (sequences: number, length: readonly [number, number]): Promise<number> => {
  const { calls, probes } = await runCampaign(
    quickRun({ iut: radix, seed: SEED, sequences, length }),
  );
  return calls + probes;
};

/** Histories of a real kernel, from their text to the verdict. */
const judgeRecorded = (): number => {
  const texts = fs
    .readdirSync(RECORDINGS)
    .map((file) => fs.readFileSync(path.join(RECORDINGS, file), "utf8"));
  let steps = 0;
  for (let round = 0; round < 10; round++) {
    for (const text of texts) {
      const recordings = readRecordings(text, RECORDINGS);
      const judged = judgeRecordings(
        recordings,
        "linux-6.12",
        new Coverage(),
        new InvariantTally(),
      );
      steps += judged.agreed;
    }
  }
  return steps;
};

const RECORDINGS = path.join(__dirname, "../properties/corpus/recordings");

const faster = (a: Stage | undefined, b: Stage): Stage =>
  a !== undefined && a.microsecondsPerCall <= b.microsecondsPerCall ? a : b;

/** @param sequences how many traces each stage works on in each round */
export const benchHarness = async (sequences: number): Promise<Stage[]> => {
  const stages = stagesOf(sequences);
  const fastest: Stage[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [name, work, atLeast]] of stages.entries()) {
      const stage = await measure(name, work);
      fastest[i] = faster(fastest[i], { ...stage, ...(atLeast !== undefined && { atLeast }) });
    }
  }
  return fastest;
};
