/** From counters to verdicts: what a run as a whole has shown, and its exit code. */

import { ruleBinds } from "../model/basis";
import { type CallName, shapeOf } from "../spec/calls";
import type { Clause } from "../spec/clauses/clause";
import { BASIS_NAMES } from "../spec/clauses/clause";
import { CLAUSES, type ClauseId, clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import type { Need } from "../spec/needs";
import { offersOf } from "../spec/platform";
import type {
  ClauseResult,
  Failure,
  InvariantResult,
  Quota,
  Results,
  Verdict,
} from "../spec/results";
import type { Profile } from "../spec/verdict";
import { VERSION } from "../spec/version";
import type { Expectation } from "./expectation";
import type { Health } from "./health";
import { INVARIANTS, WATCHED } from "./invariants/catalogue";
import type { Invariant } from "./invariants/invariant";
import type { InvariantTally } from "./invariants/watch";
import { withNotes } from "./notes";
import type { CampaignOptions, Stop } from "./options";

/** What a campaign counted. */
export interface Tallies {
  readonly coverage: Coverage;
  readonly tally: InvariantTally;
  readonly health: Health;
  readonly historyHash: string;
  readonly done: number;
  /** Sequences per platform. */
  readonly sequences: ReadonlyMap<string, number>;
  readonly failures: readonly Failure[];
  /** Failing sequences beyond the number of signatures that is shrunk. */
  readonly unshrunk: number;
  /** Expectations that did fail. */
  readonly held: ReadonlySet<Expectation>;
  readonly stopped: Stop | undefined;
  /** SEED:PATH of a sequence that gave two different histories. */
  readonly nondeterministic: string | undefined;
  /** Reasons of sequences that could not be run to their end. */
  readonly inconclusive: readonly string[];
}

export const statementOf = (id: string): string =>
  CLAUSES.find((clause) => clause.id === id)?.statement ??
  INVARIANTS.find((invariant) => invariant.id === id)?.statement ??
  "";

/** Clauses that get a verdict: those that bind in the profile and can be exercised. */
export const countedClauses = (profile: Profile): readonly (typeof CLAUSES)[number][] =>
  CLAUSES.filter(({ id, sides }) => ruleBinds(clauseIndex(id), profile) && sides.length > 0);

const percent = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.round((1000 * part) / whole) / 10;

export const concludeRun = (options: CampaignOptions, tallies: Tallies): Results => {
  const { iut, iutSpec, profile, seed, platforms, knownFailing, clauses, shard } = options;
  const available = availableNeeds(options);
  const failing = new Set(tallies.failures.map((failure) => failure.clause));
  const clauseResults = countedClauses(profile)
    .filter(({ id }) => clauses.has(id))
    .map((clause) => clauseResult(clause, tallies.coverage, available, failing));
  // Where nothing that it rests on binds, there may be nothing to compare.
  const isAsked = ({ id, clauses: named }: (typeof WATCHED)[number]): boolean =>
    named.length === 0 ||
    named.some((clause) => ruleBinds(clauseIndex(clause), profile)) ||
    tallies.tally.of(id) > 0 ||
    failing.has(id);
  const invariants = WATCHED.filter((each) => clauses.has(each.id) && isAsked(each)).map(
    (invariant): InvariantResult => {
      const { id, statement, needs } = invariant;
      const checked = tallies.tally.of(id);
      // Some can be compared in several ways: what they need is a reason only if none was there.
      const lacks = checked > 0 ? [] : needs;
      const judged = verdictOf(id, lacks, checked > 0, available, failing);
      const lacked = judged.verdict === "inconclusive" ? lackedBy(invariant, available) : "";
      return {
        id,
        statement,
        checked,
        ...(lacked === "" ? judged : { verdict: "unsupported", reason: `needs ${lacked}` }),
      };
    },
  );
  const quotas = quotasOf(tallies.health);
  // A run that was cut short, or is one share of several, need not have come by a known failure.
  const isWhole = tallies.stopped === undefined && shard[1] === 1;
  const stale = knownFailing.filter(
    (one) => isWhole && !one.rare && clauses.has(one.clause) && !tallies.held.has(one),
  );
  const cutShort = byReason([
    ...tallies.inconclusive,
    ...Array.from({ length: tallies.coverage.lost }, () => LOST),
  ]);
  const quirks = [...tallies.coverage.quirks].map(([name, n]) => ({ name, sequences: n }));
  const missed = [
    ...cutShort.map(({ reason, sequences: n }) => `${n} of ${tallies.done} cut short: ${reason}`),
    ...clauseResults.filter(isInconclusive).map(({ id, reason }) => `${id}: ${reason}`),
    ...invariants.filter(isInconclusive).map(({ id, reason }) => `${id}: ${reason}`),
    ...quotas.filter((q) => !q.met).map((q) => `${q.name}: ${q.actual}, needs ${q.required}`),
  ];
  const { health, nondeterministic } = tallies;
  const callResults = health.callResults();
  return {
    format: "iommufd-results/1",
    version: VERSION,
    iut: { spec: iutSpec, ...iut.info },
    profile,
    campaign: "random",
    seed,
    sequences: tallies.done,
    calls: health.calls,
    probes: health.probes,
    platforms: platforms.map(({ name }) => ({
      name,
      sequences: tallies.sequences.get(name) ?? 0,
    })),
    ...exitOf(tallies, stale, missed),
    clauses: clauseResults,
    invariants,
    callResults,
    health: {
      meaningfulPercent: meaningfulPercent(health),
      violatingPercent: percent(health.calls - health.succeeded, health.calls),
      quotas,
    },
    failures: tallies.failures.map((failure) => withNotes(failure, callResults, nondeterministic)),
    ...(cutShort.length > 0 && { cutShort }),
    ...(quirks.length > 0 && { quirks }),
    staleExpectations: stale.map(({ clause, kind }) => `${clause} ${kind}`),
    historyHash: tallies.historyHash,
  };
};

/** Of a sequence that was run to its end, but not judged to it. */
const LOST = "its answers leave more states open than the model follows";

const byReason = (reasons: readonly string[]): { reason: string; sequences: number }[] =>
  [...new Set(reasons)].map((reason) => ({
    reason,
    sequences: reasons.filter((other) => other === reason).length,
  }));

const meaningfulPercent = (health: Health): number => {
  const all = health.calls + health.probes;
  return percent(all - health.lost, all);
};

/** Needs that the IUT has and at least one platform of the run offers. */
export const availableNeeds = ({
  iut,
  platforms,
}: Pick<CampaignOptions, "iut" | "platforms">): ReadonlySet<Need> => {
  const declared = new Set(iut.info.capabilities);
  const offered = new Set<Need>();
  for (const platform of platforms) {
    for (const need of offersOf(platform, declared.has(platform.frontEnd))) offered.add(need);
  }
  const available = [...offered].filter((need) => need === "device" || declared.has(need));
  return new Set(available.filter((need) => declared.has("hwpt") || !RESTS_ON_HWPT.has(need)));
};

/** Dirty bits and nested tables are those of HWPTs made by hand. */
const RESTS_ON_HWPT: ReadonlySet<Need> = new Set(["dirty", "nesting"]);

/** What an invariant lacks if none of the calls that it looks at can be made; "": nothing. */
const lackedBy = ({ on }: Invariant, available: ReadonlySet<Need>): string => {
  const lacking = (Object.keys(on) as CallName[]).map((call) =>
    shapeOf(call)
      .needs.filter((need) => !available.has(need))
      .join(" and "),
  );
  return lacking.includes("") ? "" : [...new Set(lacking)].join(" or ");
};

const clauseResult = (
  clause: Clause & { readonly id: ClauseId },
  coverage: Coverage,
  available: ReadonlySet<Need>,
  failing: ReadonlySet<string>,
): ClauseResult => {
  const counts = coverage.of(clause.id);
  const missing = clause.sides.filter((side) => counts[side] === 0);
  const { id, statement, errno, basis, source, sides } = clause;
  const judged = verdictOf(id, clause.needs, missing.length === 0, available, failing);
  return {
    id,
    statement,
    ...(errno !== undefined && { errno }),
    basis: [...basis.rule].map((letter) => BASIS_NAMES[letter as keyof typeof BASIS_NAMES]),
    source,
    sides,
    ...judged,
    ...(judged.verdict === "inconclusive" && { reason: `never by ${missing.join(", by ")}` }),
    // What is out of reach has not been judged, whatever the counters say (LIV-03).
    ...(judged.verdict === "unsupported" ? { success: 0, violation: 0 } : counts),
  };
};

const verdictOf = (
  id: string,
  needs: readonly Need[],
  exercised: boolean,
  available: ReadonlySet<Need>,
  failing: ReadonlySet<string>,
): { readonly verdict: Verdict; readonly reason: string } => {
  if (failing.has(id)) return { verdict: "fail", reason: "" };
  const lacking = needs.filter((need) => !available.has(need));
  if (lacking.length > 0) return { verdict: "unsupported", reason: `needs ${lacking.join(", ")}` };
  return exercised
    ? { verdict: "pass", reason: "" }
    : { verdict: "inconclusive", reason: "never compared" };
};

const isInconclusive = ({ verdict }: { readonly verdict: Verdict }): boolean =>
  verdict === "inconclusive";

/** Lower bounds that a useless IUT (always ENOMEM, always success) cannot reach. */
const quotasOf = (health: Health): Quota[] => {
  const atLeast = (name: string, required: number, actual: number): Quota => ({
    name,
    required,
    actual,
    met: actual >= required,
  });
  return [
    atLeast("calls that succeed, %", 45, percent(health.succeeded, health.calls)),
    atLeast(
      "calls that break a rule, %",
      30,
      percent(health.calls - health.succeeded, health.calls),
    ),
    atLeast("meaningful calls, %", 95, meaningfulPercent(health)),
  ];
};

/** Each clause once: it may fail in several ways. */
const namesOf = (failures: readonly { readonly clause: string }[]): string =>
  [...new Set(failures.map(({ clause }) => clause))].join(", ");

/** DESIGN §6: a failure beats nondeterminism, that beats doubt. */
const exitOf = (
  tallies: Tallies,
  stale: readonly Expectation[],
  missed: readonly string[],
): Pick<Results, "verdict" | "exitCode" | "reason"> => {
  const unexpected = tallies.failures.filter((failure) => !failure.known);
  const [crash] = unexpected;
  if (tallies.health.calls === 0 && crash?.kind === "crash") {
    return { verdict: "error", exitCode: 69, reason: `the IUT answers nothing: ${crash.actual}` };
  }
  const twice =
    tallies.nondeterministic !== undefined &&
    `${tallies.nondeterministic} run twice gave two different histories`;
  // Exit 1 comes first, but whoever looks for the failure must know that it may come and go.
  const also = twice === false ? "" : `; and nondeterministic: ${twice}`;
  if (unexpected.length > 0) {
    const names = namesOf(unexpected);
    return { verdict: "fail", exitCode: 1, reason: `not conformant: ${names}${also}` };
  }
  if (stale.length > 0) {
    const reason = `known failures that no longer fail: ${namesOf(stale)}${also}`;
    return { verdict: "fail", exitCode: 1, reason };
  }
  if (twice !== false) return { verdict: "fail", exitCode: 3, reason: twice };
  if (tallies.stopped === "interrupted") {
    return { verdict: "inconclusive", exitCode: 130, reason: "interrupted" };
  }
  if (tallies.stopped === "time") {
    return { verdict: "inconclusive", exitCode: 2, reason: "the time cap ended the run" };
  }
  const [first] = missed;
  if (first !== undefined) {
    const more = missed.length > 1 ? ` (and ${missed.length - 1} more)` : "";
    return { verdict: "inconclusive", exitCode: 2, reason: `${first}${more}` };
  }
  return { verdict: "pass", exitCode: 0, reason: "" };
};
