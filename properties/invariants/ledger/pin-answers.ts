/** Earlier answers about pins, and how many pins of a page the answers so far allow. */
import type { In, OutcomeOf } from "../../../spec/calls";
import type { PinRun } from "../../../spec/fields";
import type { UserMemory } from "./memory";
import { isFirm, type Pages } from "./pages";
import type { LedgerState } from "./state";

/** What had happened to pins when an answer came. */
interface Moment {
  readonly changes: number;
  readonly copies: number;
  readonly handovers: number;
}

export interface Status extends Moment {
  readonly pin: number;
  readonly lck: number;
}

interface Pinned extends Moment {
  readonly uptr: bigint;
  readonly length: bigint;
  readonly memory: number;
  readonly refs: readonly PinRun[];
}

const momentOf = (ledger: LedgerState): Moment => ({
  changes: ledger.pins.changes,
  copies: ledger.copies,
  handovers: ledger.handovers,
});

/** Earlier answers that are kept to compare with. */
const MOST = 8;

export class PinAnswers {
  /** The first answer ever, the first with nothing pinned, and the last. */
  first: Status | undefined;
  idle: Status | undefined;
  last: Status | undefined;
  readonly #pinned: Pinned[] = [];

  noteStatus(ledger: LedgerState, { out }: OutcomeOf<"PROC_STATUS">): void {
    const pin = out?.VmPin_pages ?? 0;
    this.last = { pin, lck: out?.VmLck_pages ?? 0, ...momentOf(ledger) };
    this.first ??= this.last;
    if (ledger.pins.holding === 0) this.idle ??= this.last;
  }

  notePins(ledger: LedgerState, { uptr, length }: In<"PAGE_REFS">, refs: readonly PinRun[]): void {
    if (ledger.pins.holding === 0 || refs.some(([pins]) => pins === "EFAULT")) return;
    if (this.#pinned.length === MOST) this.#pinned.shift();
    this.#pinned.push({ uptr, length, memory: ledger.memory.now, refs, ...momentOf(ledger) });
  }

  /** The last answer about these pages, if the set of pinned pages cannot have changed since. */
  before(ledger: LedgerState, { uptr, length }: In<"PAGE_REFS">): Pinned | undefined {
    for (let i = this.#pinned.length - 1; i >= 0; i--) {
      const answer = this.#pinned[i] as Pinned;
      if (answer.uptr !== uptr || answer.length !== length) continue;
      const same = answer.changes === ledger.pins.changes && answer.memory === ledger.memory.now;
      return same ? answer : undefined;
    }
    return undefined;
  }
}

/** How many pins the page now at an address can have: at least `low`, at most `high`. */
export class PinBounds {
  low = 0;
  high = 0;
  readonly #memory: UserMemory;
  /** MAPs that may hold one of the pages that will be asked for. */
  readonly #near: Pages[] = [];

  constructor({ memory, pins }: LedgerState, first: number, last: number) {
    this.#memory = memory;
    if (pins.holding === 0) return;
    // The same page may be mapped elsewhere, so then every MAP is near.
    const all = memory.mayAlias(first, last);
    for (const pages of pins.live) {
      for (const { held, firstPage, lastPage } of pages.areas) {
        if (!held || (!all && (firstPage > last || lastPage < first))) continue;
        this.#near.push(pages);
        break;
      }
    }
  }

  at(page: number): this {
    this.low = 0;
    this.high = 0;
    if (this.#near.length === 0) return this;
    const changed = this.#memory.changedAt(page);
    for (const pages of this.#near) this.#add(pages, page, changed <= pages.born ? 2 : 1);
    for (const alias of this.#memory.aliases(page)) {
      // What the other address showed at the MAP was this page, unless it had changed before.
      const moved = this.#memory.changedAt(alias);
      for (const pages of this.#near) {
        if (moved === 0 || moved > pages.born) this.#add(pages, alias, moved === 0 ? 2 : 1);
      }
    }
    return this;
  }

  /** Each MAP pins a page once, however many of its areas hold it (PIN-01, PIN-02). */
  #add(pages: Pages, page: number, most: 1 | 2): void {
    let holds = 0;
    for (const area of pages.areas) {
      if (!area.held || page < area.firstPage || page > area.lastPage) continue;
      holds = Math.max(holds, isFirm(area) ? 2 : 1);
    }
    if (holds === 0) return;
    this.high++;
    if (holds === 2 && most === 2) this.low++;
  }
}
