/**
 * The shrinker: tries smaller traces, and keeps one whenever it still fails in the same way.
 *
 * It works on data alone, so a trace that was recorded elsewhere shrinks as well as a generated
 * one. Passes, repeated until none of them helps:
 *   1. drop calls, in halves, quarters, … down to single ones;
 *   2. let one handle stand for another of its kind, and drop what made the other;
 *   3. simplify arguments, field by field, towards canonical values (simpler-steps.ts);
 *   4. simplify what takes changes to several calls at once (whole-trace.ts), do the same thing in
 *      plainer ways (other-ways.ts), and put calls in order (order.ts).
 * In between it is tried on plainer platforms, with mock devices instead of VFIO's
 * (mock-devices.ts). At the end handles are renumbered. What is left is a normal form: whichever
 * seed met a bug, its trace nearly always comes out the same.
 * Dropped handles resolve to fixed values (spec/resolve.ts), so every subset is a legal trace.
 */
import type { Platform } from "../../spec/platform";
import type { Step, Trace } from "../../spec/trace";
import { labelsOf } from "../algebra/labels";
import { handlesIn, mergeHandle, renumber } from "./handles";
import { inAperture, withMockDevices } from "./mock-devices";
import { reordered } from "./order";
import { byDomain, mappedAgain, natively, tightened, unmapped } from "./other-ways";
import { simplerSteps } from "./simpler-steps";
import {
  flattened,
  inFirstProcess,
  inFirstReserved,
  inOrderOfBirth,
  movedMemory,
  nameMemory,
  shortened,
  simplerTogether,
  unfixed,
} from "./whole-trace";

export type StillFails = (trace: Trace) => Promise<boolean>;

export interface Shrunk {
  readonly trace: Trace;
  /** How many traces were tried. */
  readonly tried: number;
}

/**
 * @param trace a trace that fails; `stillFails` is never asked about it
 * @param maxTries bound on the number of traces tried; the best so far is returned
 * @param plainer platforms to try instead, the plainest first; the IUT must be able to be them
 * @param signal ends it: the best so far is returned then, too
 */
export const shrink = async (
  trace: Trace,
  stillFails: StillFails,
  maxTries: number,
  plainer: readonly Platform[] = [],
  signal?: AbortSignal,
): Promise<Shrunk> => {
  const labels = labelsOf(trace);
  let { platform, steps: best } = trace;
  let tried = 0;
  const seen = new Set<string>();

  const improves = async (steps: readonly Step[], on = platform): Promise<boolean> => {
    if (tried >= maxTries || signal?.aborted === true) throw ENOUGH;
    const key = `${on.name} ${keyOf(steps)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    tried++;
    if (!(await stillFails({ platform: on, steps, ...labels(steps) }))) return false;
    best = steps;
    platform = on;
    return true;
  };
  const movesTo = async (on: Platform): Promise<boolean> => {
    const steps = withMockDevices(best);
    if (on.frontEnd === "mock" && (await improves(steps, on))) return true;
    if (on.frontEnd === "mock") {
      for (const moved of inAperture(steps)) if (await improves(moved, on)) return true;
    }
    return improves(best, on);
  };

  const pass = async (): Promise<void> => {
    await dropCalls(() => best, improves);
    await mergeHandles(() => best, improves);
    await simplifyArguments(() => best, improves);
    await untilNoneHelps(() => inFirstProcess(best), improves);
    await improves(inOrderOfBirth(best));
    await improves(nameMemory(best, platform));
    await improves(inFirstReserved(best, platform));
    await untilNoneHelps(() => flattened(best), improves);
    await untilNoneHelps(() => shortened(best), improves);
    await untilNoneHelps(() => movedMemory(best, platform), improves);
    await untilNoneHelps(() => unfixed(best), improves);
    for (const otherWays of [natively, mappedAgain, unmapped, byDomain, tightened]) {
      await untilNoneHelps(() => otherWays(best), improves);
    }
    await untilNoneHelps(() => simplerTogether(best), improves);
    // The relation between two runs rests on their order.
    if (labels(best).twins === undefined) await untilNoneHelps(() => reordered(best), improves);
    for (const on of plainer) if (on.name === platform.name || (await movesTo(on))) break;
  };
  try {
    for (let before: readonly Step[] | undefined; before !== best; ) {
      before = best;
      await pass();
    }
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }

  const renumbered = renumber(best);
  const twins = labels(best);
  if (await stillFails({ platform, steps: renumbered, ...twins })) best = renumbered;
  return { trace: { platform, steps: best, ...twins }, tried };
};

/** Thrown where nothing more may be tried; never seen outside this file. */
const ENOUGH = new Error("enough");

type Best = () => readonly Step[];
type Improves = (steps: readonly Step[]) => Promise<boolean>;

/** Tries what is offered for the best trace so far, and begins again when one of it helps. */
const untilNoneHelps = async (
  candidates: () => Iterable<readonly Step[]>,
  improves: Improves,
): Promise<void> => {
  for (let helped = true; helped; ) {
    helped = false;
    for (const steps of candidates()) {
      helped = await improves(steps);
      if (helped) break;
    }
  }
};

const keyOf = (steps: readonly Step[]): string =>
  JSON.stringify(steps, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString(16) : value,
  );

/** From the end towards the start: later calls depend on earlier ones, not the reverse. */
const dropCalls = async (best: Best, improves: Improves): Promise<void> => {
  for (let size = Math.max(1, best().length >> 1); ; size >>= 1) {
    let end = best().length;
    while (end > 0) {
      const start = Math.max(0, end - size);
      await improves([...best().slice(0, start), ...best().slice(end)]);
      end = start;
    }
    if (size === 1) return;
  }
};

/** The first that will do stands for the other: only where none before it does, one made later. */
const mergeHandles = async (best: Best, improves: Improves): Promise<void> => {
  for (const from of handlesIn(best()).reverse()) {
    for (const to of handlesIn(best())) {
      if (to === from) continue;
      const merged = mergeHandle(best(), from, to);
      if (merged !== undefined && (await improves(merged))) break;
    }
  }
};

const simplifyArguments = async (best: Best, improves: Improves): Promise<void> => {
  for (let i = 0; i < best().length; i++) {
    let improved = true;
    while (improved) {
      improved = false;
      const step = best()[i];
      if (step === undefined) return;
      for (const simpler of simplerSteps(step, best().slice(0, i))) {
        if (await improves([...best().slice(0, i), simpler, ...best().slice(i + 1)])) {
          improved = true;
          break;
        }
      }
    }
  }
};
