/** The memory that one MAP refers to, shared with every copy of it, and its pins. */
import type { Process } from "./process";

/** The IOAS of a mapping, as far as its pins depend on it. */
interface Home {
  readonly hwpts: { readonly size: number };
}

/** What keeps pages pinned: a mapping in an IOAS with a domain, or a pin of an in-kernel user. */
export interface Holder {
  readonly pages: Pages;
  /** Numbers of the pages in the address space of the process. */
  readonly firstPage: number;
  readonly lastPage: number;
  /** PERM_READ and PERM_WRITE as asked for. */
  readonly perm: number;
  /** False: it may be gone, or may never have been there. */
  sure: boolean;
  /** It holds its pages now, or may: of a mapping, because its IOAS has a domain. */
  held: boolean;
}

/** A mapping that an answer announced. */
export interface Area extends Holder {
  readonly ioas: Home;
  readonly start: bigint;
  readonly last: bigint;
  /** User address of the first byte. */
  readonly userVa: bigint;
  /** It starts inside its first page; it ends inside its last one. */
  readonly cutsFirst: boolean;
  readonly cutsLast: boolean;
  /**
   * False: it may be several, as the pieces of a copy are (UNS-05), or what a failed cut leaves
   * (VCC-16), so only its bytes are known and not its bounds.
   */
  readonly whole: boolean;
}

type AreaInPages = "firstPage" | "lastPage" | "cutsFirst" | "cutsLast" | "held";

/** A mapping that is not in its IOAS yet. */
export const newArea = (area: Omit<Area, AreaInPages>): Area => {
  const { ioas, start, last, pages, userVa, perm, whole, sure } = area;
  const { memory } = pages.process;
  const end = userVa + (last - start);
  // To spread `area` here takes as long as all the rest.
  return {
    ioas,
    start,
    last,
    pages,
    userVa,
    firstPage: memory.page(userVa),
    lastPage: memory.page(end),
    cutsFirst: memory.offset(userVa) !== 0,
    cutsLast: memory.offset(end) !== memory.pageSize - 1,
    perm,
    whole,
    sure,
    held: false,
  };
};

/** Whether a mapping without any right (MAP-03) pins its pages, nobody says. */
export const isFirm = ({ sure, perm }: Holder): boolean => sure && perm !== 0;

/** A page seen at a physical address. It holds as long as it is in `frames` of its MAP. */
export interface Sighting {
  readonly pages: Pages;
  readonly page: number;
  /** Which page it must be (PageBytes); undefined: one of several (late pinning). */
  readonly identity: number | undefined;
  /** Physical address of its first byte. */
  readonly frame: bigint;
}

export class Pages {
  /** Whoever made the MAP; its memory is what is mapped, even when it has ended (MAP-33). */
  readonly process: Process;
  /** Its pins count as locked memory of the process (ACT-01); undefined: nobody knows. */
  readonly byProcess: boolean | undefined;
  /** Changes of its memory before the MAP (UserMemory.now). */
  readonly born: number;
  readonly areas: Area[] = [];
  readonly holders: Holder[] = [];
  /** Where pages were seen, by page number, since they were pinned. */
  frames: Map<number, Sighting> | undefined;

  constructor(process: Process, byProcess: boolean | undefined) {
    this.process = process;
    this.byProcess = byProcess;
    this.born = process.memory.now;
  }

  /** Which page of memory a page of the MAP must be; undefined: one of several. */
  identity(page: number): number | undefined {
    return this.process.memory.identity(page, this.born);
  }

  /** True when known holders other than `except` hold every page from first to last. */
  heldBesides(except: Holder, first: number, last: number): boolean {
    let at = first;
    for (;;) {
      const before = at;
      for (const holder of this.holders) {
        if (holder === except || !isFirm(holder)) continue;
        if (holder.firstPage <= at && at <= holder.lastPage) at = holder.lastPage + 1;
      }
      if (at > last) return true;
      if (at === before) return false;
    }
  }

  /** What is known of frames holds no longer than a pin does for certain (PIN-04). */
  dropFrames(released: Holder): void {
    if (this.frames === undefined) return;
    for (const page of this.frames.keys()) {
      if (page < released.firstPage || page > released.lastPage) continue;
      if (!this.heldBesides(released, page, page)) this.frames.delete(page);
    }
  }
}

/** Mostly there is one, and to make a Set for it takes longer than all else about a MAP. */
const drop = <T>(list: T[], item: T): void => {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
};

/** All pages of all MAPs that are still mapped somewhere, and what becomes of their pins. */
export class Pins {
  readonly live = new Set<Pages>();
  /** Those that have holders: few, where most IOASs have no domain. */
  readonly pinned = new Set<Pages>();
  /** Counts the moments at which the set of pinned pages has changed, or may have. */
  changes = 0;
  /** Holders of pages. */
  holding = 0;

  hold(holder: Holder): void {
    const { pages } = holder;
    if (holder.held) return;
    holder.held = true;
    pages.holders.push(holder);
    if (pages.holders.length === 1) this.pinned.add(pages);
    this.holding++;
    pages.process.holding++;
    if (!isFirm(holder) || !pages.heldBesides(holder, holder.firstPage, holder.lastPage)) {
      this.changes++;
    }
  }

  release(holder: Holder): void {
    const { pages } = holder;
    if (!holder.held) return;
    holder.held = false;
    drop(pages.holders, holder);
    if (pages.holders.length === 0) this.pinned.delete(pages);
    this.holding--;
    pages.process.holding--;
    if (isFirm(holder) && pages.heldBesides(holder, holder.firstPage, holder.lastPage)) return;
    this.changes++;
    pages.dropFrames(holder);
  }

  add(area: Area): void {
    area.pages.areas.push(area);
    this.live.add(area.pages);
    if (area.ioas.hwpts.size > 0) this.hold(area);
  }

  remove(area: Area): void {
    this.release(area);
    drop(area.pages.areas, area);
    if (area.pages.areas.length === 0) this.live.delete(area.pages);
  }

  /** From now on the holder may or may not be there. */
  doubt(holder: Holder): void {
    // Also where it was in doubt already: it may have been there until now.
    if (holder.held) this.changes++;
    if (!holder.sure) return;
    holder.sure = false;
    holder.pages.dropFrames(holder);
  }

  /** The holder is there after all. */
  confirm(holder: Holder): void {
    if (!holder.sure && holder.held) this.changes++;
    holder.sure = true;
  }
}
