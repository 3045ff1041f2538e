/** What the real Linux 6.12.117 answered contradicts nothing. */
import { expect, it } from "@jest/globals";
import type { Recording } from "../../spec/recording";
import { recordedFiles } from "../testdata/recorded";
import { InvariantTally, InvariantWatch } from "./watch";

/** What speaks against the answers, and where. */
const contradictions = ({ name, platform, steps }: Recording): object[] => {
  const watch = new InvariantWatch(platform, new InvariantTally());
  return steps.flatMap(({ call, outcome }, i) => {
    const deviation = watch.step(call, outcome);
    return deviation === undefined ? [] : [{ name, step: i, deviation }];
  });
};

it.each(recordedFiles())("%s", (_file, recordings) => {
  expect(recordings.length).toBeGreaterThan(0);
  expect(recordings.flatMap(contradictions)).toEqual([]);
});
