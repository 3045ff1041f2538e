/** What UNMAP and VFIO_UNMAP_DMA have in common: the areas of a range, and their removal. */
import { wrap64 } from "../spec/units";
import { dropArea } from "./lifetime";
import { hasDomain, vaOf } from "./pinning";
import { firstFrom } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type { Area, Ioas } from "./state/objects";
import { expectLater } from "./state/seen";

export interface Found {
  /** The areas that the range touches are areas[from .. from + touched - 1]. */
  readonly from: number;
  readonly touched: number;
  /** How many of them, from the lowest, lie in the range completely. */
  readonly covered: number;
}

export const NONE: Found = { from: 0, touched: 0, covered: 0 };

export const areasIn = (areas: readonly Area[], first: bigint, last: bigint): Found => {
  const from = firstFrom(areas, first);
  let touched = 0;
  let covered = 0;
  for (let i = from; i < areas.length; i++) {
    const area = areas[i];
    if (area === undefined || area.first > last) break;
    if (covered === touched && area.first >= first && area.last <= last) covered++;
    touched++;
  }
  return { from, touched, covered };
};

/** Bytes of the covered areas. All 2^64 of them are 0 in a u64. */
export const totalOf = (areas: readonly Area[], { from, covered }: Found): bigint => {
  let total = 0n;
  for (let i = from; i < from + covered; i++) {
    const area = areas[i];
    if (area !== undefined) total += area.last - area.first + 1n;
  }
  return wrap64(total);
};

export const removeAreas = (
  machine: MachineState,
  ioas: Ioas,
  { from, covered }: Pick<Found, "from" | "covered">,
): void => {
  const removed = ioas.areas.splice(from, covered);
  for (const area of removed) dropArea(machine, ioas, area);
  const [first] = removed;
  if (first === undefined || !hasDomain(ioas)) return;
  expectLater(machine.seenRefs, "UNM-25", vaOf(first));
  expectLater(ioas.seen.translate, "UNM-26", first.first);
};
