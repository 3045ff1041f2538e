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
import { FAMILIES } from "../spec/clauses/registry";
import { inert, inertDeep, inertJson } from "../spec/inert";
import type { Iut } from "../spec/iut";
import { encodeCapsule } from "../spec/json/trace";
import { PLATFORMS, type Platform } from "../spec/platform";
import type { Failure, Results } from "../spec/results";
import type { Profile } from "../spec/verdict";
import { runCampaign } from "./campaign";
import { availableNeeds, countedClauses } from "./conclude";
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

/**
 * Registers the tests. To be called at the top level of a test file.
 * @param jest the runner's globals; given by tests of this function only
 */
export const conformanceTests = (
  iut: Iut,
  options: ConformanceOptions = {},
  jest = globalThis as unknown as JestLike,
): void => {
  const { describe, beforeAll, test } = jest;
  const { profile = "documented", platforms = iut.platforms ?? PLATFORMS } = options;
  const available = availableNeeds({ iut, platforms });
  describe(`iommufd conformance of ${iut.info.name}`, () => {
    let ran: Ran | undefined;
    /** Failures that a test has told of. */
    const told = new Set<Failure>();
    beforeAll(async () => {
      ran = await runOnce(iut, { ...options, profile, platforms });
    }, options.timeoutMs ?? 120_000);
    /** What was not exercised has not passed, so a test of that alone is no green one. */
    const check = (
      what: string,
      prefix: string,
      counts: (results: Results) => readonly number[],
    ) => {
      if (ran === undefined) throw new Error("the campaign did not run");
      const { results } = ran;
      const mine = results.failures.filter(({ clause }) => clause.startsWith(prefix));
      for (const failure of mine) told.add(failure);
      refuse(ran, mine);
      if (counts(results).some((n) => n > 0)) return;
      throw new Error(`inconclusive: in ${results.sequences} sequences nothing exercised ${what}`);
    };

    for (const [family, title] of Object.entries(FAMILIES)) {
      const isOwn = ({ id }: { readonly id: string }): boolean => id.startsWith(`${family}-`);
      const own = countedClauses(profile).filter(isOwn);
      if (own.length === 0) continue;
      const lacking = own.map(({ needs }) => needs.filter((need) => !available.has(need)));
      const isReachable = lacking.some((needs) => needs.length === 0);
      // Unsupported is not passed: a family that cannot be reached is skipped and says why.
      const run = isReachable ? test : test.skip;
      const why = isReachable ? "" : ` (needs ${[...new Set(lacking.flat())].join(", ")})`;
      run(`${family}: ${title}${why}`, () => {
        check(`a clause of ${family}`, `${family}-`, ({ clauses }) =>
          clauses.filter(isOwn).map(({ success, violation }) => success + violation),
        );
      });
    }
    test("invariants over all answers", () => {
      check("an invariant", "I-", ({ invariants }) => invariants.map(({ checked }) => checked));
    });
    test("the run as a whole says enough", () => {
      if (ran === undefined) throw new Error("the campaign did not run");
      const { verdict, reason, clauses, failures } = ran.results;
      // Of clauses whose family has no test of its own here, or none that was run.
      const untold = failures.filter((failure) => !told.has(failure));
      refuse(ran, untold);
      const idle = clauses.filter((clause) => clause.verdict === "inconclusive");
      if (failures.length > 0 && idle.length > 0) {
        const names = idle.map(({ id }) => id).join(" ");
        throw new Error(`${idle.length} clauses were never exercised: ${names}`);
      }
      if (verdict !== "pass" && failures.length === 0) {
        throw new Error(inert(`${verdict}: ${reason}`));
      }
    });
  });
};

/** What the one campaign left behind. */
interface Ran {
  readonly results: Results;
  readonly capsules: ReadonlyMap<string, Capsule>;
}

const runOnce = async (
  iut: Iut,
  { profile, platforms, seed, sequences }: ConformanceOptions,
): Promise<Ran> => {
  const capsules = new Map<string, Capsule>();
  const options = quickRun({
    iut,
    ...(profile !== undefined && { profile }),
    ...(platforms !== undefined && { platforms }),
    ...(seed !== undefined && { seed }),
    ...(sequences !== undefined && { sequences }),
    saveCapsule: (capsule) => {
      const name = `capsule ${capsules.size + 1}`;
      capsules.set(name, capsule);
      return name;
    },
  });
  return { results: await runCampaign(options), capsules };
};

const refuse = ({ capsules }: Ran, failures: readonly Failure[]): void => {
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
  const { clause, statement, notes = [] } = failure;
  return [`${clause}: ${statement}`, ...notes, ...steps, `capsule: ${json}`].join("\n");
};
