import { expect, test } from "@jest/globals";
import pc from "picocolors";
import { renderSteps } from "./steps";

test("what is too long to be read is cut, and its length is told", () => {
  const bytes = "ab".repeat(8000);
  const row = { step: 0, call: `RAW(bytes=${bytes})`, expected: "ok", actual: "ok" };
  const style = { colors: pc.createColors(false), width: 100 };
  const text = renderSteps([{ ...row, deviates: true }], style).replace(/\s+/g, " ");
  expect(text.length).toBeLessThan(4000);
  expect(text).toContain("16011 characters");
});
