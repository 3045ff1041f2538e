/** One campaign that looks for one planted bug, and stops when it has found it. */
import { runCampaign } from "../../properties/campaign";
import { quickRun } from "../../properties/options";
import type { Capsule } from "../../spec/capsule";
import type { Iut } from "../../spec/iut";

export const PROFILE = "linux-6.12";

export interface Quarry {
  readonly capsule: Capsule;
  /** How many sequences passed before. */
  readonly after: number;
}

/**
 * The first failure that, once shrunk, names one of the clauses and has no more than `most` calls,
 * or else the first one that names one; undefined: none in so many sequences. A bug may show in
 * several ways, and the one that is met first may take more calls.
 */
export const hunt = async (
  iut: Iut,
  clauses: ReadonlySet<string>,
  seed: number,
  sequences: number,
  most = Number.POSITIVE_INFINITY,
): Promise<Quarry | undefined> => {
  const stop = new AbortController();
  let [after, quarry] = [0, undefined as Quarry | undefined];
  const saveCapsule = (capsule: Capsule): string => {
    if (capsule.deviation.clauses.some((id) => clauses.has(id))) {
      quarry ??= { capsule, after };
      if (capsule.history.trace.steps.length > most) return "";
      quarry = { capsule, after };
      stop.abort("interrupted");
    }
    return "";
  };
  const onProgress = (done: number): void => {
    after = done;
  };
  const { signal } = stop;
  const options = { iut, profile: PROFILE, seed, sequences, clauses, signal } as const;
  await runCampaign(quickRun({ ...options, saveCapsule, onProgress }));
  return quarry;
};
