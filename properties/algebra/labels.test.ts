import { describe, expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Step, Trace } from "../../spec/trace";
import { labelsOf } from "./labels";

const fd = new Handle("fd0");
const step = (n: number): Step => ({ call: "IOAS_ALLOC", fd, as: `ioas${n}`, in: {} });
const probe = (): Step => ({ call: "PROC_STATUS", in: {} });

const [past, one, two, three] = [0, 1, 2, 3].map(step) as [Step, Step, Step, Step];
const [a, b, c, d] = [probe(), probe(), probe(), probe()] as const;
const STEPS = [past, one, a, two, b, c, three, d] as const;
const TRACE: Trace = {
  platform: MOCK_PLATFORM,
  steps: STEPS,
  twins: [
    {
      relation: "I-70",
      given: [1, 3, 6],
      same: [
        [2, 4],
        [5, 7],
      ],
    },
  ],
};
const labels = labelsOf(TRACE);

describe("labels", () => {
  test("stay as they are with all steps, and move with them when the past goes", () => {
    expect(labels(STEPS)).toEqual({ twins: TRACE.twins });
    const { twins } = labels(STEPS.slice(1));
    const moved = [
      [1, 3],
      [4, 6],
    ];
    expect(twins).toEqual([{ relation: "I-70", given: [0, 2, 5], same: moved }]);
  });

  test("a probe may go, and takes its comparison along", () => {
    const { twins } = labels(STEPS.filter((s) => s !== c));
    expect(twins).toEqual([{ relation: "I-70", given: [1, 3], same: [[2, 4]] }]);
  });

  test("a trace may end after a comparison", () => {
    const { twins } = labels(STEPS.slice(0, 5));
    expect(twins).toEqual([{ relation: "I-70", given: [1, 3], same: [[2, 4]] }]);
  });

  test.each([
    ["a step that something relies on is gone", STEPS.filter((s) => s !== two)],
    ["a step is another one now", [past, one, a, { ...two }, b, c, three, d]],
    ["the order has changed", [past, one, two, a, b, c, three, d]],
    ["something new stands in between", [past, one, a, two, step(9), b, c, three, d]],
    ["something of the past has come in between", [one, a, past, two, b, c, three, d]],
  ])("none when %s", (_, steps) => {
    expect(labels(steps)).toEqual({});
  });

  test("a trace without labels gets none", () => {
    expect(labelsOf({ platform: MOCK_PLATFORM, steps: STEPS })(STEPS)).toEqual({});
  });
});
