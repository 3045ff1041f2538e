/**
 * pinned_pfns of an iopt_pages: the pfns of pinned pages that no iommu_domain stores, by page
 * index within the iopt_pages.
 *
 * A pinned page's pfn lives in exactly one place: in the storage domain of an area that covers
 * the page, or else here. While an area is filled, its new pages are here until the domain has
 * taken them over; while it is unfilled, they come back here before the IOPTEs go, because a
 * page may only be unpinned after no IOMMU can reach it any more. In between, with domains as
 * the only users, this array is empty: a pinned page costs no memory beside its IOPTE.
 *
 * An xarray in the kernel; a radix table here, with the same costs. pfn 0 does not exist.
 */
import { nodePool } from "./node-pool";
import { RadixTable } from "./radix-table";

export class PinnedPfns {
  readonly #table: RadixTable;

  constructor(pageCount: number) {
    this.#table = new RadixTable(nodePool, pageCount - 1);
  }

  /** The pfn of page `index`, which is here. */
  load(index: number): number {
    return this.#table.get(index);
  }

  /** Takes in `count` pages with consecutive pfns. */
  store(index: number, count: number, pfn: number): void {
    this.#table.setRun(index, count, pfn, 1);
  }

  /** Forgets `count` pages: a domain stores them now, or they have been unpinned. */
  erase(index: number, count: number): void {
    this.#table.clearRun(index, count);
  }
}
