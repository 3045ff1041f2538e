/**
 * User memory of the processes, as far as the uAPI shows it.
 *
 * A process is a sorted list of disjoint VMAs, each a window onto a memory object (an anonymous
 * mapping or a memfd). Pages are objects with an identity: two user addresses lead to the same
 * memory exactly if they lead to the same Page. Pages come into being when something needs them;
 * one that nobody ever touched is zero. A page that left its object because the VMA was replaced
 * lives on as long as someone holds it, which is what makes MAP-30 and PIN-04 come out right.
 *
 * Bytes are kept in chunks of 64, because traces write a few bytes here and there. A byte can be
 * unknown: a blocked DMA leaves some contents open, and then any answer is right and is learnt.
 */
import type { Prot } from "../../spec/fields";
import { type Platform, type Process, SCRATCH } from "../../spec/platform";
import { U64_MAX } from "../../spec/units";

/** Bytes of a page by the number of the chunk. */
type Chunks = Map<number, Uint8Array>;

/** Last byte of user space on x86-64. */
export const USER_LAST = 0x7fff_ffff_efffn;

export interface Page {
  /** Stands for a physical address in the model's own answers. */
  readonly frame: number;
  /** Pins: how many MAPs pin it at present (PIN-02). */
  pins: number;
  /** Physical page number by which the IUT last showed this page, while it is pinned. */
  token: bigint | undefined;
  /** Written by the CPU while it was pinned for reading only (MAP-31). */
  writtenWhilePinned: boolean;
  bytes: Chunks | undefined;
  /** 1 for each byte whose value nobody knows; a chunk that is missing is known. */
  unknown: Chunks | undefined;
}

export interface MemoryObject {
  readonly pages: Map<number, Page>;
  /** Private memory is unshared when it is pinned (MAP-31). */
  readonly isPrivate: boolean;
  /** True for the scratch area, whose contents each call sets anew. */
  readonly isScratch: boolean;
}

/** Pages [first, last] of a process, by number; page 0 of it shows page `offset` of the object. */
export interface Vma {
  readonly first: number;
  readonly last: number;
  readonly prot: Prot;
  readonly object: MemoryObject;
  readonly offset: number;
}

export interface ProcessState {
  uid: number;
  /** CAP_IPC_LOCK, CAP_SYS_RESOURCE. */
  lockFree: boolean;
  mayRaiseLimits: boolean;
  /** RLIMIT_MEMLOCK in whole pages, and what it may be raised to in bytes. */
  memlock: number;
  memlockMax: bigint;
  vmas: Vma[];
  /** VmPin and VmLck, in pages. */
  pinned: number;
  locked: number;
}

const CHUNK = 64;

export const newObject = (isPrivate: boolean, isScratch = false): MemoryObject => ({
  pages: new Map(),
  isPrivate,
  isScratch,
});

/** The processes of a platform before the first call. */
export const bootProcesses = (platform: Platform): ProcessState[] => {
  const memfds = new Map<number, MemoryObject>();
  return platform.processes.map((process) => bootProcess(process, platform.pageSize, memfds));
};

/** RLIM_INFINITY is 2^64-1, more pages than there are. */
export const pagesIn = (bytes: bigint, pageSize: number): number =>
  Number(bytes / BigInt(pageSize));

const bootProcess = (
  process: Process,
  pageSize: number,
  memfds: Map<number, MemoryObject>,
): ProcessState => {
  const state: ProcessState = {
    uid: process.uid,
    lockFree: process.capabilities.includes("IPC_LOCK"),
    mayRaiseLimits: process.capabilities.includes("SYS_RESOURCE"),
    memlock: pagesIn(process.memlock ?? U64_MAX, pageSize),
    memlockMax: process.memlock ?? U64_MAX,
    vmas: [],
    pinned: 0,
    locked: 0,
  };
  const scratch = pagesOf(SCRATCH.va, SCRATCH.length, pageSize);
  state.vmas.push({
    first: scratch.first,
    last: scratch.last,
    prot: "rw",
    object: newObject(true, true),
    offset: 0,
  });
  for (const region of process.memory) {
    let object = newObject(region.kind === "anon-private");
    if (region.kind === "memfd" && region.memfd !== undefined) {
      object = memfds.get(region.memfd) ?? object;
      memfds.set(region.memfd, object);
    }
    const offset = Number(region.offset ?? 0n) / pageSize;
    const span = pagesOf(region.va, region.length, pageSize);
    state.vmas.push({ first: span.first, last: span.last, prot: region.prot, object, offset });
  }
  state.vmas.sort(byFirst);
  return state;
};

/** What fork(2) makes of a process: shared memory stays shared, private memory is copied. */
export const copyOf = (process: ProcessState, newFrame: () => number): ProcessState => {
  const copies = new Map<MemoryObject, MemoryObject>();
  const vmas = process.vmas.map((vma) => {
    const { object } = vma;
    if (!object.isPrivate) return vma;
    const copy = copies.get(object) ?? copyObject(object, newFrame);
    copies.set(object, copy);
    return { ...vma, object: copy };
  });
  return { ...process, vmas, pinned: 0, locked: 0 };
};

