/** Pins of in-kernel users, and what makes them let go. */
import type { Access, Ioas, Item } from "./ioas";
import type { LedgerState } from "./state";

export const letGo = (ledger: LedgerState, access: Access, id: number): void => {
  for (const pin of access.items.get(id)?.pins ?? []) ledger.pins.release(pin);
  access.items.delete(id);
};

export const letGoOfAll = (ledger: LedgerState, access: Access): void => {
  for (const id of access.items.keys()) letGo(ledger, access, id);
};

const reaches = ({ first, last }: Item, start: bigint, end: bigint): boolean =>
  first <= end && last >= start;

/** What was mapped in [start, end] is gone: whoever has pinned some of it lets go (ACC-30). */
export const letGoIn = (ledger: LedgerState, ioas: Ioas, start: bigint, end: bigint): void => {
  for (const access of ioas.accesses) {
    for (const [id, item] of access.items) {
      if (reaches(item, start, end)) letGo(ledger, access, id);
    }
  }
};

/** Whoever has pinned some of [start, end] may have been asked to let go. */
export const doubtItemsIn = (ledger: LedgerState, ioas: Ioas, start: bigint, end: bigint): void => {
  for (const access of ioas.accesses) {
    for (const item of access.items.values()) {
      if (reaches(item, start, end)) for (const pin of item.pins) ledger.pins.doubt(pin);
    }
  }
};
