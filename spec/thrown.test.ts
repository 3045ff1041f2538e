import { describe, expect, test } from "@jest/globals";
import { reasonOf } from "./thrown";

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const withMessage = (get: () => unknown): Error =>
  Object.defineProperty(new Error("x"), "message", { get });

describe("the reason of what was thrown", () => {
  test.each<[string, unknown, RegExp]>([
    ["an error", new RangeError("too much"), /^RangeError: too much \(thrown\.test\.ts:\d+\)$/],
    ["lines", new Error("one\n\n  two"), /^Error: one two \(/],
    ["text", "boom", /^boom$/],
    ["nothing", undefined, /^undefined$/],
    ["a symbol", Symbol("s"), /^Symbol\(s\)$/],
    ["an endless text", "x".repeat(10_000), /^x{500}$/],
    ["an error of an endless text", new Error("at ".repeat(2 ** 24)), /^Error: (at )+a$/],
    ["an object without a prototype", Object.create(null), /cannot be shown/],
    ["a revoked proxy", revoked(), /cannot be shown/],
    [
      "a message that throws",
      withMessage(() => {
        throw new Error("no");
      }),
      /cannot be shown/,
    ],
    ["a message that is a symbol", withMessage(() => Symbol("s")), /cannot be shown/],
  ])("%s", (_, thrown, reason) => {
    expect(reasonOf(thrown)).toMatch(reason);
  });
});
