/** Judges recordings of a real kernel: the numbers are its own, and no IUT is needed. */
import { hasJudge } from "../model/judges";
import { shapeOf } from "../spec/calls";
import { type KnownDeviation, knownDeviation } from "../spec/clauses/deviations";
import type { Coverage } from "../spec/coverage";
import type { Need } from "../spec/needs";
import { mayHaveEffect, type RecordedStep, type Recording } from "../spec/recording";
import type { Deviation, Profile } from "../spec/verdict";
import type { InvariantTally } from "./invariants/watch";
import { Oracle } from "./oracle";

export interface Disagreement extends Pick<Deviation, "clauses" | "kind" | "expected" | "actual"> {
  readonly trace: string;
  readonly step: number;
  readonly call: string;
  /** What Linux 6.12 is known to do otherwise than documented, if that is all this shows. */
  readonly known?: KnownDeviation;
}

export interface JudgedRecordings {
  readonly traces: number;
  readonly steps: number;
  readonly agreed: number;
  readonly disagreed: number;
  /** Steps whose call is not known yet, and all that follow one that succeeded. */
  readonly unsupported: number;
  readonly disagreements: readonly Disagreement[];
  /** Steps after a disagreement, or where the model could not follow: about them nothing is known. */
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
      } else if (state !== "judging" || !hasJudge(step.call)) {
        const need: Need = state === "judging" ? needOf(step) : state;
        unsupported++;
        needs[need] = (needs[need] ?? 0) + 1;
        if (state === "judging" && mayHaveEffect(step)) state = need;
      } else {
        const deviation = oracle.judge(step.call, step.outcome);
        if (deviation === undefined) {
          // Where the model is lost, answers can still contradict one another.
          if (oracle.isLost) notJudged++;
          else agreed++;
          continue;
        }
        state = "lost";
        const { clauses, kind, expected, actual } = deviation;
        const call = step.call.call;
        const known = profile === "documented" ? knownDeviation(call, deviation) : undefined;
        disagreements.push({
          trace: recording.name,
          step: i,
          call,
          clauses,
          kind,
          expected,
          actual,
          ...(known !== undefined && { known }),
        });
      }
    }
  }
  const disagreed = disagreements.length;
  const traces = recordings.length;
  return { traces, steps, agreed, disagreed, unsupported, disagreements, notJudged, needs };
};

/** What a call needs beyond the plain ones; the last is the most telling. */
const needOf = ({ call }: RecordedStep): Need => shapeOf(call.call).needs.at(-1) ?? "mock";
