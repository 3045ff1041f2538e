/**
 * User memory of the one process, as far as answers tell: which page is at an address, and which
 * bytes it must hold.
 *
 * A page is known by a number that stays its own for life: `key` names the page that is at an
 * address now, `changedAt` when that last became another one. What happened to a page that was
 * pinned before its address changed hands is left open: late pinning may have caught either.
 */
import type { MemoryRegion, Platform } from "../../../spec/platform";
import { SCRATCH } from "../../../spec/platform";

interface Change {
  readonly first: number;
  readonly last: number;
  /** fresh: zero memory; open: nothing, or nobody knows. */
  readonly now: "fresh" | "open";
}

interface Contents {
  readonly data: Uint8Array;
  /** 1 where nobody knows the byte. */
  readonly open: Uint8Array;
}

/** A page as it was at one address between two changes. */
export interface PageIdentity {
  readonly key: number;
  readonly since: number;
}

/** Keys of memfd pages are negative: the same page may be at several addresses. */
const FILE_STRIDE = 2 ** 40;
const fileKey = ({ memfd = 0, offset }: MemoryRegion, pageSize: number, index: number): number =>
  -(1 + memfd * FILE_STRIDE + Number(offset ?? 0n) / pageSize + index);

/** Pages that a memfd shows at several addresses at boot. */
interface Aliases {
  readonly byPage: ReadonlyMap<number, readonly number[]>;
  readonly first: number;
  readonly last: number;
}

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
      const key = fileKey(region, pageSize, i);
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

export class UserMemory {
  readonly pageSize: number;
  readonly #shift: bigint;
  readonly #mask: bigint;
  readonly #regions: readonly MemoryRegion[];
  readonly #aliases: Aliases;
  readonly #changes: Change[] = [];
  readonly #contents = new Map<number, Contents>();

  constructor(platform: Platform) {
    this.pageSize = platform.pageSize;
    this.#shift = BigInt(Math.log2(platform.pageSize));
    this.#mask = BigInt(platform.pageSize - 1);
    this.#regions = platform.processes[0]?.memory ?? [];
    this.#aliases = aliasesOf(platform.pageSize, this.#regions);
  }

  /** Counts the changes of what is at an address. */
  get now(): number {
    return this.#changes.length;
  }

  page(va: bigint): number {
    return Number(va >> this.#shift);
  }

  offset(va: bigint): bigint {
    return va & this.#mask;
  }

  /** What is at `length` bytes from `va` is now another memory. */
  change(va: bigint, length: bigint, now: Change["now"]): void {
    const first = this.page(va);
    const last = this.page(va + (length > 0n ? length - 1n : 0n));
    this.#changes.push({ first, last, now });
    for (const key of this.#contents.keys()) {
      if (key >= first && key <= last) this.#contents.delete(key);
    }
  }

  /** Number of the last change of what is at this page's address; 0: as at boot. */
  changedAt(page: number): number {
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const change = this.#changes[i];
      if (change && change.first <= page && page <= change.last) return i + 1;
    }
    return 0;
  }

  /** The page at this address now; undefined: none, or nobody knows. */
  key(page: number): number | undefined {
    const changed = this.changedAt(page);
    if (changed > 0) return this.#changes[changed - 1]?.now === "fresh" ? page : undefined;
    return this.keyAtBoot(page);
  }

  keyAtBoot(page: number): number | undefined {
    for (const region of this.#regions) {
      const index = page - this.page(region.va);
      if (index < 0 || index >= Number(region.length >> this.#shift)) continue;
      return region.memfd === undefined ? page : fileKey(region, this.pageSize, index);
    }
    return undefined;
  }

  /** Other addresses that show the same page of a memfd, unless they have changed since boot. */
  aliases(page: number): readonly number[] {
    const others = this.#aliases.byPage.get(page);
    return others === undefined || this.changedAt(page) > 0 ? NONE : others;
  }

  /** False: no page from first to last can have an alias. */
  mayAlias(first: number, last: number): boolean {
    return first <= this.#aliases.last && last >= this.#aliases.first;
  }

  /** Which page a MAP made at `born` refers to here, if it can only be one. */
  identity(page: number, born: number): PageIdentity | undefined {
    const since = this.changedAt(page);
    if (since > born) return undefined;
    const key = this.key(page);
    return key === undefined ? undefined : { key, since };
  }

  /** The byte at `offset` of the page with this key; undefined: nobody knows. */
  byte(key: number, offset: number): number | undefined {
    const contents = this.#contents.get(key);
    if (contents === undefined) return 0;
    return contents.open[offset] === 1 ? undefined : contents.data[offset];
  }

  /** @param value undefined: from now on nobody knows */
  setByte(key: number, offset: number, value: number | undefined): void {
    let contents = this.#contents.get(key);
    if (contents === undefined) {
      const { pageSize } = this;
      contents = { data: new Uint8Array(pageSize), open: new Uint8Array(pageSize) };
      this.#contents.set(key, contents);
    }
    contents.data[offset] = value ?? 0;
    contents.open[offset] = value === undefined ? 1 : 0;
  }

  /** The scratch area is set up anew for each call, so what it held says nothing. */
  isScratch(va: bigint): boolean {
    return va >= SCRATCH.va && va < SCRATCH.va + SCRATCH.length;
  }

  /** Takes note of `count` bytes stored at `va`: their hex digits, or undefined for unknown ones. */
  store(va: bigint, digits: string | undefined, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = va + BigInt(i);
      const key = this.isScratch(at) ? undefined : this.key(this.page(at));
      const value = digits === undefined ? undefined : byteOf(digits, i);
      if (key !== undefined) this.setByte(key, Number(this.offset(at)), value);
    }
  }
}

export const byteOf = (digits: string, index: number): number =>
  Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
