/**
 * Fault queues: IOMMU_FAULT_QUEUE_ALLOC makes one and opens its file, TRIGGER_IOPF of the mock
 * driver has a device report a fault, poll tells whether one waits, close gives the file up.
 */
import {
  FAULT_LAST_PAGE,
  FAULT_PASID_VALID,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
} from "../../spec/uapi/flags";
import { fact, judge, never, type Rule, rule } from "../judge";
import { endIfUnused } from "../lifetime";
import { own } from "../processes";
import type { MachineState } from "../state/machine";
import type { BoundDevice, FaultQueue } from "../state/objects";
import { aboutId, fdIsOpen, isFreeFile, lowestFreeId, newIdFacts, type OnIommufd } from "./common";

interface AllocView extends OnIommufd {
  readonly proc: number;
  readonly flags: number;
}

interface AllocOut {
  readonly out_fault_id?: number;
  readonly out_fault_fd?: number;
}

export const FAULT_QUEUE_ALLOC = judge<"FAULT_QUEUE_ALLOC", AllocView>("FAULT_QUEUE_ALLOC", {
  promise: "FLT-02",
  view: (machine, call) => ({
    machine,
    context: machine.fds.get(call.fd),
    proc: call.proc,
    flags: call.in.flags,
  }),
  rules: [
    fdIsOpen(),
    rule("FLT-01", "EOPNOTSUPP", (v) => v.flags !== 0, { also: () => ["GEN-18"] }),
  ],
  facts: [
    ...newIdFacts<AllocView, AllocOut>((out) => out.out_fault_id),
    fact<AllocView, AllocOut>("FLT-02", {
      holds: (v, out) => isFreeFile(v.machine, out.out_fault_fd),
      right: () => "the number of a file that is not open",
    }),
  ],
  answer: (v) => ({
    out_fault_id: v.context === undefined ? 0 : lowestFreeId(v.context),
    out_fault_fd: v.machine.nextFile,
  }),
  effect: (v, out) => {
    const { machine, context } = v;
    machine.nextFile++;
    if (context === undefined) return;
    const queue: FaultQueue = {
      type: "fault",
      id: out.out_fault_id ?? 0,
      context,
      fileIsOpen: true,
      hwpts: 0,
      waiting: [],
      gone: [],
      unanswered: new Map(),
      zeroIsFree: false,
      goneCookies: new Set(),
    };
    context.holders++;
    context.objects.set(queue.id, queue);
    context.goneHwpts.delete(queue.id);
    if (out.out_fault_fd === undefined) return;
    machine.faultFiles.set(out.out_fault_fd, queue);
    own(machine, v.proc, queue);
  },
});

/** What every call on the file of a queue looks up. */
export interface OnFaultFile {
  readonly machine: MachineState;
  readonly queue: FaultQueue | undefined;
}

/** As with any file, the host refuses a number that is not open. */
export const faultFileIsOpen = <V extends OnFaultFile>(): Rule<V> =>
  rule("FLT-02", "EBADF", (v) => v.queue === undefined, {
    applies: never,
    hard: true,
    outranks: true,
  });

interface CloseView extends OnFaultFile {
  readonly file: number;
}

export const CLOSE_FAULT = judge<"CLOSE_FAULT", CloseView>("CLOSE_FAULT", {
  promise: "FLT-02",
  view: (machine, call) => ({
    machine,
    queue: machine.faultFiles.get(call.in.fault_fd),
    file: call.in.fault_fd,
  }),
  rules: [faultFileIsOpen()],
  facts: [fact("OBJ-08", { when: (v) => v.queue?.context.open === false, uncounted: true })],
  effect: (v) => {
    const { machine, queue } = v;
    machine.faultFiles.delete(v.file);
    if (queue === undefined) return;
    machine.owners.delete(queue);
    queue.fileIsOpen = false;
    queue.context.holders--;
    endIfUnused(machine, queue.context);
  },
});

interface PollView extends OnFaultFile {
  readonly events: number;
}

/** FLT-05. The two ways to ask for something to read mean the same here. */
const readyOf = (v: PollView): number => {
  const readable = (v.queue?.waiting.length ?? 0) > 0 ? POLLIN | POLLRDNORM : 0;
  return v.events & (readable | POLLOUT);
};

export const FAULT_POLL = judge<"FAULT_POLL", PollView>("FAULT_POLL", {
  promise: "FLT-05",
  view: (machine, call) => ({
    machine,
    queue: machine.faultFiles.get(call.in.fault_fd),
    events: call.in.events,
  }),
  rules: [faultFileIsOpen()],
  facts: [
    fact("FLT-05", {
      holds: (v, out) => out.revents === readyOf(v),
      right: (v) => `revents ${readyOf(v)}`,
    }),
  ],
  answer: (v) => ({ revents: readyOf(v) }),
});

interface TriggerView extends OnIommufd {
  readonly devId: number;
  readonly device: BoundDevice | undefined;
  readonly pasid: number;
  readonly grpid: number;
  readonly perm: number;
  readonly addr: bigint;
}

export const TRIGGER_IOPF = judge<"TRIGGER_IOPF", TriggerView>("TRIGGER_IOPF", {
  promise: "FLT-06",
  view: (machine, call) => {
    const { dev_id, pasid, grpid, perm, addr } = call.in;
    const context = machine.fds.get(call.fd);
    const object = context?.objects.get(dev_id);
    const device = object?.type === "device" ? object : undefined;
    return { machine, context, devId: dev_id, device, pasid, grpid, perm, addr };
  },
  rules: [
    fdIsOpen(),
    rule("GEN-19", "ENOENT", (v) => v.context !== undefined && v.device === undefined, {
      applies: never,
      also: (v) => aboutId(v.context, v.devId),
      hard: true,
    }),
  ],
  facts: [],
  // Where nobody asked for them, faults are lost.
  effect: (v) => {
    const { device, pasid, grpid, perm, addr } = v;
    const hwpt = device?.group.hwpt;
    if (device === undefined || hwpt?.type !== "nested") return;
    const flags = FAULT_LAST_PAGE | (pasid === 0 ? 0 : FAULT_PASID_VALID);
    const rest = { pasid, grpid, perm, reserved: 0, addr, length: 0 };
    hwpt.queue?.waiting.push({ device, record: { flags, dev_id: device.id, ...rest } });
  },
});
