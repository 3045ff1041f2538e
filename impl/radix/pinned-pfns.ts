/**
 * pinned_pfns of an iopt_pages: the pfns of pages that in-kernel users hold, by page index within
 * the iopt_pages.
 *
 * Between calls it has just these pages, whether a domain stores them too or not, so it is there
 * to take them from when the domain goes. While an area is filled, its new pages are here until
 * the domain has taken them over. With domains as the only users this array is thus empty: a
 * pinned page costs no memory beside its IOPTE.
 *
 * An xarray with multi-index entries in the kernel; a radix table here, with the same costs:
 * consecutive pfns are one entry wherever they fill a node. pfn 0 does not exist.
 */
import { nodePool } from "./node-pool";
import { type EntrySink, LARGEST, RadixTable } from "./radix-table";

export class PinnedPfns implements EntrySink {
  readonly #table = new RadixTable(nodePool, 1);

  /** The pfn of page `index`, which is here. */
  load(index: number): number {
    return this.#table.get(index);
  }

  /** Gives the pfns of the pages from index `first` to `last`, which are all here, to `sink`. */
  feed(first: number, last: number, sink: EntrySink): void {
    this.#table.feed(first, last, sink);
  }

  /** Takes in `count` pages with consecutive pfns. */
  run(index: number, count: number, pfn: number): void {
    this.#table.setRun(index, count, pfn, LARGEST);
  }

  /** Takes in `count` pages with any pfns. */
  each(index: number, count: number, pfns: Float64Array, from: number): void {
    this.#table.setEach(index, count, pfns, from, 1, 0);
  }

  /** Forgets `count` pages: a domain stores them now, or they have been unpinned. */
  erase(index: number, count: number): void {
    this.#table.clearRun(index, count);
  }
}
