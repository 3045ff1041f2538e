/**
 * The address space of one process: what the kernel calls an mm.
 *
 * Virtual memory areas (VMAs) are disjoint, in ascending order and counted in pages. Each one
 * shows a stretch of a memory object, which holds the pages: an object of its own for anonymous
 * memory, one per file for memfds, so that two VMAs of a memfd show the same pages. A page comes
 * into being when it is first touched or pinned, and it keeps its identity as long as its VMA
 * does: private memory is unshared when it is pinned (MAP-31), so a later CPU store goes to the
 * pinned page. Unmapping drops anonymous pages; whoever pinned them keeps them (MAP-30).
 *
 * A child shares the objects of its parent but for private memory, of which it gets a copy. The
 * kernel puts that off until somebody writes, except for pinned pages, which stay the parent's;
 * when it happens is nobody's business.
 *
 * As with transparent huge pages, the first touch of an aligned stretch that one VMA shows brings
 * in a huge page, if the machine has any of that size. So large buffers are runs of pages, and
 * everything on ranges works by the run.
 *
 * Page numbers are plain numbers (2^64 / 4 KiB = 2^52). Finding a VMA is a binary search, or
 * O(1) for the VMA of the last access.
 */
import type { Errno } from "../../spec/errno";
import type { Backing, Prot } from "../../spec/fields";
import { nodePool } from "./node-pool";
import type { PhysicalMemory } from "./physical-memory";
import { type EntrySink, LARGEST, RadixTable } from "./radix-table";

/** What a VMA shows; pages by their number in the object. */
export interface MemoryObject {
  readonly pages: RadixTable;
  /** A child gets a copy. */
  readonly isPrivate: boolean;
  /** Pages live as long as the object, not as long as a VMA: others may show them. */
  shared: boolean;
}

export const makeMemoryObject = (kind: Backing): MemoryObject => ({
  pages: new RadixTable(nodePool, 1),
  isPrivate: kind === "anon-private",
  shared: kind === "memfd",
});

interface Vma {
  readonly first: number;
  readonly last: number;
  readonly prot: Prot;
  readonly object: MemoryObject;
  /** Page of the object at `first`. */
  readonly offset: number;
}

/** All alike, so that the compiler sees one kind of object. */
const vmaOf = (
  first: number,
  last: number,
  prot: Prot,
  object: MemoryObject,
  offset: number,
): Vma => ({ first, last, prot, object, offset });

/** User space ends one page below 2^47. */
const USER_SPACE = 2 ** 47;

export class UserMemory {
  readonly physical: PhysicalMemory;
  readonly pageSize: number;
  /** First page number that is not user space. */
  readonly #pagesEnd: number;
  readonly #vmas: Vma[] = [];
  /** Every object that was ever mapped here. */
  readonly #objects: MemoryObject[] = [];
  #found: Vma | undefined;
  #isGone = false;

  constructor(physical: PhysicalMemory) {
    this.physical = physical;
    this.pageSize = physical.pageSize;
    this.#pagesEnd = USER_SPACE / this.pageSize - 1;
  }

  /** The process has exited. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The address space of a child. */
  fork(): UserMemory {
    const child = new UserMemory(this.physical);
    const copies = new Map<MemoryObject, MemoryObject>();
    for (const vma of this.#vmas) {
      let { object } = vma;
      if (object.isPrivate) {
        object = copies.get(object) ?? makeMemoryObject("anon-private");
        copies.set(vma.object, object);
        this.#copyPages(vma, object);
      } else {
        object.shared = true;
      }
      child.#vmas.push(vmaOf(vma.first, vma.last, vma.prot, object, vma.offset));
      child.#objects.push(object);
    }
    return child;
  }

