/**
 * pinned_pfns of an iopt_pages: the pfns of pages that in-kernel users hold, by page index within
 * the iopt_pages.
 *
 * Between calls it has just these pages, whether a domain stores them too or not, so it is there
 * to take them from when the domain goes. With domains as the only users this array is thus
 * empty: a pinned page costs no memory beside its IOPTE.
 *
 * An xarray with multi-index entries in the kernel; a radix table here, with the same costs:
 * consecutive pfns are one entry wherever they fill a node. pfn 0 does not exist.
 *
 * It has no marks, and the kernel sets none in its own. A mark would say which pages are to be
 * unpinned when a user goes, but that depends on who else holds a page, and several in-kernel
 * users may hold one at once: one bit cannot count them. The interval trees of an iopt_pages
 * know it for whole stretches, in O(log n) of the holders and not of the pages.
 */
import { nodePool } from "./node-pool";
import { type EntrySink, LARGEST, RadixTable } from "./radix-table";

/** Takes pages in as a sink: consecutive pfns as a run, or each its own. */
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

  run(index: number, count: number, pfn: number): void {
    this.#table.setRun(index, count, pfn, LARGEST);
  }

  each(index: number, count: number, pfns: Float64Array, from: number): void {
    this.#table.setEach(index, count, pfns, from, 1, 0);
  }

  /** Forgets `count` pages: no in-kernel user holds them any more. */
  erase(index: number, count: number): void {
    this.#table.clearRun(index, count);
  }
}
