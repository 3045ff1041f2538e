/**
 * An area as one domain sees it: the arithmetic between pages of an iopt_pages and IO pages.
 *
 * An IO page may be smaller than a page (then an area may begin and end inside one, DOM-10),
 * never larger (ALN-02), and the area is aligned to it (ALN-07), so everything here is exact in
 * whole IO pages. Built once per area and domain and call: the loops over pages that follow use
 * plain numbers only.
 */
import { type IommuDomain, ioPfnOf, toIoPfns } from "./iommu-domain";
import type { EntrySink } from "./radix-table";

/** Between an IOMMU's IOPTEs and whoever takes their pfns in; one leaf at most at a time. */
const pfnsOfLeaf = new Float64Array(512);

/** The part of an iopt_area that this needs. */
export interface AreaShape {
  readonly iova: bigint;
  readonly last: bigint;
  readonly perm: number;
  /** Page of the iopt_pages that the first byte is in, and where in that page. */
  readonly firstIndex: number;
  readonly pageOffset: number;
}

export class AreaWindow {
  readonly #domain: IommuDomain;
  readonly #perm: number;
  readonly #firstIndex: number;
  /** First IO page, and how many. */
  readonly #first: number;
  readonly #count: number;
  readonly #ioPagesPerPage: number;
  /** IO pages of the first page that lie before the area. */
  readonly #skip: number;

  constructor(area: AreaShape, domain: IommuDomain, pageSize: number) {
    this.#domain = domain;
    this.#perm = area.perm;
    this.#firstIndex = area.firstIndex;
    this.#first = domain.ioPageOf(area.iova);
    this.#count = domain.ioPageOf(area.last) - this.#first + 1;
    this.#ioPagesPerPage = pageSize / domain.ioPageSize;
    this.#skip = area.pageOffset / domain.ioPageSize;
  }

  /** Maps `count` pages from page `index` of the iopt_pages, which have consecutive pfns. */
  map(index: number, count: number, pfn: number): void {
    const perPage = this.#ioPagesPerPage;
    const start = (index - this.#firstIndex) * perPage - this.#skip;
    const from = Math.max(start, 0);
    const to = Math.min(start + count * perPage, this.#count);
    this.#domain.map(this.#first + from, to - from, pfn * perPage + (from - start), this.#perm);
  }

  /** Unmaps `count` pages from page `index`. */
  unmap(index: number, count: number): void {
    const perPage = this.#ioPagesPerPage;
    const start = (index - this.#firstIndex) * perPage - this.#skip;
    const from = Math.max(start, 0);
    const to = Math.min(start + count * perPage, this.#count);
    this.#domain.unmap(this.#first + from, to - from);
  }

  /** Maps `count` pages from page `index` to the frames pfns[from], … */
  mapEach(index: number, count: number, pfns: Float64Array, from: number): void {
    if (this.#ioPagesPerPage === 1) {
      const ioPage = this.#first + (index - this.#firstIndex);
      this.#domain.mapEach(ioPage, count, pfns, from, this.#perm);
    } else {
      for (let i = 0; i < count; i += 1) this.map(index + i, 1, pfns[from + i]!);
    }
  }

  /**
   * Gives the pfns that the domain has for the pages from index `first` to `last` to `sink`,
   * which may unmap what it was given.
   */
  feed(first: number, last: number, sink: EntrySink): void {
    const perPage = this.#ioPagesPerPage;
    // IO page of the start of page firstIndex, which may lie before the area.
    const origin = this.#first - this.#skip;
    const run = (ioPage: number, count: number, iopte: number): void => {
      const page = Math.floor((ioPage - origin) / perPage);
      const pages = Math.ceil((ioPage - origin + count) / perPage) - page;
      sink.run(this.#firstIndex + page, pages, Math.floor(ioPfnOf(iopte) / perPage));
    };
    const perm = this.#perm;
    const each = (ioPage: number, count: number, ioptes: Float64Array, from: number): void => {
      toIoPfns(ioptes, from, count, perm, pfnsOfLeaf);
      sink.each(this.#firstIndex + (ioPage - origin), count, pfnsOfLeaf, 0);
    };
    const from = Math.max(origin + (first - this.#firstIndex) * perPage, this.#first);
    const end = Math.min(
      origin + (last + 1 - this.#firstIndex) * perPage,
      this.#first + this.#count,
    );
    if (perPage === 1) this.#domain.feed(from, end - 1, { run, each });
    else this.#domain.walk(from, end - 1, run);
  }
}
