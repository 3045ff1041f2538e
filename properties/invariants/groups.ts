/** Section E: who owns a group of devices, and what its devices reach. */
import type { CallOf } from "../../spec/calls";
import { VFIO_DETACH_ARGSZ } from "../../spec/uapi/flags";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import { groupKey } from "./ledger/devices";
import { coverOf, permFor, reachOf } from "./ledger/dma";
import type { Device, Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { firstDifference } from "./ledger/memory";
import {
  contains,
  hex,
  type RangeSet,
  sameSet,
  showRange,
  showSet,
  touches,
} from "./ledger/ranges";
import { whenAnswered } from "./reporting";

/** True when nothing about the device or its group speaks against a bind. */
const isFit = (ledger: Ledger, index: number): boolean => {
  const { devices } = ledger.platform;
  const device = devices[index];
  if (device === undefined || device.group === null) return false;
  const fellows = devices.filter(({ group }) => group === device.group);
  return (
    device.coherent &&
    device.msiIsolated &&
    fellows.every(({ kernelDriverInGroup }) => !kernelDriverInGroup)
  );
};

const bound = (call: CallOf<"VFIO_BIND">, errno: unknown, ledger: Ledger): Finding => {
  const ctx = ledger.contexts.get(call.in.iommufd);
  const file = ledger.files.get(call.in.devfd);
  if (ctx === undefined || file === undefined) return undefined;
  const devices = ledger.groups.get(groupKey(ledger, file.index))?.devices;
  const owners = new Set([...(devices ?? [])].map((device) => device.ctx));
  const [owner] = owners;
  if (errno === 0) {
    if (owner === undefined || owner.closed) return undefined;
    if (owner === ctx) return HELD;
    return { expected: "EPERM: another context owns the group", actual: "success" };
  }
  if (owner !== undefined) return owner === ctx ? undefined : HELD;
  if (file.device || !isFit(ledger, file.index)) return undefined;
  if (ledger.maybeOwned.has(groupKey(ledger, file.index))) return undefined;
  return { expected: "success: nobody owns the group", actual: "EPERM" };
};

const I_60: Invariant = {
  id: "I-60",
  statement: "A group is owned by one context at a time, and by none after its last unbind.",
  needs: ["vfio"],
  clauses: ["DEV-04", "DEV-42"],
  on: {
    VFIO_BIND: (call, { errno }, ledger) =>
      errno === 0 || errno === "EPERM" ? bound(call, errno, ledger) : undefined,
  },
};

const I_61: Invariant = {
  id: "I-61",
  statement: "All attached devices of a group are on one HWPT.",
  needs: ["multi-device-group"],
  clauses: ["DEV-15"],
  on: {
    VFIO_ATTACH: (call, { errno, out }, ledger) => {
      const device = errno === 0 ? ledger.files.get(call.in.devfd)?.device : undefined;
      // A device that is attached takes its group along (DEV-32).
      if (device === undefined || device.hwpt || device.ctx.closed) return undefined;
      for (const { hwpt } of device.group.devices) {
        if (hwpt === undefined) continue;
        if (hwpt.id === out?.pt_id) return HELD;
        return { expected: `HWPT ${hwpt.id}, which its group is on`, actual: `HWPT ${out?.pt_id}` };
      }
      return undefined;
    },
  },
};

/** Devices bound in the context of an IOAS that are not to count there, each for its reason. */
const reservesNothing = (
  ioas: Ioas,
  set: RangeSet,
  isStranger: (device: Device) => boolean,
  why: string,
): Finding => {
  const reserving: Device[] = [];
  for (const device of ioas.ctx.bound) {
    if (device.reserved.length > 0 && isStranger(device)) reserving.push(device);
  }
  if (reserving.length === 0) return undefined;
  if (sameSet(set, ioas.usable)) return HELD;
  for (const { reserved, index } of reserving) {
    const kept = reserved.find(([s, l]) => contains(ioas.promised, s, l) && !touches(set, s, l));
    if (kept === undefined) continue;
    return {
      expected: `${showRange(kept[0], kept[1])} usable: device ${index} is ${why}`,
      actual: showSet(set),
    };
  }
  return undefined;
};

const I_62: Invariant = {
  id: "I-62",
  statement: "A device is in one IOAS at most: one that went elsewhere leaves nothing behind.",
  needs: ["vfio"],
  clauses: ["DEV-18", "RSV-04"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered((ioas, set) => {
      if (ioas.detaches === 0 || ioas.allowed?.length !== 0) return undefined;
      const isElsewhere = ({ hwpt }: Device) => hwpt !== undefined && hwpt.ioas !== ioas;
      return reservesNothing(ioas, set, isElsewhere, "attached elsewhere");
    }),
  },
};

const I_64: Invariant = {
  id: "I-64",
  statement: "As long as a device is attached, none of its reserved IOVAs is usable.",
  needs: ["vfio"],
  clauses: ["RSV-01"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered((ioas, set) => {
      let compared = false;
      for (const { reserved, index } of ioas.devices) {
        const usable = reserved.find((range) => touches(set, range[0], range[1]));
        if (usable) {
          const where = showRange(usable[0], usable[1]);
          return { expected: `${where} reserved by device ${index}`, actual: showSet(set) };
        }
        if (reserved.length > 0) compared = true;
      }
      return compared ? HELD : undefined;
    }),
  },
};

const isIdle = ({ hwpt }: Device): boolean => hwpt === undefined;

const I_65: Invariant = {
  id: "I-65",
  statement: "A device that is bound but not attached changes no ranges.",
  needs: ["vfio"],
  clauses: ["RSV-01", "DEV-07"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered((ioas, set) => {
      if (ioas.ctx.bound.size === 0 || ioas.allowed?.length !== 0) return undefined;
      return reservesNothing(ioas, set, isIdle, "not attached");
    }),
  },
};

const I_66: Invariant = {
  id: "I-66",
  statement: "Detach undoes attach: it cannot fail, and the ranges are what they were before.",
  needs: ["device"],
  clauses: ["DEV-40", "RNG-14"],
  on: {
    VFIO_DETACH: (call, { errno }, ledger) => {
      const { devfd, argsz, flags } = call.in;
      const device = ledger.files.get(devfd)?.device;
      if (!device?.hwpt || device.ctx.closed || errno === "ENOMEM") return undefined;
      if (argsz < VFIO_DETACH_ARGSZ || flags !== 0) return undefined;
      return errno === 0 ? HELD : { expected: "success: the device is attached", actual: errno };
    },
    IOAS_IOVA_RANGES: whenAnswered((ioas, set) => {
      const before = ioas.allowed?.length === 0 ? ioas.answers?.get(ioas.attached) : undefined;
      if (before === undefined || before.detaches === ioas.detaches) return undefined;
      if (sameSet(set, before.set)) return HELD;
      return { expected: `${showSet(before.set)}, as before the attach`, actual: showSet(set) };
    }),
  },
};

/** A DMA that went through reached mapped memory only. */
const dmaIsolated = (call: CallOf<"DMA">, fault: number | undefined, ledger: Ledger): Finding => {
  const { iova, length, dir } = call.in;
  const device = ledger.files.get(call.in.devfd)?.device;
  if (device === undefined || fault === undefined || length === 0) return undefined;
  const reach = reachOf(device);
  if (reach && coverOf(reach, iova, iova + BigInt(length) - 1n, permFor(dir)).maybe) {
    return fault === 0 ? HELD : undefined;
  }
  if (fault === 1) return HELD;
  const why = reach ? `not all of ${hex(iova)}+${hex(length)} is mapped so` : "it is not attached";
  return { expected: `a fault: ${why}`, actual: "fault 0" };
};

/** Memory changes by what the process stores, and by DMA through a mapping of it. */
const unchanged = (call: CallOf<"MEM_READ">, digits: string, { memory }: Ledger): Finding => {
  const difference = firstDifference(memory, call.in.va, digits);
  if (difference === undefined) return undefined;
  if (difference === "none") return HELD;
  const { at, known, read } = difference;
  return { expected: `byte ${hex(known)} at ${hex(at)}, as stored`, actual: hex(read) };
};

const I_67: Invariant = {
  id: "I-67",
  statement:
    "Group isolation: devices read and write only what the IOAS of their group maps, a group " +
    "that is not attached reaches nothing, and no other byte of memory ever changes.",
  needs: ["dma"],
  clauses: ["DEV-07", "DOM-01"],
  on: {
    DMA: (call, { errno, out }, ledger) =>
      errno === 0 ? dmaIsolated(call, out?.fault, ledger) : undefined,
    MEM_READ: (call, { errno, out }, ledger) =>
      errno === 0 && out?.bytes ? unchanged(call, out.bytes, ledger) : undefined,
  },
};

export const GROUPS: readonly Invariant[] = [I_60, I_61, I_62, I_64, I_65, I_66, I_67];
