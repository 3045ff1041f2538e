/**
 * An area as one domain sees it: the arithmetic between pages of an iopt_pages and IO pages.
 *
 * An IO page may be smaller than a page (then an area may begin and end inside one, DOM-10),
 * never larger (ALN-02), and the area is aligned to it (ALN-07), so everything here is exact in
 * whole IO pages. Built once per area and domain and call: the loops over pages that follow use
 * plain numbers only.
 */
import { type IommuDomain, ioPfnOf } from "./iommu-domain";
import type { RunVisitor } from "./radix-table";

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

  unmap(): void {
    this.#domain.unmap(this.#first, this.#count);
  }

  /** Visits the pages from index `first` to `last`, in runs of consecutive pfns. */
  walk(first: number, last: number, visit: RunVisitor): void {
    const perPage = this.#ioPagesPerPage;
    // IO page of the start of page firstIndex, which may lie before the area.
    const origin = this.#first - this.#skip;
    const from = Math.max(origin + (first - this.#firstIndex) * perPage, this.#first);
    const end = Math.min(
      origin + (last + 1 - this.#firstIndex) * perPage,
      this.#first + this.#count,
    );
    this.#domain.walk(from, end - 1, (ioPage, count, iopte) => {
      const page = Math.floor((ioPage - origin) / perPage);
      const pages = Math.ceil((ioPage - origin + count) / perPage) - page;
      visit(this.#firstIndex + page, pages, Math.floor(ioPfnOf(iopte) / perPage));
    });
  }
}
