import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../platform";
import type { Trace } from "../trace";
import { decodeTrace, encodeTrace, parseDocument } from "./trace";

const trace = (same: readonly (readonly number[])[], given: readonly number[] = [0]): Trace => ({
  platform: MOCK_PLATFORM,
  steps: [
    { call: "OPEN", as: "fd0", in: {} },
    { call: "PROC_STATUS", in: {} },
    { call: "PROC_STATUS", in: {} },
  ],
  twins: [{ relation: "I-84", given, same }],
});

const reread = (written: Trace): Trace =>
  decodeTrace(parseDocument(JSON.stringify(encodeTrace(written)), "x.json").json, "x.json");

describe("twins in files", () => {
  test("are read as they were written", () => {
    expect(reread(trace([[1, 2]]))).toEqual(trace([[1, 2]]));
  });

  test("are absent where a trace has none", () => {
    const { platform, steps } = trace([]);
    expect(Object.keys(reread({ platform, steps }))).not.toContain("twins");
  });

  test.each([
    ["steps must ascend", trace([[2, 1]])],
    ["there is no such step", trace([[1, 3]])],
    ["there is no such step", trace([[1, 2]], [3])],
    ["fewer than 2 items", trace([[1]])],
  ])("are refused: %s", (says, written) => {
    expect(() => reread(written)).toThrow(says);
  });
});
