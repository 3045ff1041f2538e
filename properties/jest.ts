/**
 * Conformance tests for another project's jest suite: one `test` per clause family.
 *
 *     import { conformanceTests } from "iommufd-conformance";
 *     import { myIut } from "./my-iut";
 *     conformanceTests(myIut);
 *
 * One campaign runs before the tests; a family fails with its clauses, the minimal trace of each
 * and the capsule as JSON, so that a red run of CI can be replayed from its log alone.
 */
import type { Capsule } from "../spec/capsule";
import { CLAUSES, FAMILIES } from "../spec/clauses/registry";
import { inert, inertDeep, inertJson } from "../spec/inert";
import type { Iut } from "../spec/iut";
import { encodeCapsule } from "../spec/json/trace";
import type { Need } from "../spec/needs";
import type { Platform } from "../spec/platform";
import type { Failure, Results } from "../spec/results";
import type { Profile } from "../spec/verdict";
import { runCampaign } from "./campaign";
import { quickRun } from "./options";

export interface ConformanceOptions {
  /** Default: `documented`, which binds every implementation. */
  readonly profile?: Profile;
  /** Default: both simulated platforms. */
  readonly platforms?: readonly Platform[];
  /** Default: 1. */
  readonly seed?: number;
  /** Default: the quick budget of `conform run`. */
  readonly sequences?: number;
  /** Milliseconds jest allows for the campaign; default: two minutes. */
  readonly timeoutMs?: number;
}

/** The globals of jest (and of runners that are like it). */
interface JestLike {
  readonly describe: (name: string, body: () => void) => void;
  readonly beforeAll: (body: () => Promise<void>, timeoutMs?: number) => void;
  readonly test: ((name: string, body: () => void) => void) & {
    readonly skip: (name: string, body: () => void) => void;
  };
}

/** Registers the tests. To be called at the top level of a test file. */
export const conformanceTests = (iut: Iut, options: ConformanceOptions = {}): void => {
  const { describe, beforeAll, test } = globalThis as unknown as JestLike;
  describe(`iommufd conformance of ${iut.info.name}`, () => {
    let results: Results | undefined;
    const capsules = new Map<string, Capsule>();
    beforeAll(async () => {
      results = await runOnce(iut, options, capsules);
    }, options.timeoutMs ?? 120_000);

    for (const [family, title] of Object.entries(FAMILIES)) {
      const own = CLAUSES.filter(
        ({ id, sides }) => id.startsWith(`${family}-`) && sides.length > 0,
      );
      const lacking = new Set(own.flatMap(({ needs }) => needs.filter((need) => !can(iut, need))));
      const isReachable = own.some(({ needs }) => needs.every((need) => can(iut, need)));
      if (own.length === 0) continue;
      // Unsupported is not passed: a family that cannot be reached is skipped and says why.
      const run = isReachable ? test : test.skip;
      const why = isReachable ? "" : ` (needs ${[...lacking].join(", ")})`;
      run(`${family}: ${title}${why}`, () => {
        refuse(results, capsules, ({ clause }) => clause.startsWith(`${family}-`));
      });
    }
    test("invariants over all answers", () => {
      refuse(results, capsules, ({ clause }) => clause.startsWith("I-"));
    });
    test("the run as a whole says enough", () => {
      if (results === undefined) throw new Error("the campaign did not run");
      const { verdict, reason, clauses } = results;
      const idle = clauses.filter((clause) => clause.verdict === "inconclusive");
      if (verdict === "fail" && idle.length > 0) {
        const names = idle.map(({ id }) => id).join(" ");
        throw new Error(`${idle.length} clauses were never exercised: ${names}`);
      }
      if (verdict !== "pass" && verdict !== "fail") throw new Error(inert(`${verdict}: ${reason}`));
    });
  });
};

const can = (iut: Iut, need: Need): boolean => iut.info.capabilities.includes(need);

const runOnce = (
  iut: Iut,
  options: ConformanceOptions,
  capsules: Map<string, Capsule>,
): Promise<Results> =>
  runCampaign(
    quickRun({
      iut,
      profile: options.profile ?? "documented",
      ...(options.seed !== undefined && { seed: options.seed }),
      ...(options.sequences !== undefined && { sequences: options.sequences }),
      ...(options.platforms !== undefined && { platforms: options.platforms }),
      saveCapsule: (capsule) => {
        const name = `capsule ${capsules.size + 1}`;
        capsules.set(name, capsule);
        return name;
      },
    }),
  );

const refuse = (
  results: Results | undefined,
  capsules: ReadonlyMap<string, Capsule>,
  mine: (failure: Failure) => boolean,
): void => {
  if (results === undefined) throw new Error("the campaign did not run");
  const failures = results.failures.filter(mine);
  if (failures.length === 0) return;
  throw new Error(failures.map((failure) => explain(failure, capsules)).join("\n\n"));
};

/** Text of an IUT must not drive the terminal of whoever reads the log. */
const explain = (given: Failure, capsules: ReadonlyMap<string, Capsule>): string => {
  const failure = inertDeep(given);
  const steps = failure.steps.map(({ step, call, expected, actual, deviates }) =>
    deviates
      ? `> ${step} ${call}\n    expected ${expected}\n    actual   ${actual}`
      : `  ${step} ${call}`,
  );
  const capsule = capsules.get(failure.capsule);
  const json = capsule === undefined ? "" : inertJson(JSON.stringify(encodeCapsule(capsule)));
  return [`${failure.clause}: ${failure.statement}`, ...steps, `capsule: ${json}`].join("\n");
};
