/**
 * iopt_pages: a stretch of user memory that is mapped for DMA, and iopt_area: one place in one
 * IOAS where part of it is mapped. MAP makes both, COPY makes further areas on the same
 * iopt_pages (CPY-21), in any IOAS of the context.
 *
 * A page of an iopt_pages is pinned exactly while some *filled* area covers it, that is, an area
 * whose IOAS has a domain (PIN-01, PIN-03); one pin, however many areas and domains there are.
 * pfns come from three places, looked at in this order:
 *
 *   1. the storage domain of a filled area that covers the page (DOM-08): whatever happened to
 *      the user's mapping since, every domain gets the page that was pinned first (PIN-04);
 *   2. pinned_pfns, for pages that are pinned and that no domain stores at this moment;
 *   3. user memory, by pinning.
 *
 * Filling an area pins its missing pages into pinned_pfns, writes the IOPTEs of all domains and
 * only then hands the storage over to the first domain. A page that cannot be pinned thus fails
 * the call before any IOPTE exists (MAP-28). Unfilling goes run by run: the pfns of pages that
 * nobody else needs are read from the storage domain, their IOPTEs go from all domains, and then
 * they are unpinned. A page is never reachable by a device without a pin.
 *
 * What covers a page is found in O(log n) of the filled areas (one per COPY); everything else is
 * O(runs of pages), and O(pages) where runs are short.
 */
import type { Errno } from "../../spec/errno";
import type { AccountMode, Process } from "./accounting";
import { AreaWindow } from "./area-window";
import {
  findCovering,
  type IntervalNode,
  insertInterval,
  nextStart,
  removeInterval,
  takeSerial,
} from "./interval-treap";
import type { IommuDomain } from "./iommu-domain";
import { offsetInPage, pageOf } from "./page-math";
import { PinnedPfns } from "./pinned-pfns";

/** Combinations of PERM_READ and PERM_WRITE. */
const PERMS = 4;

export class IoptArea implements IntervalNode<IoptArea> {
  readonly pages: IoptPages;
  readonly iova: bigint;
  readonly last: bigint;
  /** First and last page of `pages`. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** pageOffset and perm; an IOAS can have a million areas. */
  readonly #offsetAndPerm: number;
  /** The domain that stores the pfns; undefined while the area is not filled. */
  storageDomain: IommuDomain | undefined;
  /** Among the filled areas of `pages`. */
  readonly serial = takeSerial();
  left: IoptArea | undefined;
  right: IoptArea | undefined;
  reach = 0;

  /** @param startByte where in `pages` the area begins */
  constructor(pages: IoptPages, iova: bigint, startByte: bigint, length: bigint, perm: number) {
    const { pageSize } = pages;
    this.pages = pages;
    this.iova = iova;
    this.last = iova + length - 1n;
    this.firstIndex = pageOf(startByte, pageSize);
    this.lastIndex = pageOf(startByte + length - 1n, pageSize);
    this.#offsetAndPerm = offsetInPage(startByte, pageSize) * PERMS + perm;
  }

  /** What devices may do: PERM_READ, PERM_WRITE. */
  get perm(): number {
    return this.#offsetAndPerm % PERMS;
  }

  /** Where in the first page the area begins. */
  get pageOffset(): number {
    return Math.floor(this.#offsetAndPerm / PERMS);
  }

  get length(): bigint {
    return this.last - this.iova + 1n;
  }

  /** Where in `pages` the byte at `iova` is. */
  startByteAt(iova: bigint): bigint {
    const { pageSize } = this.pages;
    return (
      BigInt(this.firstIndex) * BigInt(pageSize) + BigInt(this.pageOffset) + (iova - this.iova)
    );
  }

  window(domain: IommuDomain): AreaWindow {
    return new AreaWindow(this, domain, this.pages.pageSize);
  }
}

export class IoptPages {
  /** Whose memory it is, and who pays for the pins. */
  readonly process: Process;
  readonly pageSize: number;
  /** Page number of page 0 in the process. */
  readonly firstPage: number;
  /** The MAP asked for WRITEABLE: pins are write pins, and COPY may make writable areas. */
  readonly writable: boolean;
  readonly #accountMode: AccountMode;
  /** Made when the first page is pinned: many areas never meet a domain. */
  #pinned: PinnedPfns | undefined;
  /** Filled areas on these pages, the root of their tree: the kernel's domains_itree. */
  #filled: IoptArea | undefined;

  constructor(process: Process, firstPage: number, writable: boolean, accountMode: AccountMode) {
    this.process = process;
    this.pageSize = process.memory.pageSize;
    this.firstPage = firstPage;
    this.writable = writable;
    this.#accountMode = accountMode;
  }

  get #pinnedPfns(): PinnedPfns {
    this.#pinned ??= new PinnedPfns();
    return this.#pinned;
  }

