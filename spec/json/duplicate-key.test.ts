import { describe, expect, test } from "@jest/globals";
import { duplicateKey } from "./duplicate-key";

const find = (text: string) => duplicateKey(text, JSON.parse(text));

describe("duplicateKey", () => {
  test.each([
    ['{"a":1,"a":2}', "a"],
    ['{"steps":[{"op":"OPEN"},{"errno":0,"in":{},"errno":1}]}', "steps.1.errno"],
    ['{"a":{"b":[[],{"c":1,"\\u0063":2}]}}', "a.b.1.c"],
    ['{"a":1, "b":{"x":"}{,\\"","y":1,"x":2}}', "b.x"],
    ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ])("finds the one in %s", (text, path) => {
    expect(find(text)).toBe(path);
  });

  test.each([
    '{"a":1,"b":2}',
    '{"a":{"a":{"a":1}},"b":["a","a",{"a":1},{"a":1}]}',
    '{ "a" : "a" , "b" : "a" }',
    '["a","a"]',
    "42",
  ])("finds none in %s", (text) => {
    expect(find(text)).toBeUndefined();
  });

  test("finds the one behind a text of 16 MiB", () => {
    expect(find(`{"a":"${"ab".repeat(2 ** 24)}","a":2}`)).toBe("a");
  });
});
