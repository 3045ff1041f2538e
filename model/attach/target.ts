/**
 * Attach and replace, for both front ends (DEV-10 to DEV-34).
 *
 * pt_id names an HWPT or an IOAS. With an IOAS the device goes to an automatic HWPT of that IOAS
 * that can serve it; if there is none, a new one is made, whose domain joins the IOAS. All
 * questions are about that target (rules.ts).
 */
import type { Interval } from "../state/intervals";
import type { MachineState } from "../state/machine";
import type {
  AnyHwpt,
  BoundDevice,
  Context,
  Group,
  Hwpt,
  Ioas,
  IommufdObject,
} from "../state/objects";
import type { Joining } from "./join";

/** `own` is what only the call itself looks at. */
export interface AttachView<Own = unknown> extends Joining {
  readonly own: Own;
  readonly ptId: number;
  readonly pt: IommufdObject | undefined;
  /** Undefined for the mock device that the call is about to make. */
  readonly device: BoundDevice | undefined;
  readonly group: Group | undefined;
  /** Its IOMMU can track dirty pages. */
  readonly tracksDirty: boolean;
  /** The device is attached, so that this is a replace. */
  readonly replacing: boolean;
  /** The HWPT it would use; undefined: a new one, or pt_id is nothing to attach to. */
  readonly chosen: AnyHwpt | undefined;
  /** Regions that would have to be reserved in `ioas`. */
  readonly regions: readonly Interval[];
  readonly strict: boolean;
}

export interface Attaching {
  readonly machine: MachineState;
  readonly context: Context | undefined;
  readonly proc: number;
  readonly ptId: number;
  readonly device: BoundDevice | undefined;
  readonly group: Group | undefined;
  readonly iommu: number;
  readonly reserved: readonly Interval[];
  readonly tracksDirty: boolean;
  readonly strict: boolean;
}

export const attachView = <Own>(from: Attaching, own: Own): AttachView<Own> => {
  const { machine, context, proc, ptId, device, group, iommu } = from;
  const pt = context?.objects.get(ptId);
  const replacing = device?.group.attached.includes(device) === true;
  const named = pt?.type === "hwpt" || pt?.type === "nested" ? pt : undefined;
  const ioas = pt?.type === "ioas" ? pt : named?.ioas;
  const chosen = named ?? (ioas && automatic(ioas, group, iommu));
  return {
    own,
    machine,
    context,
    proc,
    ptId,
    pt,
    device,
    group,
    iommu,
    tracksDirty: from.tracksDirty,
    replacing,
    ioas,
    chosen,
    regions: ioas === undefined ? NO_REGIONS : regionsFor(from, ioas, chosen, replacing),
    strict: from.strict,
    pins: undefined,
  };
};

/**
 * DEV-12: the group's own HWPT, if it is an automatic one of the IOAS; else the first such that
 * fits the device. One made by hand is never picked (DEV-13).
 */
const automatic = (ioas: Ioas, group: Group | undefined, iommu: number): Hwpt | undefined => {
  const own = group?.hwpt;
  if (own?.ioas === ioas && own.type === "hwpt" && own.auto) return own;
  return ioas.hwpts.find((hwpt) => hwpt.auto && hwpt.iommu === iommu);
};

const regionsFor = (
  from: Attaching,
  ioas: Ioas,
  chosen: AnyHwpt | undefined,
  replacing: boolean,
): readonly Interval[] => {
  const { group } = from;
  if (!replacing || group === undefined) return from.reserved;
  if (group.hwpt === chosen || group.hwpt?.ioas === ioas) return NO_REGIONS;
  return group.attached.flatMap((device) => device.reserved);
};

export const NO_REGIONS: readonly Interval[] = [];

/** True if an IOAS is the target and it needs a new HWPT. */
export const isNew = (v: AttachView): v is AttachView & { readonly ioas: Ioas } =>
  v.ioas !== undefined && v.chosen === undefined;

export const stays = (v: AttachView): boolean => v.replacing && v.group?.hwpt === v.chosen;

/** DEV-15: the group is attached, and not to this target. */
export const groupIsElsewhere = (v: AttachView): boolean =>
  v.ioas !== undefined && !v.replacing && v.group?.hwpt !== undefined && v.group.hwpt !== v.chosen;
