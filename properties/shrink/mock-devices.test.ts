import { expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { MAP_FIXED_IOVA, MAP_READABLE } from "../../spec/uapi/flags";
import type { Iova } from "../../spec/units";
import { inAperture } from "./mock-devices";

const mapped = (iova?: bigint | Handle): Step => ({
  call: "IOAS_MAP",
  in: {
    flags: MAP_READABLE | (iova === undefined ? 0 : MAP_FIXED_IOVA),
    ...(iova !== undefined && { iova: iova as Iova }),
  },
});
const placesOf = (steps: readonly Step[]): unknown[] =>
  steps.map((step) => (step.in as { iova?: unknown }).iova);

test("automatic IOVAs become fixed ones, once among the others and once before them", () => {
  const steps = [mapped(), mapped(0x100_0000n), mapped()];
  expect([...inAperture(steps)].map(placesOf)).toEqual([
    [0x100_0000n, 0x100_0000n, 0x300_0000n],
    [0x100_0000n, 0x400_0000n, 0x300_0000n],
  ]);
  for (const moved of inAperture(steps)) {
    expect(moved.map((step) => (step.in as { flags: number }).flags)).toEqual(
      steps.map(() => MAP_READABLE | MAP_FIXED_IOVA),
    );
  }
});

test("no IOVA leaves the address space, and one that is another's stays that", () => {
  const other = new Handle("map0");
  const steps = [mapped(0xffff_ffff_ffff_f000n), mapped(other)];
  for (const moved of inAperture(steps)) expect(moved).toEqual(steps);
});

test("a fixed mapping at 0 is moved as well, though the shrinker leaves a 0 out", () => {
  const fixed: Step = { call: "IOAS_MAP", in: { flags: MAP_READABLE | MAP_FIXED_IOVA } };
  const [, behind = []] = [...inAperture([fixed])].map(placesOf);
  expect(behind).toEqual([0x100_0000n]);
});
