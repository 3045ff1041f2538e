import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import type { Capsule } from "../spec/capsule";
import type { Iut } from "../spec/iut";
import { runCampaign } from "./campaign";
import { quickRun } from "./options";

test("what is cut short through no fault of the IUT is counted by reason, and the run goes on", async () => {
  let runs = 0;
  const restless: Iut = {
    info: radix.info,
    run: async (trace) => {
      const nth = runs++ % 5;
      const whole = await radix.run(trace);
      if (nth > 1) return whole;
      const reason = nth === 0 ? "QEMU was ended by SIGKILL" : "no machine";
      return { outcomes: whole.outcomes.slice(0, 3), ending: { kind: "inconclusive", reason } };
    },
  };
  const results = await runCampaign(quickRun({ iut: restless, sequences: 40 }));
  const [killed, none] = results.cutShort ?? [];
  expect(killed?.reason).toBe("QEMU was ended by SIGKILL");
  expect(killed?.sequences).toBeGreaterThan(4);
  expect(none?.reason).toBe("no machine");
  expect(results).toMatchObject({ sequences: 40, failures: [], exitCode: 2 });
  expect(results.reason).toMatch(/^\d+ of 40 cut short: QEMU was ended by SIGKILL/);
});

test("a run with nothing cut short says nothing about it", async () => {
  const results = await runCampaign(quickRun({ iut: radix, sequences: 5 }));
  expect(results).not.toHaveProperty("cutShort");
});

test("what fails as time runs out is judged and kept nevertheless, and as it is", async () => {
  const time = new AbortController();
  let runs = 0;
  const hanging: Iut = {
    info: radix.info,
    run: async (trace) => {
      runs++;
      const whole = await radix.run(trace);
      time.abort("time");
      return { outcomes: whole.outcomes.slice(0, 3), ending: { kind: "crash", reason: "hangs" } };
    },
  };
  const saved: Capsule[] = [];
  const saveCapsule = (capsule: Capsule): string => `capsule ${saved.push(capsule)}`;
  const { signal } = time;
  const results = await runCampaign(quickRun({ iut: hanging, signal, saveCapsule }));
  expect(results).toMatchObject({ sequences: 1, exitCode: 1, failures: [{ clause: "LIV-01" }] });
  expect(saved).toHaveLength(1);
  expect(runs).toBe(1);
});

test("a failure is on disk before it is shrunk, and gone from there afterwards", async () => {
  const broken: Iut = {
    info: radix.info,
    run: async (trace) => {
      const { outcomes } = await radix.run(trace);
      return { outcomes: outcomes.slice(0, 2), ending: { kind: "crash", reason: "gone" } };
    },
  };
  const seen: string[] = [];
  const saveUnshrunk = ({ history }: Capsule): (() => void) => {
    seen.push(`${history.trace.steps.length > 3 ? "long" : "short"} kept`);
    return () => seen.push("taken away");
  };
  const saveCapsule = ({ history }: Capsule): string => {
    seen.push(`${history.trace.steps.length > 3 ? "long" : "short"} saved`);
    return "";
  };
  await runCampaign(quickRun({ iut: broken, sequences: 1, saveUnshrunk, saveCapsule }));
  expect(seen).toEqual(["long kept", "short saved", "taken away"]);
});
