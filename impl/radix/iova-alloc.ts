/**
 * Choosing an IOVA for a mapping (AUT-01..11): the lowest address that fits.
 *
 * The search runs over the allowed spans, in them over the holes between areas, and in those
 * over the holes between reserved spans. The first page and the last one of the 64-bit space are
 * never used.
 *
 * Holes that are too small cost nothing. What costs is a hole that is large enough and fits no
 * aligned address: O(log n) for each of them below the answer.
 */
import type { Errno } from "../../spec/errno";
import { U64_MAX } from "../../spec/units";
import { larger, type Span, type SpanTree, smaller } from "./span-tree";

export interface Room {
  readonly areas: SpanTree<Span>;
  readonly reserved: SpanTree<Span>;
  /** Empty: everything is allowed. */
  readonly allowed: SpanTree<Span>;
  /** What every IOVA must be a multiple of now. */
  readonly alignment: bigint;
  readonly pageSize: bigint;
  /** Cap of the alignment that is only nice to have. */
  readonly thpSize: bigint;
}

/** @param userVa where the memory is: its low bits show up in the IOVA (AUT-05, AUT-07) */
export const allocIova = (room: Room, userVa: bigint, length: bigint): bigint | Errno => {
  if (length >= U64_MAX / 2n) return "EOVERFLOW";
  const alignment = preferredAlignment(userVa, length, room.thpSize);
  if (alignment < room.alignment) return "EINVAL";
  const pageOffset = userVa % room.pageSize;

  const place = (start: bigint, last: bigint): bigint | undefined => {
    const aligned = start + (alignment - 1n);
    if (aligned > U64_MAX) return undefined;
    const at = (aligned - (aligned % alignment)) | pageOffset;
    return at >= last || last - at < length - 1n ? undefined : at;
  };
  const search = (start: bigint, last: bigint): bigint | undefined => {
    const from = place(start, last);
    if (from === undefined) return undefined;
    // Placed once, in what areas and reservations leave together: placing is not monotone, a
    // higher start can give a lower address.
    return room.areas.findHole(from, last, length, (holeStart, holeLast) =>
      room.reserved.findHole(holeStart, holeLast, length, place),
    );
  };

  const first = room.pageSize;
  const last = U64_MAX - room.pageSize;
  const { allowed } = room;
  if (allowed.count === 0) return search(first, last) ?? "ENOSPC";
  for (let at = first; at <= last; ) {
    const span = allowed.first(at, last);
    if (span === undefined) break;
    const found = search(larger(span.iova, first), smaller(span.last, last));
    if (found !== undefined) return found;
    at = span.last + 1n;
  }
  return "ENOSPC";
};

/** AUT-06: the smaller of the length, rounded up to a power of two, and the alignment of userVa. */
const preferredAlignment = (userVa: bigint, length: bigint, thpSize: bigint): bigint => {
  const alignment = length < thpSize ? roundUpToPowerOfTwo(length) : thpSize;
  const lowestBit = userVa & -userVa;
  return lowestBit !== 0n && lowestBit < alignment ? lowestBit : alignment;
};

const roundUpToPowerOfTwo = (value: bigint): bigint =>
  value <= 1n ? 1n : 1n << BigInt((value - 1n).toString(2).length);