  /**
   * Maps an area into all domains of its IOAS. All or nothing. A COPY of several pieces can make
   * areas that begin or end inside a unit of the alignment (CPY-11); no domain maps such a one.
   */
  fill(area: IoptArea, domains: readonly IommuDomain[], alignment: bigint): 0 | Errno {
    const errno = this.#pinUncovered(area);
    if (errno !== 0) return errno;
    if (((area.iova | area.length) & (alignment - 1n)) !== 0n) {
      this.#unpinUncovered(area);
      return "EINVAL";
    }
    for (const domain of domains) this.#mapInto(area, domain);
    this.#forEachSpan(area, (first, last, covering) => {
      if (covering === undefined) this.#pinnedPfns.erase(first, last - first + 1);
    });
    area.storageDomain = domains[0];
    this.#filled = insertInterval(this.#filled, area);
    return 0;
  }

  /** Maps a filled area into one more domain of its IOAS (DOM-08). */
  fillAnother(area: IoptArea, domain: IommuDomain): void {
    this.#mapInto(area, domain);
  }

  /** Unmaps an area from all domains of its IOAS, and unpins what no other area needs. */
  unfill(area: IoptArea, domains: readonly IommuDomain[]): void {
    if (area.storageDomain === undefined) return;
    this.#filled = removeInterval(this.#filled, area);
    const { process } = this;
    const { physical } = process.memory;
    const storage = area.window(area.storageDomain);
    const windows = domains.map((domain) => area.window(domain));
    const unmap = (index: number, count: number): void => {
      for (const window of windows) window.unmap(index, count);
    };
    this.#forEachSpan(area, (first, last, covering) => {
      const count = last - first + 1;
      if (covering !== undefined) {
        unmap(first, count);
        return;
      }
      storage.feed(first, last, {
        run: (index, pages, pfn) => {
          unmap(index, pages);
          physical.unpin(pfn, pages);
        },
        each: (index, pages, pfns, from) => {
          unmap(index, pages);
          physical.unpinEach(pages, pfns, from);
        },
      });
      process.uncharge(this.#accountMode, count);
    });
    area.storageDomain = undefined;
  }

  /** Takes a filled area out of one domain while `successor` still maps it (PIN-05, DOM-06). */
  unfillOne(area: IoptArea, domain: IommuDomain, successor: IommuDomain): void {
    if (area.storageDomain === domain) area.storageDomain = successor;
    area.window(domain).unmap(area.firstIndex, area.lastIndex - area.firstIndex + 1);
  }

  /** Unpins what no filled area covers and pinned_pfns has. */
  #unpinUncovered(area: IoptArea): void {
    const { process } = this;
    this.#forEachSpan(area, (first, last, covering) => {
      if (covering !== undefined) return;
      const count = last - first + 1;
      process.memory.unpin(count, this.#pinnedPfns, first);
      process.uncharge(this.#accountMode, count);
    });
  }

  /** Pins what an area needs and no filled area covers; the pfns are in pinned_pfns then. */
  #pinUncovered(area: IoptArea): 0 | Errno {
    const { memory } = this.process;
    let errno: 0 | Errno = 0;
    let pinned = 0;
    this.#forEachSpan(area, (first, last, covering) => {
      if (covering !== undefined || errno !== 0) return;
      const count = last - first + 1;
      errno = memory.pin(this.firstPage + first, count, this.writable, this.#pinnedPfns, first);
      if (errno === 0) pinned += count;
    });
    // Charging comes last: a page that cannot be pinned beats a limit that is exceeded (MAP-15).
    errno = errno || this.process.charge(this.#accountMode, pinned);
    if (errno === 0) return 0;
    this.#forEachSpan(area, (first, last, covering) => {
      const count = Math.min(last - first + 1, pinned);
      if (covering !== undefined || count === 0) return;
      memory.unpin(count, this.#pinnedPfns, first);
      pinned -= count;
    });
    return errno;
  }

  /** Writes an area's IOPTEs into one domain, in runs of consecutive pfns. */
  #mapInto(area: IoptArea, domain: IommuDomain): void {
    const window = area.window(domain);
    this.#forEachSpan(area, (first, last, covering) => {
      const stored = covering?.storageDomain;
      const source = stored === undefined ? this.#pinnedPfns : covering?.window(stored);
      source?.feed(first, last, {
        run: (index, count, pfn) => window.map(index, count, pfn),
        each: (index, count, pfns, from) => window.mapEach(index, count, pfns, from),
      });
    });
  }

  /** Splits an area's pages by the filled area that covers them, if any, in ascending order. */
  #forEachSpan(
    area: IoptArea,
    visit: (first: number, last: number, covering: IoptArea | undefined) => void,
  ): void {
    let first = area.firstIndex;
    while (first <= area.lastIndex) {
      const covering = findCovering(this.#filled, first);
      const end = covering?.lastIndex ?? nextStart(this.#filled, first) - 1;
      const last = Math.min(area.lastIndex, end);
      visit(first, last, covering);
      first = last + 1;
    }
  }
}
