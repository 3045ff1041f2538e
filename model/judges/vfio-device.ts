/**
 * VFIO device cdevs: open, bind, attach, detach, close.
 *
 * A bind makes the device an object of the iommufd and gives its whole group to that context
 * (DEV-06); the bound device keeps the context alive (OBJ-08). ATTACH of an attached device is a
 * replace (VFD-11). There is no unbind but closing the file (VFD-08).
 */

import { FD_NOT_AN_IOMMUFD } from "../../spec/calls";
import { clauseIndex } from "../../spec/clauses/registry";
import { VFIO_ATTACH_ARGSZ, VFIO_BIND_ARGSZ, VFIO_DETACH_ARGSZ } from "../../spec/uapi/flags";
import {
  afterFailedAttach,
  attachAnswer,
  attachEffect,
  attachFacts,
  mayLoseRegions,
} from "../attach/answer";
import { attachRules } from "../attach/rules";
import { type AttachView, attachView } from "../attach/target";
import { mayRefuseRightless } from "../domains";
import { fact, judge, never, type Rule, rule } from "../judge";
import { bindDevice, detachDevice, endIfUnused, isAttached, unbindDevice } from "../lifetime";
import { own } from "../processes";
import { unreserve } from "../state/ioas";
import type { MachineState } from "../state/machine";
import type { BoundDevice, Cdev, Context, PhysicalDevice } from "../state/objects";
import { countSeen, expectLater } from "../state/seen";
import { lowestFreeId, newIdFacts } from "./common";

interface OpenView {
  readonly machine: MachineState;
  readonly device: PhysicalDevice | undefined;
  readonly proc: number;
}

export const DEVICE_OPEN = judge<"DEVICE_OPEN", OpenView>("DEVICE_OPEN", {
  promise: "VFD-02",
  view: (machine, call) => ({
    machine,
    device: machine.devices[call.in.dev],
    proc: call.proc,
  }),
  rules: [rule("VFD-02", "ENOENT", (v) => v.device === undefined, { applies: never, hard: true })],
  facts: [
    fact("VFD-02", {
      holds: (v, out) =>
        out.devfd !== undefined && out.devfd >= 0 && !v.machine.cdevs.has(out.devfd),
      right: () => "the number of a file that is not open",
      uncounted: true,
    }),
  ],
  answer: (v) => ({ devfd: v.machine.nextCdev }),
  effect: (v, out) => {
    const { machine, device } = v;
    machine.nextCdev++;
    if (device === undefined || out.devfd === undefined) return;
    const cdev = { device, bound: undefined };
    machine.cdevs.set(out.devfd, cdev);
    own(machine, v.proc, cdev);
  },
});

/** What every call on a device file looks up. */
interface OnCdev {
  readonly machine: MachineState;
  readonly cdev: Cdev | undefined;
  readonly bound: BoundDevice | undefined;
}

const fileIsOpen = <V extends OnCdev>(): Rule<V> =>
  rule("VFD-02", "EBADF", (v) => v.cdev === undefined, {
    applies: never,
    hard: true,
    outranks: true,
  });

const isBound = <V extends OnCdev>(): Rule<V> =>
  rule("VFD-18", "EINVAL", (v) => v.cdev !== undefined && v.bound === undefined, { hard: true });

interface CloseView extends OnCdev {
  readonly devfd: number;
}

export const DEVICE_CLOSE = judge<"DEVICE_CLOSE", CloseView>("DEVICE_CLOSE", {
  promise: "VFD-08",
  view: (machine, call) => {
    const cdev = machine.cdevs.get(call.in.devfd);
    return { machine, cdev, bound: cdev?.bound, devfd: call.in.devfd };
  },
  rules: [fileIsOpen()],
  facts: [fact("OBJ-08", { when: (v) => v.bound?.context.open === false })],
  effect: (v) => {
    const { machine, cdev, bound } = v;
    machine.cdevs.delete(v.devfd);
    if (cdev === undefined) return;
    machine.owners.delete(cdev);
    if (bound === undefined) return;
    const { context } = bound;
    if (isAttached(bound) && bound.group.hwpt !== undefined) {
      expectLater(bound.group.hwpt.ioas.seen.ranges, "VFD-08");
    }
    unbindDevice(machine, bound);
    cdev.device.bound = undefined;
    context.holders--;
    endIfUnused(machine, context);
  },
});

