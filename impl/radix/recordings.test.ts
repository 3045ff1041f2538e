/**
 * Recordings of the real Linux 6.12.117 are the ground truth for this implementation: it makes
 * 6.12's own choices, so every outcome must be equal, ids and automatic IOVAs included.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Outcome } from "../../spec/calls";
import { mayHaveEffect, type Recording, readRecordings } from "../../spec/recording";
import { handles, RadixMachine } from "./machine";
import { nodePool } from "./node-pool";

const folder = join(__dirname, "../../properties/corpus/recordings");
const recordings = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((file) => file.endsWith(".jsonl"))
  .flatMap((file) => readRecordings(readFileSync(join(folder, file), "utf8"), file));

/** Steps up to the first call that took effect and that this version does not have. */
const supported = ({ steps }: Recording) => {
  const end = steps.findIndex((step) => !handles(step.call.call) && mayHaveEffect(step));
  const upTo = end < 0 ? steps : steps.slice(0, end);
  return upTo.filter(({ call }) => handles(call.call));
};

/** The recorder of DMA could not see what the device saw. */
const visible = (call: string, { errno, out }: Outcome): Outcome =>
  call === "DMA" || out === undefined ? { errno } : ({ errno, out } as Outcome);

test("there are recorded traces of Linux 6.12.117", () => {
  expect(recordings.length).toBeGreaterThan(0);
});

describe("answers as Linux 6.12.117 did", () => {
  for (const recording of recordings) {
    test(recording.name, () => {
      const before = nodePool.lent;
      const machine = new RadixMachine(recording.platform);
      const steps = supported(recording);
      const answers = steps.map(({ call }) => visible(call.call, machine.call(call)));
      expect(answers).toEqual(steps.map(({ outcome }) => outcome));
      machine.end();
      expect(nodePool.lent).toBe(before);
    });
  }
});
