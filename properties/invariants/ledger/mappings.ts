/** MAP, COPY and UNMAP in the ledger. */
import type { CallOf, OutcomeOf } from "../../../spec/calls";
import { MAP_READABLE, MAP_WRITEABLE, PERM_READ, PERM_WRITE } from "../../../spec/uapi/flags";
import { type Iova, lastOf, U64_MAX } from "../../../spec/units";
import type { Ioas } from "./ioas";
import { type Area, Pages } from "./pages";
import { higher, lower } from "./ranges";
import type { LedgerState } from "./state";

const permOf = (flags: number): number =>
  (flags & MAP_READABLE ? PERM_READ : 0) | (flags & MAP_WRITEABLE ? PERM_WRITE : 0);

/** What an UNMAP asks for; undefined: no range at all. */
export const unmapRange = (
  iova: bigint,
  length: bigint,
): { readonly start: bigint; readonly last: bigint } | undefined => {
  if (iova === 0n && length === U64_MAX) return { start: 0n, last: U64_MAX };
  const last = iova + length - 1n;
  return length === 0n || last > U64_MAX ? undefined : { start: iova, last };
};

const insert = (ledger: LedgerState, ioas: Ioas, area: Area): void => {
  // Whatever was doubtful there is gone, or the mapping could not be there.
  let at = ioas.firstAt(area.start);
  while ((ioas.areas[at]?.start ?? U64_MAX + 1n) <= area.last) remove(ledger, ioas, at);
  at = ioas.firstAt(area.start);
  ioas.areas.splice(at, 0, area);
  ledger.pins.add(area);
  ledger.emptiedByClose = false;
};

const remove = (ledger: LedgerState, ioas: Ioas, index: number): void => {
  const [area] = ioas.areas.splice(index, 1);
  if (area === undefined) return;
  if (!area.sure) ioas.doubts--;
  ledger.pins.remove(area);
};

export const removeAll = (ledger: LedgerState, ioas: Ioas): void => {
  for (const area of ioas.areas) ledger.pins.remove(area);
  ioas.areas.length = 0;
  ioas.doubts = 0;
};

export const noteMap = (ledger: LedgerState, call: CallOf<"IOAS_MAP">, start: bigint): void => {
  const { user_va: userVa, length, flags } = call.in;
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  if (ioas === undefined || length === 0n) {
    ledger.lost = true;
    return;
  }
  insert(ledger, ioas, {
    ioas,
    start,
    last: lastOf(start, length),
    pages: new Pages(ledger.memory.now),
    userVa,
    firstPage: ledger.memory.page(userVa),
    lastPage: ledger.memory.page(lastOf(userVa, length)),
    perm: permOf(flags),
    whole: true,
    sure: true,
    held: false,
  });
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

export const noteCopy = (ledger: LedgerState, call: CallOf<"IOAS_COPY">, dst: bigint): void => {
  const { src_iova: src, length, flags } = call.in;
  const from = ledger.ioas(call.fd, call.in.src_ioas_id);
  const ioas = ledger.ioas(call.fd, call.in.dst_ioas_id);
  const last = lastOf<bigint>(src, length);
  const sources = from && sourceAreas(from, src, last);
  if (from === undefined || ioas === undefined || sources === undefined || length === 0n) {
    ledger.lost = true;
    return;
  }
  ledger.copies++;
  for (const source of sources) {
    // It was copied, so it is there.
    if (!source.sure && !from.ctx.closed) {
      from.doubts--;
      ledger.pins.confirm(source);
    }
    const start = higher(source.start, src);
    const end = lower(source.last, last);
    const userVa = source.userVa + (start - source.start);
    insert(ledger, ioas, {
      ioas,
      start: dst + (start - src),
      last: dst + (end - src),
      pages: source.pages,
      userVa,
      firstPage: ledger.memory.page(userVa),
      lastPage: ledger.memory.page(userVa + (end - start)),
      perm: permOf(flags),
      whole: sources.length === 1,
      sure: true,
      held: false,
    });
  }
};

export const noteUnmap = (ledger: LedgerState, call: CallOf<"IOAS_UNMAP">): void => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) {
    ledger.lost = true;
    return;
  }
  const at = ioas.firstAt(range.start);
  // Doubtful areas that reach out of the range are gone as well: it would have failed on them.
  while ((ioas.areas[at]?.start ?? U64_MAX + 1n) <= range.last) {
    const { start, last, whole } = ioas.areas[at] as Area;
    // A copy of several mappings was cut, and nobody knows where (CPY-25).
    if (!whole && (start < range.start || last > range.last)) ledger.lost = true;
    remove(ledger, ioas, at);
  }
  ledger.handovers++;
};

/**
 * An UNMAP that fails at a mapping only partly in its range may have removed others (UNM-24).
 * @returns true when that may have happened
 */
export const noteFailedUnmap = (ledger: LedgerState, call: CallOf<"IOAS_UNMAP">): boolean => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) return false;
  let any = false;
  for (let i = ioas.firstAt(range.start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.start > range.last) break;
    if (area.start < range.start || area.last > range.last) continue;
    any = true;
    doubt(ledger, ioas, area);
  }
  return any;
};

export const doubt = (ledger: LedgerState, ioas: Ioas, area: Area): void => {
  if (area.sure) ioas.doubts++;
  ledger.pins.doubt(area);
};

/** A translation shows whether a doubtful mapping is there. */
export const settleDoubts = (
  ledger: LedgerState,
  call: CallOf<"TRANSLATE">,
  { out }: OutcomeOf<"TRANSLATE">,
): void => {
  const hwpt = ledger.object(call.fd, call.in.hwpt_id);
  if (hwpt?.kind !== "hwpt" || hwpt.ioas.doubts === 0) return;
  const { ioas } = hwpt;
  for (let i = ioas.firstAt(call.in.iova); i < ioas.areas.length; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.start > call.in.last) break;
    if (area.sure || area.perm === 0) continue;
    const at = higher(area.start, call.in.iova);
    if (out?.runs?.some((run) => run.iova <= at && at - run.iova < run.length)) {
      ioas.doubts--;
      ledger.pins.confirm(area);
    } else {
      remove(ledger, ioas, i--);
    }
  }
};

export const noteReserved = (ioas: Ioas, start: Iova, length: bigint): void => {
  ioas.moved("narrowed");
  ioas.added.push([start, lastOf(start, length)]);
  ioas.answers = undefined;
};
