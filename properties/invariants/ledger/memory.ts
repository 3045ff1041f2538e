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

/** Bytes of a page that are not 0, by offset; OPEN where nobody knows. */
type Contents = Map<number, number>;
const OPEN = -1;

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
    const byte = this.#contents.get(key)?.get(offset) ?? 0;
    return byte === OPEN ? undefined : byte;
  }

  /** @param value undefined: from now on nobody knows */
  setByte(key: number, offset: number, value: number | undefined): void {
    let contents = this.#contents.get(key);
    if (contents === undefined) {
      contents = new Map();
      this.#contents.set(key, contents);
    }
    contents.set(offset, value ?? OPEN);
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
    let offset = Number(this.offset(va));
    for (let i = 0; i < count; i++, offset++) {
      if (offset === this.pageSize) {
        page++;
        offset = 0;
        key = this.key(page);
      }
      if (key === undefined) continue;
      this.setByte(key, offset, digits === undefined ? undefined : byteOf(digits, i));
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
  let offset = Number(memory.offset(va));
  let compared = false;
  for (let i = 0; i < digits.length / 2; i++, offset++) {
    if (offset === memory.pageSize) {
      page++;
      offset = 0;
      key = memory.key(page);
    }
    const known = key === undefined ? undefined : memory.byte(key, offset);
    if (known === undefined) continue;
    compared = true;
    const read = byteOf(digits, i);
    if (read !== known) return { at: va + BigInt(i), known, read };
  }
  return compared ? "none" : undefined;
};

export const byteOf = (digits: string, index: number): number =>
  Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16);
