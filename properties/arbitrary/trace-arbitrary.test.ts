import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { radix } from "../../impl/radix";
import { shapeOf } from "../../spec/calls";
import { PLATFORMS } from "../../spec/platform";
import { callMade } from "../../spec/raw";
import { availableCalls } from "./composer";
import { traceArbitrary } from "./trace-arbitrary";

test("long sequences get as long as they were asked to be", () => {
  const { capabilities } = radix.info;
  const long = traceArbitrary({ platforms: PLATFORMS, capabilities, length: [5000, 5000] });
  for (const { steps } of fc.sample(long, { seed: 1, numRuns: 4 })) {
    const calls = steps.filter(({ call }) => !shapeOf(call).probe);
    expect(calls.length).toBeGreaterThanOrEqual(5000);
  }
});

test.each(radix.info.capabilities)(
  "nothing is drawn that an IUT without %s cannot do",
  (lacking) => {
    const capabilities = radix.info.capabilities.filter((need) => need !== lacking);
    const space = { platforms: PLATFORMS, capabilities, length: [30, 60] as const };
    for (const { platform, steps } of fc.sample(traceArbitrary(space), { seed: 1, numRuns: 120 })) {
      const available = availableCalls(platform, capabilities);
      const others = steps.filter((step) => !available.has(callMade(step)));
      expect(others).toEqual([]);
    }
  },
);
