import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { radix } from "../../impl/radix";
import { shapeOf } from "../../spec/calls";
import { PLATFORMS } from "../../spec/platform";
import { traceArbitrary } from "./trace-arbitrary";

test("long sequences get as long as they were asked to be", () => {
  const { capabilities } = radix.info;
  const long = traceArbitrary({ platforms: PLATFORMS, capabilities, length: [5000, 5000] });
  for (const { steps } of fc.sample(long, { seed: 1, numRuns: 4 })) {
    const calls = steps.filter(({ call }) => !shapeOf(call).probe);
    expect(calls.length).toBeGreaterThanOrEqual(5000);
  }
});
