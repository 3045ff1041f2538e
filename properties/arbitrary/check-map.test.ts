import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { modelMachine } from "../../model/machine";
import { Coverage } from "../../spec/coverage";
import { type Iut, inProcess, type Machine } from "../../spec/iut";
import type { Need } from "../../spec/needs";
import { MOCK_PLATFORM, type Platform } from "../../spec/platform";
import { InvariantTally } from "../invariants/watch";
import { type Finding, judgeHistory } from "../oracle";
import { runTrace } from "../replay";
import { traceArbitrary } from "./trace-arbitrary";

/** Like a kernel with the mock driver: nothing walks its page tables. */
const CAPABILITIES: readonly Need[] = ["mock", "page-refs", "proc-status"];

const space = {
  platforms: [MOCK_PLATFORM],
  capabilities: CAPABILITIES,
  length: [30, 60],
} as const;
const TRACES = fc.sample(traceArbitrary(space), { seed: 1, numRuns: 150 });

const iutOf = (boot: (platform: Platform) => Machine): Iut =>
  inProcess({ name: "blind", version: "1", capabilities: CAPABILITIES }, boot);

const firstFinding = async (iut: Iut): Promise<Finding | undefined> => {
  for (const trace of TRACES) {
    const history = await runTrace(iut, trace);
    const found = judgeHistory(history, "linux-6.12", new Coverage(), new InvariantTally());
    if (found !== undefined) return found;
  }
  return undefined;
};

test("without TRANSLATE, what a call touched is asked about right after it", () => {
  const after = (call: string): number =>
    TRACES.flatMap(({ steps }) =>
      steps.filter((s, i) => s.call === "MD_CHECK_MAP" && steps[i - 1]?.call === call),
    ).length;
  expect(after("IOAS_MAP")).toBeGreaterThan(10);
  expect(after("IOAS_COPY")).toBeGreaterThan(10);
  expect(after("IOAS_UNMAP")).toBeGreaterThan(10);
  expect(TRACES.flatMap(({ steps }) => steps).some(({ call }) => call === "TRANSLATE")).toBe(false);
});

test("a right machine passes, and one whose domains forget an unmap is found", async () => {
  expect(await firstFinding(iutOf(modelMachine))).toBeUndefined();
  const forgetful = (platform: Platform): Machine => {
    const machine = modelMachine(platform);
    const fine = new Set<string>();
    return {
      call: (call) => {
        const outcome = machine.call(call);
        if (call.call !== "MD_CHECK_MAP" || outcome.errno === "ENOENT") return outcome;
        const { hwpt_id, iova, uptr } = call.in;
        const key = [call.fd, hwpt_id, iova, uptr].join();
        if (outcome.errno === 0) fine.add(key);
        return outcome.errno === "EINVAL" && fine.has(key) ? { errno: 0 } : outcome;
      },
    };
  };
  const found = await firstFinding(iutOf(forgetful));
  expect(found?.deviation.clauses).toContain("TST-03");
});
