/** Numbers that both the console and the page show, derived from results in one place. */
import type { ClauseResult, Results, Verdict } from "../spec/results";

/** How often each verdict was given. */
export const tally = (
  results: readonly { readonly verdict: Verdict }[],
): Record<Verdict, number> => {
  const counts = { pass: 0, fail: 0, inconclusive: 0, unsupported: 0, error: 0 };
  for (const { verdict } of results) counts[verdict]++;
  return counts;
};

export interface Reached {
  readonly exercised: number;
  readonly reachable: number;
}

/** Clauses exercised from one side, of those this run could reach from that side. */
export const reached = (results: Results, side: "success" | "violation"): Reached => {
  const reachable = results.clauses.filter(
    (clause) => clause.verdict !== "unsupported" && clause.sides.includes(side),
  );
  const exercised = reachable.filter((clause) => clause[side] > 0);
  return { exercised: exercised.length, reachable: reachable.length };
};

/** Clauses with one verdict, grouped by the reason for it; the commonest reason first. */
export const byReason = (
  results: Results,
  verdict: Verdict,
): readonly { readonly reason: string; readonly ids: readonly string[] }[] => {
  const groups = new Map<string, string[]>();
  for (const { id, verdict: given, reason } of [...results.clauses, ...results.invariants]) {
    if (given !== verdict) continue;
    const ids = groups.get(reason) ?? [];
    ids.push(id);
    groups.set(reason, ids);
  }
  return [...groups]
    .map(([reason, ids]) => ({ reason, ids }))
    .sort((a, b) => b.ids.length - a.ids.length);
};

/** Outcomes of a call, the commonest first. */
export const sortedOutcomes = (
  outcomes: Readonly<Record<string, number>>,
): readonly (readonly [name: string, count: number])[] =>
  Object.entries(outcomes).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0], "en"));

/** "61%", and never "0%" or "100%" for what is not exactly that. */
export const percent = (part: number, whole: number): string => {
  if (whole === 0 || part === 0) return "0%";
  if (part === whole) return "100%";
  const share = (part / whole) * 100;
  if (share < 1) return "<1%";
  return `${Math.min(99, Math.round(share))}%`;
};

/** 12345 as "12,345". */
export const count = (value: number): string => value.toLocaleString("en-US");

/** "1 failure", "2 failures". */
export const plural = (n: number, word: string): string =>
  `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** What the letters of a clause id stand for: its family. */
export const familyOf = (id: string): string => /^[A-Z]+/.exec(id)?.[0] ?? id;

/** Clauses by family, in the order of the results. */
export const byFamily = (
  clauses: readonly ClauseResult[],
): readonly { readonly family: string; readonly clauses: readonly ClauseResult[] }[] => {
  const groups = new Map<string, ClauseResult[]>();
  for (const clause of clauses) {
    const family = familyOf(clause.id);
    const group = groups.get(family) ?? [];
    group.push(clause);
    groups.set(family, group);
  }
  return [...groups].map(([family, group]) => ({ family, clauses: group }));
};

const HEADLINES: Readonly<Record<Verdict, string>> = {
  pass: "Conformant",
  fail: "Not conformant",
  inconclusive: "Inconclusive",
  unsupported: "Unsupported",
  error: "The harness broke",
};

export const headline = (results: Results): string => {
  if (results.exitCode === 130) return "Interrupted";
  return results.exitCode === 69 ? "IUT unavailable" : HEADLINES[results.verdict];
};

/** The reason without the words that the headline has said already. */
export const whyOf = (results: Results): string => {
  const said = headline(results).toLowerCase();
  const { reason } = results;
  if (reason.toLowerCase() === said) return "";
  return reason.toLowerCase().startsWith(`${said}: `) ? reason.slice(said.length + 2) : reason;
};
