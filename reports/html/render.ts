/** results as one self-contained page: no script, no external resource, readable on a phone. */
import { Eta } from "eta";
import { FAMILIES } from "../../spec/clauses/registry";
import { inert, inertDeep } from "../../spec/inert";
import type { ClauseResult, Results } from "../../spec/results";
import type { Reproduce } from "../reproduce";
import {
  byFamily,
  count,
  headline,
  percent,
  plural,
  reached,
  sortedOutcomes,
  tally,
  whyOf,
} from "../summary";
import { STYLE } from "./style";
import { TEMPLATE } from "./template";

interface Fact {
  readonly label: string;
  readonly text: string;
  readonly big?: boolean;
}

export const renderHtml = (given: Results, reproduce: Reproduce): string => {
  const r = inertDeep(given);
  return new Eta({ autoEscape: true }).renderString(TEMPLATE, {
    r,
    style: STYLE,
    headline: headline(r),
    why: whyOf(r),
    facts: facts(r),
    // Unexpected ones first; the command is made from the untouched failure and escaped here.
    failures: given.failures
      .map((failure) => ({ failure: inertDeep(failure), replay: inert(reproduce.replay(failure)) }))
      .sort((a, b) => Number(a.failure.known) - Number(b.failure.known)),
    run: inert(reproduce.run),
    families: byFamily(r.clauses).map((group) => ({ ...group, title: titleOf(group.family) })),
    calls: r.callResults.map((call) => ({
      call: call.call,
      count: count(call.count),
      outcomes: sortedOutcomes(call.outcomes).map(([name, n]) => ({
        name,
        share: percent(n, call.count),
      })),
    })),
    count,
    prose: (text: string) =>
      text.split("`").map((part, i) => ({ text: part, isCode: i % 2 === 1 })),
    side: (clause: ClauseResult, side: "success" | "violation") =>
      clause.sides.includes(side) ? count(clause[side]) : "–",
  });
};

const titleOf = (family: string): string =>
  (FAMILIES as Readonly<Record<string, string>>)[family] ?? "";

const facts = (r: Results): Fact[] => {
  const verdicts = tally(r.clauses);
  const [success, violation] = [reached(r, "success"), reached(r, "violation")];
  const failing = r.failures.filter((failure) => !failure.known).length;
  const known = r.failures.length - failing;
  return [
    { label: "Failures", text: count(failing), big: true },
    { label: "Clauses passed", text: `${verdicts.pass} of ${r.clauses.length}`, big: true },
    { label: "Judged calls", text: count(r.calls), big: true },
    { label: "Probes", text: count(r.probes), big: true },
    ...(known > 0 ? [{ label: "Known failures", text: count(known) }] : []),
    ...(r.cutShort ?? []).map(({ reason, sequences }) => ({
      label: "Cut short",
      text: `${plural(sequences, "sequence")}: ${reason}`,
    })),
    ...(r.quirks ?? []).map(({ name, sequences }) => ({
      label: "Known quirk",
      text: `${name} ended ${plural(sequences, "sequence")}`,
    })),
    { label: "Clauses failed", text: count(verdicts.fail + verdicts.error) },
    { label: "Clauses inconclusive", text: count(verdicts.inconclusive) },
    { label: "Clauses unsupported", text: count(verdicts.unsupported) },
    {
      label: "Reachable clauses exercised",
      text:
        `${success.exercised} of ${success.reachable} by success, ` +
        `${violation.exercised} of ${violation.reachable} by violation`,
    },
    { label: "Implementation", text: `${r.iut.spec} (${r.iut.name} ${r.iut.version})` },
    {
      label: "Platforms",
      text: r.platforms.map((p) => `${p.name} (${plural(p.sequences, "sequence")})`).join(", "),
    },
  ];
};
