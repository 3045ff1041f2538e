/**
 * OPEN and CLOSE of /dev/iommu.
 *
 * Each open is a context of its own (GEN-22). Closing it ends the context with everything in it
 * (OBJ-07), unless a bound VFIO device or an in-kernel user still holds it (OBJ-08): then that
 * happens when the last of their files is closed.
 */
import { fact, judge } from "../judge";
import { endIfUnused, newContext } from "../lifetime";
import { own } from "../processes";
import { fdIsOpen, type OnIommufd } from "./common";

interface OpenView extends OnIommufd {
  readonly proc: number;
  readonly machine: OnIommufd["machine"];
}

export const OPEN = judge<"OPEN", OpenView>("OPEN", {
  promise: "GEN-22",
  view: (machine, call) => ({ machine, context: undefined, proc: call.proc }),
  rules: [],
  facts: [
    // Two open files cannot have one number; numbers of closed ones come back.
    fact("GEN-22", {
      holds: (v, out) => out.fd !== undefined && out.fd >= 0 && !v.machine.fds.has(out.fd),
      right: () => "the number of a file that is not open",
      uncounted: true,
    }),
  ],
  answer: (v) => ({ fd: v.machine.nextFd }),
  effect: (v, out) => {
    const { machine } = v;
    machine.nextFd++;
    if (out.fd === undefined) return;
    const context = newContext();
    machine.fds.set(out.fd, context);
    own(machine, v.proc, context);
  },
});

interface CloseView extends OnIommufd {
  readonly fd: number;
}

export const CLOSE = judge<"CLOSE", CloseView>("CLOSE", {
  promise: "OBJ-07",
  view: (machine, call) => ({ machine, context: machine.fds.get(call.fd), fd: call.fd }),
  rules: [fdIsOpen()],
  facts: [],
  effect: (v) => {
    const { machine, context } = v;
    if (context === undefined) return;
    machine.fds.delete(v.fd);
    machine.owners.delete(context);
    context.open = false;
    endIfUnused(machine, context);
  },
});
