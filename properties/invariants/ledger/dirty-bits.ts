/**
 * What a device has written to, page by page of its IOMMU, as far as answers tell.
 *
 * A page that nobody says anything about is clean or dirty as it likes: after an answer that was
 * not stored, or once it was unmapped.
 */
type PageState = "dirty" | "cleared" | "open";

/** A bitmap that was answered, without what was in it before. */
export interface Read {
  readonly iova: bigint;
  readonly pageSize: bigint;
  /** Undefined where the caller had set the bit. */
  readonly bits: readonly (boolean | undefined)[];
}

/** More bits than this, an answer is not looked at. */
export const BITS_MAX = 4096n;

export class DirtyBits {
  readonly unit: bigint;
  tracking = false;
  /** It was switched on before, and nothing was written since it was switched on again. */
  restarted = false;
  /** Pages that were never written to since tracking began are not in here. */
  readonly pages = new Map<bigint, PageState>();
  /** Answers since anything last changed. */
  reads: Read[] = [];
  /** The answer that is being looked at, and what it says; several invariants ask. */
  asked: unknown;
  answer: Read | undefined;

  constructor(unit: bigint) {
    this.unit = unit;
  }

  /** The worst that is known of the pages in [first, last]. */
  state(first: bigint, last: bigint): "dirty" | "open" | "cleared" | "clean" {
    let worst: PageState | "clean" = "clean";
    if (this.pages.size === 0) return worst;
    const end = last / this.unit;
    for (let page = first / this.unit; page <= end; page++) {
      const state = this.pages.get(page);
      if (state === "dirty") return state;
      if (state === "open" || (state === "cleared" && worst === "clean")) worst = state;
    }
    return worst;
  }

  /** Of what is in [first, last] nothing is known any more. */
  doubt(first: bigint, last: bigint): void {
    this.reads = [];
    if ((last - first) / this.unit > BITS_MAX) {
      for (const page of this.pages.keys()) this.pages.set(page, "open");
      this.tracking = false;
      return;
    }
    for (let page = first / this.unit; page <= last / this.unit; page++) {
      this.pages.set(page, "open");
    }
  }
}
