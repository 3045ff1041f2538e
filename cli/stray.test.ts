import path from "node:path";
import { expect, test } from "@jest/globals";
import { isOurs } from "./stray";

const root = path.join(__dirname, "..");
const withStack = (...frames: string[]): Error =>
  Object.assign(new Error("x"), { stack: ["Error: x", ...frames].join("\n    at ") });
const HARNESS = `f (${root}/spec/json/trace.ts:1:2)`;
const ASYNC = `async Campaign.explore (${root}/properties/campaign.ts:1:2)`;
const NODE = "listOnTimeout (node:internal/timers:581:17)";
const hostile = Object.defineProperty(new Error("x"), "stack", {
  get: () => {
    throw new Error("looked at");
  },
});

test.each<[string, unknown, boolean]>([
  ["the harness's own", withStack(HARNESS, ASYNC, NODE), true],
  ["one below fast-check", withStack(`g (${root}/node_modules/fast-check/a.js:1:2)`, ASYNC), true],
  ["one of an IUT that the harness called", withStack("boot (/home/me/iut.ts:3:4)", ASYNC), false],
  ["one of an IUT that calls the harness", withStack(HARNESS, "/home/me/my iut.ts:3:4"), false],
  ["one of an IUT in this checkout", withStack(`f (${root}/impl/mine/iut.ts:1:2)`, HARNESS), false],
  ["one that awaits", withStack("async /home/me/iut.ts:3:4", HARNESS), false],
  ["one without a place", withStack(NODE), false],
  ["no error at all", "later", false],
  ["what must not be looked at", hostile, false],
])("is %s ours", (_, thrown, ours) => {
  expect(isOurs(thrown)).toBe(ours);
});
