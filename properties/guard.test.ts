import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../spec/platform";
import type { Trace } from "../spec/trace";
import { guarded } from "./guard";

const trace: Trace = { platform: MOCK_PLATFORM, steps: [{ call: "PROC_STATUS", in: {} }] };
const info = { name: "toy", version: "1", capabilities: [] };
const run = (answer: () => unknown) => guarded({ info, run: answer as never }).run(trace);
const one = [{ errno: 0 }];

describe("guarded", () => {
  test.each([
    [() => ({ outcomes: one }), undefined],
    [() => Promise.resolve({ outcomes: one }), undefined],
    [() => undefined, /answered no \{outcomes\}/],
    [() => ({ outcomes: "x" }), /answered no \{outcomes\}/],
    [() => ({ outcomes: [...one, ...one] }), /answered 2 outcomes to 1 calls/],
    [() => ({ outcomes: [] }), /answered 0 of 1 calls/],
    [() => ({ outcomes: [], ending: { kind: "odd" } }), /an ending that is no/],
    [() => ({ outcomes: [], ending: { kind: "inconclusive", reason: "no VM" } }), /no VM/],
    [() => Promise.reject(new Error("late\nmore")), /run\(\) threw: late$/],
  ])("%s", async (answer, reason) => {
    const { ending } = await run(answer);
    if (reason === undefined) expect(ending).toBeUndefined();
    else expect(ending?.reason).toMatch(reason);
  });
});