interface BindView extends OnCdev {
  readonly device: PhysicalDevice | undefined;
  readonly argsz: number;
  readonly flags: number;
  readonly iommufd: number;
  /** The context that the device would join. */
  readonly context: Context | undefined;
}

const notOpen = (v: BindView): boolean =>
  v.cdev !== undefined && v.iommufd >= 0 && v.iommufd !== FD_NOT_AN_IOMMUFD && !v.context;

const groupHasOtherOwner = (v: BindView): boolean => {
  const owner = v.device?.group.owner;
  return owner !== undefined && v.context !== undefined && owner !== v.context;
};

/** A device of the same group is bound already: the group has its owner. */
const groupIsOwned = (v: BindView): boolean => v.device?.group.owner !== undefined;

export const VFIO_BIND = judge<"VFIO_BIND", BindView>("VFIO_BIND", {
  promise: "VFD-08",
  promises: (v) => (groupIsOwned(v) ? "DEV-06" : v.device?.group.lastOwner ? "DEV-42" : undefined),
  view: (machine, call) => {
    const { devfd, argsz, flags, iommufd } = call.in;
    const cdev = machine.cdevs.get(devfd);
    const context = machine.fds.get(iommufd);
    const bound = cdev?.bound;
    return { machine, cdev, bound, device: cdev?.device, argsz, flags, iommufd, context };
  },
  rules: [
    fileIsOpen(),
    rule(
      "VFD-01",
      "EINVAL",
      (v) => v.cdev !== undefined && (v.argsz < VFIO_BIND_ARGSZ || v.flags !== 0 || v.iommufd < 0),
      { hard: true },
    ),
    rule("VFD-04", "EINVAL", (v) => v.bound !== undefined, { hard: true }),
    rule("VFD-05", "EBADF", notOpen, { hard: true }),
    rule("VFD-05", "EBADFD", (v) => v.cdev !== undefined && v.iommufd === FD_NOT_AN_IOMMUFD, {
      applies: never,
      hard: true,
    }),
    rule("VFD-06", "EINVAL", (v) => v.bound === undefined && v.device?.bound !== undefined, {
      hard: true,
    }),
    rule("DEV-01", "EINVAL", (v) => v.device?.spec.coherent === false),
    rule("DEV-02", "ENODEV", (v) => v.device?.spec.group === null),
    rule("DEV-03", "EPERM", (v) => v.device?.spec.msiIsolated === false),
    rule("DEV-04", "EPERM", groupHasOtherOwner, { applies: groupIsOwned, hard: true }),
    rule("DEV-05", "EPERM", (v) => v.device?.spec.kernelDriverInGroup === true),
  ],
  facts: [
    ...newIdFacts<BindView, { readonly out_devid?: number }>((out) => out.out_devid),
    fact("DEV-06", { when: groupIsOwned }),
    fact("DEV-42", {
      when: (v) =>
        v.device?.group.lastOwner !== undefined && v.device.group.lastOwner !== v.context,
    }),
  ],
  answer: (v) => ({ out_devid: v.context === undefined ? 0 : lowestFreeId(v.context) }),
  effect: (v, out) => {
    const { machine, cdev, device, context } = v;
    if (cdev === undefined || device === undefined || context === undefined) return;
    const bound: BoundDevice = {
      type: "device",
      id: out.out_devid ?? 0,
      context,
      group: device.group,
      iommu: device.spec.iommu,
      reserved: device.reserved,
      tracksDirty: machine.iommus[device.spec.iommu]?.tracksDirty === true,
      pageSizes: machine.iommus[device.spec.iommu]?.ioPageSize ?? machine.page,
      infoAsked: false,
    };
    bindDevice(bound);
    cdev.bound = bound;
    device.bound = bound;
    context.holders++;
  },
  // Another file of the IUT may have that number, if its devices and iommufds share numbers.
  leeway: (v, errno) =>
    errno === "EBADFD" && notOpen(v) && v.machine.cdevs.has(v.iommufd) ? "VFD-05" : undefined,
});

