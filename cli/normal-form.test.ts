/** Shrinking ends in a normal form: the same bug comes out the same, whichever seed met it. */
import { expect, test } from "@jest/globals";
import { QUICK } from "../properties/options";
import { encodeTrace } from "../spec/json/trace";
import { loadMutant, readMutant } from "./mutant";
import { hunt } from "./testdata/hunt";

const SEEDS = [11, 12, 13, 14];

test.each([
  "destroy-keeps-compat-ioas",
  "map-half-page-offset",
  "unmap-takes-cut-off",
  "container-tells-allowed-ranges",
])("%s", async (name) => {
  const mutant = loadMutant(name);
  const clauses = new Set<string>(readMutant(name).clauses);
  const traces = new Set<string>();
  for (const seed of SEEDS) {
    const quarry = await hunt(mutant, clauses, seed, QUICK.sequences);
    if (quarry === undefined) throw new Error(`seed ${seed} found nothing`);
    traces.add(JSON.stringify(encodeTrace(quarry.capsule.history.trace)));
  }
  expect([...traces]).toHaveLength(1);
});
