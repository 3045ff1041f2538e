import { expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Trace } from "../../spec/trace";
import { conclude } from "./conclude";
import { type Done, STATUS } from "./protocol";

const TRACE: Trace = {
  platform: MOCK_PLATFORM,
  steps: [
    { call: "SETUID", in: { uid: 1 } },
    { call: "SETUID", in: { uid: 2 } },
  ],
};
const ANSWER = { error: 0, bytes: Buffer.alloc(0) };
const DONE: Done = { id: 1, status: STATUS.ok, detail: 0, faults: 0, answers: [ANSWER, ANSWER] };
const HUNG = { ...DONE, status: STATUS.hung, answers: [ANSWER] };

/** As the kernel logs it, during the second call. */
const saying = (line: string) => ({ call: 1, log: `[    1.5] first\n[    1.6] ${line}\n` });
const WARNING = "WARNING: CPU: 0 PID: 65 at drivers/x.c:7 f+0x1/0x2";
const OOPS = "Oops: general protection fault";

test("a trace that ends well has all its outcomes, and the machine goes on", () => {
  const { run, isSpent } = conclude(TRACE, DONE);
  expect([run.outcomes.length, run.ending, run.faults, isSpent]).toEqual([
    2,
    undefined,
    undefined,
    false,
  ]);
});

test("failures of allocations are told of traces that asked for them", () => {
  const steps = TRACE.steps.map((step) => ({ ...step, failNth: 1 }));
  expect(conclude({ ...TRACE, steps }, { ...DONE, faults: 2 }).run.faults).toBe(2);
});

test.each([
  [
    "a warning",
    { ...DONE, complaint: saying(WARNING) },
    "complaint",
    /^WARNING: at drivers/,
    false,
  ],
  ["an oops", { ...DONE, complaint: saying(OOPS) }, "complaint", /^Oops/, true],
  [
    "a warning with what belongs to it",
    { ...DONE, complaint: saying(`${WARNING}\nINFO: lockdep is turned off.\nDEBUG: off`) },
    "complaint",
    /^WARNING/,
    false,
  ],
  [
    "a warning, then worse",
    { ...DONE, complaint: saying(`${WARNING}\n[ 1.7] BUG: KASAN: slab-use-after-free in g`) },
    "complaint",
    /^BUG: KASAN/,
    true,
  ],
  [
    "worse, then a warning",
    { ...DONE, complaint: saying(`list_del corruption, x is NULL\n${WARNING}`) },
    "complaint",
    /^list_del/,
    true,
  ],
  ["no words", { ...DONE, complaint: { call: 1, log: "" } }, "complaint", /complained/, true],
  ["a hang", HUNG, "crash", /does not come back/, true],
  [
    "a warning, then a hang",
    { ...HUNG, complaint: saying(WARNING) },
    "crash",
    /does not come/,
    true,
  ],
  ["an oops, then a hang", { ...HUNG, complaint: saying(OOPS) }, "complaint", /^Oops/, true],
] as const)("%s ends it before the call that did it", (_, done, kind, reason, isSpent) => {
  const conclusion = conclude(TRACE, done);
  expect(conclusion.isSpent).toBe(isSpent);
  expect(conclusion.run.outcomes).toHaveLength(1);
  expect(conclusion.run.ending).toMatchObject({ kind, reason: expect.stringMatching(reason) });
});

test.each([
  [STATUS.workerDied, 9, /wait status 9/],
  [STATUS.cannot, 3, /cannot make call 3/],
  [STATUS.cannot, 0xffff_ffff, /cannot make the memory/],
] as const)(
  "what the agent could not do says nothing of the kernel: %i, %i",
  (status, detail, reason) => {
    const { run, isSpent } = conclude(TRACE, { ...DONE, status, detail, answers: [] });
    const ending = { kind: "inconclusive", reason: expect.stringMatching(reason) };
    expect([run, isSpent]).toEqual([{ outcomes: [], ending }, false]);
  },
);
