/** What no machine can be: a platform that came from a file or a module is looked at once. */
import { type MemoryRegion, type Platform, SCRATCH } from "./platform";
import type { IovaRange } from "./units";

export interface Flaw {
  /** Path of the field: `devices[0].iommu`. */
  readonly where: string;
  readonly what: string;
}

/** No Linux has smaller pages, and with larger ones scratch memory would be a part of a page. */
const PAGE_SIZES = [4096n, SCRATCH.length] as const;
/** Where user memory ends on x86-64, but for the last page, which is never mapped. */
const USER_END = 1n << 47n;

/** The first thing that is wrong with a platform, whose fields are all of their types. */
export const platformFlaw = (platform: Platform): Flaw | undefined => {
  for (const [where, what] of flaws(platform)) return { where, what };
  return undefined;
};

type Found = readonly [where: string, what: string];

function* flaws({ pageSize, thpSize, iommus, devices, processes }: Platform): Generator<Found> {
  const page = BigInt(pageSize);
  const [least, most] = PAGE_SIZES;
  if (!isPowerOfTwo(page) || page < least || page > most) {
    yield ["pageSize", `expected a power of two from ${least} to ${most}`];
    return;
  }
  if (!isPowerOfTwo(thpSize) || thpSize < page) {
    yield ["thpSize", "expected a power of two, and no less than a page"];
  }
  for (const [i, { ioPageSize, aperture }] of iommus.entries()) {
    if (!isPowerOfTwo(BigInt(ioPageSize))) {
      yield [`iommus[${i}].ioPageSize`, "expected a power of two"];
    }
    yield* descent(`iommus[${i}].aperture`, aperture);
  }
  for (const [i, { iommu, reserved }] of devices.entries()) {
    if (iommu >= iommus.length) yield [`devices[${i}].iommu`, `there is no IOMMU ${iommu}`];
    for (const [j, range] of reserved.entries()) {
      yield* descent(`devices[${i}].reserved[${j}]`, range);
    }
  }
  for (const [i, { memory }] of processes.entries()) {
    for (const [j, region] of memory.entries()) {
      yield* misplaced(`processes[${i}].memory[${j}]`, region, page);
    }
    yield* overlap(`processes[${i}].memory`, memory);
  }
}

const isPowerOfTwo = (value: bigint): boolean => value > 0n && (value & (value - 1n)) === 0n;

function* descent(where: string, [start, last]: IovaRange): Generator<Found> {
  if (last < start) yield [where, "the last address is below the first"];
}

function* misplaced(where: string, region: MemoryRegion, page: bigint): Generator<Found> {
  const { va, length, offset = 0n } = region;
  for (const [field, value] of Object.entries({ va, length, offset })) {
    if (value % page !== 0n) yield [`${where}.${field}`, "expected whole pages"];
  }
  if (length === 0n) yield [`${where}.length`, "expected at least one page"];
  if (va + length > USER_END - page) yield [where, "lies beyond the end of user memory (2^47)"];
  // Page numbers of a file are plain numbers, which no longer file leaves exact.
  if (offset + length > USER_END) yield [`${where}.offset`, "expected an offset below 2^47"];
}

/** Sorted, because a file may have many. */
function* overlap(where: string, memory: readonly MemoryRegion[]): Generator<Found> {
  const all = [
    { ...SCRATCH, at: where, name: "scratch memory" },
    ...memory.map(({ va, length, name }, i) => ({ va, length, at: `${where}[${i}]`, name })),
  ].sort((a, b) => (a.va < b.va ? -1 : a.va > b.va ? 1 : 0));
  for (const [i, { va, length, at, name }] of all.entries()) {
    const next = all[i + 1];
    if (next === undefined || va + length <= next.va) continue;
    const isScratch = next.at === where;
    yield [isScratch ? at : next.at, `lies over ${isScratch ? next.name : name}`];
  }
}