  /** The process exits: nothing can be reached here any more. */
  unmapAll(): void {
    this.unmap(0, this.#pagesEnd);
    this.#isGone = true;
  }

  /** mmap(MAP_FIXED): replaces whatever was there. */
  map(first: number, count: number, prot: Prot, object: MemoryObject, offset: number): 0 | Errno {
    if (first + count > this.#pagesEnd) return "ENOMEM";
    this.unmap(first, count);
    const vma = vmaOf(first, first + count - 1, prot, object, offset);
    this.#vmas.splice(this.#lowerBound(first), 0, vma);
    this.#objects.push(object);
    return 0;
  }

  /** munmap: holes in the range are fine. */
  unmap(first: number, count: number): 0 | Errno {
    if (first + count > this.#pagesEnd) return "EINVAL";
    const [from, to] = this.#isolate(first, first + count - 1);
    for (let i = from; i < to; i += 1) this.#dropPages(this.#vmas[i]!);
    this.#vmas.splice(from, to - from);
    return 0;
  }

  /** mprotect: a hole ends it with ENOMEM, after what comes before the hole has changed. */
  protect(first: number, count: number, prot: Prot): 0 | Errno {
    // Only a range whose end is no number of 64 bits is refused beforehand.
    if (first + count >= 2 ** 64 / this.pageSize) return "ENOMEM";
    const last = first + count - 1;
    const [from, to] = this.#isolate(first, last);
    let expected = first;
    for (let i = from; i < to; i += 1) {
      const vma = this.#vmas[i]!;
      if (vma.first !== expected) return "ENOMEM";
      this.#vmas[i] = vmaOf(vma.first, vma.last, prot, vma.object, vma.offset);
      expected = vma.last + 1;
    }
    return expected > last ? 0 : "ENOMEM";
  }

  /** The page at a page number, faulted in; 0 where an access of this kind faults. */
  touch(page: number, write: boolean): number {
    const vma = this.#find(page);
    if (vma === undefined || !permits(vma.prot, write)) return 0;
    return this.#fault(vma, page);
  }

  /** The page at a page number if it was touched before; 0 otherwise. */
  present(page: number): number {
    const vma = this.#find(page);
    return vma === undefined ? 0 : vma.object.pages.get(page - vma.first + vma.offset);
  }

  /** Whether `count` pages from `page` can all be read. */
  isReadable(page: number, count: number): boolean {
    for (let at = page; at < page + count; ) {
      const vma = this.#find(at);
      if (vma === undefined || !permits(vma.prot, false)) return false;
      at = vma.last + 1;
    }
    return true;
  }

  /** Pages from `page` up to `limit` that no VMA shows or permits to read; 0: `page` is fine. */
  unreadablePages(page: number, limit: number): number {
    const shown = this.#find(page);
    if (shown !== undefined && permits(shown.prot, false)) return 0;
    let at = page;
    while (at <= limit) {
      const index = this.#lowerBound(at);
      const vma = this.#vmas[index];
      if (vma === undefined) return limit + 1 - page;
      if (vma.first > at) at = Math.min(vma.first, limit + 1);
      else if (permits(vma.prot, false)) return at - page;
      else at = Math.min(vma.last, limit) + 1;
    }
    return at - page;
  }

  /**
   * Why `count` pages from page number `page` cannot be pinned, whatever is mapped there.
   * @param batch how many of them are asked for at a time
   */
  rangeErrno(page: number, count: number, batch: number): 0 | Errno {
    if (this.#isGone) return "EFAULT";
    // For a process that pins memory of its own, the kernel adds up the byte range of a batch
    // before it looks at any page: an end of exactly 2^64 overflows, any other end outside user
    // space faults, and so does either in the memory of another process (MAP-14 as recorded).
    const asked = Math.min(count, batch);
    if (this.physical.currentMemory === this && page + asked === 2 ** 64 / this.pageSize) {
      return "EOVERFLOW";
    }
    return page + count > this.#pagesEnd ? "EFAULT" : 0;
  }

  isUserSpace(page: number): boolean {
    return page < this.#pagesEnd;
  }

  /**
   * Pins `count` pages from page number `page` once each, and gives their pfns to `sink`, counted
   * from `index`. A read-only pin needs a readable page, the other kind a writable one (MAP-14,
   * PIN-06).
   * @returns how many: fewer where the next one faults
   */
  pin(page: number, count: number, write: boolean, sink: EntrySink, index: number): number {
    for (let done = 0; done < count; ) {
      const vma = this.#find(page + done);
      if (vma === undefined || !permits(vma.prot, write)) return done;
      const shown = Math.min(count - done, vma.last + 1 - (page + done));
      this.#pinShown(vma, page + done, shown, sink, index + done);
      done += shown;
    }
    return count;
  }

  /** The process is gone: gives the memory of its page indexes back. */
  dispose(): void {
    for (const object of this.#objects) object.pages.dispose();
  }

  /** Pins pages that a VMA shows, in runs. */
  #pinShown(vma: Vma, page: number, count: number, sink: EntrySink, index: number): void {
    const { physical } = this;
    const { pages } = vma.object;
    const first = page - vma.first + vma.offset;
    const last = first + count - 1;
    for (let hole = pages.nextHole(first, last); hole <= last; ) {
      this.#fault(vma, page + (hole - first));
      hole = pages.nextHole(hole, last);
    }
    const shift = index - first;
    pages.feed(first, last, {
      run: (at, run, pfn) => {
        physical.pin(pfn, run);
        sink.run(at + shift, run, pfn);
      },
      each: (at, many, pfns, from) => {
        physical.pinEach(many, pfns, from);
        sink.each(at + shift, many, pfns, from);
      },
    });
  }

  #fault(vma: Vma, page: number): number {
    const { pages } = vma.object;
    const index = page - vma.first + vma.offset;
    const present = pages.get(index);
    if (present !== 0) return present;
    const count = this.#faultSize(vma, page, index);
    const pfn = this.physical.allocate(count);
    const offset = index % count;
    pages.setRun(index - offset, count, pfn, LARGEST);
    return pfn + offset;
  }

  /** Pages that a fault brings in: a huge page where the VMA shows the whole of an untouched one. */
  #faultSize(vma: Vma, page: number, index: number): number {
    for (const count of this.physical.hugePages) {
      const offset = index % count;
      const first = page - offset;
      if (first < vma.first || first + count - 1 > vma.last || first % count !== 0) continue;
      if (vma.object.pages.isFree(index - offset, count)) return count;
    }
    return 1;
  }

  /** Nothing but a memfd can show a page twice, so what a VMA drops is gone. */
  #dropPages(vma: Vma): void {
    if (vma.object.shared) return;
    const { pages } = vma.object;
    const dropped: [index: number, count: number][] = [];
    pages.walk(vma.offset, vma.offset + (vma.last - vma.first), (index, count, pfn) => {
      this.physical.release(pfn, count);
      dropped.push([index, count]);
    });
    for (const [index, count] of dropped) pages.clearRun(index, count);
  }

  /** Gives another object copies of the pages that a VMA shows. */
  #copyPages(vma: Vma, into: MemoryObject): void {
    const { physical } = this;
    const last = vma.offset + (vma.last - vma.first);
    vma.object.pages.walk(vma.offset, last, (index, count, pfn) => {
      const copy = physical.allocate(count);
      physical.copy(pfn, copy, count);
      into.pages.setRun(index, count, copy, LARGEST);
    });
  }

