/** FORK and EXIT: a process begins with what its parent has, and ends with all it has itself. */
import type { Call } from "../../spec/calls";
import { type Judge, judge, never, rule } from "../judge";
import { hasDomain, vaOf } from "../pinning";
import { judgeInstead } from "../processes";
import type { MachineState } from "../state/machine";
import { copyOf } from "../state/memory";
import { expectLater } from "../state/seen";
import { CLOSE_ACCESS } from "./access";
import { CLOSE_FAULT } from "./fault-queue";
import { CLOSE } from "./open-close";
import { DEVICE_CLOSE } from "./vfio-device";

interface ForkView {
  readonly machine: MachineState;
  readonly proc: number;
  readonly child: number;
}

/** There is or was a process of that index. */
const isUsed = ({ machine, child }: ForkView): boolean =>
  machine.processes[child] !== undefined || machine.ended.has(child);

export const FORK = judge<"FORK", ForkView>("FORK", {
  promise: "GEN-22",
  view: (machine, call) => ({ machine, proc: call.proc, child: call.in.child }),
  rules: [rule("GEN-22", "EINVAL", isUsed, { applies: never, hard: true })],
  facts: [],
  effect: ({ machine, proc, child }) => {
    const parent = machine.processes[proc];
    if (parent === undefined) return;
    machine.processes[child] = copyOf(parent, () => machine.nextFrame++);
    for (const owners of machine.owners.values()) if (owners.has(proc)) owners.add(child);
  },
});

interface ExitView {
  readonly machine: MachineState;
  readonly proc: number;
}

/** Closes every file that the process has, as if it did so itself. */
const closeAll = (machine: MachineState, proc: number): void => {
  const thread = 0;
  const close = (ordinary: Judge, call: Call, file: object | number): void => {
    if (machine.owners.get(file)?.has(proc) === false) return;
    const by = judgeInstead(machine, call) ?? ordinary;
    by.effect?.(by.view(machine, call, undefined, "linux-6.12"), {});
  };
  for (const [access_fd, file] of [...machine.accesses]) {
    close(CLOSE_ACCESS, { call: "CLOSE_ACCESS", proc, thread, fd: -1, in: { access_fd } }, file);
  }
  for (const [fault_fd, file] of [...machine.faultFiles]) {
    close(CLOSE_FAULT, { call: "CLOSE_FAULT", proc, thread, fd: -1, in: { fault_fd } }, file);
  }
  for (const [devfd, file] of [...machine.cdevs]) {
    close(DEVICE_CLOSE, { call: "DEVICE_CLOSE", proc, thread, fd: -1, in: { devfd } }, file);
  }
  for (const fd of [...machine.fds.keys()]) {
    close(CLOSE, { call: "CLOSE", proc, thread, fd, in: {} }, fd);
  }
};

/** What it mapped and had pinned stays good (MAP-33). */
const expectPinsToStay = (machine: MachineState, proc: number): void => {
  for (const { objects } of machine.fds.values()) {
    for (const object of objects.values()) {
      if (object.type !== "ioas" || !hasDomain(object)) continue;
      const area = object.areas.find(({ pages }) => pages.proc === proc);
      if (area === undefined) continue;
      expectLater(object.seen.translate, "MAP-33", area.first);
      expectLater(machine.seenRefs, "MAP-33", vaOf(area));
    }
  }
};

export const EXIT = judge<"EXIT", ExitView>("EXIT", {
  promise: "GEN-22",
  view: (machine, call) => ({ machine, proc: call.proc }),
  rules: [],
  facts: [],
  effect: ({ machine, proc }) => {
    closeAll(machine, proc);
    expectPinsToStay(machine, proc);
    machine.processes[proc] = undefined;
    machine.ended.add(proc);
  },
});
