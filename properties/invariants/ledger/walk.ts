/**
 * Compares what a domain translates with the mappings of its IOAS, in one pass over both, and
 * keeps the physical pages seen for as long as they stay pinned.
 */
import type { CallOf, OutcomeOf } from "../../../spec/calls";
import type { Translation } from "../../../spec/fields";
import { PERM_WRITE } from "../../../spec/uapi/flags";
import type { Contradiction } from "../finding";
import type { Ioas } from "./ioas";
import { type Area, isFirm, type Sighting } from "./pages";
import { hex, higher, lower, showRange } from "./ranges";

/** A hostile answer must not cost more than this many pages per run. */
const MOST_PAGES = 512;

const seen = (at: bigint, expected: string, actual: string): Contradiction => ({
  expected: `at ${hex(at)}: ${expected}`,
  actual,
});

export class Walk {
  /** Translated, but mapped by nobody. */
  stray: Contradiction | undefined;
  /** Mapped, but not translated, or with other rights. */
  missing: Contradiction | undefined;
  /** Writable by the device, but mapped read-only. */
  writable: Contradiction | undefined;
  /** Another physical page than before, though the page never was unpinned. */
  moved: Contradiction | undefined;
  /** Two pinned pages at one physical address, or one at two. */
  confused: Contradiction | undefined;
  /** Pieces of mappings that were compared, and pages that had been seen before. */
  pieces = 0;
  known = 0;
  related = 0;

  readonly #pageSize: bigint;
  readonly #byFrame = new Map<bigint, Sighting>();
  readonly #byPage = new Map<number, Sighting>();
  #outcome: unknown;

  constructor(pageSize: number) {
    this.#pageSize = BigInt(pageSize);
  }

  /** To be called between two answers. */
  reset(): void {
    this.#outcome = undefined;
  }

  /** Looks at an answer; a second look at the same one costs nothing. */
  at(ioas: Ioas, call: CallOf<"TRANSLATE">, outcome: OutcomeOf<"TRANSLATE">): this {
    if (this.#outcome === outcome) return this;
    this.#outcome = outcome;
    this.stray = undefined;
    this.missing = undefined;
    this.writable = undefined;
    this.moved = undefined;
    this.confused = undefined;
    this.pieces = 0;
    this.known = 0;
    this.related = 0;
    this.#compare(ioas, call.in.iova, call.in.last, outcome.out?.runs ?? []);
    if (ioas.strays.length > 0) this.stray = undefined;
    return this;
  }

  #compare(ioas: Ioas, first: bigint, last: bigint, runs: readonly Translation[]): void {
    let r = 0;
    /** The next byte that the present run translates. */
    let next = runs[0]?.iova ?? 0n;
    for (let i = ioas.firstAt(first); i < ioas.areas.length; i++) {
      const area = ioas.areas[i] as Area;
      if (area.start > last) break;
      let at = higher(area.start, first);
      const end = lower(area.last, last);
      const from = at;
      const isVague = ioas.isVague(area);
      while (at <= end) {
        const run = runs[r];
        if (run !== undefined && next < at) {
          this.stray ??= seen(next, "no translation", `translated to ${hex(run.pa)}`);
          return;
        }
        if (run === undefined || next > at) {
          // A doubtful mapping is there as a whole or not at all; without rights it does nothing.
          const optional = area.perm === 0 || isVague || (!area.sure && at === from);
          if (!optional) this.missing ??= this.#missingAt(area, at);
          break;
        }
        const runLast = run.iova + run.length - 1n;
        const to = lower(runLast, end);
        if (!isVague) this.#piece(area, at, to, run);
        at = to + 1n;
        next = at;
        if (next > runLast) {
          r++;
          next = runs[r]?.iova ?? 0n;
        }
      }
    }
    const rest = runs[r];
    if (rest !== undefined) {
      this.stray ??= seen(
        next,
        "no translation",
        `translated to ${hex(rest.pa + next - rest.iova)}`,
      );
    }
  }

  #missingAt(area: Area, at: bigint): Contradiction {
    return seen(
      at,
      `translated, as ${showRange(area.start, area.last)} is mapped`,
      "nothing there",
    );
  }

  #piece(area: Area, at: bigint, to: bigint, run: Translation): void {
    this.pieces++;
    if (run.perm !== area.perm) {
      const contradiction = seen(at, `permission ${area.perm}, as mapped`, `${run.perm}`);
      if ((run.perm & ~area.perm & PERM_WRITE) !== 0) this.writable ??= contradiction;
      else this.missing ??= contradiction;
    }
    const { memory } = area.pages.process;
    const va = area.userVa + (at - area.start);
    const page = memory.page(va);
    const count = Math.min(memory.page(va + (to - at)) - page, MOST_PAGES);
    let frame = run.pa + (at - run.iova) - BigInt(memory.offset(va));
    for (let k = 0; k <= count; k++) {
      const before = area.pages.frames?.get(page + k);
      if (before === undefined) this.#sight(area, page + k, frame, at);
      else {
        this.known++;
        if (before.frame !== frame) {
          this.moved ??= seen(at, `page ${hex(before.frame)} as before, still pinned`, hex(frame));
        }
      }
      frame += this.#pageSize;
    }
  }

  /** The first sighting of a page since it was pinned. */
  #sight(area: Area, page: number, frame: bigint, at: bigint): void {
    const { pages } = area;
    // What a doubtful mapping shows is worth nothing until it is known to be there.
    if (!isFirm(area) || !area.held) return;
    const identity = pages.identity(page);
    const sighting = { pages, page, identity, frame };
    pages.frames ??= new Map();
    pages.frames.set(page, sighting);
    if (identity === undefined) return;
    const there = this.#byFrame.get(frame);
    if (there && isCurrent(there)) {
      this.related++;
      if (there.identity !== identity) {
        this.confused ??= seen(at, "a physical page of its own", `${hex(frame)}, another's page`);
      }
    }
    const elsewhere = this.#byPage.get(identity);
    if (elsewhere && isCurrent(elsewhere)) {
      this.related++;
      if (elsewhere.frame !== frame) {
        this.confused ??= seen(
          at,
          `${hex(elsewhere.frame)}, where this page is pinned`,
          hex(frame),
        );
      }
    }
    this.#byFrame.set(frame, sighting);
    this.#byPage.set(identity, sighting);
  }
}

/** Not so for a sighting from before an unpin, even if the page came back to the same frame. */
const isCurrent = (sighting: Sighting): boolean =>
  sighting.pages.frames?.get(sighting.page) === sighting;
