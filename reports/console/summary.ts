import { inertDeep } from "../../spec/inert";
import type { Quota, Results, Verdict } from "../../spec/results";
import type { Reproduce } from "../reproduce";
import {
  byReason,
  count,
  headline,
  percent,
  plural,
  reached,
  sortedOutcomes,
  whyOf,
} from "../summary";
import { renderFailure } from "./failure";
import { labelled, type Style, table, wrap } from "./text";

/** What only this machine knows, and what is therefore not in the results. */
export interface Circumstances {
  readonly elapsedMs: number;
  readonly files: readonly string[];
}

/** Everything printed after a run; the failures stand last, with the replay command at the end. */
export const renderSummary = (
  given: Results,
  circumstances: Circumstances,
  reproduce: Reproduce,
  style: Style,
): string => {
  const results = inertDeep(given);
  const unexpected = given.failures.filter((failure) => !failure.known);
  const known = given.failures.filter((failure) => failure.known);
  return [
    renderCalls(results, style),
    "",
    renderNumbers(results, circumstances, style),
    "",
    renderVerdict(results, style),
    ...[...known, ...unexpected].map(
      (failure) => `\n${renderFailure(failure, reproduce.replay(failure), style)}`,
    ),
    "",
  ].join("\n");
};

const renderCalls = (results: Results, style: Style): string =>
  table(
    [{ head: "call" }, { head: "count", align: "right", width: 9 }, { head: "outcomes" }],
    results.callResults.map(({ call, count: total, outcomes }) => ({
      cells: [
        call,
        count(total),
        sortedOutcomes(outcomes)
          // A no-break gap keeps "EINVAL 12 %" in one piece when the line wraps.
          .map(([name, n]) => `${name}\u00a0${percent(n, total)}`)
          .join("  "),
      ],
    })),
    style,
  ).replaceAll("\u00a0", " ");

const renderNumbers = (results: Results, { elapsedMs, files }: Circumstances, style: Style) => {
  const line = (label: string, text: string): string => labelled(label, text, style);
  const { calls, probes, sequences, health } = results;
  const [success, violation] = [reached(results, "success"), reached(results, "violation")];
  const grouped = (verdict: Verdict): string[] =>
    byReason(results, verdict).map(({ reason, ids }, i) =>
      line(i === 0 ? verdict : "", `${ids.length}  ${reason}: ${ids.join(" ")}`),
    );
  const seconds = elapsedMs / 1000;
  const rate = seconds > 0 ? Math.round((calls + probes) / seconds) : 0;
  const { cutShort = [], quirks = [] } = results;
  return [
    // First, because it says how far all the rest can be trusted.
    ...cutShort.map(({ reason, sequences: n }, i) =>
      line(i === 0 ? "cut short" : "", `${plural(n, "sequence")}: ${reason}`),
    ),
    ...quirks.map(({ name, sequences: n }, i) =>
      line(i === 0 ? "known quirk" : "", `${name} ended ${plural(n, "sequence")}`),
    ),
    line(
      "calls",
      `${count(calls)} in ${plural(sequences, "sequence")}, and ${plural(probes, "probe")}`,
    ),
    line(
      "clauses",
      `${success.exercised} of ${success.reachable} reachable exercised by success, ` +
        `${violation.exercised} of ${violation.reachable} by violation`,
    ),
    ...grouped("unsupported"),
    ...grouped("inconclusive"),
    line(
      "calls were",
      `${health.meaningfulPercent}% meaningful, ${health.violatingPercent}% breaking a rule`,
    ),
    line("quotas", quotas(health.quotas)),
    ...results.staleExpectations.map((stale) => line("stale", `no longer fails: ${stale}`)),
    line("time", `${seconds.toFixed(1)} s, ${count(rate)} judged calls/s`),
    line("history", `sha-256 ${results.historyHash}`),
    ...(files.length > 0 ? [line("reports", files.join("  "))] : []),
  ].join("\n");
};

const quotas = (all: readonly Quota[]): string => {
  const missed = all.filter((quota) => !quota.met);
  if (missed.length === 0) return `all ${all.length} met`;
  const named = missed.map((q) => `${q.name} (${q.actual}, needs ${q.required})`);
  return `${missed.length} of ${all.length} missed: ${named.join("; ")}`;
};

const renderVerdict = (results: Results, { colors, width }: Style): string => {
  const paint = { pass: colors.green, fail: colors.red, error: colors.red };
  const chosen = paint[results.verdict as keyof typeof paint] ?? colors.yellow;
  const why = whyOf(results);
  const said = headline(results);
  const text = `${said}${why === "" ? "" : `: ${why}`} (exit ${results.exitCode})`;
  return wrap(text, width)
    .map((line, i) => (i === 0 ? line.replace(said, chosen(colors.bold(said))) : line))
    .join("\n");
};
