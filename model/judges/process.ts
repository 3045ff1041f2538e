/**
 * What a process may do: SETRLIMIT_MEMLOCK and SETUID. Neither is a call of iommufd, but they
 * decide who is charged for pins (ACT-01) and how many there may be (ACT-03).
 */
import { judge, never, rule } from "../judge";
import type { MachineState } from "../state/machine";
import { type ProcessState, pagesIn } from "../state/memory";
import { expectLater } from "../state/seen";

interface LimitView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly cur: bigint;
  readonly max: bigint;
}

/** -1 stands for no user at all. */
const NOBODY = 0xffff_ffff;

const host = { applies: never, hard: true } as const;

export const SETRLIMIT_MEMLOCK = judge<"SETRLIMIT_MEMLOCK", LimitView>("SETRLIMIT_MEMLOCK", {
  promise: "ACT-03",
  view: (machine, call) => {
    const { cur, max } = call.in;
    return { machine, process: machine.processes[call.proc], cur, max };
  },
  rules: [
    rule("ACT-03", "EINVAL", (v) => v.cur > v.max, host),
    rule(
      "ACT-03",
      "EPERM",
      ({ process, max }) =>
        process !== undefined && !process.mayRaiseLimits && max > process.memlockMax,
      host,
    ),
  ],
  facts: [],
  effect: ({ machine, process, cur, max }) => {
    if (process === undefined) return;
    process.memlock = pagesIn(cur, machine.pageSize);
    process.memlockMax = max;
  },
});

interface UserView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly uid: number;
}

const ROOT = 0;

export const SETUID = judge<"SETUID", UserView>("SETUID", {
  promise: "ACT-01",
  view: (machine, call) => {
    return { machine, process: machine.processes[call.proc], uid: call.in.uid };
  },
  rules: [
    rule("ACT-01", "EINVAL", ({ uid }) => uid === NOBODY, host),
    rule(
      "ACT-01",
      "EPERM",
      ({ process, uid }) => process !== undefined && process.uid !== ROOT && process.uid !== uid,
      host,
    ),
  ],
  facts: [],
  effect: ({ machine, process, uid }) => {
    if (process === undefined) return;
    process.uid = uid;
    if (uid === ROOT) return;
    process.lockFree = false;
    process.mayRaiseLimits = false;
    // What is mapped already is accounted for as before.
    if (process.pinned > 0) expectLater(machine.seenStatus, "ACT-01");
  },
});
