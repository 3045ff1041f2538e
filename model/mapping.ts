/**
 * What MAP and COPY have in common: a new mapping must fit into its IOAS (MAP-08 to MAP-12), an
 * automatic IOVA must keep the relations of AUT, and pages are pinned if the IOAS has a domain.
 */
import { clauseIndex } from "../spec/clauses/registry";
import type { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import { U64_MAX } from "../spec/units";
import { type Fact, fact } from "./judge";
import { isElsewhere, type OnIommufd } from "./judges/common";
import { hasDomain, hold, type PinRequest, pinProblem } from "./pinning";
import {
  fitInto,
  hasRoomThatWraps,
  hasSingleByteRoom,
  hasUnalignedRoom,
  lowestPlace,
  roomAround,
  type Wish,
  wishFor,
} from "./placing";
import { covers } from "./state/intervals";
import { firstFrom, hasAreaIn, insertArea, isUsable } from "./state/ioas";
import type { Area, Ioas, SeenOfArea } from "./state/objects";
import { countSeen, expectLater, settle } from "./state/seen";

/** A mapping that a call wants to make in `ioas`. */
export interface MappingView extends OnIommufd {
  readonly ioasId: number;
  readonly ioas: Ioas | undefined;
  readonly fixed: boolean;
  readonly readable: boolean;
  readonly writeable: boolean;
  /** The IOVA argument; it counts only if `fixed`. */
  readonly iova: bigint;
  readonly length: bigint;
  /** The address that an automatic IOVA is derived from: user_va, or the source's (AUT-13). */
  readonly userVa: bigint;
  /** It is an argument. */
  readonly isUserVaGiven: boolean;
  /** The process that makes the call. */
  readonly proc: number;
  /** What has to be pinned. */
  readonly requests: readonly PinRequest[];
  /** Index of the first of them that no domain can map (CPY-11); -1: none. */
  readonly cut: number;
  /** The IOVA that the IUT answered, if it is to be judged. */
  readonly claimed: bigint | undefined;
  readonly strict: boolean;
  /** Looked up at most once. */
  wish: Wish | undefined;
  place: bigint | undefined | "unknown";
  pins: Errno | "fine" | undefined;
}

export const alignmentOf = (v: MappingView): bigint => v.ioas?.alignment ?? 1n;
const isAligned = (v: MappingView, value: bigint): boolean =>
  (value & (alignmentOf(v) - 1n)) === 0n;
const lastOf = (v: MappingView): bigint => v.iova + v.length - 1n;

// When a rule was really in play: a call that kept it could as well have broken it.
/** MAP-08, MAP-13, CPY-11 */
export const isCoarse = (v: MappingView): boolean => alignmentOf(v) > 1n;
/** MAP-09a */
export const isFixedAndCoarse = (v: MappingView): boolean => v.fixed && isCoarse(v);
/** MAP-10a */
export const endsInLastPage = (v: MappingView): boolean =>
  v.fixed && lastOf(v) > U64_MAX - v.machine.page;
/** MAP-11a */
export const meetsReservations = (v: MappingView): boolean =>
  v.fixed && (v.ioas?.reservations.length ?? 0) > 0;
/** MAP-12a */
export const meetsMappings = (v: MappingView): boolean =>
  v.fixed && (v.ioas?.areas.length ?? 0) > 0;

/** MAP-08 */
export const lengthIsMisaligned = (v: MappingView): boolean =>
  v.ioas !== undefined && !isAligned(v, v.length);
/** MAP-09a */
export const iovaIsMisaligned = (v: MappingView): boolean =>
  v.ioas !== undefined && v.fixed && !isAligned(v, v.iova);
/** MAP-10a */
export const iovaWraps = (v: MappingView): boolean => v.fixed && lastOf(v) > U64_MAX;
/** MAP-11a */
export const isReserved = (v: MappingView): boolean =>
  v.ioas !== undefined &&
  v.fixed &&
  v.length > 0n &&
  !iovaWraps(v) &&
  !isUsable(v.ioas, v.iova, lastOf(v));
/** MAP-12a */
export const overlapsMapping = (v: MappingView): boolean =>
  v.ioas !== undefined && v.fixed && v.length > 0n && hasAreaIn(v.ioas, v.iova, lastOf(v));
/** MAP-09b */
export const isTooLong = (v: MappingView): boolean => !v.fixed && v.length >= U64_MAX / 2n;
/** MAP-10b */
export const guessIsTooSmall = (v: MappingView): boolean =>
  v.ioas !== undefined && !v.fixed && wishOf(v).alignment < v.ioas.alignment;

const wishOf = (v: MappingView): Wish => {
  v.wish ??= wishFor(v.machine, v.userVa, v.length);
  return v.wish;
};

/** Not even the length alone has a place, whatever address it is for. */
export const isFull = (v: MappingView): boolean =>
  v.ioas !== undefined && !v.fixed && !hasUnalignedRoom(v.machine, v.ioas, v.length);

/** MAP-11b. An answered IOVA in room that 6.12 would have used is the proof that there is some. */
export const hasNoRoom = (v: MappingView): boolean => {
  if (v.ioas === undefined || v.fixed || isTooLong(v)) return false;
  if (v.claimed !== undefined) {
    const room = roomAround(v.machine, v.ioas, v.claimed);
    if (room !== undefined && fitInto(room.first, room.last, wishOf(v)) !== undefined) return false;
  }
  return lowest(v) === undefined;
};

const lowest = (v: MappingView): bigint | undefined => {
  if (v.place === "unknown") {
    v.place = v.ioas && lowestPlace(v.machine, v.ioas, wishOf(v));
  }
  return v.place;
};

/** Where 6.12 would put it. */
export const placeOf = (v: MappingView): bigint => (v.fixed ? v.iova : (lowest(v) ?? 0n));

/** What pinning says; "fine" too where nothing has to be pinned. */
export const pinsOf = (v: MappingView): Errno | "fine" => {
  if (v.pins === undefined) {
    const needed = v.ioas !== undefined && hasDomain(v.ioas) && v.length > 0n;
    v.pins = (needed ? pinProblem(v.machine, v.requests, v.proc, v.cut) : undefined) ?? "fine";
  }
  return v.pins;
};

export const isPinned = (v: MappingView): boolean => v.ioas !== undefined && hasDomain(v.ioas);
export const isFixed = (v: MappingView): boolean => v.fixed;
export const isAutomatic = (v: MappingView): boolean => !v.fixed;

/** The first and last IOVA that the IUT answered. */
const from = (v: MappingView): bigint => v.claimed ?? 0n;
const to = (v: MappingView): bigint => (v.claimed ?? 0n) + v.length - 1n;

/** AUT: the relations that an answered automatic IOVA keeps. */
export const automaticFacts = <V extends MappingView, O>(): Fact<V, O>[] => [
  fact("AUT-02", {
    when: (v) => !v.fixed && (v.ioas?.areas.length ?? 0) > 0,
    holds: (v) => v.ioas !== undefined && !hasAreaIn(v.ioas, from(v), to(v)),
    right: () => "an IOVA over no mapping",
  }),
  fact("AUT-15", {
    when: (v) => !v.fixed && v.ioas?.seen.reservedSinceAuto === true,
    holds: (v) => v.ioas !== undefined && isUsable(v.ioas, from(v), to(v)),
    right: () => "an IOVA that is not reserved",
  }),
  fact("AUT-01", {
    when: isAutomatic,
    holds: (v) => v.ioas !== undefined && isUsable(v.ioas, from(v), to(v)) && isAllowed(v),
    right: () => "an IOVA in a usable and allowed range",
  }),
  fact("AUT-03", {
    when: (v) => !v.fixed && alignmentOf(v) > 1n,
    holds: (v) => isAligned(v, from(v)),
    right: (v) => `a multiple of the alignment 0x${alignmentOf(v).toString(16)}`,
  }),
  fact("AUT-07", {
    when: contractApplies,
    holds: (v) => from(v) % lowestBit(v.length) === 0n,
    right: (v) => `a multiple of 0x${lowestBit(v.length).toString(16)}`,
  }),
  fact("AUT-04", {
    when: isAutomatic,
    holds: (v) => from(v) >= v.machine.page && to(v) <= U64_MAX - v.machine.page,
    right: () => "an IOVA not in the first or last page",
  }),
  fact("AUT-05", {
    when: (v) => !v.fixed && wishOf(v).offset !== 0n,
    holds: (v) => (from(v) & wishOf(v).offset) === wishOf(v).offset,
    right: (v) => `an IOVA with the bits 0x${wishOf(v).offset.toString(16)} set`,
  }),
  fact("AUT-06", {
    when: (v) => !v.fixed && wishOf(v).alignment > 1n,
    holds: (v) => (from(v) & (wishOf(v).alignment - 1n)) === 0n,
    right: (v) => `a multiple of 0x${wishOf(v).alignment.toString(16)}`,
  }),
  fact("AUT-10", {
    when: (v) => !v.fixed && v.length === 1n && skipsSingleByte(v, from(v)),
    holds: (v) => !isLastOfRoom(v, from(v)),
    right: () => "an IOVA that is not the last byte of its room",
  }),
];

const isAllowed = (v: MappingView): boolean => {
  const spans = v.ioas?.allowedSpans ?? [];
  return spans.length === 0 || covers(spans, from(v), to(v));
};

const lowestBit = (n: bigint): bigint => n & -n;

/** It is about a user_va, and only 6.12 goes by one for COPY (AUT-13). */
const contractApplies = (v: MappingView): boolean => {
  if (v.fixed || !(v.isUserVaGiven || v.strict)) return false;
  const bit = lowestBit(v.length);
  return bit > 1n && bit <= v.machine.thpSize && v.userVa % bit === 0n;
};

const isLastOfRoom = (v: MappingView, iova: bigint): boolean =>
  v.ioas !== undefined && roomAround(v.machine, v.ioas, iova)?.last === iova;

const skipsSingleByte = (v: MappingView, iova: bigint): boolean =>
  v.ioas !== undefined && (hasSingleByteRoom(v.machine, v.ioas, iova) || isLastOfRoom(v, iova));

/** Puts an area into the IOAS and pins it if there is a domain. */
export const addArea = (
  v: MappingView,
  request: PinRequest,
  first: bigint,
  seen: SeenOfArea,
): void => {
  const { machine, ioas } = v;
  if (ioas === undefined) return;
  const area: Area = {
    first,
    last: first + (request.last - request.first),
    pages: request.pages,
    startByte: request.startByte,
    readable: v.readable,
    writeable: v.writeable,
    born: machine.calls,
    seen,
  };
  insertArea(ioas, area);
  ioas.seen.fresh = false;
  if (!hasDomain(ioas)) return;
  hold(machine, area);
  if (area.last % machine.page !== machine.page - 1n || request.startByte % machine.page !== 0n) {
    expectLater(machine.seenStatus, "ACT-06");
  }
};

/** What a mapping that was made shows of earlier calls. */
export const mappingShows = (v: MappingView, first: bigint, coverage: Coverage): void => {
  const { ioas } = v;
  if (ioas === undefined) return;
  settle(ioas.seen.areas, coverage, first, first + v.length - 1n);
  if (isElsewhere(v, v.ioasId)) countSeen(coverage, GEN_22);
  if (v.fixed) return;
  settle(ioas.seen.auto, coverage);
  ioas.seen.reservedSinceAuto = false;
};

/** AUT-09, AUT-11, AUT-14: what a refused automatic mapping shows. */
export const automaticFailureShows = (v: MappingView, errno: Errno, coverage: Coverage): void => {
  if (v.fixed || v.ioas === undefined || v.length === 0n) return;
  const faults = [lengthIsMisaligned(v), isTooLong(v), guessIsTooSmall(v), hasNoRoom(v)];
  if (faults.filter(Boolean).length > 1) countSeen(coverage, AUT_14);
  if (errno !== "ENOSPC") return;
  if (hasUnalignedRoom(v.machine, v.ioas, v.length)) countSeen(coverage, AUT_09);
  if (hasRoomThatWraps(v.machine, v.ioas, wishOf(v))) countSeen(coverage, AUT_11);
};

const GEN_22 = clauseIndex("GEN-22");
const AUT_09 = clauseIndex("AUT-09");
const AUT_11 = clauseIndex("AUT-11");
const AUT_14 = clauseIndex("AUT-14");

export const touchesNeighbour = (ioas: Ioas, area: Area): boolean => {
  const at = firstFrom(ioas.areas, area.first);
  return (
    ioas.areas[at - 1]?.last === area.first - 1n || ioas.areas[at + 1]?.first === area.last + 1n
  );
};