interface AttachArguments {
  readonly cdev: Cdev | undefined;
  readonly argsz: number;
  readonly flags: number;
}

type AttachPtView = AttachView<AttachArguments>;

const badAttach = (v: AttachPtView): boolean =>
  v.device !== undefined && (v.own.argsz < VFIO_ATTACH_ARGSZ || v.own.flags !== 0);

export const VFIO_ATTACH = judge<"VFIO_ATTACH", AttachPtView>("VFIO_ATTACH", {
  promise: "VFD-13",
  promises: (v) => {
    if (v.replacing) return v.group?.hwpt === v.chosen ? "DEV-31" : "VFD-11";
    return v.group?.hwpt === undefined ? undefined : "DEV-16";
  },
  view: (machine, call, _claimed, profile) => {
    const { devfd, argsz, flags, pt_id } = call.in;
    const cdev = machine.cdevs.get(devfd);
    const bound = cdev?.bound;
    const from = {
      machine,
      context: bound?.context,
      proc: call.proc,
      ptId: pt_id,
      device: bound,
      group: bound?.group,
      iommu: bound?.iommu ?? 0,
      reserved: bound?.reserved ?? [],
      tracksDirty: bound?.tracksDirty === true,
      strict: profile === "linux-6.12",
    };
    return attachView(from, { cdev, argsz, flags });
  },
  rules: [
    rule("VFD-02", "EBADF", (v) => v.own.cdev === undefined, {
      applies: never,
      hard: true,
      outranks: true,
    }),
    rule("VFD-18", "EINVAL", (v) => v.own.cdev !== undefined && v.device === undefined, {
      hard: true,
    }),
    rule("VFD-10", "EINVAL", badAttach, { hard: true }),
    ...attachRules,
  ],
  facts: [
    fact("VFD-11", { when: (v) => v.replacing }),
    ...attachFacts<AttachPtView, { readonly pt_id?: number }>((out) => out.pt_id),
    fact("VFD-13"),
    fact("VFD-16", { when: (v) => v.context?.open === false }),
  ],
  answer: (v) => ({ pt_id: attachAnswer(v) }),
  effect: (v, out) => {
    if (v.device !== undefined) attachEffect(v, v.device, out.pt_id ?? 0);
  },
  failure: (v, broken, coverage) => {
    if (v.device !== undefined && !badAttach(v)) afterFailedAttach(v, broken, coverage);
  },
  leeway: (v, errno) =>
    errno === "EINVAL" && mayRefuseRightless(v.machine, v.ioas) ? "VCC-10" : undefined,
  otherwise: (v, errno) =>
    v.strict && !badAttach(v) && mayLoseRegions(v, errno) ? [loseRegions] : [],
});

const loseRegions = (v: AttachPtView): void => {
  for (const device of v.group?.attached ?? []) if (v.ioas) unreserve(v.ioas, device);
};

interface DetachView extends OnCdev {
  readonly argsz: number;
  readonly flags: number;
}

export const VFIO_DETACH = judge<"VFIO_DETACH", DetachView>("VFIO_DETACH", {
  promise: "DEV-40",
  promises: (v) => (v.bound && !isAttached(v.bound) ? "VFD-14" : undefined),
  view: (machine, call) => {
    const { devfd, argsz, flags } = call.in;
    const cdev = machine.cdevs.get(devfd);
    return { machine, cdev, bound: cdev?.bound, argsz, flags };
  },
  rules: [
    fileIsOpen(),
    isBound(),
    rule(
      "VFD-14",
      "EINVAL",
      (v) => v.bound !== undefined && (v.argsz < VFIO_DETACH_ARGSZ || v.flags !== 0),
    ),
  ],
  facts: [],
  shown: (v, _out, coverage) => {
    if (v.bound?.context.open === false) countSeen(coverage, VFD_16);
  },
  effect: (v) => {
    if (v.bound !== undefined) detachDevice(v.machine, v.bound);
  },
});

const VFD_16 = clauseIndex("VFD-16");
