/**
 * The shrinker: tries smaller traces, and keeps one whenever it still fails in the same way.
 *
 * It works on data alone, so a trace that was recorded elsewhere shrinks as well as a generated
 * one. Passes, repeated until none of them helps:
 *   1. drop calls, in halves, quarters, … down to single ones;
 *   2. let one handle stand for another of its kind, and drop what made the other;
 *   3. simplify arguments, field by field, towards canonical values (simplify.ts).
 * At the end handles are renumbered, so that the same bug gives the same minimal trace.
 * Dropped handles resolve to fixed values (spec/resolve.ts), so every subset is a legal trace.
 */
import type { Step, Trace } from "../spec/trace";
import { handlesIn, mergeHandle, renumber } from "./handles";
import { simplerSteps } from "./simplify";

export type StillFails = (trace: Trace) => Promise<boolean>;

export interface Shrunk {
  readonly trace: Trace;
  /** How many traces were tried. */
  readonly tried: number;
}

/**
 * @param trace a trace that fails; `stillFails` is never asked about it
 * @param maxTries bound on the number of traces tried; the best so far is returned
 */
export const shrink = async (
  trace: Trace,
  stillFails: StillFails,
  maxTries: number,
): Promise<Shrunk> => {
  const { platform } = trace;
  let best = trace.steps;
  let tried = 0;
  const seen = new Set<string>();

  const improves = async (steps: readonly Step[]): Promise<boolean> => {
    if (tried >= maxTries) return false;
    const key = keyOf(steps);
    if (seen.has(key)) return false;
    seen.add(key);
    tried++;
    if (!(await stillFails({ platform, steps }))) return false;
    best = steps;
    return true;
  };

  let before: readonly Step[];
  do {
    before = best;
    await dropCalls(() => best, improves);
    await mergeHandles(() => best, improves);
    await simplifyArguments(() => best, improves);
  } while (best !== before && tried < maxTries);

  const renumbered = renumber(best);
  if (await stillFails({ platform, steps: renumbered })) best = renumbered;
  return { trace: { platform, steps: best }, tried };
};

type Best = () => readonly Step[];
type Improves = (steps: readonly Step[]) => Promise<boolean>;

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

const mergeHandles = async (best: Best, improves: Improves): Promise<void> => {
  for (const from of handlesIn(best()).reverse()) {
    for (const to of handlesIn(best())) {
      if (to === from) break;
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
