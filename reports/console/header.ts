import { inert } from "../../spec/inert";
import type { IutInfo } from "../../spec/iut";
import type { Profile } from "../../spec/verdict";
import { count } from "../summary";
import { labelled, type Style } from "./text";

/** What a run is about to do, known before it starts. */
export interface Plan {
  readonly version: string;
  readonly iutSpec: string;
  readonly info: IutInfo;
  readonly profile: Profile;
  readonly platforms: readonly string[];
  readonly sequences: number;
  readonly length: readonly [min: number, max: number];
  readonly timeMs: number | null;
  readonly shard: readonly [index: number, of: number];
  /** Globs of --clause; empty: all clauses. */
  readonly clauseGlobs: readonly string[];
  readonly selected: number;
  readonly seed: number;
}

/** Printed before the run, so that a run that dies has said what it was. */
export const renderHeader = (plan: Plan, style: Style): string => {
  const { colors } = style;
  const line = (label: string, text: string): string => labelled(label, inert(text), style);
  const { iutSpec, info, length, timeMs, shard, clauseGlobs } = plan;
  const calls = length[0] === length[1] ? `${length[0]}` : `${length[0]}–${length[1]}`;
  const cap = timeMs === null ? "" : `, at most ${timeMs / 1000} s`;
  const share = shard[1] === 1 ? "" : `, shard ${shard[0]} of ${shard[1]}`;
  const called = info.name === iutSpec ? info.name : `${info.name} (${iutSpec})`;
  return [
    `${colors.bold("iommufd-conformance")} ${plan.version}`,
    "",
    line("IUT", `${called}, version ${info.version}`),
    line("profile", plan.profile),
    line("platforms", plan.platforms.join(", ")),
    line("budget", `${count(plan.sequences)} sequences of ${calls} calls${cap}${share}`),
    ...(clauseGlobs.length > 0
      ? [line("clauses", `${clauseGlobs.join(", ")} (${count(plan.selected)} selected)`)]
      : []),
    line("seed", String(plan.seed)),
    "",
  ].join("\n");
};
