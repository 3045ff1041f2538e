/** Earlier answers about pins, and how many pins of a page the answers so far allow. */
import type { In, OutcomeOf } from "../../../spec/calls";
import type { PinRun } from "../../../spec/fields";
import type { UserMemory } from "./memory";
import { isFirm, type Pages } from "./pages";
import type { Moment, Process } from "./process";
import type { LedgerState } from "./state";

interface Answer extends Moment {
  readonly uptr: bigint;
  readonly length: bigint;
  readonly process: Process;
  readonly memory: number;
  readonly refs: readonly PinRun[];
}

export const isFault = (run: PinRun): boolean => run[0] === "EFAULT";

/** Earlier answers that are kept to compare with. */
const MOST = 8;

export class PinAnswers {
  readonly #pinned: Answer[] = [];

  noteStatus(ledger: LedgerState, { out }: OutcomeOf<"PROC_STATUS">): void {
    const { process, pins, copies, handovers } = ledger;
    const { changes } = pins;
    const pin = out?.VmPin_pages ?? 0;
    const lck = out?.VmLck_pages ?? 0;
    const pinned = ledger.pinnedBy(process);
    const status = { pin, lck, changes, copies, handovers, pinned };
    process.last = status;
    process.first ??= status;
    if (process.holding === 0) process.idle ??= status;
    if (pinned !== undefined) process.byPages.set(pinned.pages, status);
  }

  notePins(ledger: LedgerState, { uptr, length }: In<"PAGE_REFS">, refs: readonly PinRun[]): void {
    const { process, pins, copies, handovers } = ledger;
    if (pins.holding === 0 || refs.some(isFault)) return;
    if (this.#pinned.length === MOST) this.#pinned.shift();
    const { changes } = pins;
    const memory = process.memory.now;
    this.#pinned.push({ uptr, length, process, memory, refs, changes, copies, handovers });
  }

  /** The last answer about these pages, if the set of pinned pages cannot have changed since. */
  before(ledger: LedgerState, { uptr, length }: In<"PAGE_REFS">): Answer | undefined {
    for (let i = this.#pinned.length - 1; i >= 0; i--) {
      const answer = this.#pinned[i] as Answer;
      // Those before it are no younger.
      if (answer.changes !== ledger.pins.changes) return undefined;
      if (answer.uptr !== uptr || answer.length !== length) continue;
      if (answer.process !== ledger.process) continue;
      return answer.memory === ledger.memory.now ? answer : undefined;
    }
    return undefined;
  }
}

/**
 * How many pins the page now at an address of the calling process can have: at least `low`, at
 * most `high`.
 */
export class PinBounds {
  low = 0;
  high = 0;
  readonly #memory: UserMemory;
  /** MAPs that may hold one of the pages that will be asked for. */
  readonly #near: Pages[] = [];
  /** Outside of these pages they hold nothing. */
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor({ memory, pins }: LedgerState, first: number, last: number) {
    this.#memory = memory;
    if (pins.holding === 0) return;
    // The same page may be mapped elsewhere, so then every MAP is near.
    const all = memory.mayAlias(first, last);
    for (const pages of pins.pinned) {
      let near = false;
      for (const { firstPage, lastPage } of pages.holders) {
        if (!all && (firstPage > last || lastPage < first)) continue;
        near = true;
        if (firstPage < this.#first) this.#first = firstPage;
        if (lastPage > this.#last) this.#last = lastPage;
      }
      if (near) this.#near.push(pages);
    }
    if (all && this.#near.length > 0) [this.#first, this.#last] = [first, last];
  }

  at(page: number): this {
    this.low = 0;
    this.high = 0;
    if (page < this.#first || page > this.#last) return this;
    for (const pages of this.#near) this.#add(pages, page, page);
    for (const alias of this.#memory.aliases(page)) {
      for (const pages of this.#near) this.#add(pages, alias, page);
    }
    return this;
  }

  /** Whether a MAP has at `at` the page now at `page`: 2 it has, 1 it may have, 0 it has not. */
  #shows({ process: { memory }, born }: Pages, at: number, page: number): 0 | 1 | 2 {
    // What was mapped before its address changed hands may be pinned as it was or as it is.
    if (memory.changedAt(at) > born) return 1;
    if (at === page && memory === this.#memory) return 2;
    const mapped = memory.key(at);
    const key = this.#memory.key(page);
    if (mapped === undefined || key === undefined) return 1;
    return mapped === key ? 2 : 0;
  }

  /** Each MAP pins a page once, however many holders it has at `at` (PIN-01, PIN-02). */
  #add(pages: Pages, at: number, page: number): void {
    let holds = 0;
    for (const holder of pages.holders) {
      if (at < holder.firstPage || at > holder.lastPage) continue;
      holds = Math.max(holds, isFirm(holder) ? 2 : 1);
    }
    const most = holds === 0 ? 0 : this.#shows(pages, at, page);
    if (most === 0) return;
    this.high++;
    if (holds === 2 && most === 2) this.low++;
  }
}
