/** Mappings of an IOAS: they come, go, are cut, and are in doubt. */
import { U64_MAX } from "../../../spec/units";
import type { Ioas } from "./ioas";
import { doubtItemsIn, letGoIn } from "./items";
import { type Area, newArea } from "./pages";
import { higher, lower } from "./ranges";
import type { LedgerState } from "./state";

/** True of an area that begins in a range that ends at `last`. */
const beginsBy = (area: Area | undefined, last: bigint): boolean =>
  area !== undefined && area.start <= last;

export const insert = (ledger: LedgerState, ioas: Ioas, area: Area): void => {
  // Whatever was doubtful there is gone, or the mapping could not be there.
  let at = ioas.firstAt(area.start);
  while (beginsBy(ioas.areas[at], area.last)) remove(ledger, ioas, at);
  at = ioas.firstAt(area.start);
  ioas.areas.splice(at, 0, area);
  if (!area.sure) ioas.doubts++;
  ledger.pins.add(area);
  ledger.emptiedByClose = false;
};

export const remove = (ledger: LedgerState, ioas: Ioas, index: number): void => {
  const [area] = ioas.areas.splice(index, 1);
  if (area === undefined) return;
  if (!area.sure) ioas.doubts--;
  if (ioas.accesses.size > 0) letGoIn(ledger, ioas, area.start, area.last);
  ledger.pins.remove(area);
};

export const removeAll = (ledger: LedgerState, ioas: Ioas): void => {
  if (ioas.accesses.size > 0) letGoIn(ledger, ioas, 0n, U64_MAX);
  for (const area of ioas.areas) ledger.pins.remove(area);
  for (const stray of ioas.strays) ledger.pins.remove(stray);
  ioas.areas.length = 0;
  ioas.strays.length = 0;
  ioas.doubts = 0;
};

/** A part of a mapping, as a mapping that is not in its IOAS yet. */
export const part = (area: Area, start: bigint, last: bigint, whole: boolean): Area => {
  const { ioas, pages, perm, sure } = area;
  const userVa = area.userVa + (start - area.start);
  return newArea({ ioas, pages, userVa, start, last, perm, sure, whole });
};

/** Puts parts of a mapping in its place. */
const divide = (ledger: LedgerState, ioas: Ioas, index: number, parts: readonly Area[]): void => {
  const [area] = ioas.areas.splice(index, 1, ...parts);
  if (area === undefined) return;
  if (!area.sure) ioas.doubts += parts.length - 1;
  // New holders come before the old one goes, so pins are handed over (PIN-05).
  for (const each of parts) ledger.pins.add(each);
  ledger.pins.remove(area);
};

/** Behind this byte a mapping may have been cut or not (VCC-16). */
export const mayBeCut = (ledger: LedgerState, ioas: Ioas, iova: bigint): boolean => {
  const at = ioas.firstAt(iova);
  const area = ioas.areas[at];
  if (area === undefined || area.start > iova || area.last === iova) return false;
  divide(ledger, ioas, at, [
    part(area, area.start, iova, false),
    part(area, iova + 1n, area.last, false),
  ]);
  return true;
};

/**
 * Nothing is mapped in [start, last] any more.
 * @param cuts true: what reaches out of the range has been cut there, and the rest stays
 */
export const removeRange = (
  ledger: LedgerState,
  ioas: Ioas,
  start: bigint,
  last: bigint,
  cuts: boolean,
): void => {
  straysMayGo(ledger, ioas);
  let at = ioas.firstAt(start);
  for (;;) {
    const area = ioas.areas[at];
    if (area === undefined || area.start > last) return;
    const inside = area.start >= start && area.last <= last;
    // What may be several was several, with an end here. Of others the range has no part, unless
    // they are doubtful: then they are gone, or the call would have failed on them.
    if (inside || !(cuts || !area.whole)) {
      remove(ledger, ioas, at);
      continue;
    }
    const [from, to] = [higher(area.start, start), lower(area.last, last)];
    if (ioas.accesses.size > 0) letGoIn(ledger, ioas, from, to);
    const rest: Area[] = [];
    if (area.start < start) rest.push(part(area, area.start, start - 1n, area.whole));
    if (area.last > last) rest.push(part(area, last + 1n, area.last, area.whole));
    divide(ledger, ioas, at, rest);
    at += rest.length;
  }
};

/** What may be anywhere may have been where something was unmapped. */
const straysMayGo = (ledger: LedgerState, ioas: Ioas): void => {
  for (const stray of ioas.strays) ledger.pins.doubt(stray);
};

/** Areas of a source range in ascending order; undefined: not all of it is mapped. */
export const sourceAreas = (ioas: Ioas, start: bigint, last: bigint): Area[] | undefined => {
  const found: Area[] = [];
  let next = start;
  for (let i = ioas.firstAt(start); next <= last; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.start > next) return undefined;
    found.push(area);
    next = area.last + 1n;
  }
  return found;
};

/** Areas that have a part in a range, in ascending order. */
const touching = (ioas: Ioas, start: bigint, last: bigint): Area[] => {
  const from = ioas.firstAt(start);
  let to = from;
  while (beginsBy(ioas.areas[to], last)) to++;
  return ioas.areas.slice(from, to);
};

export interface Sources {
  /** What is known of the range. */
  readonly areas: readonly Area[];
  /** What may be in it besides; none if it is known completely. */
  readonly strays: readonly Area[];
}

/** What a range that is mapped for certain consists of; undefined: nobody can have mapped it. */
export const sourcesOf = (ioas: Ioas, start: bigint, last: bigint): Sources | undefined => {
  const areas = sourceAreas(ioas, start, last);
  if (areas?.every((area) => !ioas.isVague(area))) return { areas, strays: [] };
  if (ioas.strays.length === 0) return undefined;
  return { areas: touching(ioas, start, last), strays: [...ioas.strays] };
};

/**
 * An unmap of a range that fails half-way may have removed mappings (UNM-24, VCC-14).
 * @returns true when that may have happened
 */
export const doubtRange = (
  ledger: LedgerState,
  ioas: Ioas,
  start: bigint,
  last: bigint,
): boolean => {
  straysMayGo(ledger, ioas);
  let any = ioas.strays.length > 0;
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    let area = ioas.areas[i] as Area;
    if (area.start > last) break;
    if (area.start < start || area.last > last) {
      if (area.whole) continue;
      // What may be several: those inside the range may be gone.
      if (area.start < start) {
        mayBeCut(ledger, ioas, start - 1n);
        continue;
      }
      mayBeCut(ledger, ioas, last);
      area = ioas.areas[i] as Area;
    }
    any = true;
    doubt(ledger, ioas, area);
  }
  return any;
};

export const doubt = (ledger: LedgerState, ioas: Ioas, area: Area): void => {
  if (area.sure) ioas.doubts++;
  ledger.pins.doubt(area);
  if (ioas.accesses.size > 0) doubtItemsIn(ledger, ioas, area.start, area.last);
};

/** An answer showed that a mapping is there; unless it may be one that is anywhere. */
export const confirm = (ledger: LedgerState, ioas: Ioas, area: Area): void => {
  if (area.sure || ioas.strays.length > 0) return;
  ioas.doubts--;
  ledger.pins.confirm(area);
};
