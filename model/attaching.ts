/**
 * Attach and replace, for both front ends (DEV-10 to DEV-34).
 *
 * pt_id names an HWPT or an IOAS. With an IOAS the device goes to an automatic HWPT of that IOAS
 * that can serve it; if there is none, a new one is made, whose domain joins the IOAS. All
 * questions are about that target. An attach looks at group, reserved regions and driver before
 * a new domain joins; a replace has the domain join first, because 6.12 makes the new HWPT
 * completely before it moves the group.
 */
import type { ClauseId } from "../spec/clauses/registry";
import { clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import { type Broken, type Fact, fact, type Rule, rule } from "./judge";
import { aboutId, countIfGoneHwpt, lowestFreeId, type OnIommufd } from "./judges/common";
import { attachDevice, joinDomain, moveGroup } from "./lifetime";
import { isReadOnlyMemory, pinProblem } from "./pinning";
import { type Interval, intersectsAny } from "./state/intervals";
import { conforms, hasAreaIn } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type { BoundDevice, Context, Group, Hwpt, Ioas, IommufdObject } from "./state/objects";
import { countSeen, expectLater } from "./state/seen";

/** `own` is what only the call itself looks at. */
export interface AttachView<Own = unknown> extends OnIommufd {
  readonly own: Own;
  readonly ptId: number;
  readonly pt: IommufdObject | undefined;
  /** Undefined for the mock device that the call is about to make. */
  readonly device: BoundDevice | undefined;
  readonly group: Group | undefined;
  readonly iommu: number;
  /** The device is attached, so that this is a replace. */
  readonly replacing: boolean;
  /** Where the device would go; undefined if pt_id is nothing to attach to. */
  readonly ioas: Ioas | undefined;
  /** The HWPT it would use; undefined: a new one. */
  readonly chosen: Hwpt | undefined;
  /** Regions that would have to be reserved in `ioas`. */
  readonly regions: readonly Interval[];
  readonly strict: boolean;
  pins: Errno | "fine" | undefined;
}

export interface Attaching {
  readonly machine: MachineState;
  readonly context: Context | undefined;
  readonly ptId: number;
  readonly device: BoundDevice | undefined;
  readonly group: Group | undefined;
  readonly iommu: number;
  readonly reserved: readonly Interval[];
  readonly strict: boolean;
}

export const attachView = <Own>(from: Attaching, own: Own): AttachView<Own> => {
  const { machine, context, ptId, device, group, iommu } = from;
  const pt = context?.objects.get(ptId);
  const replacing = device?.group.attached.includes(device) === true;
  const ioas = pt?.type === "ioas" ? pt : pt?.type === "hwpt" ? pt.ioas : undefined;
  const chosen = pt?.type === "hwpt" ? pt : ioas && automatic(ioas, group, iommu);
  return {
    own,
    machine,
    context,
    ptId,
    pt,
    device,
    group,
    iommu,
    replacing,
    ioas,
    chosen,
    regions: ioas === undefined ? NO_REGIONS : regionsFor(from, ioas, chosen, replacing),
    strict: from.strict,
    pins: undefined,
  };
};

/** DEV-12: the group's own HWPT, if it is one of the IOAS; else the first that fits the device. */
const automatic = (ioas: Ioas, group: Group | undefined, iommu: number): Hwpt | undefined => {
  if (group?.hwpt?.ioas === ioas) return group.hwpt;
  return ioas.hwpts.find((hwpt) => hwpt.iommu === iommu);
};

const regionsFor = (
  from: Attaching,
  ioas: Ioas,
  chosen: Hwpt | undefined,
  replacing: boolean,
): readonly Interval[] => {
  const { group } = from;
  if (!replacing || group === undefined) return from.reserved;
  if (group.hwpt === chosen || group.hwpt?.ioas === ioas) return NO_REGIONS;
  return group.attached.flatMap((device) => device.reserved);
};

const NO_REGIONS: readonly Interval[] = [];

/** True if an IOAS is the target and it needs a new HWPT. */
const isNew = (v: AttachView): v is AttachView & { readonly ioas: Ioas } =>
  v.ioas !== undefined && v.chosen === undefined;

const stays = (v: AttachView): boolean => v.replacing && v.group?.hwpt === v.chosen;

const joining = (v: AttachView): boolean => isNew(v) && !groupIsElsewhere(v);

const groupIsElsewhere = (v: AttachView): boolean =>
  v.ioas !== undefined && !v.replacing && v.group?.hwpt !== undefined && v.group.hwpt !== v.chosen;

const ioPageSize = (v: AttachView): bigint => v.machine.iommus[v.iommu]?.ioPageSize ?? 1n;
const apertureEnds = (v: AttachView): readonly Interval[] =>
  v.machine.iommus[v.iommu]?.outside ?? NO_REGIONS;

const inTheWay = (v: AttachView, ranges: readonly Interval[]): boolean => {
  const { ioas } = v;
  if (ioas === undefined) return false;
  for (const { first, last } of ranges) {
    if (hasAreaIn(ioas, first, last) || allowedIn(v, first, last)) return true;
  }
  return false;
};

const allowedIn = (v: AttachView, first: bigint, last: bigint): boolean =>
  v.ioas !== undefined && intersectsAny(v.ioas.allowed, first, last);

/** RSV-08 if a mapping is in the way, ALW-12 if an allowed IOVA is. */
const whatIsInTheWay = (v: AttachView, ranges: readonly Interval[]): ClauseId[] => {
  const { ioas } = v;
  if (ioas === undefined) return [];
  const clauses: ClauseId[] = [];
  if (ranges.some((r) => hasAreaIn(ioas, r.first, r.last))) clauses.push("RSV-08");
  if (ranges.some((r) => allowedIn(v, r.first, r.last))) clauses.push("ALW-12");
  return clauses;
};

const raisesAgainstMappings = (v: AttachView): boolean => {
  if (!isNew(v)) return false;
  const alignment = ioPageSize(v);
  return alignment > v.ioas.alignment && !conforms(v.ioas, alignment);
};

const pinsOf = (v: AttachView): Errno | "fine" => {
  if (v.pins !== undefined) return v.pins;
  if (!isNew(v) || v.ioas.hwpts.length > 0) v.pins = "fine";
  else {
    // Areas are pinned and mapped one after the other: none after the cut is looked at.
    const cut = firstCut(v);
    const filled = cut < 0 ? v.ioas.areas : v.ioas.areas.slice(0, cut + 1);
    v.pins = pinProblem(v.machine, filled) ?? "fine";
  }
  return v.pins;
};

/** The first area that begins or ends inside an IOMMU page, left by a COPY (CPY-11). */
const firstCut = (v: AttachView): number => {
  const mask = ioPageSize(v) - 1n;
  if (!isNew(v)) return -1;
  return v.ioas.areas.findIndex(({ first, last }) => ((first | (last + 1n)) & mask) !== 0n);
};

/** A new domain joins the IOAS, in the order of DOM-02. */
const joinRules = (now: (v: AttachView) => boolean): Rule<AttachView>[] => {
  const joins = (v: AttachView): boolean => now(v) && joining(v);
  const filled = (v: AttachView): boolean => joins(v) && (v.ioas?.areas.length ?? 0) > 0;
  return [
    rule("ALN-02", "EINVAL", (v) => joins(v) && ioPageSize(v) > v.machine.page, {
      applies: joins,
      hard: true,
    }),
    rule("ALN-03", "EADDRINUSE", (v) => joins(v) && raisesAgainstMappings(v), { applies: filled }),
    rule("DOM-02", "EADDRINUSE", (v) => joins(v) && inTheWay(v, apertureEnds(v)), {
      applies: joins,
      also: (v) => whatIsInTheWay(v, apertureEnds(v)),
    }),
    rule("DOM-04", "EFAULT", (v) => joins(v) && pinsOf(v) === "EFAULT", {
      applies: filled,
      hard: true,
    }),
    rule("DOM-04", "EOVERFLOW", (v) => joins(v) && pinsOf(v) === "EOVERFLOW", {
      applies: () => false,
      hard: true,
    }),
    rule("ACT-03", "ENOMEM", (v) => joins(v) && pinsOf(v) === "ENOMEM", {
      applies: filled,
      also: () => ["ACT-05"],
    }),
    rule("CPY-11", "EINVAL", (v) => joins(v) && firstCut(v) >= 0, { applies: () => false }),
  ];
};

const DEV_11 = rule<AttachView>(
  "DEV-11",
  "EINVAL",
  (v) => v.pt !== undefined && v.ioas === undefined,
  { hard: true },
);

export const attachRules: readonly Rule<AttachView>[] = [
  rule("DEV-10", "ENOENT", (v) => v.context !== undefined && v.pt === undefined, {
    also: (v) => aboutId(v.context, v.ptId),
  }),
  DEV_11,
  rule("DEV-15", "EINVAL", groupIsElsewhere, {
    applies: (v) => !v.replacing && v.group?.hwpt !== undefined,
    hard: true,
  }),
  ...joinRules((v) => v.replacing),
  rule("RSV-02", "EADDRINUSE", (v) => inTheWay(v, v.regions), {
    applies: (v) => v.regions.length > 0,
    also: (v) => whatIsInTheWay(v, v.regions),
  }),
  // The domain of an HWPT that was named cannot serve devices of another IOMMU.
  rule(
    "DEV-17",
    "EINVAL",
    (v) => v.chosen !== undefined && !stays(v) && v.chosen.iommu !== v.iommu,
    {
      applies: () => false,
    },
  ),
  ...joinRules((v) => !v.replacing),
];

/** The HWPT that an answered id means: an existing one, or a new one. */
const hwptOf = (v: AttachView, id: number): Hwpt | "new" => {
  const object = v.context?.objects.get(id);
  return object?.type === "hwpt" ? object : "new";
};

/**
 * UNS-06: instead of the HWPT that 6.12 takes, another automatic one of the IOAS that serves the
 * device, or a new one. Never for a group that is attached already: it stays on its own.
 */
const isOtherRightHwpt = (v: AttachView, id: number): boolean => {
  if (v.pt?.type !== "ioas" || v.group?.hwpt?.ioas === v.ioas) return false;
  const hwpt = hwptOf(v, id);
  if (hwpt === "new") return id !== 0 && !v.context?.objects.has(id);
  return hwpt.ioas === v.ioas && hwpt.iommu === v.iommu;
};

/** What the answered HWPT id shows. */
export const attachFacts = <V extends AttachView, O>(
  idOf: (out: O) => number | undefined,
): Fact<V, O>[] => {
  const right = (v: AttachView): string =>
    v.chosen === undefined ? "an unused id" : `HWPT id ${v.chosen.id}`;
  const holds = (v: AttachView, out: O): boolean => {
    const id = idOf(out);
    if (id === undefined) return false;
    if (v.chosen === undefined) return id !== 0 && !v.context?.objects.has(id);
    return id === v.chosen.id || (!v.strict && isOtherRightHwpt(v, id));
  };
  const toIoas = (v: AttachView): boolean => v.pt?.type === "ioas";
  return [
    fact("DEV-31", { when: (v) => stays(v), holds, right }),
    fact("DEV-14", { when: (v) => v.pt?.type === "hwpt", holds, right }),
    fact("DEV-12", {
      when: (v) => toIoas(v) && !stays(v) && (v.ioas?.hwpts.length ?? 0) > 0,
      holds,
      right,
    }),
    fact("OBJ-01", { when: (v) => isNew(v), holds, right }),
    fact("DEV-16", { when: (v) => !v.replacing && v.group?.hwpt !== undefined }),
    fact("DEV-19", { when: servesOthers }),
    fact("ALW-12", { when: (v) => isNew(v) && v.ioas.allowed.length > 0 }),
    fact("PIN-06", { when: pinsReadOnlyMemory }),
  ];
};

const servesOthers = (v: AttachView): boolean =>
  v.ioas?.hwpts.some(
    (hwpt) => hwpt.devices > (v.group?.hwpt === hwpt ? v.group.attached.length : 0),
  ) ?? false;

const pinsReadOnlyMemory = (v: AttachView): boolean => {
  if (!isNew(v) || v.ioas.hwpts.length > 0) return false;
  return v.ioas.areas.some((area) => isReadOnlyMemory(v.machine, area));
};

/** Moves the device to where the answered id says. */
export const attachEffect = (v: AttachView, device: BoundDevice, id: number): void => {
  const { machine, context, ioas } = v;
  if (context === undefined || ioas === undefined) return;
  const answered = hwptOf(v, id);
  const hwpt = answered === "new" ? joinDomain(machine, context, ioas, id, v.iommu) : answered;
  if (v.replacing) moveGroup(machine, device, hwpt);
  else attachDevice(device, hwpt);
};

/** The id that 6.12 would answer. */
export const attachAnswer = (v: AttachView, taken: readonly number[] = []): number => {
  if (v.chosen !== undefined) return v.chosen.id;
  return v.context === undefined ? 0 : lowestFreeId(v.context, taken);
};

const DEV_34 = clauseIndex("DEV-34");

/** What a failing attach has shown or is to show. */
export const afterFailedAttach = (
  v: AttachView,
  broken: Broken,
  coverage: Coverage | undefined,
): void => {
  const { context, ioas } = v;
  countIfGoneHwpt(context, v.ptId, coverage);
  if (v.replacing && coverage !== undefined) countSeen(coverage, DEV_34);
  if (v.replacing && v.group?.hwpt !== undefined) {
    expectLater(v.group.hwpt.ioas.seen.ranges, "DEV-33");
  }
  if (ioas === undefined) return;
  expectLater(ioas.seen.ranges, "DEV-17");
  if (v.regions.length > 0) expectLater(ioas.seen.ranges, "RSV-03");
  if (broken.clause === "ALN-03") expectLater(ioas.seen.ranges, "ALN-04");
};

/** DEV-35: a replace within one IOAS that the driver refuses may lose the group's regions. */
export const mayLoseRegions = (v: AttachView, errno: 0 | Errno): boolean => {
  const { group, ioas } = v;
  if (!v.replacing || ioas === undefined || group?.hwpt?.ioas !== ioas) return false;
  if (!group.attached.some((device) => device.reserved.length > 0)) return false;
  if (v.pt?.type === "hwpt") return errno === "EINVAL" && v.pt.iommu !== v.iommu;
  const at = ioas.hwpts.indexOf(group.hwpt);
  return errno === 0 && ioas.hwpts.slice(0, at).some((hwpt) => hwpt.iommu !== v.iommu);
};
