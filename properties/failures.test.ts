import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import type { Iut, Run } from "../spec/iut";
import type { Trace } from "../spec/trace";
import { runCampaign } from "./campaign";
import { canRun } from "./can-run";
import { quickRun } from "./options";

/** Radix, but that no device is ever detached; and every trace that it was given. */
const stubborn = (): { iut: Iut; asked: Trace[] } => {
  const asked: Trace[] = [];
  const run = (trace: Trace): Run => {
    asked.push(trace);
    const { outcomes } = radix.run(trace) as Run;
    const wrong = outcomes.map((outcome, i) =>
      trace.steps[i]?.call === "VFIO_DETACH" ? ({ errno: "EBUSY" } as const) : outcome,
    );
    return { outcomes: wrong };
  };
  return { iut: { ...radix, run }, asked };
};

test("shrinking asks for nothing that the IUT or the platform lacks", async () => {
  const { iut, asked } = stubborn();
  const { failures } = await runCampaign(quickRun({ iut, sequences: 100 }));
  expect(failures.length).toBeGreaterThan(0);
  expect(asked.length).toBeGreaterThan(200);
  expect(asked.filter((trace) => !canRun(iut.info.capabilities, trace))).toEqual([]);
});

test("an interrupted run does not go on shrinking", async () => {
  const { iut, asked } = stubborn();
  const stop = new AbortController();
  let before = 0;
  const saveUnshrunk = (): (() => void) => {
    before = asked.length;
    stop.abort("interrupted");
    return () => undefined;
  };
  await runCampaign(quickRun({ iut, sequences: 300, signal: stop.signal, saveUnshrunk }));
  expect(before).toBeGreaterThan(0);
  // What is shown in the end is run once more.
  expect(asked.length - before).toBeLessThanOrEqual(1);
});
