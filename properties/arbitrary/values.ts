/**
 * Argument values: ordinary ones that a call can work with, and the edges of live state, where
 * implementations go wrong (first and last byte of an area ± 1, ± alignment, ends of the valid
 * ranges, 0, 2^64-1).
 */
import { pageNow } from "../../model/pinning";
import { pageNumber } from "../../model/state/memory";
import { type Arg, Handle } from "../../spec/handle";
import type { MemoryRegion } from "../../spec/platform";
import { MAP_READABLE, MAP_WRITEABLE } from "../../spec/uapi/flags";
import { type Bytes, type Iova, type IovaRange, U64_MAX, type UserVa } from "../../spec/units";
import type { Composer } from "./composer";
import type { AreaView, IoasView } from "./view";

export const PAGE = 4096n;

/** IOVAs inside every aperture, where most mappings are put. */
const PLAYGROUND = 0x100_0000n;
/** Where IOVAs no longer fit 32 bits. */
const BORDER = 0x1_0000_0000n;
/** Where an entry of an I/O page table of 2 MiB, 1 GiB and 512 GiB begins. */
export const TABLE_EDGES = [0x120_0000n, 0x4000_0000n, 0x80_0000_0000n] as const;

const clamp = (value: bigint): bigint => (value < 0n ? 0n : value > U64_MAX ? U64_MAX : value);
const roundUp = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to;

export const overlaps = (areas: readonly AreaView[], start: bigint, last: bigint): boolean =>
  areas.some((area) => area.first <= last && start <= area.last);

const within = (ranges: readonly IovaRange[], start: bigint, last: bigint): boolean =>
  ranges.some((range) => range[0] <= start && last <= range[1]);

/** True when a FIXED map could go there. */
export const isFree = (ioas: IoasView, start: bigint, length: bigint): boolean => {
  const last = start + length - 1n;
  if (start < 0n || last > U64_MAX || start % ioas.alignment !== 0n) return false;
  return within(ioas.ranges, start, last) && !overlaps(ioas.areas, start, last);
};

/** A length that the alignment permits: mostly a few pages, sometimes as odd as it may be. */
export const length = (c: Composer, alignment: bigint): bigint => {
  const { draw } = c;
  if (alignment < PAGE && draw.chance(30)) {
    return alignment * BigInt(draw.int(1, Number((3n * PAGE) / alignment)));
  }
  // Now and then more pages than batches and small tables hold, up to the largest region.
  if (draw.chance(5)) return PAGE * draw.of(16n, 17n, 31n, 32n);
  return PAGE * BigInt(draw.chance(70) ? draw.int(1, 3) : draw.int(1, 8));
};

/** How often the page at a user address of the first process is pinned. */
export const pinsAt = ({ model: { state } }: Composer, va: bigint): number =>
  pageNow(state, 0, pageNumber(va, state.pageSize))?.pins ?? 0;

export interface Buffer {
  readonly va: Arg<UserVa>;
  /** The numbers behind the handle. */
  readonly region: MemoryRegion;
  readonly offset: bigint;
}

/** `length` bytes of user memory with the rights that the flags want, at an aligned offset. */
export const buffer = (
  c: Composer,
  flags: number,
  length: bigint,
  alignment: bigint,
): Buffer | undefined => {
  const { draw, platform } = c;
  const regions = (platform.processes[0]?.memory ?? []).filter(
    (region) =>
      region.length >= length &&
      region.prot !== "none" &&
      (region.prot === "rw" || (flags & MAP_WRITEABLE) === 0),
  );
  const region = draw.pick(regions);
  if (region === undefined) return undefined;
  const room = region.length - length;
  const unit = alignment < PAGE && draw.chance(30) ? alignment : PAGE;
  const steps = Number(room / unit);
  const offset = unit * BigInt(placeOf(c, steps));
  return { va: new Handle(region.name, "", offset), region, offset };
};

