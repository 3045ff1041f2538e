/** Devices, their HWPTs, and the end of objects and contexts in the ledger. */
import type { Call, CallOf } from "../../../spec/calls";
import {
  type Context,
  type Device,
  type Group,
  groupReserved,
  type Hwpt,
  type Ioas,
  type Made,
} from "./ioas";
import { doubt, removeAll } from "./mappings";
import type { DeviceFile, LedgerState } from "./state";

type Out = Readonly<Record<string, unknown>>;

export const noteDeviceCall = (ledger: LedgerState, call: Call, out: Out): void => {
  switch (call.call) {
    case "DEVICE_OPEN":
      open(ledger, call, out["devfd"] as number);
      // Opening a device may reset it.
      ledger.buffers.delete(call.in.dev);
      return;
    case "VFIO_BIND":
      bind(ledger, call.in.devfd, call.in.iommufd, out["out_devid"] as number);
      return;
    case "VFIO_ATTACH": {
      const device = ledger.files.get(call.in.devfd)?.device;
      attach(ledger, device, call.in.pt_id, out["pt_id"] as number);
      return;
    }
    case "VFIO_DETACH": {
      const device = ledger.files.get(call.in.devfd)?.device;
      if (device === undefined) ledger.lost = true;
      else detach(ledger, device);
      return;
    }
    case "MOCK_DOMAIN":
    case "MOCK_DOMAIN_FLAGS":
      makeMockDevice(ledger, call.fd, call.in.pt_id, out);
      return;
    case "MOCK_DOMAIN_REPLACE": {
      const stdev = ledger.object(call.fd, call.in.stdev_id);
      const device = stdev?.kind === "stdev" ? stdev.device : undefined;
      attach(ledger, device, call.in.pt_id, out["pt_id"] as number);
      return;
    }
    default:
      // A call the ledger has never heard of.
      ledger.lost = true;
  }
};

const open = (ledger: LedgerState, call: CallOf<"DEVICE_OPEN">, devfd: number): void => {
  const file = { index: call.in.dev, device: undefined };
  ledger.files.set(devfd, file);
  ledger.owners.open(file, call.proc);
};

/** Devices without a group get one of their own: a bind of theirs is refused in 6.12 only. */
export const groupKey = (ledger: LedgerState, index: number): number =>
  ledger.platform.devices[index]?.group ?? -1 - index;

const groupOf = (ledger: LedgerState, index: number): Group => {
  const key = groupKey(ledger, index);
  let group = ledger.groups.get(key);
  if (group === undefined) {
    const { devices } = ledger.platform;
    const reserved = key < 0 ? (devices[index]?.reserved ?? []) : groupReserved(devices, key);
    group = { devices: new Set(), reserved };
    ledger.groups.set(key, group);
  }
  return group;
};

const bind = (ledger: LedgerState, devfd: number, iommufd: number, id: number): void => {
  const file = ledger.files.get(devfd);
  const ctx = ledger.contexts.get(iommufd);
  const platformDevice = file && ledger.platform.devices[file.index];
  if (!file || !ctx || !platformDevice || file.device) {
    ledger.lost = true;
    return;
  }
  const { index } = file;
  const device: Device = {
    kind: "device",
    ctx,
    id,
    index,
    group: groupOf(ledger, index),
    iommu: ledger.platform.iommus[platformDevice.iommu],
    reserved: platformDevice.reserved,
    hwpt: undefined,
  };
  file.device = device;
  device.group.devices.add(device);
  ctx.bound.add(device);
  ctx.objects.set(id, device);
  ledger.buffers.delete(index);
};

const makeMockDevice = (ledger: LedgerState, fd: number, pt: number, out: Out): void => {
  const ctx = ledger.contexts.get(fd);
  if (ctx === undefined) {
    ledger.lost = true;
    return;
  }
  const id = out["out_idev_id"] as number;
  const device: Device = {
    kind: "device",
    ctx,
    id,
    index: -1,
    group: { devices: new Set(), reserved: [] },
    iommu: ledger.platform.iommus[0],
    reserved: [],
    hwpt: undefined,
  };
  device.group.devices.add(device);
  ctx.objects.set(id, device);
  ctx.objects.set(out["out_stdev_id"] as number, { kind: "stdev", device });
  attach(ledger, device, pt, out["out_hwpt_id"] as number);
};

/** The IOAS that a pt_id stands for, if it can be attached to. */
export const ioasOfPt = (ctx: Context, pt: number): Ioas | undefined => {
  const object = ctx.objects.get(pt);
  if (object?.kind === "ioas") return object;
  return object?.kind === "hwpt" ? object.ioas : undefined;
};

/** Attach, or replace for a device that is attached: then its whole group moves (DEV-32). */
const attach = (ledger: LedgerState, device: Device | undefined, pt: number, id: number): void => {
  const ioas = device && ioasOfPt(device.ctx, pt);
  if (device === undefined || ioas === undefined) {
    ledger.lost = true;
    return;
  }
  const { objects } = device.ctx;
  const present = objects.get(id);
  let to = present?.kind === "hwpt" && present.ioas === ioas ? present : undefined;
  if (to !== undefined && to === device.hwpt) return;
  const movers = device.hwpt ? attachedOf(device.group) : [device];
  to ??= { kind: "hwpt", id, ioas, devices: new Set(), made: undefined };
  // New holders come before old ones go, so pins are handed over (PIN-05).
  const from = movers.map((mover) => leave(mover));
  for (const mover of movers) enter(ledger, mover, to);
  for (const hwpt of from) if (hwpt) settle(ledger, hwpt);
  objects.set(id, to);
  ledger.handovers++;
};

