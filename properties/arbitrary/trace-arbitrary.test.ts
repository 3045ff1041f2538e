import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LINUX_PLATFORMS } from "../../impl/linux/platforms";
import { radix } from "../../impl/radix";
import { shapeOf } from "../../spec/calls";
import { PLATFORMS } from "../../spec/platform";
import { callMade } from "../../spec/raw";
import { U64_MAX } from "../../spec/units";
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

test("every number that is drawn is one of 64 bits, on the platforms of a kernel as well", () => {
  const { capabilities } = radix.info;
  const platforms = [...PLATFORMS, ...LINUX_PLATFORMS];
  const space = { platforms, capabilities, length: [30, 60] as const };
  const wrong = new Set<string>();
  for (const { steps } of fc.sample(traceArbitrary(space), { seed: 1, numRuns: 1500 })) {
    for (const { call, in: args } of steps) {
      for (const [field, value] of Object.entries(args)) {
        if (typeof value !== "bigint" || (value >= 0n && value <= U64_MAX)) continue;
        wrong.add(`${call}.${field} ${value}`);
      }
    }
  }
  expect([...wrong]).toEqual([]);
});