/** Mostly the first pages, so that mappings meet in the same memory; the last ones end where it does. */
const placeOf = ({ draw }: Composer, steps: number): number => {
  if (draw.chance(70)) return draw.int(0, Math.min(steps, 4));
  return draw.chance(35) ? steps : draw.int(0, steps);
};

/** A place for a FIXED map, as an argument: undefined when none of a few tries is free. */
export const freeIova = (c: Composer, ioas: IoasView, length: bigint): Arg<Iova> | undefined => {
  const { draw } = c;
  for (let tries = 0; tries < 4; tries++) {
    const [start, arg] = candidate(c, ioas, length);
    if (isFree(ioas, start, length)) return arg as Arg<Iova>;
  }
  const [start] = candidateIn(
    ioas.ranges[draw.int(0, ioas.ranges.length - 1)],
    ioas,
    length,
    draw.chance(50),
  );
  return isFree(ioas, start, length) ? (start as Iova) : undefined;
};

type Candidate = readonly [start: bigint, arg: Arg<bigint>];

const candidate = (c: Composer, ioas: IoasView, length: bigint): Candidate => {
  const { draw } = c;
  const area = draw.pick(ioas.areas);
  switch (draw.int(0, 9)) {
    case 0:
    case 1:
      // Right behind a neighbour.
      if (area !== undefined) {
        const size = area.last - area.first + 1n;
        return [area.last + 1n, c.inArea(ioas.fd, ioas.id, area.first, size)];
      }
      break;
    case 2:
      // Right before a neighbour.
      if (area !== undefined) {
        return [area.first - length, c.inArea(ioas.fd, ioas.id, area.first, -length)];
      }
      break;
    case 3:
      return candidateIn(draw.pick(ioas.ranges), ioas, length, draw.chance(50));
    case 4:
      if (draw.chance(30)) return same(0n);
      if (draw.chance(30)) return same(U64_MAX - length + 1n);
      return same((draw.u64() / ioas.alignment) * ioas.alignment);
    case 5:
      // Across the end of a page table, or of 32 bits.
      if (draw.chance(30)) {
        return same(
          draw.of(...TABLE_EDGES, BORDER) - PAGE * BigInt(draw.int(0, Number(length / PAGE))),
        );
      }
      break;
  }
  const unit = draw.chance(25) ? ioas.alignment : PAGE;
  return same(PLAYGROUND + unit * BigInt(draw.int(0, 40)));
};

const same = (value: bigint): Candidate => [value, value];

/** The lowest or the highest place in a valid range. */
const candidateIn = (
  range: IovaRange | undefined,
  ioas: IoasView,
  length: bigint,
  low: boolean,
): Candidate => {
  const [start, last] = range ?? [0n, U64_MAX];
  if (low) return same(roundUp(start, ioas.alignment));
  const highest = last - length + 1n;
  return same(highest < 0n ? 0n : (highest / ioas.alignment) * ioas.alignment);
};

/** A value at an edge of what is alive: ends of areas and of valid ranges, each ± a little. */
export const edge = (c: Composer, ioas: IoasView): bigint => {
  const { draw } = c;
  const area = draw.pick(ioas.areas);
  const range = draw.pick(ioas.ranges);
  const near = [
    ...(area === undefined ? [] : [area.first, area.last]),
    ...(range === undefined ? [] : [range[0], range[1]]),
    0n,
    U64_MAX,
  ];
  const by = draw.of(0n, 1n, -1n, ioas.alignment, -ioas.alignment, PAGE, -PAGE);
  return clamp((draw.pick(near) ?? 0n) + by);
};

/** READABLE, WRITEABLE or both. */
export const access = (c: Composer): number =>
  c.draw.of(
    MAP_READABLE | MAP_WRITEABLE,
    MAP_READABLE | MAP_WRITEABLE,
    MAP_READABLE | MAP_WRITEABLE,
    MAP_READABLE,
    MAP_WRITEABLE,
  );

export const size = (area: AreaView): Bytes => (area.last - area.first + 1n) as Bytes;
