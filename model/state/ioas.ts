/** An I/O address space: sorted areas, reservations, and what follows from them. */
import { complement, intersectsAny } from "./intervals";
import type { Area, Ioas, Reservation } from "./objects";

export const newIoas = (id: number): Ioas => ({
  type: "ioas",
  id,
  areas: [],
  allowed: [],
  allowedSpans: [],
  reservations: [],
  hwpts: [],
  accesses: [],
  hugePages: true,
  alignment: 1n,
  alignmentByRule: 1n,
  usable: complement([]),
  seen: {
    fresh: true,
    hadDevice: false,
    rangesAsked: false,
    reservedSinceAuto: false,
    translate: [],
    ranges: [],
    auto: [],
    areas: [],
  },
});

/** Index of the first area that does not end before `iova`; areas.length if there is none. */
export const firstFrom = (areas: readonly Area[], iova: bigint): number => {
  let low = 0;
  let high = areas.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const area = areas[middle];
    if (area !== undefined && area.last < iova) low = middle + 1;
    else high = middle;
  }
  return low;
};

export const areaAt = (ioas: Ioas, iova: bigint): Area | undefined => {
  const area = ioas.areas[firstFrom(ioas.areas, iova)];
  return area !== undefined && area.first <= iova ? area : undefined;
};

export const hasAreaIn = (ioas: Ioas, first: bigint, last: bigint): boolean => {
  const area = ioas.areas[firstFrom(ioas.areas, first)];
  return area !== undefined && area.first <= last;
};

export const insertArea = (ioas: Ioas, area: Area): void => {
  const { areas } = ioas;
  const at = firstFrom(areas, area.first);
  if (at === areas.length) areas.push(area);
  else areas.splice(at, 0, area);
};

/** True if no byte of [first, last] is reserved: it lies in one usable range (MAP-11a). */
export const isUsable = (ioas: Ioas, first: bigint, last: bigint): boolean => {
  for (const range of ioas.usable) if (range[0] <= first && last <= range[1]) return true;
  return false;
};

/** True if an area or an allowed IOVA is in the way of a reservation (RSV-02). */
export const isTaken = (ioas: Ioas, first: bigint, last: bigint): boolean =>
  hasAreaIn(ioas, first, last) || intersectsAny(ioas.allowed, first, last);

export const reserve = (ioas: Ioas, reservations: readonly Reservation[]): void => {
  if (reservations.length === 0) return;
  for (const reservation of reservations) insertReservation(ioas.reservations, reservation);
  ioas.usable = complement(ioas.reservations);
  ioas.seen.rangesAsked = false;
  ioas.seen.fresh = false;
};

const insertReservation = (list: Reservation[], reservation: Reservation): void => {
  let at = list.length;
  while (at > 0 && (list[at - 1]?.first ?? 0n) > reservation.first) at--;
  list.splice(at, 0, reservation);
};

export const unreserve = (ioas: Ioas, owner: Reservation["owner"]): void => {
  const left = ioas.reservations.filter((reservation) => reservation.owner !== owner);
  if (left.length === ioas.reservations.length) return;
  ioas.reservations = left;
  ioas.usable = complement(left);
  ioas.seen.rangesAsked = false;
};

/** ALN-01. */
export const alignmentOf = (ioas: Ioas, pageSize: bigint, hugePages = ioas.hugePages): bigint => {
  if (!hugePages || ioas.accesses.some(({ pinsPages }) => pinsPages)) return pageSize;
  let alignment = 1n;
  for (const hwpt of ioas.hwpts) if (hwpt.ioPageSize > alignment) alignment = hwpt.ioPageSize;
  return alignment;
};

/** What a domain maps as a whole: its smallest page, and without huge pages a CPU page. */
export const unitOf = (ioas: Ioas, ioPageSize: bigint, pageSize: bigint): bigint =>
  ioas.hugePages || pageSize < ioPageSize ? ioPageSize : pageSize;

export const realign = (ioas: Ioas, pageSize: bigint): void => {
  const alignment = alignmentOf(ioas, pageSize);
  if (alignment === ioas.alignmentByRule) return;
  ioas.alignmentByRule = alignment;
  ioas.alignment = alignment;
  ioas.seen.rangesAsked = false;
};

/** True if every area has iova, length and page offset in multiples of `alignment` (ALN-03). */
export const conforms = (ioas: Ioas, alignment: bigint): boolean => {
  const mask = alignment - 1n;
  for (const area of ioas.areas) {
    // first, length and offset at once: a bit below the alignment in any of them shows.
    if (((area.first | (area.last + 1n) | area.startByte) & mask) !== 0n) return false;
  }
  return true;
};
