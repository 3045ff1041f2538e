import { describe, expect, test } from "@jest/globals";
import { inert, inertDeep, inertJson } from "./inert";

describe("inert", () => {
  test.each([
    ["\u001b[2J", "\\u001b[2J"],
    ["a\nb\rc\td", "a\\u000ab\\u000dc\\u0009d"],
    ["\u009b31m", "\\u009b31m"],
    ["\u202egnp.exe", "\\u202egnp.exe"],
    ["\u2066x\u2069", "\\u2066x\\u2069"],
    ["\u200b\ufeff", "\\u200b\\ufeff"],
    ["ok iova=0x1000 – fine ▶", "ok iova=0x1000 – fine ▶"],
  ])("%j becomes %j", (given, expected) => {
    expect(inert(given)).toBe(expected);
  });

  test("reaches keys and values at any depth, and leaves other values alone", () => {
    const given = { "\u001b": [{ a: "\u0007" }, 1, null, true] };
    expect(inertDeep(given)).toEqual({ "\\u001b": [{ a: "\\u0007" }, 1, null, true] });
  });

  test("JSON text keeps its line breaks and its meaning", () => {
    const given = { text: "\u009b \u202e \n" };
    const json = inertJson(JSON.stringify(given, null, 2));
    expect(json).toContain("\n  ");
    expect(json).not.toMatch(/[\u0080-\u009f\u202e]/);
    expect(JSON.parse(json)).toEqual(given);
  });
});
