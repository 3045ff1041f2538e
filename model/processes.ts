/**
 * Which process has which file, and who is there at all.
 *
 * Numbers of files mean the same in all processes of a trace, but a process has only those that
 * it opened, or that its parent had when it was made. A file that several have is closed when the
 * last of them closes it or exits (GEN-22). Judges of calls know nothing of all that: they get
 * the call as its process sees it.
 */
import type { Call, CallName } from "../spec/calls";
import { FD_NOT_OPEN } from "../spec/calls";
import { type Judge, judge, never, rule } from "./judge";
import type { MachineState } from "./state/machine";

/** The argument of a call that is the number of a file, beside its fd. */
const FILE_FIELDS = [
  ["devfd", "cdevs"],
  ["access_fd", "accesses"],
  ["fault_fd", "faultFiles"],
] as const;

export const isThere = (machine: MachineState, proc: number): boolean =>
  machine.processes[proc] !== undefined;

/** An iommufd goes by its number. */
type File = object | number;

/** A file of which nobody has said who has it is everyone's. */
const has = (machine: MachineState, proc: number, file: File | undefined): boolean =>
  file === undefined || (machine.owners.get(file)?.has(proc) ?? true);

/** The call with the files that its process has not as numbers of none. */
export const seenBy = (machine: MachineState, call: Call): Call => {
  if (machine.processes.length < 2) return call;
  const { proc, fd } = call;
  let seen = call;
  if (!has(machine, proc, fd)) seen = { ...seen, fd: -1 } as Call;
  const given = call.in as Readonly<Record<string, unknown>>;
  for (const [field, table] of FILE_FIELDS) {
    const number = given[field];
    if (typeof number !== "number" || has(machine, proc, machine[table].get(number))) continue;
    seen = { ...seen, in: { ...seen.in, [field]: -1 } } as Call;
  }
  if (seen.call === "VFIO_BIND" && !has(machine, proc, seen.in.iommufd)) {
    seen = { ...seen, in: { ...seen.in, iommufd: FD_NOT_OPEN } };
  }
  return seen;
};

/** A new file is its opener's alone. */
export const own = (machine: MachineState, proc: number, file: File): void => {
  machine.owners.set(file, new Set([proc]));
};

/** The file that a call closes. */
const closed = (machine: MachineState, call: Call): File | undefined => {
  switch (call.call) {
    case "CLOSE":
      return machine.fds.has(call.fd) ? call.fd : undefined;
    case "DEVICE_CLOSE":
      return machine.cdevs.get(call.in.devfd);
    case "CLOSE_ACCESS":
      return machine.accesses.get(call.in.access_fd);
    case "CLOSE_FAULT":
      return machine.faultFiles.get(call.in.fault_fd);
    default:
      return undefined;
  }
};

interface View {
  readonly machine: MachineState;
  readonly proc: number;
  readonly file: File | undefined;
}

const viewOf = (machine: MachineState, call: Call): View => ({
  machine,
  proc: call.proc,
  file: closed(machine, call),
});

/** A call in the name of a process that is not there. */
const FROM_NOBODY = judge<CallName, View>("EXIT", {
  promise: "GEN-23",
  view: (machine, call) => viewOf(machine, call as Call),
  rules: [rule("GEN-23", "ESRCH", () => true, { applies: never, hard: true })],
  facts: [],
});

/** A process closes a file that another one has too: nothing else happens. */
const LETS_GO = judge<CallName, View>("CLOSE", {
  promise: "GEN-22",
  view: (machine, call) => viewOf(machine, call as Call),
  rules: [],
  facts: [],
  effect: ({ machine, proc, file }) => {
    if (file !== undefined) machine.owners.get(file)?.delete(proc);
  },
});

/** Who judges the call in this state, other than the judge of such calls. */
export const judgeInstead = (machine: MachineState, call: Call): Judge | undefined => {
  if (!isThere(machine, call.proc)) return FROM_NOBODY;
  if (machine.processes.length < 2) return undefined;
  const file = closed(machine, call);
  const shared = file !== undefined && (machine.owners.get(file)?.size ?? 1) > 1;
  return shared ? LETS_GO : undefined;
};
