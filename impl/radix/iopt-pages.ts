/**
 * iopt_pages: a stretch of user memory that is mapped for DMA, and iopt_area: one place in one
 * IOAS where part of it is mapped. MAP makes both, COPY makes further areas on the same
 * iopt_pages (CPY-21), in any IOAS of the context.
 *
 * A page of an iopt_pages is pinned exactly while it has a holder: an in-kernel user that pinned
 * it (an iopt_pages_access), or a *filled* area that covers it, that is, an area whose IOAS has a
 * domain (PIN-01, PIN-03). One pin, however many of them there are. pfns come from three places,
 * looked at in this order:
 *
 *   1. pinned_pfns, if an in-kernel user holds the page;
 *   2. the storage domain of a filled area that covers the page (DOM-08): whatever happened to
 *      the user's mapping since, everybody gets the page that was pinned first (PIN-04, ACC-15);
 *   3. user memory, by pinning.
 *
 * The holder that comes first takes the pfns over from one that is there, and the last one to go
 * unpins; in between, pages are neither unpinned nor pinned again (PIN-05).
 *
 * Filling an area pins its missing pages and writes the IOPTEs of all domains, run by run; the
 * pfns are stored in the first domain, and nowhere else. Where a page cannot be pinned, what was
 * done so far is unfilled again (MAP-28). Unfilling goes run by run, too: the pfns of pages that
 * nobody else needs are read from the storage domain, their IOPTEs go from all domains, and then
 * they are unpinned. A page is never reachable by a device without a pin.
 *
 * What holds a page is found in O(log n) of the filled areas (one per COPY) and of the accesses;
 * everything else is O(runs of pages), and O(pages) where runs are short.
 */
import type { Errno } from "../../spec/errno";
import { type AccountMode, PinAccount, type Process } from "./accounting";
import { AreaWindow } from "./area-window";
import { assert } from "./assert";
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
import type { EntrySink } from "./radix-table";

/** Combinations of PERM_READ and PERM_WRITE. */
const PERMS = 4;

/** An in-kernel user brings the room for all that it pins. */
const ALL_AT_ONCE = Number.POSITIVE_INFINITY;

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
  /** Pins of in-kernel users on the area; it stays as it is until they are gone. */
  accesses = 0;
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

/** Pages that an in-kernel user has pinned, once. */
export class IoptPagesAccess implements IntervalNode<IoptPagesAccess> {
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly serial = takeSerial();
  left: IoptPagesAccess | undefined;
  right: IoptPagesAccess | undefined;
  reach = 0;

  constructor(firstIndex: number, lastIndex: number) {
    this.firstIndex = firstIndex;
    this.lastIndex = lastIndex;
  }
}

/** Why pages are pinned; undefined: they are not. */
type Holder = IoptPagesAccess | IoptArea | undefined;

/** Pages from `first` to `last`, which `holder` holds. */
type SpanVisitor = (first: number, last: number, holder: Holder) => void;

/** How far pinning a range has come. */
interface Pinned {
  readonly errno: 0 | Errno;
  /** Pages that had no holder before. */
  readonly pinned: number;
  readonly end: number;
}

/** A range of pages. */
type Indexes = Pick<IntervalNode<unknown>, "firstIndex" | "lastIndex">;

export class IoptPages {
  /** Whose memory it is, and who pays for the pins. */
  readonly process: Process;
  readonly pageSize: number;
  /** Page number of page 0 in the process. */
  readonly firstPage: number;
  /** The MAP asked for WRITEABLE: pins are write pins, and COPY may make writable areas. */
  readonly writable: boolean;
  readonly #account: PinAccount;
  /** Made when the first page is pinned: many areas never meet a domain. */
  #pinned: PinnedPfns | undefined;
  /** Filled areas on these pages, the root of their tree: the kernel's domains_itree. */
  #filled: IoptArea | undefined;
  /** The kernel's access_itree. */
  #accesses: IoptPagesAccess | undefined;

  constructor(process: Process, firstPage: number, writable: boolean, accountMode: AccountMode) {
    this.process = process;
    this.pageSize = process.memory.pageSize;
    this.firstPage = firstPage;
    this.writable = writable;
    this.#account = new PinAccount(process, accountMode);
  }