const attachedOf = (group: Group): Device[] => [...group.devices].filter(({ hwpt }) => hwpt);

const enter = (ledger: LedgerState, device: Device, hwpt: Hwpt): void => {
  const { ioas } = hwpt;
  device.hwpt = hwpt;
  hwpt.devices.add(device);
  ioas.moved("narrowed");
  ioas.devices.add(device);
  ioas.everAttached = true;
  ioas.attaches++;
  // A nested one translates to what its parent translates.
  if (hwpt.made?.parent === undefined) join(ledger, hwpt);
};

/** A domain gets what its IOAS maps. */
export const join = (ledger: LedgerState, hwpt: Hwpt): void => {
  const { ioas } = hwpt;
  if (ioas.hwpts.has(hwpt)) return;
  ioas.hwpts.add(hwpt);
  for (const area of ioas.areas) ledger.pins.hold(area);
  for (const stray of ioas.strays) ledger.pins.hold(stray);
};

const leave = (device: Device): Hwpt | undefined => {
  const { hwpt } = device;
  if (hwpt === undefined) return undefined;
  device.hwpt = undefined;
  hwpt.devices.delete(device);
  hwpt.ioas.moved("widened");
  hwpt.ioas.devices.delete(device);
  hwpt.ioas.detaches++;
  return hwpt;
};

/** An automatic HWPT goes with its last device (DEV-20), a domain's pins with the last HWPT. */
const settle = (ledger: LedgerState, hwpt: Hwpt): void => {
  if (hwpt.devices.size === 0 && hwpt.made === undefined) endDomain(ledger, hwpt);
};

export const endDomain = (ledger: LedgerState, hwpt: Hwpt): void => {
  const { ioas } = hwpt;
  if (!ioas.hwpts.delete(hwpt)) return;
  if (ioas.ctx.objects.get(hwpt.id) === hwpt) ioas.ctx.objects.delete(hwpt.id);
  if (ioas.hwpts.size > 0) return;
  for (const area of ioas.areas) ledger.pins.release(area);
  for (const stray of ioas.strays) ledger.pins.release(stray);
};

const detach = (ledger: LedgerState, device: Device): void => {
  const hwpt = leave(device);
  if (hwpt) settle(ledger, hwpt);
  ledger.handovers++;
};

const unbind = (ledger: LedgerState, device: Device): void => {
  detach(ledger, device);
  device.group.devices.delete(device);
  device.ctx.objects.delete(device.id);
  device.ctx.bound.delete(device);
};

export const closeDevice = (ledger: LedgerState, devfd: number, file: DeviceFile): void => {
  ledger.files.delete(devfd);
  if (file.device === undefined) return;
  const { ctx } = file.device;
  ledger.buffers.delete(file.index);
  unbind(ledger, file.device);
  endIfUnused(ledger, ctx);
};

/** What keeps a closed context are bound devices and open files of its objects (OBJ-08). */
const isUsed = ({ bound, openQueues, accesses }: Context): boolean =>
  bound.size + openQueues.size + accesses.size > 0;

export const endIfUnused = (ledger: LedgerState, ctx: Context): void => {
  if (ctx.closed && !isUsed(ctx)) end(ledger, ctx);
};

const end = (ledger: LedgerState, ctx: Context): void => {
  const { live } = ledger.pins;
  const any = live.size > 0;
  for (const object of ctx.objects.values()) if (object.kind === "ioas") removeAll(ledger, object);
  ctx.objects.clear();
  if (any && live.size === 0) ledger.emptiedByClose = true;
};

export const close = (ledger: LedgerState, ctx: Context): void => {
  ctx.closed = true;
  if (!isUsed(ctx)) {
    end(ledger, ctx);
    return;
  }
  // They keep the context alive in 6.12 (OBJ-08); elsewhere that is open.
  for (const object of ctx.objects.values()) {
    if (object.kind === "ioas") for (const area of object.areas) doubt(ledger, object, area);
  }
};

export const destroy = (ledger: LedgerState, fd: number, id: number): void => {
  const ctx = ledger.contexts.get(fd);
  const object = ctx?.objects.get(id);
  if (ctx === undefined || object === undefined) {
    ledger.lost = true;
    return;
  }
  ctx.objects.delete(id);
  if (object.kind === "ioas") {
    removeAll(ledger, object);
    // In Linux they would have kept it (ACC-03).
    for (const access of object.accesses) access.ioas = undefined;
    // Whether a registration goes with its IOAS is open (DES-07).
    if (ctx.compat === id) ctx.compat = undefined;
  } else if (object.kind === "stdev") {
    unbind(ledger, object.device);
  } else if (object.kind === "hwpt" && object.made !== undefined) {
    endMade(ledger, object, object.made);
  } else if (object.kind !== "queue") {
    // A device taken from its driver (DES-03): nobody says what that leaves behind.
    ledger.lost = true;
  }
  ledger.handovers++;
};

const endMade = (ledger: LedgerState, hwpt: Hwpt, { parent, queue }: Made): void => {
  if (queue) queue.hwpts--;
  if (parent?.made) {
    parent.made.children--;
    return;
  }
  endDomain(ledger, hwpt);
  hwpt.ioas.moved("widened");
  hwpt.ioas.detaches++;
};

/**
 * A replace that fails within one IOAS: 6.12 may drop reserved regions still in use (DEV-35).
 * @returns true when that may have happened
 */
export const noteFailedReplace = (device: Device | undefined, pt: number): boolean => {
  const ioas = device?.hwpt?.ioas;
  if (device === undefined || ioas === undefined || ioasOfPt(device.ctx, pt) !== ioas) return false;
  ioas.fog = true;
  return true;
};
