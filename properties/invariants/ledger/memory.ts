/**
 * User memory of one process, as far as answers tell: which page is at an address, and which
 * bytes it must hold.
 *
 * A page is known by its number in PageBytes; `changedAt` says when another one came to be at an
 * address. What happened to a page that was pinned before its address changed hands is left open:
 * late pinning may have caught either.
 */
import type { Backing } from "../../../spec/fields";
import type { MemoryRegion } from "../../../spec/platform";
import { SCRATCH } from "../../../spec/platform";
import { LOW_HALF, U64_MAX } from "../../../spec/units";
import type { PageBytes } from "./bytes";

/** Pages [first, last] of the process, since it was born or since a change of its memory. */
interface Segment {
  readonly first: number;
  readonly last: number;
  /** Number of the first page in PageBytes; undefined: nothing is there, or nobody knows what. */
  readonly key: number | undefined;
  readonly since: number;
  /** A fork gets a copy. */
  readonly isPrivate: boolean;
}

const keyIn = (segment: Segment, page: number): number | undefined =>
  segment.key === undefined ? undefined : segment.key + (page - segment.first);

const partOf = (segment: Segment, first: number, last: number): Segment => {
  const { since, isPrivate } = segment;
  return { first, last, key: keyIn(segment, first), since, isPrivate };
};

/** Pages of memfds have negative numbers: the same page may be at several addresses from the start. */
const FILE_STRIDE = 2 ** 40;
const fileKey = ({ memfd = 0, offset }: MemoryRegion, pageSize: number): number =>
  Number(offset ?? 0n) / pageSize - FILE_STRIDE * (memfd + 1);

/** Pages that a memfd shows at several addresses at boot. */
interface Aliases {
  readonly byPage: ReadonlyMap<number, readonly number[]>;
  readonly first: number;
  readonly last: number;
}

/** The halves of an address: to shift a bigint takes five times as long. */
const ADDRESS = new BigUint64Array(1);
const HALVES = new Uint32Array(ADDRESS.buffer);

const NONE: readonly number[] = [];
/** Platforms are few, and shared by all the machines of a run. */
const ALIASES = new WeakMap<readonly MemoryRegion[], Aliases>();

const aliasesOf = (pageSize: number, regions: readonly MemoryRegion[]): Aliases => {
  let aliases = ALIASES.get(regions);
  if (aliases === undefined) {
    aliases = findAliases(pageSize, regions);
    ALIASES.set(regions, aliases);
  }
  return aliases;
};

const findAliases = (pageSize: number, regions: readonly MemoryRegion[]): Aliases => {
  const byKey = new Map<number, number[]>();
  for (const region of regions) {
    if (region.memfd === undefined) continue;
    const first = Number(region.va) / pageSize;
    for (let i = 0; i < Number(region.length) / pageSize; i++) {
      const key = fileKey(region, pageSize) + i;
      byKey.set(key, [...(byKey.get(key) ?? []), first + i]);
    }
  }
  const shared = [...byKey.values()].filter((pages) => pages.length > 1);
  const byPage = new Map(
    shared.flatMap((pages) =>
      pages.map((page) => [page, pages.filter((other) => other !== page)] as const),
    ),
  );
  const all = [...byPage.keys()];
  return { byPage, first: Math.min(...all), last: Math.max(...all) };
};

const bootSegments = (
  pageSize: number,
  regions: readonly MemoryRegion[],
  bytes: PageBytes,
): Segment[] =>
  regions
    .map((region): Segment => {
      const first = Number(region.va) / pageSize;
      const count = Number(region.length) / pageSize;
      const isFile = region.memfd !== undefined;
      const key = isFile ? fileKey(region, pageSize) : bytes.allocate(count);
      const isPrivate = region.kind === "anon-private";
      return { first, last: first + count - 1, key, since: 0, isPrivate };
    })
    .sort((a, b) => a.first - b.first);

export class UserMemory {
  readonly pageSize: number;
  readonly bytes: PageBytes;
  readonly #bits: number;
  readonly #aliases: Aliases;
  /** Ascending, disjoint. */
  #segments: Segment[];
  /** The one that was looked up last: questions come page by page. */
  #recent: Segment | undefined;
  /** Pages that left their address, but may still be seen at another one or by another process. */
  readonly #elsewhere: Segment[] = [];
  #changes = 0;

  private constructor(pageSize: number, bytes: PageBytes, aliases: Aliases, segments: Segment[]) {
    this.pageSize = pageSize;
    this.bytes = bytes;
    this.#bits = Math.log2(pageSize);
    this.#aliases = aliases;
    this.#segments = segments;
  }

  static atBoot(pageSize: number, regions: readonly MemoryRegion[], bytes: PageBytes): UserMemory {
    const segments = bootSegments(pageSize, regions, bytes);
    return new UserMemory(pageSize, bytes, aliasesOf(pageSize, regions), segments);
  }

