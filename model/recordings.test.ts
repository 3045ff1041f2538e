/** The model against histories of a real 6.12.117 kernel (docs/recordings.md). */
import { describe, expect, test } from "@jest/globals";
import { CHOSEN, recordedFiles, recordingsIn } from "../properties/testdata/recorded";
import {
  DEVIATIONS_OF_LINUX_6_12,
  type KnownDeviation,
  knownDeviation,
} from "../spec/clauses/deviations";
import { Coverage } from "../spec/coverage";
import { mayHaveEffect, type Recording } from "../spec/recording";
import { PROFILES, type Profile } from "../spec/verdict";
import { hasJudge } from "./judges";
import { Model } from "./model";

interface Result {
  readonly judged: number;
  readonly complete: boolean;
  readonly deviation: string | undefined;
  /** It ended with a deviation that this kernel is known for. */
  readonly known?: KnownDeviation;
}

/** Judges a recording up to the first call that the model does not know and that may matter. */
const judgeRecording = (recording: Recording, profile: Profile): Result => {
  const model = new Model(recording.platform, profile, new Coverage());
  let judged = 0;
  let complete = true;
  for (const [i, step] of recording.steps.entries()) {
    if (!hasJudge(step.call)) {
      complete = false;
      if (mayHaveEffect(step)) return { judged, complete, deviation: undefined };
      continue;
    }
    judged++;
    const deviation = model.judge(step.call, step.outcome);
    if (deviation === undefined) continue;
    const { clauses, expected, actual } = deviation;
    const known = knownDeviation(step.call.call, deviation);
    if (profile === "documented" && known !== undefined) {
      return { judged, complete, deviation: undefined, known };
    }
    const what = `${recording.name} step ${i} ${step.call.call}: ${clauses}, ${expected}, ${actual}`;
    return { judged, complete: false, deviation: what };
  }
  return { judged, complete, deviation: undefined };
};

describe.each(PROFILES)("recordings of Linux 6.12.117 in profile %s", (profile) => {
  const files = recordedFiles();

  const judged = (recordings: readonly Recording[]): Result[] =>
    recordings.map((recording) => judgeRecording(recording, profile));

  test.each(files)("%s agrees with the model, step by step", (_file, recordings) => {
    const results = judged(recordings);
    expect(results.map((result) => result.deviation).filter(Boolean)).toEqual([]);
    expect(results.every((result) => result.judged > 0)).toBe(true);
    expect(results.every((result) => result.complete)).toBe(true);
  });

  test("show each deviation that the kernel is known for, where it is one", () => {
    const seen = new Set(
      files.flatMap(([, recordings]) => judged(recordings)).map(({ known }) => known),
    );
    seen.delete(undefined);
    expect([...seen]).toEqual(profile === "documented" ? DEVIATIONS_OF_LINUX_6_12 : []);
  });
});

describe("a recording with one outcome changed", () => {
  const recording = recordingsIn(CHOSEN).find(({ name }) => name.startsWith("core-"));
  if (recording === undefined) throw new Error("the corpus has no core recording");

  const withStepFlipped = (at: number): Recording => ({
    ...recording,
    steps: recording.steps.map((step, i) => {
      if (i !== at) return step;
      const { outcome } = step;
      const errno = outcome.errno === 0 ? "EINVAL" : outcome.errno === "EIO" ? "EBUSY" : "EIO";
      return { ...step, outcome: { errno } as const };
    }),
  });

  test("is refused, whichever step it is", () => {
    const accepted = recording.steps
      .map((_, at) => at)
      .filter((at) => judgeRecording(withStepFlipped(at), "linux-6.12").deviation === undefined);
    expect(accepted).toEqual([]);
  });
});
