/**
 * OPEN and CLOSE of /dev/iommu, and DUP.
 *
 * Each open is a context of its own, and a duplicated file the same one (GEN-22). Closing it, by
 * its last number, ends the context with everything in it (OBJ-07), unless a bound VFIO device or
 * an in-kernel user still holds it (OBJ-08): then that happens when the last of their files is
 * closed.
 */
import { fact, judge } from "../judge";
import { endIfUnused, newContext } from "../lifetime";
import { own } from "../processes";
import type { Context } from "../state/objects";
import { fdIsOpen, type OnIommufd } from "./common";

interface OpenView extends OnIommufd {
  readonly proc: number;
}

interface NewFile {
  readonly fd?: number;
}

/** Two open files cannot have one number; numbers of closed ones come back. */
const isFresh = fact<OpenView, NewFile>("GEN-22", {
  holds: ({ machine }, { fd }) => fd !== undefined && fd >= 0 && !machine.fds.has(fd),
  right: () => "the number of a file that is not open",
  uncounted: true,
});

const add = ({ machine, proc }: OpenView, { fd }: NewFile, context: Context): void => {
  machine.nextFd++;
  if (fd === undefined) return;
  machine.fds.set(fd, context);
  own(machine, proc, fd);
};

export const OPEN = judge<"OPEN", OpenView>("OPEN", {
  promise: "GEN-22",
  view: (machine, call) => ({ machine, context: undefined, proc: call.proc }),
  rules: [],
  facts: [isFresh],
  answer: (v) => ({ fd: v.machine.nextFd }),
  effect: (v, out) => add(v, out, newContext()),
});

export const DUP = judge<"DUP", OpenView>("DUP", {
  promise: "GEN-22",
  view: (machine, call) => ({ machine, context: machine.fds.get(call.fd), proc: call.proc }),
  rules: [fdIsOpen()],
  facts: [isFresh],
  answer: (v) => ({ fd: v.machine.nextFd }),
  effect: (v, out) => {
    if (v.context !== undefined) add(v, out, v.context);
  },
});

interface CloseView extends OnIommufd {
  readonly fd: number;
}

const hasOtherNumber = ({ machine, context, fd }: CloseView): boolean => {
  for (const [number, other] of machine.fds) if (other === context && number !== fd) return true;
  return false;
};

export const CLOSE = judge<"CLOSE", CloseView>("CLOSE", {
  promise: "OBJ-07",
  promises: (v) => (hasOtherNumber(v) ? "GEN-22" : undefined),
  view: (machine, call) => ({ machine, context: machine.fds.get(call.fd), fd: call.fd }),
  rules: [fdIsOpen()],
  facts: [],
  effect: (v) => {
    const { machine, context } = v;
    if (context === undefined) return;
    const isLast = !hasOtherNumber(v);
    machine.fds.delete(v.fd);
    machine.owners.delete(v.fd);
    if (!isLast) return;
    context.open = false;
    endIfUnused(machine, context);
  },
});
