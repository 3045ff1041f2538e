import { describe, expect, test } from "@jest/globals";
import { Handle } from "../spec/handle";
import { MOCK_PLATFORM } from "../spec/platform";
import type { History } from "../spec/trace";
import { Health } from "./health";

const fd = new Handle("fd0");
const HISTORY: History = {
  trace: {
    platform: MOCK_PLATFORM,
    steps: [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: { flags: 1 } },
      { call: "DESTROY", fd, in: { id: new Handle("ioas0") } },
      { call: "DESTROY", fd, in: { id: 99 } },
      { call: "PROC_STATUS", in: {} },
      { call: "MEM_READ", in: { va: new Handle("buf0"), length: 1 } },
    ],
  },
  outcomes: [
    { errno: 0, out: { fd: 0 } },
    { errno: "EOPNOTSUPP" },
    { errno: "ENOENT" },
    { errno: "ENOENT" },
    { errno: 0, out: { VmPin_pages: 0, VmLck_pages: 0 } },
    { errno: 0, out: { bytes: "00" } },
  ],
};

describe("health", () => {
  test("tells calls from probes, and success from failure", () => {
    const health = new Health();
    health.add(HISTORY);
    expect([health.calls, health.probes, health.succeeded]).toEqual([4, 2, 1]);
  });

  test("calls a call lost when its handle stands for nothing, not when its id is bogus", () => {
    const health = new Health();
    health.add(HISTORY);
    expect(health.lost).toBe(1);
  });

  test("counts outcomes per call in the order of the call table", () => {
    const health = new Health();
    health.add(HISTORY);
    expect(health.callResults().slice(0, 3)).toEqual([
      { call: "OPEN", count: 1, outcomes: { OK: 1 } },
      { call: "DESTROY", count: 2, outcomes: { ENOENT: 2 } },
      { call: "IOAS_ALLOC", count: 1, outcomes: { EOPNOTSUPP: 1 } },
    ]);
  });
});
