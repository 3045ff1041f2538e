/**
 * How fast the harness is, and where its time goes: the same traces are drawn, run and judged,
 * each stage by itself. In CPU time of this process, so that a busy machine disturbs less, and
 * by the clock.
 */
import fc from "fast-check";
import { radix } from "../impl/radix";
import { Model } from "../model/model";
import { traceArbitrary } from "../properties/arbitrary/trace-arbitrary";
import { runCampaign } from "../properties/campaign";
import { InvariantTally } from "../properties/invariants/watch";
import { QUICK, quickRun } from "../properties/options";
import { judgeHistory } from "../properties/oracle";
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

const stage = (name: string, calls: number, from: Time, to: Time): Stage => {
  const cpuMs = to.cpuMs - from.cpuMs;
  return {
    stage: name,
    callsPerSecond: Math.round((1000 * calls) / cpuMs),
    microsecondsPerCall: Math.round((100_000 * cpuMs) / calls) / 100,
    callsPerSecondElapsed: Math.round((1000 * calls) / (to.elapsedMs - from.elapsedMs)),
  };
};

/** Judges with the model alone, to tell its share from that of the invariants. */
const judgeWithModelOnly = (trace: Trace, run: Run): void => {
  const model = new Model(trace.platform, "linux-6.12", new Coverage());
  const resolver = new Resolver(trace.platform);
  for (const [i, outcome] of run.outcomes.entries()) {
    const step = trace.steps[i];
    if (step === undefined) return;
    model.judge(resolver.resolve(step), outcome);
    resolver.note(step, outcome);
  }
};

/** @param sequences how many traces each stage works on; half as many warm up */
export const benchHarness = async (sequences: number): Promise<Stage[]> => {
  const { capabilities } = radix.info;
  const arbitrary = traceArbitrary({ platforms: PLATFORMS, capabilities, length: QUICK.length });
  const draw = (seed: number, n: number): Trace[] => fc.sample(arbitrary, { seed, numRuns: n });

  const work = async (n: number, seed: number): Promise<Stage[]> => {
    const first = now();
    const times: Time[] = [];
    const traces = draw(seed, n);
    times.push(now());
    const runs = traces.map((trace) => radix.run(trace) as Run);
    times.push(now());
    for (const [i, trace] of traces.entries()) judgeWithModelOnly(trace, runs[i] as Run);
    times.push(now());
    const [coverage, tally] = [new Coverage(), new InvariantTally()];
    for (const [i, trace] of traces.entries()) {
      const { outcomes } = runs[i] as Run;
      judgeHistory({ trace, outcomes }, "linux-6.12", coverage, tally);
    }
    times.push(now());
    await campaign(n, seed);
    times.push(now());
    const calls = traces.reduce((sum, { steps }) => sum + steps.length, 0);
    const names = ["generator", "IUT (radix)", "model", "model and invariants", "whole campaign"];
    return times.map((to, i) => stage(names[i] ?? "", calls, times[i - 1] ?? first, to));
  };

  await work(Math.ceil(sequences / 2), 1);
  return work(sequences, 2);
};

const campaign = (sequences: number, seed: number) =>
  runCampaign(quickRun({ iut: radix, seed, sequences }));