  get #pinnedPfns(): PinnedPfns {
    this.#pinned ??= new PinnedPfns();
    return this.#pinned;
  }

  /**
   * Maps an area into all domains of its IOAS. All or nothing. A COPY of several pieces can make
   * areas that begin or end inside a unit of the domains (CPY-11); none of them maps such a one,
   * which shows when its pages have been pinned, and before they are charged.
   */
  fill(area: IoptArea, domains: readonly IommuDomain[], unit: number): 0 | Errno {
    if (((area.iova | area.length) & BigInt(unit - 1)) !== 0n) {
      return this.lend(area, NOWHERE) || "EINVAL";
    }
    const windows = domains.map((domain) => area.window(domain));
    const sink = mapInto(windows);
    const { errno, pinned, end } = this.#pin(area, sink, (first, last, holder) =>
      this.#feed(first, last, holder, sink),
    );
    // Charging comes last: a page that cannot be pinned beats a limit that is exceeded (MAP-15).
    const failed = errno === 0 ? this.#account.charge(pinned) : errno;
    if (failed !== 0) {
      const done = { firstIndex: area.firstIndex, lastIndex: end - 1 };
      this.#unmapAndUnpin(done, windows[0]!, windows);
      return failed;
    }
    area.storageDomain = domains[0];
    this.#filled = insertInterval(this.#filled, area);
    return 0;
  }

  /** Maps a filled area into one more domain of its IOAS (DOM-08). */
  fillAnother(area: IoptArea, domain: IommuDomain): void {
    const sink = mapInto([area.window(domain)]);
    this.#forEachSpan(area, (first, last, holder) => this.#feed(first, last, holder, sink));
  }

  /** Unmaps an area from all domains of its IOAS, and unpins what no other area needs. */
  unfill(area: IoptArea, domains: readonly IommuDomain[]): void {
    if (area.storageDomain === undefined) return;
    const windows = domains.map((domain) => area.window(domain));
    const storage = windows[domains.indexOf(area.storageDomain)];
    assert(storage !== undefined, "the domain that stores an area's pfns is there until the end");
    this.#filled = removeInterval(this.#filled, area);
    area.storageDomain = undefined;
    this.#account.uncharge(this.#unmapAndUnpin(area, storage, windows));
  }

  /** Two areas for one: no page and no IOPTE changes. The second begins at `iova`. */
  cut(area: IoptArea, iova: bigint): readonly [IoptArea, IoptArea] {
    const part = (start: bigint, last: bigint): IoptArea => {
      const made = new IoptArea(this, start, area.startByteAt(start), last - start + 1n, area.perm);
      made.storageDomain = area.storageDomain;
      return made;
    };
    const parts = [part(area.iova, iova - 1n), part(iova, area.last)] as const;
    if (area.storageDomain !== undefined) {
      this.#filled = removeInterval(this.#filled, area);
      for (const each of parts) this.#filled = insertInterval(this.#filled, each);
    }
    return parts;
  }

  /** Takes a filled area out of one domain while `successor` still maps it (PIN-05, DOM-06). */
  unfillOne(area: IoptArea, domain: IommuDomain, successor: IommuDomain): void {
    if (area.storageDomain === domain) area.storageDomain = successor;
    area.window(domain).unmap(area.firstIndex, area.lastIndex - area.firstIndex + 1);
  }

  /** An in-kernel user pins pages; their pfns are in pinned_pfns from now on. All or nothing. */
  hold(firstIndex: number, lastIndex: number): IoptPagesAccess | Errno {
    const access = new IoptPagesAccess(firstIndex, lastIndex);
    const { errno, pinned, end } = this.#pinIntoPinnedPfns(access, ALL_AT_ONCE);
    const failed = errno === 0 ? this.#account.charge(pinned) : errno;
    if (failed !== 0) {
      this.#unpinFromPinnedPfns({ firstIndex, lastIndex: end - 1 });
      return failed;
    }
    this.#accesses = insertInterval(this.#accesses, access);
    return access;
  }

  /** Takes a hold() back. */
  letGo(access: IoptPagesAccess): void {
    this.#accesses = removeInterval(this.#accesses, access);
    this.#account.uncharge(this.#unpinFromPinnedPfns(access));
  }

  /** The pfn of a page that an in-kernel user holds. */
  heldPfn(index: number): number {
    return this.#pinnedPfns.load(index);
  }

  /**
   * Gives the pfns of all pages of a range to `sink`. Those without a holder are pinned just for
   * that long, and nobody pays for it (ACC-21).
   */
  lend(range: Indexes, sink: EntrySink): 0 | Errno {
    const { errno, end } = this.#pinIntoPinnedPfns(range);
    if (errno === 0) this.#pinnedPfns.feed(range.firstIndex, range.lastIndex, sink);
    this.#unpinFromPinnedPfns({ firstIndex: range.firstIndex, lastIndex: end - 1 });
    return errno;
  }

  /**
   * Pins the pages of a range that have no holder and gives their pfns to `sink`, and hands the
   * others to `held`, all in ascending order. It ends where a page cannot be pinned: before `end`.
   * @param batch how many pages are asked for at a time
   */
  #pin(
    range: Indexes,
    sink: EntrySink,
    held: SpanVisitor,
    batch = this.process.memory.physical.pinBatch,
  ): Pinned {
    const { memory } = this.process;
    const piece = Math.max(batch, memory.physical.pinPiece);
    let errno: 0 | Errno = 0;
    let pinned = 0;
    let end = range.firstIndex;
    this.#forEachSpan(range, (first, last, holder) => {
      if (errno !== 0) return;
      end = last + 1;
      if (holder !== undefined) {
        held(first, last, holder);
        return;
      }
      end = first;
      while (errno === 0 && end <= last) {
        const page = this.firstPage + end;
        const count = Math.min(last - end + 1, piece);
        errno = memory.rangeErrno(page, count, batch);
        const done = errno === 0 ? memory.pin(page, count, this.writable, sink, end) : 0;
        if (errno === 0 && done < count) errno = "EFAULT";
        pinned += done;
        end += done;
      }
    });
    return { errno, pinned, end };
  }

  /** Afterwards all pages of a range are in pinned_pfns, up to an error. */
  #pinIntoPinnedPfns(range: Indexes, batch?: number): Pinned {
    const pinned = this.#pinnedPfns;
    const feed: SpanVisitor = (first, last, holder) => {
      if (holder instanceof IoptArea) this.#feed(first, last, holder, pinned);
    };
    return this.#pin(range, pinned, feed, batch);
  }

  /**
   * Unpins what nobody holds; pinned_pfns keeps just what other in-kernel users hold.
   * @returns how many pages were unpinned
   */
  #unpinFromPinnedPfns(range: Indexes): number {
    const { physical } = this.process.memory;
    const unpin: EntrySink = {
      run: (_index, count, pfn) => physical.unpin(pfn, count),
      each: (_index, count, pfns, from) => physical.unpinEach(count, pfns, from),
    };
    let unpinned = 0;
    this.#forEachSpan(range, (first, last, holder) => {
      if (holder instanceof IoptPagesAccess) return;
      const count = last - first + 1;
      if (holder === undefined) {
        this.#pinnedPfns.feed(first, last, unpin);
        unpinned += count;
      }
      this.#pinnedPfns.erase(first, count);
    });
    return unpinned;
  }

  /**
   * Unmaps pages from all domains of an IOAS, by the windows of an area, and unpins what nobody
   * holds any more, whose pfns `storage` has.
   * @returns how many pages were unpinned
   */
  #unmapAndUnpin(range: Indexes, storage: AreaWindow, windows: readonly AreaWindow[]): number {
    const { physical } = this.process.memory;
    const unmap = (index: number, count: number): void => {
      for (const window of windows) window.unmap(index, count);
    };
    const unmapAndUnpin: EntrySink = {
      run: (index, count, pfn) => {
        unmap(index, count);
        physical.unpin(pfn, count);
      },
      each: (index, count, pfns, from) => {
        unmap(index, count);
        physical.unpinEach(count, pfns, from);
      },
    };
    let unpinned = 0;
    this.#forEachSpan(range, (first, last, holder) => {
      const count = last - first + 1;
      if (holder !== undefined) {
        unmap(first, count);
        return;
      }
      storage.feed(first, last, unmapAndUnpin);
      unpinned += count;
    });
    return unpinned;
  }

  /** Gives the pfns of a span, which are where its holder has them, to `sink`. */
  #feed(first: number, last: number, holder: Holder, sink: EntrySink): void {
    const stored = holder instanceof IoptArea ? holder.storageDomain : undefined;
    if (holder instanceof IoptArea && stored !== undefined) {
      holder.window(stored).feed(first, last, sink);
    } else {
      this.#pinnedPfns.feed(first, last, sink);
    }
  }

  /** Splits a range of pages by who holds them, in ascending order. */
  #forEachSpan(range: Indexes, visit: SpanVisitor): void {
    let first = range.firstIndex;
    while (first <= range.lastIndex) {
      const access = findCovering(this.#accesses, first);
      const area = access === undefined ? findCovering(this.#filled, first) : undefined;
      let end = access?.lastIndex ?? area?.lastIndex ?? nextStart(this.#filled, first) - 1;
      if (access === undefined) end = Math.min(end, nextStart(this.#accesses, first) - 1);
      const last = Math.min(range.lastIndex, end);
      visit(first, last, access ?? area);
      first = last + 1;
    }
  }
}

const NOWHERE: EntrySink = { run: () => {}, each: () => {} };

/** Writes IOPTEs into several domains. */
const mapInto = (windows: readonly AreaWindow[]): EntrySink => ({
  run: (index, count, pfn) => {
    for (const window of windows) window.map(index, count, pfn);
  },
  each: (index, count, pfns, from) => {
    for (const window of windows) window.mapEach(index, count, pfns, from);
  },
});
