/**
 * How things come, go and hold one another: domains join and leave an IOAS, devices attach to
 * and leave an HWPT, contexts end. Feasibility was judged before; nothing here can fail.
 */
import { revoke } from "./access";
import { dropFaults, leaveDomain, removeNested } from "./domains";
import { hasDomain, release, vaOf } from "./pinning";
import { forget } from "./state/dirty";
import { newIoas, reserve, unreserve } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type { AnyHwpt, Area, BoundDevice, Context, Ioas } from "./state/objects";
import { expectLater } from "./state/seen";

export const newContext = (): Context => ({
  objects: new Map(),
  byProcess: false,
  compat: undefined,
  open: true,
  holders: 0,
  goneHwpts: new Set(),
  compatGone: false,
});

export const addIoas = (context: Context, id: number): void => {
  context.objects.set(id, newIoas(id));
  context.goneHwpts.delete(id);
};

/**
 * Takes an area's pins and dirty bits; it is in the list no more. In-kernel users let go first
 * (UNM-27).
 */
export const dropArea = (machine: MachineState, ioas: Ioas, area: Area): void => {
  area.seen.removed = true;
  for (const hwpt of ioas.hwpts) forget(hwpt, area);
  for (const access of ioas.accesses) revoke(machine, access, area);
  if (ioas.hwpts.length > 0) release(machine, area);
};

/** Destroys an IOAS that has no domain (OBJ-06). */
export const removeIoas = (context: Context, ioas: Ioas): void => {
  for (const area of ioas.areas) area.seen.removed = true;
  ioas.areas.length = 0;
  context.objects.delete(ioas.id);
  if (context.compat !== ioas) return;
  context.compat = undefined;
  context.compatGone = true;
};

/** Adds a device to those on an HWPT, with its reserved regions (RSV-01, DEV-16). */
export const attachDevice = (device: BoundDevice, hwpt: AnyHwpt): void => {
  const { group } = device;
  const { ioas } = hwpt;
  if (group.attached.length > 0 && device.reserved.length > 0) {
    expectLater(ioas.seen.ranges, "RSV-05");
  }
  group.hwpt = hwpt;
  group.attached.push(device);
  arrive(hwpt, [device]);
  reserveFor(device, ioas);
  ioas.seen.hadDevice = true;
  ioas.seen.fresh = false;
  expectLater(ioas.seen.ranges, "RNG-14");
};

const arrive = (hwpt: AnyHwpt, devices: readonly BoundDevice[]): void => {
  hwpt.devices += devices.length;
  if (hwpt.type === "hwpt") hwpt.hadDevice = true;
  else if (devices.some(({ reserved }) => reserved.length > 0)) {
    expectLater(hwpt.ioas.seen.ranges, "RSV-06");
  }
};

/** The group has left an HWPT. What was made by hand stays (DEV-21). */
const depart = (machine: MachineState, device: BoundDevice, hwpt: AnyHwpt): void => {
  if (hwpt.type === "nested") {
    if (hwpt.queue !== undefined) dropFaults(hwpt.queue, device.group);
  } else if (hwpt.auto && hwpt.devices === 0) leaveDomain(machine, device.context, hwpt);
};

const reserveFor = (device: BoundDevice, ioas: Ioas): void =>
  reserve(
    ioas,
    device.reserved.map(({ first, last }) => ({ first, last, owner: device })),
  );

/** DEV-40, DEV-41. */
export const detachDevice = (machine: MachineState, device: BoundDevice): void => {
  const { group } = device;
  const { hwpt } = group;
  const place = group.attached.indexOf(device);
  if (hwpt === undefined || place < 0) return;
  group.attached.splice(place, 1);
  unreserve(hwpt.ioas, device);
  expectAfterDetach(hwpt.ioas, device);
  hwpt.devices--;
  const [area] = hwpt.ioas.areas;
  if (group.attached.length > 0) {
    if (area !== undefined) expectLater(hwpt.ioas.seen.translate, "DEV-41", area.first);
    return;
  }
  group.hwpt = undefined;
  depart(machine, device, hwpt);
};

const expectAfterDetach = (ioas: Ioas, device: BoundDevice): void => {
  expectLater(ioas.seen.ranges, "DEV-40");
  expectLater(ioas.seen.ranges, "RNG-14");
  if (device.reserved.length > 0) expectLater(ioas.seen.ranges, "RSV-04");
};

/** DEV-32: all attached devices of the group move; the new place first, then the old one goes. */
export const moveGroup = (machine: MachineState, device: BoundDevice, hwpt: AnyHwpt): void => {
  const { group } = device;
  const old = group.hwpt;
  if (old === undefined || old === hwpt) return;
  if (old.ioas !== hwpt.ioas) {
    for (const each of group.attached) reserveFor(each, hwpt.ioas);
    for (const each of group.attached) unreserve(old.ioas, each);
    expectLater(old.ioas.seen.ranges, "DEV-18");
    expectLater(old.ioas.seen.ranges, "RNG-14");
    expectLater(hwpt.ioas.seen.ranges, "RNG-14");
  }
  if (group.attached.length > 1) expectLater(hwpt.ioas.seen.ranges, "DEV-32");
  hwpt.ioas.seen.hadDevice = true;
  hwpt.ioas.seen.fresh = false;
  group.hwpt = hwpt;
  arrive(hwpt, group.attached);
  old.devices -= group.attached.length;
  depart(machine, device, old);
};

/** A device of the group is bound to a context, which now owns the group (DEV-06). */
export const bindDevice = (device: BoundDevice): void => {
  const { group, context } = device;
  group.owner = context;
  group.bound.push(device);
  context.objects.set(device.id, device);
  context.goneHwpts.delete(device.id);
};

/** DEV-42: detached first; the last one of its group gives up ownership. */
export const unbindDevice = (machine: MachineState, device: BoundDevice): void => {
  const { group, context } = device;
  detachDevice(machine, device);
  context.objects.delete(device.id);
  group.bound.splice(group.bound.indexOf(device), 1);
  if (group.bound.length > 0) return;
  group.lastOwner = group.owner;
  group.owner = undefined;
};

/** Ends a context that user space has closed and that no other file holds (OBJ-08). */
export const endIfUnused = (machine: MachineState, context: Context): void => {
  if (context.open || context.holders > 0) return;
  destroyContext(machine, context);
  expectLater(machine.seenStatus, "ACT-10");
};

/** OBJ-07: everything goes, leaves first. */
const destroyContext = (machine: MachineState, context: Context): void => {
  const objects = [...context.objects.values()];
  const pinned = objects.flatMap((object) =>
    object.type === "ioas" && hasDomain(object) ? object.areas.slice(0, 1) : [],
  );
  for (const object of objects) if (object.type === "stdev") unbindDevice(machine, object.device);
  for (const object of context.objects.values()) {
    if (object.type === "nested") removeNested(context, object);
  }
  for (const object of context.objects.values()) {
    if (object.type === "hwpt") leaveDomain(machine, context, object);
  }
  for (const object of context.objects.values()) {
    if (object.type === "ioas") removeIoas(context, object);
  }
  context.objects.clear();
  for (const area of pinned) expectLater(machine.seenRefs, "OBJ-07", vaOf(area));
};

export const isAttached = (device: BoundDevice): boolean => device.group.attached.includes(device);
