/**
 * Automatic IOVAs (AUT).
 *
 * 6.12 derives an alignment from user address and length (AUT-06) and takes the lowest place
 * that fits. Where else a mapping may go is open (AUT-08), so the judge asks two questions only:
 * is there such a place at all (MAP-11b), and does the answered IOVA keep the relations of
 * AUT-01 to AUT-07 and AUT-10. The lowest place serves the model's own predictions.
 */
import { U64_MAX } from "../spec/units";
import { higher, type Interval, lower } from "./state/intervals";
import { firstFrom } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type { Ioas } from "./state/objects";

/** What is to be placed. */
export interface Wish {
  readonly length: bigint;
  /** AUT-06; a power of two. */
  readonly alignment: bigint;
  /** Offset of the user address in its page: its bits get set in the IOVA (AUT-05). */
  readonly offset: bigint;
}

const powerOfTwoFrom = (n: number): number => 2 ** (32 - Math.clz32(n - 1));

/** AUT-06: `length` up to a power of two, but not above the user address or a huge page. */
export const wishFor = (machine: MachineState, userVa: bigint, length: bigint): Wish => {
  const { page, thpSize } = machine;
  const lowestBit = userVa & -userVa;
  const cap = userVa === 0n || lowestBit > thpSize ? thpSize : lowestBit;
  const alignment = length * 2n > cap ? cap : BigInt(powerOfTwoFrom(Number(length)));
  return { length, alignment, offset: userVa % page };
};

/** Where 6.12 would put the wish in one stretch of room, if it fits (AUT-05, AUT-10, AUT-11). */
export const fitInto = (first: bigint, last: bigint, wish: Wish): bigint | undefined => {
  const raised = first + (wish.alignment - 1n);
  if (raised > U64_MAX) return undefined;
  const start = (raised - (raised % wish.alignment)) | wish.offset;
  return start < last && last - start >= wish.length - 1n ? start : undefined;
};

/** AUT-04: the search leaves out the first and the last page. */
const searched = (machine: MachineState): Interval => ({
  first: machine.page,
  last: U64_MAX - machine.page,
});

const EVERYTHING: readonly Interval[] = [{ first: 0n, last: U64_MAX }];

const spansOf = (ioas: Ioas): readonly Interval[] =>
  ioas.allowedSpans.length === 0 ? EVERYTHING : ioas.allowedSpans;

/** Calls `visit` for each free stretch in ascending order until it answers something. */
const eachRoom = <T>(
  machine: MachineState,
  ioas: Ioas,
  wish: Wish | undefined,
  visit: (first: bigint, last: bigint) => T | undefined,
): T | undefined => {
  const limits = searched(machine);
  for (const span of spansOf(ioas)) {
    let from = higher(span.first, limits.first);
    const to = lower(span.last, limits.last);
    if (wish !== undefined) {
      // The span as a whole must fit, and the search begins where it does.
      const start = from <= to ? fitInto(from, to, wish) : undefined;
      if (start === undefined) continue;
      from = start;
    }
    for (const [first, last] of ioas.usable) {
      if (last < from || first > to) continue;
      const found = eachGap(ioas, higher(first, from), lower(last, to), visit);
      if (found !== undefined) return found;
    }
  }
  return undefined;
};

/** The gaps between the areas of [first, last]. */
const eachGap = <T>(
  ioas: Ioas,
  first: bigint,
  last: bigint,
  visit: (first: bigint, last: bigint) => T | undefined,
): T | undefined => {
  let next = first;
  for (let i = firstFrom(ioas.areas, first); i < ioas.areas.length; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.first > last) break;
    if (area.first > next) {
      const found = visit(next, area.first - 1n);
      if (found !== undefined) return found;
    }
    if (area.last >= last) return undefined;
    next = area.last + 1n;
  }
  return visit(next, last);
};

/** The lowest IOVA that 6.12's rules allow, which is the one it takes (AUT-08). */
export const lowestPlace = (machine: MachineState, ioas: Ioas, wish: Wish): bigint | undefined =>
  eachRoom(machine, ioas, wish, (first, last) => fitInto(first, last, wish));

/** The free stretch around an IOVA, within what automatic IOVAs may use. */
export const roomAround = (
  machine: MachineState,
  ioas: Ioas,
  iova: bigint,
): Interval | undefined => {
  let { first, last } = searched(machine);
  const within = (from: bigint, to: bigint): boolean => {
    if (iova < from || iova > to) return false;
    if (from > first) first = from;
    if (to < last) last = to;
    return true;
  };
  if (!within(first, last)) return undefined;
  if (!spansOf(ioas).some((span) => within(span.first, span.last))) return undefined;
  if (!ioas.usable.some((range) => within(range[0], range[1]))) return undefined;
  const at = firstFrom(ioas.areas, iova);
  const after = ioas.areas[at];
  const before = ioas.areas[at - 1];
  if (after !== undefined && after.first <= iova) return undefined;
  if (after !== undefined && after.first - 1n < last) last = after.first - 1n;
  if (before !== undefined && before.last + 1n > first) first = before.last + 1n;
  return { first, last };
};

/** AUT-09: is there room for the length alone, alignment aside? */
export const hasUnalignedRoom = (machine: MachineState, ioas: Ioas, length: bigint): boolean =>
  eachRoom(machine, ioas, undefined, (first, last) => last - first >= length - 1n || undefined) ===
  true;

/** AUT-11: is there room in which aligning upwards passes 2^64? */
export const hasRoomThatWraps = (machine: MachineState, ioas: Ioas, wish: Wish): boolean =>
  eachRoom(
    machine,
    ioas,
    undefined,
    (first) => first + (wish.alignment - 1n) > U64_MAX || undefined,
  ) === true;

/** AUT-10: is there room of a single byte below `iova`? */
export const hasSingleByteRoom = (machine: MachineState, ioas: Ioas, iova: bigint): boolean =>
  eachRoom(
    machine,
    ioas,
    undefined,
    (first, last) => (first === last && first < iova) || undefined,
  ) === true;
