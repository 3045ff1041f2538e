/**
 * An iommu_domain: one I/O page table, which devices of one IOMMU can use.
 *
 * A radix table from IO page number (IOVA / IO page size) to IOPTE. An IOPTE is a plain number,
 * IO frame number * 8 + permission; a frame number is below 2^50, so it is exact, and never 0,
 * because pfn 0 does not exist. Whoever maps says which pages; the domain owns neither the pages
 * nor their pins. It is never asked to map twice or to unmap what is not there.
 *
 * Where IO pages and frames are contiguous and aligned alike, one large entry maps 512 or 512²
 * of them, as the 2 MiB and 1 GiB entries of an IOMMU do.
 */
import type { IovaRange } from "../../spec/units";
import { assert } from "./assert";
import { DirtyBits } from "./dirty-bits";
import { nodePool } from "./node-pool";
import { pageOf } from "./page-math";
import { type EntrySink, LARGEST, RadixTable, type RunVisitor } from "./radix-table";

const IOPTE_SHIFT = 8;
/** IO pages under a large entry, by level. */
const LARGE = [1, 2 ** 9, 2 ** 18];

export const ioPfnOf = (iopte: number): number => Math.floor(iopte / IOPTE_SHIFT);
/** What ioptes[from], … map to, which all have the same permission. */
export const toIoPfns = (
  ioptes: Float64Array,
  from: number,
  count: number,
  perm: number,
  ioPfns: Float64Array,
): void => {
  for (let i = 0; i < count; i += 1) ioPfns[i] = (ioptes[from + i]! - perm) / IOPTE_SHIFT;
};
/** PERM_READ and PERM_WRITE. */
export const permOf = (iopte: number): number => iopte % IOPTE_SHIFT;

/** The IOMMU that a domain was made by, and serves. */
interface DomainMaker {
  /** Bytes of its smallest page, a power of two. */
  readonly ioPageSize: number;
  /** What it can translate. */
  readonly aperture: IovaRange;
  /** It makes DMA coherent with CPU caches whatever the device asks for. */
  readonly enforcesCoherency: boolean;
}

export class IommuDomain {
  readonly iommu: DomainMaker;
  readonly ioPageSize: number;
  /** The sizes of its pages, as a mask. Not all that it tells of need ever be used. */
  readonly ioPageSizes: bigint;
  /** OPT-12: whether what is mapped from now on may have large entries. */
  largePages = true;
  /** What devices have written to; undefined: it was not made to know (DTY-03). */
  readonly dirty: DirtyBits | undefined;
  readonly #table = new RadixTable(nodePool, IOPTE_SHIFT);

  constructor(iommu: DomainMaker, ioPageSizes: bigint, tracksDirty: boolean) {
    this.iommu = iommu;
    this.ioPageSizes = ioPageSizes;
    this.dirty = tracksDirty ? new DirtyBits() : undefined;
    this.ioPageSize = iommu.ioPageSize;
  }

  ioPageOf(iova: bigint): number {
    return pageOf(iova, this.ioPageSize);
  }

  /** Maps `count` IO pages to consecutive IO frames. */
  map(ioPage: number, count: number, ioPfn: number, perm: number): void {
    let largest = this.largePages && count >= LARGE[1]! ? LARGEST : 0;
    while ((ioPage - ioPfn) % LARGE[largest]! !== 0) largest -= 1;
    this.#table.setRun(ioPage, count, ioPfn * IOPTE_SHIFT + perm, largest);
  }

  /** Maps `count` IO pages to the IO frames ioPfns[from], … */
  mapEach(ioPage: number, count: number, ioPfns: Float64Array, from: number, perm: number): void {
    this.#table.setEach(ioPage, count, ioPfns, from, IOPTE_SHIFT, perm);
  }

  unmap(ioPage: number, count: number): void {
    this.#table.clearRun(ioPage, count);
    this.dirty?.clear(ioPage, ioPage + count - 1);
  }

  /** The IOPTE of an IO page; 0 when it is not mapped. */
  iopteAt(ioPage: number): number {
    return this.#table.get(ioPage);
  }

  /** Visits what is mapped from IO page `first` to `last`, in runs with the same permission. */
  walk(first: number, last: number, visit: RunVisitor): void {
    this.#table.walk(first, last, visit);
  }

  /** Gives the IOPTEs from IO page `first` to `last`, all of them present, to `sink`. */
  feed(first: number, last: number, sink: EntrySink): void {
    this.#table.feed(first, last, sink);
  }

  /** A domain is given up only after everything has been unmapped from it. */
  assertEmpty(): void {
    assert(this.#table.isEmpty, "a domain that goes away translates nothing any more");
  }
}