const copyObject = (object: MemoryObject, newFrame: () => number): MemoryObject => {
  const copy = newObject(true, object.isScratch);
  for (const [index, { bytes, unknown }] of object.pages) {
    copy.pages.set(index, {
      frame: newFrame(),
      pins: 0,
      token: undefined,
      writtenWhilePinned: false,
      bytes: structuredClone(bytes),
      unknown: structuredClone(unknown),
    });
  }
  return copy;
};

export interface PageSpan {
  readonly first: number;
  readonly last: number;
}

/** The pages that [va, va + length - 1] touches; length is at least 1. */
export const pagesOf = (va: bigint, length: bigint, pageSize: number): PageSpan => ({
  first: pageNumber(va, pageSize),
  last: pageNumber(va + length - 1n, pageSize),
});

/** Number of the page of a user address. 2^64 / 4 KiB pages = 2^52, so it is always exact. */
export const pageNumber = (va: bigint, pageSize: number): number =>
  va <= 0x1f_ffff_ffff_ffffn ? Math.floor(Number(va) / pageSize) : Number(va / BigInt(pageSize));

export const vmaAt = (process: ProcessState, page: number): Vma | undefined => {
  for (const vma of process.vmas) if (page >= vma.first && page <= vma.last) return vma;
  return undefined;
};

/** The page behind a page number of a VMA, if anything ever touched it. */
export const pageIn = (vma: Vma, page: number): Page | undefined =>
  vma.object.pages.get(page - vma.first + vma.offset);

/** Removes the pages of `span` from the VMAs; what sticks out on either side stays. */
const cut = (process: ProcessState, span: PageSpan): Vma[] => {
  const removed: Vma[] = [];
  const kept: Vma[] = [];
  for (const vma of process.vmas) {
    if (vma.last < span.first || vma.first > span.last) {
      kept.push(vma);
      continue;
    }
    const first = Math.max(vma.first, span.first);
    const last = Math.min(vma.last, span.last);
    if (vma.first < first) kept.push({ ...vma, last: first - 1 });
    if (vma.last > last) {
      kept.push({ ...vma, first: last + 1, offset: vma.offset + (last + 1 - vma.first) });
    }
    removed.push({ ...vma, first, last, offset: vma.offset + (first - vma.first) });
  }
  process.vmas = kept;
  return removed;
};

const byFirst = (a: Vma, b: Vma): number => a.first - b.first;

/** mmap(MAP_FIXED): `object` from page `offset` on appears at `span`. */
export const place = (
  process: ProcessState,
  span: PageSpan,
  prot: Prot,
  object: MemoryObject,
  offset: number,
): void => {
  cut(process, span);
  process.vmas.push({ first: span.first, last: span.last, prot, object, offset });
  process.vmas.sort(byFirst);
};

export const unplace = (process: ProcessState, span: PageSpan): void => {
  cut(process, span);
  process.vmas.sort(byFirst);
};

/** Changes the rights of what is mapped in `span`. */
export const protect = (process: ProcessState, span: PageSpan, prot: Prot): void => {
  for (const vma of cut(process, span)) process.vmas.push({ ...vma, prot });
  process.vmas.sort(byFirst);
};

/** Last page of the part of `span` that is mapped without a hole; span.first - 1 if none is. */
export const mappedUpTo = (process: ProcessState, span: PageSpan): number => {
  let next = span.first;
  for (const vma of process.vmas) {
    if (vma.last < next) continue;
    if (vma.first > next || next > span.last) break;
    next = vma.last + 1;
  }
  return Math.min(next - 1, span.last);
};

/** Loads bytes from `offset` on, within one page; where nobody knows, `open` gets a 1. */
export const readBytes = (page: Page, offset: number, into: Uint8Array, open: Uint8Array): void => {
  for (let done = 0; done < into.length; ) {
    const at = (offset + done) % CHUNK;
    const chunk = Math.floor((offset + done) / CHUNK);
    const length = Math.min(CHUNK - at, into.length - done);
    const bytes = page.bytes?.get(chunk);
    if (bytes !== undefined) into.set(bytes.subarray(at, at + length), done);
    const unknown = page.unknown?.get(chunk);
    if (unknown !== undefined) open.set(unknown.subarray(at, at + length), done);
    done += length;
  }
};

/** Stores bytes from `offset` on, within one page; those with a 1 in `open` become unknown. */
export const writeBytes = (
  page: Page,
  offset: number,
  bytes: Uint8Array,
  open?: Uint8Array,
): void => {
  for (let done = 0; done < bytes.length; ) {
    const at = (offset + done) % CHUNK;
    const chunk = Math.floor((offset + done) / CHUNK);
    const length = Math.min(CHUNK - at, bytes.length - done);
    page.bytes ??= new Map();
    chunkOf(page.bytes, chunk).set(bytes.subarray(done, done + length), at);
    if (open === undefined) page.unknown?.get(chunk)?.fill(0, at, at + length);
    else {
      page.unknown ??= new Map();
      chunkOf(page.unknown, chunk).set(open.subarray(done, done + length), at);
    }
    done += length;
  }
};

const chunkOf = (chunks: Chunks, index: number): Uint8Array => {
  let chunk = chunks.get(index);
  if (chunk === undefined) {
    chunk = new Uint8Array(CHUNK);
    chunks.set(index, chunk);
  }
  return chunk;
};