  /** What fork(2) makes of it: shared memory stays shared, private memory is copied. */
  fork(): UserMemory {
    const segments = this.#segments.map((segment): Segment => {
      const { first, last, key, isPrivate } = segment;
      if (key === undefined || !isPrivate) return { first, last, key, since: 0, isPrivate };
      const count = last - first + 1;
      const copy = this.bytes.allocate(count);
      this.bytes.copy(key, copy, count);
      return { first, last, key: copy, since: 0, isPrivate };
    });
    return new UserMemory(this.pageSize, this.bytes, this.#aliases, segments);
  }

  /** Counts the changes of what is at an address. */
  get now(): number {
    return this.#changes;
  }

  page(va: bigint): number {
    // The end of a range that is too long.
    if (va > U64_MAX) return Number(va >> BigInt(this.#bits));
    ADDRESS[0] = va;
    return (
      (HALVES[1 - LOW_HALF] as number) * (2 ** 32 / this.pageSize) +
      ((HALVES[LOW_HALF] as number) >>> this.#bits)
    );
  }

  offset(va: bigint): number {
    ADDRESS[0] = va;
    return (HALVES[LOW_HALF] as number) & (this.pageSize - 1);
  }

  /**
   * What is at `length` bytes from `va` is now another memory.
   * @param now "open": nothing, or nobody knows
   */
  change(va: bigint, length: bigint, now: Backing | "open"): void {
    const first = this.page(va);
    const last = this.page(va + (length > 0n ? length - 1n : 0n));
    const since = ++this.#changes;
    const kept: Segment[] = [];
    for (const segment of this.#segments) {
      if (segment.last < first || segment.first > last) {
        kept.push(segment);
        continue;
      }
      if (segment.first < first) kept.push(partOf(segment, segment.first, first - 1));
      if (segment.last > last) kept.push(partOf(segment, last + 1, segment.last));
      if (segment.key !== undefined && !segment.isPrivate) this.#elsewhere.push(segment);
    }
    const key = now === "open" ? undefined : this.bytes.allocate(last - first + 1);
    kept.push({ first, last, key, since, isPrivate: now === "anon-private" });
    this.#segments = kept.sort((a, b) => a.first - b.first);
    this.#recent = undefined;
  }

  #at(page: number): Segment | undefined {
    const recent = this.#recent;
    if (recent !== undefined && recent.first <= page && page <= recent.last) return recent;
    const segments = this.#segments;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((segments[middle] as Segment).last < page) low = middle + 1;
      else high = middle;
    }
    const segment = segments[low];
    if (segment === undefined || segment.first > page) return undefined;
    this.#recent = segment;
    return segment;
  }

  /** Number of the last change of what is at this page's address; 0: as at the start. */
  changedAt(page: number): number {
    return this.#at(page)?.since ?? 0;
  }

  /** The page at this address now; undefined: none, or nobody knows. */
  key(page: number): number | undefined {
    const segment = this.#at(page);
    return segment && keyIn(segment, page);
  }

  /** Other addresses that show the same page of a memfd from the start. */
  aliases(page: number): readonly number[] {
    const others = this.#aliases.byPage.get(page);
    return others === undefined || (this.key(page) ?? 0) >= 0 ? NONE : others;
  }

  /** False: no page from first to last can have an alias. */
  mayAlias(first: number, last: number): boolean {
    return first <= this.#aliases.last && last >= this.#aliases.first;
  }

  /** Which page a MAP made at `born` refers to here, if it can only be one. */
  identity(page: number, born: number): number | undefined {
    const segment = this.#at(page);
    return segment === undefined || segment.since > born ? undefined : keyIn(segment, page);
  }

  /** Calls `visit` with every page that a MAP of this address may have pinned, or may pin. */
  eachPossible(page: number, visit: (key: number) => void): void {
    const now = this.key(page);
    if (now !== undefined) visit(now);
    for (const segment of this.#elsewhere) {
      if (segment.first <= page && page <= segment.last) visit(keyIn(segment, page) as number);
    }
  }

  /** The scratch area is set up anew for each call, so what it held says nothing. */
  isScratch(va: bigint): boolean {
    return va >= SCRATCH.va && va < SCRATCH.va + SCRATCH.length;
  }

  /** Takes note of `count` bytes stored at `va`: their hex digits, or undefined for unknown ones. */
  store(va: bigint, digits: string | undefined, count: number): void {
    if (this.isScratch(va)) return;
    let page = this.page(va);
    let key = this.key(page);
    let offset = this.offset(va);
    for (let i = 0; i < count; i++, offset++) {
      if (offset === this.pageSize) {
        page++;
        offset = 0;
        key = this.key(page);
      }
      if (key === undefined) continue;
      this.bytes.set(key, offset, digits === undefined ? undefined : byteOf(digits, i));
    }
  }
}

/** The first byte in `digits` that differs from what is known to be at `va`. */
export const firstDifference = (
  memory: UserMemory,
  va: bigint,
  digits: string,
): { readonly at: bigint; readonly known: number; readonly read: number } | "none" | undefined => {
  if (memory.isScratch(va)) return undefined;
  let page = memory.page(va);
  let key = memory.key(page);
  let offset = memory.offset(va);
  let compared = false;
  for (let i = 0; i < digits.length / 2; i++, offset++) {
    if (offset === memory.pageSize) {
      page++;
      offset = 0;
      key = memory.key(page);
    }
    const known = key === undefined ? undefined : memory.bytes.at(key, offset);
    if (known === undefined) continue;
    compared = true;
    const read = byteOf(digits, i);
    if (read !== known) return { at: va + BigInt(i), known, read };
  }
  return compared ? "none" : undefined;
};

/** Byte number `index` of lower-case hex digits. */
export const byteOf = (digits: string, index: number): number =>
  digitOf(digits.charCodeAt(index * 2)) * 16 + digitOf(digits.charCodeAt(index * 2 + 1));

/** "0" is 0x30, "a" 0x61. */
const digitOf = (code: number): number => (code < 0x61 ? code - 0x30 : code - 0x57);
