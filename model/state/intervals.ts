/**
 * Inclusive ranges of u64, in sorted lists. Nothing here ever computes `last + 1` of a range
 * that ends at 2^64-1.
 */
import type { Iova, IovaRange } from "../../spec/units";
import { U64_MAX } from "../../spec/units";

export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

export const lower = (a: bigint, b: bigint): bigint => {
  if (a < b) return a;
  return b;
};

export const higher = (a: bigint, b: bigint): bigint => {
  if (a > b) return a;
  return b;
};

const ascending = (a: Interval, b: Interval): number =>
  a.first < b.first ? -1 : a.first > b.first ? 1 : 0;

export const sorted = (list: readonly Interval[]): Interval[] => [...list].sort(ascending);

/** The union of a sorted list, as ranges that neither overlap nor touch. */
export const union = (list: readonly Interval[]): Interval[] => {
  const joined: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of list) {
    const before = joined.at(-1);
    if (before === undefined || (before.last !== U64_MAX && first > before.last + 1n)) {
      joined.push({ first, last });
    } else if (last > before.last) before.last = last;
  }
  return joined;
};

/** Everything in [0, 2^64-1] that is in none of the ranges of a sorted list. */
export const complement = (list: readonly Interval[]): IovaRange[] => {
  const holes: IovaRange[] = [];
  let next = 0n;
  for (const { first, last } of list) {
    if (first > next) holes.push([next as Iova, (first - 1n) as Iova]);
    if (last === U64_MAX) return holes;
    if (last >= next) next = last + 1n;
  }
  holes.push([next as Iova, U64_MAX as Iova]);
  return holes;
};

/** True if one of the ranges holds all of [first, last]. */
export const covers = (list: readonly Interval[], first: bigint, last: bigint): boolean => {
  for (const range of list) if (range.first <= first && last <= range.last) return true;
  return false;
};

export const intersectsAny = (list: readonly Interval[], first: bigint, last: bigint): boolean => {
  for (const range of list) if (range.first <= last && first <= range.last) return true;
  return false;
};