  /** Cuts VMAs at both ends of a range; returns the positions [from, to) of those inside. */
  #isolate(first: number, last: number): [from: number, to: number] {
    this.#found = undefined;
    this.#cutAt(first);
    this.#cutAt(last + 1);
    return [this.#lowerBound(first), this.#lowerBound(last + 1)];
  }

  #cutAt(page: number): void {
    const index = this.#lowerBound(page);
    const vma = this.#vmas[index];
    if (vma === undefined || vma.first >= page) return;
    const { first, last, prot, object, offset } = vma;
    const rest = vmaOf(page, last, prot, object, offset + (page - first));
    this.#vmas.splice(index, 1, vmaOf(first, page - 1, prot, object, offset), rest);
  }

  #find(page: number): Vma | undefined {
    const found = this.#found;
    if (found !== undefined && found.first <= page && page <= found.last) return found;
    const vma = this.#vmas[this.#lowerBound(page)];
    if (vma === undefined || vma.first > page) return undefined;
    this.#found = vma;
    return vma;
  }

  /** Position of the first VMA that ends at or behind `page`. */
  #lowerBound(page: number): number {
    let low = 0;
    let high = this.#vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#vmas[middle]!.last < page) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const permits = (prot: Prot, write: boolean): boolean => prot === "rw" || (prot === "r" && !write);
