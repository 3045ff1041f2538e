import { describe, expect, test } from "@jest/globals";
import { inProcess } from "../spec/iut";
import type { Need } from "../spec/needs";
import { MOCK_PLATFORM, type Platform } from "../spec/platform";
import type { Step, Trace } from "../spec/trace";
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
    [
      () => ({ outcomes: [], ending: { kind: "crash", reason: "x".repeat(2 ** 28) } }),
      /^x{500}… \(268435456 characters in all\)$/,
    ],
    [() => Promise.reject(new Error("late\nmore")), /run\(\) threw: Error: late more/],
  ])("%s", async (answer, reason) => {
    const { ending } = await run(answer);
    if (reason === undefined) expect(ending).toBeUndefined();
    else expect(ending?.reason).toMatch(reason);
  });

  test("how many failures on demand came to pass is passed on", async () => {
    expect(await run(() => ({ outcomes: one, faults: 1 }))).toMatchObject({ faults: 1 });
    expect(await run(() => ({ outcomes: one, faults: "1" }))).not.toHaveProperty("faults");
  });

  test.each<[string, (given: Trace) => void]>([
    ["its steps", ({ steps }) => (steps as unknown[]).splice(0)],
    ["a step", ({ steps }) => Object.assign(steps[0] as object, { call: "OPEN" })],
    ["arguments", ({ steps }) => Object.assign((steps[0] as Step).in, { pages: 1 })],
    ["the platform", ({ platform }) => (platform.iommus as unknown[]).pop()],
  ])("an IUT that changes the trace it is judged by crashes: %s", async (_, change) => {
    const answer = (given: Trace) => {
      change(given);
      return { outcomes: one };
    };
    const own = { ...trace, platform: structuredClone(MOCK_PLATFORM), steps: [...trace.steps] };
    const { ending } = await guarded({ info, run: answer as never }).run(own);
    expect(ending).toMatchObject({ kind: "crash", reason: expect.stringMatching(/TypeError/) });
  });

  test("a machine cannot change the platform that it is judged by", async () => {
    const own: Platform = structuredClone(MOCK_PLATFORM);
    const machine = guarded(
      inProcess(info, (platform) => {
        (platform.iommus as unknown[]).pop();
        return { call: () => ({ errno: 0 }) as never };
      }),
    );
    const { ending } = await machine.run({ ...trace, platform: own });
    expect(ending?.reason).toContain("TypeError");
    expect(own).toEqual(MOCK_PLATFORM);
  });

  test("what an IUT says of itself and has answered stays as it was", async () => {
    const capabilities: Need[] = ["mock"];
    const outcomes = [{ errno: 0, out: { VmPin_pages: 1 } }];
    const iut = guarded({ info: { ...info, capabilities }, run: () => ({ outcomes }) as never });
    const answered = await iut.run(trace);
    capabilities.push("vfio");
    Object.assign(outcomes[0] as object, { errno: "EIO" });
    expect(iut.info.capabilities).toEqual(["mock"]);
    expect(answered.outcomes).toEqual([{ errno: 0, out: { VmPin_pages: 1 } }]);
  });

  test("platforms of the IUT stay, and nothing is guarded twice", () => {
    const iut = guarded({ info, platforms: [MOCK_PLATFORM], run: () => ({ outcomes: [] }) });
    expect(iut.platforms).toEqual([MOCK_PLATFORM]);
    expect(guarded(iut)).toBe(iut);
  });
});
