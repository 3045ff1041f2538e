import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import type { Run } from "../spec/iut";
import type { Trace } from "../spec/trace";
import { runCampaign } from "./campaign";
import { quickRun } from "./options";

/** An IUT with something that outlives its traces, as a kernel has. */
const lasting = (damages: (trace: Trace) => boolean, broken: (run: Run) => Run) => {
  let damaged = false;
  return {
    info: radix.info,
    run: async (trace: Trace): Promise<Run> => {
      const run = await radix.run(trace);
      const answer = damaged ? broken(run) : run;
      damaged ||= damages(trace);
      return answer;
    },
    fresh: () => {
      damaged = false;
    },
  };
};

const silent = ({ outcomes }: Run): Run => ({
  outcomes: outcomes.slice(0, 2),
  ending: { kind: "crash", reason: "the call does not come back" },
});

test("what fails only after an earlier trace is no failure of its own, and no pass", async () => {
  const iut = lasting(({ steps }) => steps.some(({ call }) => call === "MMAP"), silent);
  const results = await runCampaign(quickRun({ iut, sequences: 40 }));
  expect(results).toMatchObject({ failures: [], exitCode: 2 });
  const reasons = (results.cutShort ?? []).map(({ reason }) => reason).join("; ");
  expect(reasons).toMatch(/fails after earlier traces, but not on a fresh machine/);
  expect(reasons).toMatch(/gives other answers after other traces/);
});

test("what fails on a fresh machine is shrunk, however damaged it leaves the machine", async () => {
  const isBad = ({ steps }: Trace): boolean => steps.some(({ call }) => call === "MUNMAP");
  const iut = lasting(isBad, silent);
  const failing = {
    ...iut,
    run: async (trace: Trace): Promise<Run> => {
      const run = await iut.run(trace);
      const at = trace.steps.findIndex(({ call }) => call === "MUNMAP");
      if (at < 0 || run.ending !== undefined) return run;
      const outcomes = run.outcomes.map((outcome, i) =>
        i === at ? ({ errno: "EPERM" } as never) : outcome,
      );
      return { outcomes };
    },
  };
  const { failures, exitCode } = await runCampaign(quickRun({ iut: failing, sequences: 40 }));
  expect(exitCode).toBe(1);
  const [found] = failures.filter(({ steps }) => steps.at(-1)?.call.startsWith("MUNMAP"));
  expect(found?.steps.length).toBe(1);
});
