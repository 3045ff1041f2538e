/**
 * Does the harness find bugs? Every planted one (impl/radix/mutants) shows in the trace that was
 * written by hand beside it, and a campaign finds it too, blames a clause that its patch names,
 * and shrinks it to about as few calls as a person needs.
 */
import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { radix } from "../../impl/radix";
import { QUICK } from "../../properties/options";
import { replayTrace } from "../../properties/replay";
import { WHOLE_HUNT } from "../../properties/testdata/whole-hunt";
import type { Capsule } from "../../spec/capsule";
import type { Iut } from "../../spec/iut";
import { decodeCapsule, decodeTrace, encodeCapsule, parseDocument } from "../../spec/json/trace";
import type { Trace } from "../../spec/trace";
import { loadMutant, mutantNames, readMutant } from "../mutant";
import { PACKAGE_ROOT } from "../package-root";
import { hunt, PROFILE } from "./hunt";
import NEAR_SEEDS from "./near-seeds.json";

/** Calls that the shrinker may leave beyond what the hand-written trace has. */
const SLACK = 2;
const TIMEOUT_MS = 120_000;

const handWritten = (name: string): Trace => {
  const file = path.join(PACKAGE_ROOT, "impl/radix/mutants", `${name}.trace.json`);
  return decodeTrace(parseDocument(fs.readFileSync(file, "utf8"), file).json, file);
};

/** How many calls may be left of what finds a mutant. */
const mostCalls = (mutant: string): number => handWritten(mutant).steps.length + SLACK;

const seedOf = (mutant: string): number =>
  WHOLE_HUNT ? 1 : ((NEAR_SEEDS as Readonly<Record<string, number>>)[mutant] ?? 1);

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
      const most = mostCalls(name);
      const quarry = await hunt(mutant(), new Set(clauses), seedOf(name), QUICK.sequences, most);
      if (quarry === undefined) throw new Error(`${QUICK.sequences} sequences found nothing`);
      const capsule = throughJson(quarry.capsule);
      const { trace } = capsule.history;
      expect(trace.steps.length).toBeLessThanOrEqual(most);
      const { finding } = await replayTrace(mutant(), trace, capsule.profile);
      expect(finding?.deviation).toEqual(capsule.deviation);
    },
    TIMEOUT_MS,
  );
};
