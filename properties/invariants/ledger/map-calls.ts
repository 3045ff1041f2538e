/** MAP, COPY and UNMAP in the ledger. */
import type { CallOf, OutcomeOf } from "../../../spec/calls";
import { MAP_READABLE, MAP_WRITEABLE, PERM_READ, PERM_WRITE } from "../../../spec/uapi/flags";
import { type Iova, lastOf, U64_MAX } from "../../../spec/units";
import type { Ioas } from "./ioas";
import { confirm, doubtRange, insert, remove, removeAll, removeRange, sourcesOf } from "./mappings";
import { type Area, newArea, Pages } from "./pages";
import { higher, lower } from "./ranges";
import type { LedgerState } from "./state";

export const permOf = (flags: number): number =>
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

interface NewMapping {
  readonly ioas: Ioas;
  readonly start: bigint;
  readonly length: bigint;
  readonly userVa: bigint;
  readonly perm: number;
}

const countsByProcess = ({ process }: LedgerState, { ctx }: Ioas): boolean | undefined =>
  process.lockFree ? false : ctx.rlimitMode === undefined ? undefined : ctx.rlimitMode === 1n;

const areaOf = (ledger: LedgerState, mapping: NewMapping): Area => {
  const { ioas, start, length, userVa, perm } = mapping;
  const pages = new Pages(ledger.process, countsByProcess(ledger, ioas));
  const last = lastOf(start, length);
  return newArea({ ioas, start, last, pages, userVa, perm, whole: true, sure: true });
};

/** A MAP of either interface has succeeded. */
export const addMapping = (ledger: LedgerState, mapping: NewMapping): void =>
  insert(ledger, mapping.ioas, areaOf(ledger, mapping));

/** A MAP may have succeeded. @param fixed false: nobody knows where */
export const mayBeMapped = (ledger: LedgerState, mapping: NewMapping, fixed: boolean): void =>
  mayBeThere(ledger, mapping.ioas, areaOf(ledger, mapping), fixed);

const mayBeThere = (ledger: LedgerState, ioas: Ioas, area: Area, fixed: boolean): void => {
  // What is empty or wraps cannot be there.
  if (fixed && (area.last < area.start || area.last > U64_MAX)) return;
  area.sure = false;
  const there = ioas.areas[ioas.firstAt(area.start)];
  const isFree = there === undefined || there.start > area.last;
  if (fixed && isFree) {
    insert(ledger, ioas, area);
  } else if (!fixed || !there?.sure) {
    ioas.strays.push(area);
    ledger.pins.add(area);
    ledger.emptiedByClose = false;
  }
};

export const noteMap = (ledger: LedgerState, call: CallOf<"IOAS_MAP">, start: bigint): void => {
  const { user_va: userVa, length, flags } = call.in;
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  if (ioas === undefined || length === 0n) ledger.lost = true;
  else addMapping(ledger, { ioas, start, length, userVa, perm: permOf(flags) });
};

interface Copies {
  /** What was copied, as far as it is known. */
  readonly sources: readonly Area[];
  /** What is known of the copy. */
  readonly areas: readonly Area[];
  /** What may be in it besides, nobody knows where. */
  readonly strays: readonly Area[];
}

/** What a copy of a source range to `dst` consists of; undefined: there is no such range. */
const copiesOf = (
  call: CallOf<"IOAS_COPY">,
  from: Ioas,
  ioas: Ioas,
  dst: bigint,
): Copies | undefined => {
  const { src_iova: src, length, flags } = call.in;
  const last = lastOf<bigint>(src, length);
  const sources = length === 0n || last > U64_MAX ? undefined : sourcesOf(from, src, last);
  if (sources === undefined) return undefined;
  const whole = sources.areas.length === 1 && sources.strays.length === 0;
  const perm = permOf(flags);
  const areas = sources.areas.map((source): Area => {
    const { pages } = source;
    const first = higher(source.start, src);
    const userVa = source.userVa + (first - source.start);
    const [start, end] = [dst + (first - src), dst + (lower(source.last, last) - src)];
    const sure = !from.isVague(source);
    return newArea({ ioas, start, last: end, pages, userVa, perm, whole, sure });
  });
  const strays = sources.strays.map((stray) => ({ ...stray, ioas, held: false }));
  return { sources: sources.areas, areas, strays };
};

export const noteCopy = (ledger: LedgerState, call: CallOf<"IOAS_COPY">, dst: bigint): void => {
  const from = ledger.ioas(call.fd, call.in.src_ioas_id);
  const ioas = ledger.ioas(call.fd, call.in.dst_ioas_id);
  const copies = from && ioas && copiesOf(call, from, ioas, dst);
  if (from === undefined || ioas === undefined || copies === undefined) {
    ledger.lost = true;
    return;
  }
  ledger.copies++;
  // It was copied, so it is there.
  if (!from.ctx.closed) for (const source of copies.sources) confirm(ledger, from, source);
  for (const copy of copies.areas) {
    if (copy.sure) insert(ledger, ioas, copy);
    else mayBeThere(ledger, ioas, copy, true);
  }
  for (const stray of copies.strays) mayBeThere(ledger, ioas, stray, false);
};

/** A COPY may have succeeded. @param fixed false: nobody knows where */
export const mayBeCopied = (
  ledger: LedgerState,
  call: CallOf<"IOAS_COPY">,
  fixed: boolean,
): void => {
  const from = ledger.ioas(call.fd, call.in.src_ioas_id);
  const ioas = ledger.ioas(call.fd, call.in.dst_ioas_id);
  const copies = from && ioas && copiesOf(call, from, ioas, call.in.dst_iova);
  if (ioas === undefined || copies === undefined) return;
  ledger.copies++;
  for (const copy of copies.areas) mayBeThere(ledger, ioas, copy, fixed);
  for (const stray of copies.strays) mayBeThere(ledger, ioas, stray, false);
};

export const noteUnmap = (ledger: LedgerState, call: CallOf<"IOAS_UNMAP">): void => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) {
    ledger.lost = true;
    return;
  }
  if (range.start === 0n && range.last === U64_MAX) removeAll(ledger, ioas);
  else removeRange(ledger, ioas, range.start, range.last, false);
  ledger.handovers++;
};

export const noteFailedUnmap = (ledger: LedgerState, call: CallOf<"IOAS_UNMAP">): boolean => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) return false;
  return doubtRange(ledger, ioas, range.start, range.last);
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
      confirm(ledger, ioas, area);
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
