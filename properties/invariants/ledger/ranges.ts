/** Sets of IOVAs as lists of inclusive ranges, ascending, with a gap between any two. */
import { type Iova, type IovaRange, U64_MAX } from "../../../spec/units";

export type RangeSet = readonly IovaRange[];

export const EVERYTHING: RangeSet = [[0n as Iova, U64_MAX as Iova]];

const inOrder = (ranges: RangeSet): boolean => {
  let before: IovaRange | undefined;
  for (const range of ranges) {
    if (range[1] < range[0]) return false;
    if (before !== undefined && range[0] <= before[1] + 1n) return false;
    before = range;
  }
  return true;
};

/** Math.min and Math.max know no bigint. */
export const lower = (a: bigint, b: bigint): bigint => {
  if (a < b) return a;
  return b;
};
export const higher = (a: bigint, b: bigint): bigint => {
  if (a > b) return a;
  return b;
};

/** The set that some ranges in any order cover; ranges that end before they start are empty. */
export const asSet = (ranges: RangeSet): RangeSet => {
  if (inOrder(ranges)) return ranges;
  const sorted = ranges
    .filter(([start, last]) => start <= last)
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const set: IovaRange[] = [];
  for (const range of sorted) {
    const before = set.at(-1);
    if (before === undefined || range[0] > before[1] + 1n) set.push(range);
    else if (range[1] > before[1]) set[set.length - 1] = [before[0], range[1]];
  }
  return set;
};

export const complement = (set: RangeSet): RangeSet => {
  const rest: IovaRange[] = [];
  let next = 0n;
  for (const range of set) {
    if (range[0] > next) rest.push([next as Iova, (range[0] - 1n) as Iova]);
    next = range[1] + 1n;
  }
  if (next <= U64_MAX) rest.push([next as Iova, U64_MAX as Iova]);
  return rest;
};

/** True when all of [start, last] is in the set. */
export const contains = (set: RangeSet, start: bigint, last: bigint): boolean => {
  for (const range of set) {
    if (range[1] >= start) return range[0] <= start && last <= range[1];
  }
  return false;
};

/** True when any of [start, last] is in the set. */
export const touches = (set: RangeSet, start: bigint, last: bigint): boolean => {
  for (const range of set) {
    if (range[1] >= start) return range[0] <= last;
  }
  return false;
};

/** The first range of `inner` that is not wholly in `outer`. */
export const outsideOf = (outer: RangeSet, inner: RangeSet): IovaRange | undefined => {
  for (const range of inner) if (!contains(outer, range[0], range[1])) return range;
  return undefined;
};

export const sameSet = (a: RangeSet, b: RangeSet): boolean => {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]?.[0] !== b[i]?.[0] || a[i]?.[1] !== b[i]?.[1]) return false;
  }
  return true;
};

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
export const showRange = (start: bigint, last: bigint): string => `${hex(start)}..${hex(last)}`;
export const showSet = (set: RangeSet): string =>
  set.length === 0 ? "no range" : set.map(([start, last]) => showRange(start, last)).join(", ");
