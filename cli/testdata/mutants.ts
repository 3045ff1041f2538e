/**
 * Does the harness find bugs? Every planted one (impl/radix/mutants) shows in the trace that was
 * written by hand beside it, and a campaign finds it too, blames a clause that its patch names,
 * and shrinks it to about as few calls as a person needs.
 */
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { radix } from "../../impl/radix";
import { runCampaign } from "../../properties/campaign";
import { QUICK, quickRun } from "../../properties/options";
import { replayTrace } from "../../properties/replay";
import { WHOLE_HUNT } from "../../properties/testdata/whole-hunt";
import type { Capsule } from "../../spec/capsule";
import type { Iut } from "../../spec/iut";
import { decodeCapsule, decodeTrace, encodeCapsule, parseDocument } from "../../spec/json/trace";
import type { Trace } from "../../spec/trace";
import { loadMutant, mutantNames, readMutant } from "../mutant";
import { PACKAGE_ROOT } from "../package-root";

const PROFILE = "linux-6.12";

/**
 * From seed 1 these take a thousand sequences or more each. From here they take few: that saves half
 * a minute and nothing else, for the budget stays the same, and the whole hunt knows seed 1 only.
 * Once the generator draws other traces, other seeds will be the near ones.
 */
const NEAR_SEEDS: Readonly<Record<string, number>> = {
  "access-takes-callers-memory": 15,
  "auto-places-twice": 15,
  "bad-response-answers": 10,
  "bind-any-context": 9,
  "copy-grants-write": 8,
  "cut-grants-read": 10,
  "detach-keeps-translating": 18,
  "dirty-counts-from-the-page": 10,
  "dirty-hwpt-takes-any-device": 9,
  "dirty-read-clears-all": 22,
  "leaving-device-leaves-unread-faults": 16,
  "replace-frees-first": 43,
};

const seedOf = (mutant: string): number => (WHOLE_HUNT ? 1 : (NEAR_SEEDS[mutant] ?? 1));

/** Calls that the shrinker may leave beyond what the hand-written trace has. */
const SLACK = 2;
const TIMEOUT_MS = 120_000;

const handWritten = (name: string): Trace => {
  const file = path.join(PACKAGE_ROOT, "impl/radix/mutants", `${name}.trace.json`);
  return decodeTrace(parseDocument(fs.readFileSync(file, "utf8"), file).json, file);
};

/** The first failure that a campaign finds of those that name one of the clauses. */
const firstFailure = async (
  iut: Iut,
  clauses: ReadonlySet<string>,
  seed: number,
): Promise<Capsule> => {
  const stop = new AbortController();
  const saved: Capsule[] = [];
  const saveCapsule = (capsule: Capsule): string => {
    saved.push(capsule);
    stop.abort("interrupted");
    return "";
  };
  const { signal } = stop;
  await runCampaign(quickRun({ iut, profile: PROFILE, seed, clauses, saveCapsule, signal }));
  const [capsule] = saved;
  if (capsule === undefined) throw new Error(`${QUICK.sequences} sequences found nothing`);
  return capsule;
};

const throughJson = (capsule: Capsule): Capsule => {
  const text = JSON.stringify(encodeCapsule(capsule));
  return decodeCapsule(parseDocument(text, "capsule").json, "capsule");
};

/** Tests of every other mutant, so that jest can run two halves at once. */
export const testMutants = (half: 0 | 1): void => {
  const names = mutantNames().filter((_, i) => i % 2 === half);
  describe.each(names)("%s", testMutant);
};

const testMutant = (name: string): void => {
  const { clauses } = readMutant(name);
  let loaded: Iut | undefined;
  const mutant = (): Iut => {
    loaded ??= loadMutant(name);
    return loaded;
  };

  test("shows in its hand-written trace, which the unchanged implementation passes", async () => {
    const trace = handWritten(name);
    expect((await replayTrace(radix, trace, PROFILE)).finding).toBeUndefined();
    const { finding } = await replayTrace(mutant(), trace, PROFILE);
    const { clauses: blamed = [] } = finding?.deviation ?? {};
    expect(clauses.filter((id) => blamed.some((other) => other === id))).not.toEqual([]);
  });

  test(
    "is found within the default budget, and shrunk to as little as a person needs",
    async () => {
      const capsule = throughJson(await firstFailure(mutant(), new Set(clauses), seedOf(name)));
      const { trace } = capsule.history;
      expect(trace.steps.length).toBeLessThanOrEqual(handWritten(name).steps.length + SLACK);
      const { finding } = await replayTrace(mutant(), trace, capsule.profile);
      expect(finding?.deviation).toEqual(capsule.deviation);
    },
    TIMEOUT_MS,
  );
};
