/**
 * HWPTs come and go. A paging HWPT is a domain of its IOAS from its first to its last moment,
 * whether it was made by an attach or by hand (DOM-05). Feasibility was judged before.
 */
import { hold, isStale, release, vaOf } from "./pinning";
import { newLog } from "./state/dirty";
import { realign, reserve, unreserve } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type {
  BoundDevice,
  Context,
  FaultQueue,
  Group,
  Hwpt,
  Ioas,
  NestedHwpt,
} from "./state/objects";
import { expectLater } from "./state/seen";

export type HwptPlan = Pick<Hwpt, "id" | "iommu" | "pageSizes" | "auto" | "nestParent"> & {
  readonly tracksDirty: boolean;
};

export const automaticHwpt = (id: number, { iommu, pageSizes }: BoundDevice): HwptPlan => ({
  id,
  iommu,
  pageSizes,
  auto: true,
  nestParent: false,
  tracksDirty: false,
});

/** VCC-10: a device's IOMMU may have no entry for what may be neither read nor written. */
export const mayRefuseRightless = ({ platform }: MachineState, ioas: Ioas | undefined): boolean =>
  platform.frontEnd === "vfio" &&
  ioas !== undefined &&
  [...ioas.areas].some(({ readable, writeable }) => !readable && !writeable);

/** A new paging HWPT: its domain joins the IOAS (DOM-02, DOM-04). */
export const joinDomain = (
  machine: MachineState,
  context: Context,
  ioas: Ioas,
  { id, iommu, pageSizes, auto, nestParent, tracksDirty }: HwptPlan,
): Hwpt => {
  const spec = machine.iommus[iommu];
  const hwpt: Hwpt = {
    type: "hwpt",
    id,
    ioas,
    iommu,
    ioPageSize: spec?.ioPageSize ?? machine.page,
    pageSizes,
    auto,
    nestParent,
    dirty: tracksDirty ? newLog() : undefined,
    devices: 0,
    children: 0,
    hadDevice: false,
    born: machine.calls,
    filledStale: false,
  };
  if (ioas.hwpts.length === 0) {
    for (const area of ioas.areas) {
      if (area.pages.pins.size > 0 && isStale(machine, area)) hwpt.filledStale = true;
      hold(machine, area);
    }
  } else hwpt.filledStale = ioas.areas.some((area) => isStale(machine, area));
  ioas.hwpts.push(hwpt);
  context.objects.set(id, hwpt);
  context.goneHwpts.delete(id);
  if (spec !== undefined) {
    reserve(
      ioas,
      spec.outside.map(({ first, last }) => ({ first, last, owner: hwpt })),
    );
  }
  realign(ioas, machine.page);
  ioas.seen.fresh = false;
  expectLater(ioas.seen.ranges, "ALN-06");
  if (!auto) expectLater(ioas.seen.ranges, "DOM-05");
  return hwpt;
};

/** A paging HWPT without users goes: an automatic one with its last device (DEV-20). */
export const leaveDomain = (machine: MachineState, context: Context, hwpt: Hwpt): void => {
  const { ioas } = hwpt;
  const before = ioas.alignment;
  ioas.hwpts.splice(ioas.hwpts.indexOf(hwpt), 1);
  context.objects.delete(hwpt.id);
  if (hwpt.auto) context.goneHwpts.add(hwpt.id);
  unreserve(ioas, hwpt);
  realign(ioas, machine.page);
  if (ioas.alignment < before) expectLater(ioas.seen.ranges, "ALN-05");
  expectLater(ioas.seen.ranges, "DOM-03");
  if (ioas.reservations.some((r) => r.owner === undefined)) {
    expectLater(ioas.seen.ranges, "RSV-07");
  }
  const [area] = ioas.areas;
  if (ioas.hwpts.length > 0) {
    if (area === undefined) return;
    expectLater(ioas.seen.translate, "DOM-06", area.first);
    expectLater(machine.seenRefs, "DOM-06", vaOf(area));
    expectLater(machine.seenRefs, "PIN-05", vaOf(area));
    return;
  }
  for (const each of ioas.areas) release(machine, each);
  if (area !== undefined) expectLater(machine.seenRefs, "DOM-07", vaOf(area));
};

/** A nested HWPT uses its parent and its fault queue. */
export const addNested = (
  context: Context,
  parent: Hwpt,
  id: number,
  iotlb: readonly number[],
  queue: FaultQueue | undefined,
): void => {
  const { ioas, iommu } = parent;
  const nested: NestedHwpt = {
    type: "nested",
    id,
    parent,
    ioas,
    iommu,
    iotlb: [...iotlb],
    queue,
    devices: 0,
  };
  parent.children++;
  if (queue !== undefined) queue.hwpts++;
  context.objects.set(id, nested);
  context.goneHwpts.delete(id);
};

export const removeNested = (context: Context, nested: NestedHwpt): void => {
  nested.parent.children--;
  if (nested.queue !== undefined) nested.queue.hwpts--;
  context.objects.delete(nested.id);
};

/** FLT-07: the faults of devices that leave an HWPT are answered for user space. */
export const dropFaults = (queue: FaultQueue, group: Group): void => {
  queue.gone.push(...queue.waiting.filter(({ device }) => device.group === group));
  queue.waiting = queue.waiting.filter(({ device }) => device.group !== group);
  for (const [cookie, { device }] of queue.unanswered) {
    if (device.group !== group) continue;
    queue.unanswered.delete(cookie);
    queue.goneCookies.add(cookie);
  }
};
