/**
 * Recordings of the real Linux 6.12.117 are the ground truth for this implementation: it makes
 * 6.12's own choices, so every outcome must be equal, ids and automatic IOVAs included. It does
 * not have 6.12's one known defect.
 */
import { expect, test } from "@jest/globals";
import { recordedFiles } from "../../properties/testdata/recorded";
import type { Outcome } from "../../spec/calls";
import type { Recording } from "../../spec/recording";
import { RadixMachine } from "./machine";
import { nodePool } from "./node-pool";

/** What the recorder could see: not what a device read, and less of long reads by an access. */
const visible = (call: string, outcome: Outcome): Outcome => {
  const { errno, out } = outcome;
  if (call === "DMA" || out === undefined) return { errno };
  if (call === "ACCESS_RW" && "data" in out && out.data !== undefined) {
    return { errno, out: seenOf(out.data) } as Outcome;
  }
  return { errno, out } as Outcome;
};

const seenOf = (data: string): object => {
  const length = data.length / 2;
  if (length <= 64) return { data };
  return length <= 16384 ? { data_fnv1a64: fnv1a64(data), data_first16: data.slice(0, 32) } : {};
};

const fnv1a64 = (data: string): bigint => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(data, "hex")) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
};

/** DTY-21: 6.12 does not report these pages, which are behind a hole. */
const FORGOTTEN: Readonly<Record<string, string>> = {
  "hwpt-8 step 26": "f1ffff",
  "hwpt-11 step 77": "17",
  "hwpt-24 step 16": "07",
  "hwpt-30 step 57": "00ff00f0ff0000",
  "hwpt-48 step 67": "1d",
  "hwpt-52 step 50": "02",
  "hwpt-54 step 22": "6800",
  "kitchen-sink-31 step 62": "e000",
};

const rightOutcome = (recording: Recording, step: number): Outcome | undefined => {
  const bitmap = FORGOTTEN[`${recording.name} step ${step}`];
  return bitmap === undefined ? recording.steps[step]?.outcome : { errno: 0, out: { bitmap } };
};

test.each(recordedFiles())("answers as Linux 6.12.117 did: %s", (_file, recordings) => {
  expect(recordings.length).toBeGreaterThan(0);
  for (const recording of recordings) {
    const before = nodePool.lent;
    const machine = new RadixMachine(recording.platform);
    const { name, steps } = recording;
    const answers = steps.map(({ call }) => visible(call.call, machine.call(call)));
    expect([name, answers]).toEqual([name, steps.map((_, i) => rightOutcome(recording, i))]);
    machine.end();
    expect(nodePool.lent).toBe(before);
  }
});
