/** What an attach or a replace answers, changes and shows. */
import { clauseIndex } from "../../spec/clauses/registry";
import type { Coverage } from "../../spec/coverage";
import type { Errno } from "../../spec/errno";
import { automaticHwpt, joinDomain } from "../domains";
import { type Broken, type Fact, fact } from "../judge";
import { countIfGoneHwpt, lowestFreeId } from "../judges/common";
import { attachDevice, moveGroup } from "../lifetime";
import { isReadOnlyMemory } from "../pinning";
import type { AnyHwpt, BoundDevice } from "../state/objects";
import { countSeen, expectLater } from "../state/seen";
import { type AttachView, isNew, stays } from "./target";

/** The HWPT that an answered id means: an existing one, or a new one. */
const hwptOf = (v: AttachView, id: number): AnyHwpt | "new" => {
  const object = v.context?.objects.get(id);
  return object?.type === "hwpt" || object?.type === "nested" ? object : "new";
};

/**
 * UNS-06: instead of the HWPT that 6.12 takes, another one of the IOAS that serves the device, or
 * a new one. Never for a group that is on the right one already: it stays there.
 */
const isOtherRightHwpt = (v: AttachView, id: number): boolean => {
  if (v.pt?.type !== "ioas") return false;
  if (v.group?.hwpt !== undefined && v.group.hwpt === v.chosen) return false;
  const hwpt = hwptOf(v, id);
  if (hwpt === "new") return id !== 0 && !v.context?.objects.has(id);
  const serves = hwpt.iommu === v.iommu && (v.tracksDirty || !isTracked(hwpt));
  return hwpt.type === "hwpt" && hwpt.ioas === v.ioas && serves;
};

const isTracked = (hwpt: AnyHwpt): boolean => hwpt.type === "hwpt" && hwpt.dirty !== undefined;

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
  const hasManual = (v: AttachView): boolean => v.ioas?.hwpts.some(({ auto }) => !auto) ?? false;
  const hasAutomatic = (v: AttachView): boolean => v.ioas?.hwpts.some(({ auto }) => auto) ?? false;
  return [
    fact("DEV-31", { when: (v) => stays(v), holds, right }),
    fact("DEV-14", { when: (v) => v.chosen !== undefined && v.pt === v.chosen, holds, right }),
    fact("DEV-13", { when: (v) => toIoas(v) && hasManual(v), holds, right }),
    fact("DEV-12", { when: (v) => toIoas(v) && !stays(v) && hasAutomatic(v), holds, right }),
    fact("OBJ-01", { when: (v) => isNew(v), holds, right }),
    fact("DEV-16", { when: (v) => !v.replacing && v.group?.hwpt !== undefined }),
    fact("DEV-19", { when: servesOthers }),
    fact("ALW-12", { when: (v) => isNew(v) && v.ioas.allowed.length > 0 }),
    fact("HWP-25", { when: (v) => v.pt?.type === "hwpt" && v.pt.nestParent }),
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
  const hwpt =
    answered === "new" ? joinDomain(machine, context, ioas, automaticHwpt(id, device)) : answered;
  if (v.replacing) moveGroup(machine, device, hwpt);
  else attachDevice(device, hwpt);
};

/** The id that 6.12 would answer. */
export const attachAnswer = (v: AttachView, taken: readonly number[] = []): number => {
  if (v.chosen !== undefined) return v.chosen.id;
  return v.context === undefined ? 0 : lowestFreeId(v.context, taken);
};

const HWP_27 = clauseIndex("HWP-27");
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
  if (broken.clause === "DEV-17" && coverage !== undefined) countSeen(coverage, HWP_27);
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
  const { group, ioas, pt, chosen } = v;
  if (!v.replacing || ioas === undefined || group?.hwpt?.ioas !== ioas) return false;
  if (!group.attached.some((device) => device.reserved.length > 0)) return false;
  if (pt?.type === "hwpt") return errno === "EINVAL" && pt.iommu !== v.iommu;
  // Automatic ones that were tried before the chosen one.
  const tried = ioas.hwpts.filter((hwpt) => hwpt.auto);
  const refused = chosen?.type === "hwpt" ? tried.slice(0, tried.indexOf(chosen)) : tried;
  return refused.some((hwpt) => hwpt.iommu !== v.iommu);
};
