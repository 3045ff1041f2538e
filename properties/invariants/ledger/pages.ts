/** The memory that one MAP refers to, shared with every copy of it, and its pins. */
import type { PageIdentity } from "./memory";

/** The IOAS of a mapping, as far as its pins depend on it. */
interface Home {
  readonly hwpts: { readonly size: number };
}

/** A mapping that an answer announced. */
export interface Area {
  readonly ioas: Home;
  readonly start: bigint;
  readonly last: bigint;
  readonly pages: Pages;
  /** User address of the first byte, and the numbers of the pages it spans. */
  readonly userVa: bigint;
  readonly firstPage: number;
  readonly lastPage: number;
  /** PERM_READ and PERM_WRITE as asked for. */
  readonly perm: number;
  /**
   * False: one of several pieces of a copy. Whether they are one mapping or several is open
   * (UNS-05), so only their bytes are known and not their bounds.
   */
  readonly whole: boolean;
  /** False: it may be gone, after an unmap that failed half-way (UNM-24). */
  sure: boolean;
  /** True while its IOAS has a domain, which needs its pages. */
  held: boolean;
}

/** Whether a mapping without any right (MAP-03) pins its pages, nobody says. */
export const isFirm = ({ sure, perm }: Area): boolean => sure && perm !== 0;

/** A page seen at a physical address. It holds as long as it is in `frames` of its MAP. */
export interface Sighting {
  readonly pages: Pages;
  readonly page: number;
  /** Which page it must be; undefined: one of several (late pinning). */
  readonly identity: PageIdentity | undefined;
  /** Physical address of its first byte. */
  readonly frame: bigint;
}

export class Pages {
  /** Changes of user memory before the MAP (UserMemory.now). */
  readonly born: number;
  readonly areas = new Set<Area>();
  /** Where pages were seen, by page number, since they were pinned. */
  readonly frames = new Map<number, Sighting>();

  constructor(born: number) {
    this.born = born;
  }

  /** True when known areas other than `except` hold every page from first to last. */
  heldBesides(except: Area, first: number, last: number): boolean {
    let at = first;
    for (;;) {
      const before = at;
      for (const area of this.areas) {
        if (area === except || !area.held || !isFirm(area)) continue;
        if (area.firstPage <= at && at <= area.lastPage) at = area.lastPage + 1;
      }
      if (at > last) return true;
      if (at === before) return false;
    }
  }

  /** What is known of frames holds no longer than a pin does for certain (PIN-04). */
  dropFrames(released: Area): void {
    for (const page of this.frames.keys()) {
      if (page < released.firstPage || page > released.lastPage) continue;
      if (!this.heldBesides(released, page, page)) this.frames.delete(page);
    }
  }
}

/** All pages of all MAPs that are still mapped somewhere, and what becomes of their pins. */
export class Pins {
  readonly live = new Set<Pages>();
  /** Counts the moments at which the set of pinned pages has changed, or may have. */
  changes = 0;
  /** Areas that hold pages, or may. */
  holding = 0;

  hold(area: Area): void {
    if (area.held) return;
    area.held = true;
    this.holding++;
    if (!isFirm(area) || !area.pages.heldBesides(area, area.firstPage, area.lastPage)) {
      this.changes++;
    }
  }

  release(area: Area): void {
    if (!area.held) return;
    area.held = false;
    this.holding--;
    if (area.sure && area.pages.heldBesides(area, area.firstPage, area.lastPage)) return;
    this.changes++;
    area.pages.dropFrames(area);
  }

  add(area: Area): void {
    area.pages.areas.add(area);
    this.live.add(area.pages);
    if (area.ioas.hwpts.size > 0) this.hold(area);
  }

  remove(area: Area): void {
    this.release(area);
    area.pages.areas.delete(area);
    if (area.pages.areas.size === 0) this.live.delete(area.pages);
  }

  /** From now on the area may or may not be there. */
  doubt(area: Area): void {
    // Also where it was in doubt already: it may have been there until now.
    if (area.held) this.changes++;
    if (!area.sure) return;
    area.sure = false;
    area.pages.dropFrames(area);
  }

  /** The area is there after all. */
  confirm(area: Area): void {
    if (!area.sure && area.held) this.changes++;
    area.sure = true;
  }
}
