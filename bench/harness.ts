/**
 * How fast the harness is, and where its time goes: the same traces are drawn, run and judged,
 * each stage by itself. In CPU time of this process, so that a busy machine disturbs less, and
 * by the clock. Rounds are repeated, because the compiler goes on improving hot code for about a
 * million calls, and because another program may disturb any of them: the fastest one counts.
 */
import fc from "fast-check";
import { radix } from "../impl/radix";
import { Model } from "../model/model";
import { traceArbitrary } from "../properties/arbitrary/trace-arbitrary";
import { runCampaign } from "../properties/campaign";
import { InvariantTally, InvariantWatch } from "../properties/invariants/watch";
import { QUICK, quickRun } from "../properties/options";
import { judgeHistory } from "../properties/oracle";
import type { Call, Outcome } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { Run } from "../spec/iut";
import { PLATFORMS } from "../spec/platform";
import { Resolver } from "../spec/resolve";
import type { Trace } from "../spec/trace";

export interface Stage {
  readonly stage: string;
  /** Judged calls, probes included, per second of CPU time. */
  readonly callsPerSecond: number;
  readonly microsecondsPerCall: number;
  /** The same by the clock on the wall: garbage collector and compiler have threads of their own. */
  readonly callsPerSecondElapsed: number;
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

/** The stages of one round; later ones work on what earlier ones made. */
const stagesOf = (sequences: number): (readonly [name: string, work: Work])[] => {
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
    ["whole campaign", () => campaign(sequences, QUICK.length)],
    ...LENGTHS.map((length): readonly [string, Work] => [
      `sequences of ${length.toLocaleString("en")}`,
      () => campaign(Math.ceil((sequences * 40) / length), [length, length]),
    ]),
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

const faster = (a: Stage | undefined, b: Stage): Stage =>
  a !== undefined && a.microsecondsPerCall <= b.microsecondsPerCall ? a : b;

/** @param sequences how many traces each stage works on in each round */
export const benchHarness = async (sequences: number): Promise<Stage[]> => {
  const stages = stagesOf(sequences);
  const fastest: Stage[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [name, work]] of stages.entries()) {
      fastest[i] = faster(fastest[i], await measure(name, work));
    }
  }
  return fastest;
};
