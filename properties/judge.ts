/** Judges recordings of a real kernel: the numbers are its own, and no IUT is needed. */
import type { Coverage } from "../spec/coverage";
import type { Need } from "../spec/needs";
import type { Recording } from "../spec/recording";
import type { Deviation, Profile } from "../spec/verdict";
import type { InvariantTally } from "./invariants/watch";
import { Oracle } from "./oracle";

export interface Disagreement extends Pick<Deviation, "clauses" | "kind" | "expected" | "actual"> {
  readonly trace: string;
  readonly step: number;
  readonly call: string;
}

export interface JudgedRecordings {
  readonly traces: number;
  readonly steps: number;
  readonly agreed: number;
  readonly disagreed: number;
  /** Steps whose call is not known yet, and all that follow one that succeeded. */
  readonly unsupported: number;
  readonly disagreements: readonly Disagreement[];
  /** Steps after a disagreement, about which nothing is known. */
  readonly notJudged: number;
  /** What the unsupported steps need. */
  readonly needs: Readonly<Partial<Record<Need, number>>>;
}

export const judgeRecordings = (
  recordings: readonly Recording[],
  profile: Profile,
  coverage: Coverage,
  tally: InvariantTally,
): JudgedRecordings => {
  let [steps, agreed, unsupported, notJudged] = [0, 0, 0, 0];
  const disagreements: Disagreement[] = [];
  const needs: Partial<Record<Need, number>> = {};
  for (const recording of recordings) {
    const oracle = new Oracle(recording.platform, profile, coverage, tally);
    let state: "judging" | "lost" | Need = "judging";
    steps += recording.steps.length;
    for (const [i, step] of recording.steps.entries()) {
      if (state === "lost") {
        notJudged++;
      } else if (state !== "judging" || "unsupported" in step) {
        const need: Need =
          "unsupported" in step && state === "judging" ? step.needs : (state as Need);
        unsupported++;
        needs[need] = (needs[need] ?? 0) + 1;
        if (state !== "judging" || !("unsupported" in step)) continue;
        if (step.mayHaveEffect) state = step.needs;
      } else {
        const deviation = oracle.judge(step.call, step.outcome);
        if (deviation === undefined) {
          agreed++;
          continue;
        }
        state = "lost";
        const { clauses, kind, expected, actual } = deviation;
        const call = step.call.call;
        disagreements.push({
          trace: recording.name,
          step: i,
          call,
          clauses,
          kind,
          expected,
          actual,
        });
      }
    }
  }
  const disagreed = disagreements.length;
  const traces = recordings.length;
  return { traces, steps, agreed, disagreed, unsupported, disagreements, notJudged, needs };
};
