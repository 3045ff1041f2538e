/**
 * A radix table: a sparse array of numbers, indexed by 0..2^53-1, made for runs: neighbours
 * whose entries differ by the table's `step`.
 *
 * It is the page table of an iommu_domain (index: IOVA in IO pages, entry: an IOPTE), the
 * pinned_pfns of an iopt_pages, and the page index of a memory object. 0 means "not present", so
 * entries are never 0.
 *
 * A run that fills everything below a slot is one large entry (radix-tree.ts). What changes a
 * part of it splits it first.
 *
 * Complexity: get, O(height), or O(1) in the leaf of the last access; everything on ranges,
 * O(height) per leaf or large entry, and one load or store per entry in a leaf. bench/table.ts
 * holds it against C: what a leaf is full of or empty of is not looked at entry by entry, and no
 * loop hands a number from one round to the next.
 */
import { assert } from "./assert";
import * as node from "./node-pool";
import * as index from "./radix-index";
import { OCCUPIED, RadixTree } from "./radix-tree";
import { type EntrySink, feedRuns, type RunVisitor, walkRuns } from "./radix-walk";

export type { EntrySink, RunVisitor };

/** Own copies: an imported constant is a function call, and these are read for every page. */
const { NODE_BITS, NODE_SLOTS, SLOT_MASK, SLAB_BITS, SLAB_MASK } = node;
const { SPAN, offsetIn } = index;

/** The highest level with large entries. */
export const LARGEST = 2;

const ABSENT = "a run is cleared where all entries are present";

export class RadixTable extends RadixTree {
  /** The entry at `index`; 0 when there is none. */
  get(index: number): number {
    const node = this.isAtLeafOf(index) ? this.leaf : this.seek(index);
    if (node > 0) {
      const slab = this.pool.leafSlabs[node >> SLAB_BITS]!;
      return slab[((node & SLAB_MASK) << NODE_BITS) + (index & SLOT_MASK)]!;
    }
    if (node === 0) return 0;
    return this.pool.largeEntries[-node]! + offsetIn(SPAN[this.endLevel]!, index) * this.step;
  }

  /**
   * Stores entry, entry + step, … at `count` indexes from `index`; all of them are free. Where a
   * run fills everything below a slot, a large entry may stand for it, up to level `largest`.
   */
  setRun(index: number, count: number, entry: number, largest: number): void {
    if (count === 1) {
      if (!this.isAtLeafOf(index)) this.makeLeaf(index);
      this.setOne(index & SLOT_MASK, entry);
      return;
    }
    let at = index;
    let left = count;
    let next = entry;
    while (left > 0) {
      const level = left < NODE_SLOTS ? 0 : largeLevel(at, left, largest);
      let done: number;
      if (level > 0) {
        done = SPAN[level]!;
        this.setLarge(at, level, next);
      } else {
        if (!this.isAtLeafOf(at)) this.makeLeaf(at);
        done = this.setInLeaf(at & SLOT_MASK, left, next);
      }
      at += done;
      left -= done;
      next += done * this.step;
    }
  }

  /** Stores entries[from] * scale + offset, … at `count` indexes; all of them are free. */
  setEach(
    index: number,
    count: number,
    entries: Float64Array,
    from: number,
    scale: number,
    offset: number,
  ): void {
    for (let done = 0; done < count; ) {
      const at = index + done;
      if (!this.isAtLeafOf(at)) this.makeLeaf(at);
      done += this.setEachInLeaf(at & SLOT_MASK, count - done, entries, from + done, scale, offset);
    }
  }

  /** Removes `count` entries from `index`; all of them are present. */
  clearRun(index: number, count: number): void {
    let at = index;
    let left = count;
    while (left > 0) {
      const node = this.isAtLeafOf(at) ? this.leaf : this.seek(at);
      assert(node !== 0, ABSENT);
      let done = 0;
      if (node > 0) {
        done = this.clearInLeaf(at & SLOT_MASK, left);
      } else if (this.isWhole(at, left)) {
        done = SPAN[this.endLevel]!;
        this.pool.giveLarge(-node);
        this.prune(at, this.endLevel);
      } else {
        this.split(node);
      }
      at += done;
      left -= done;
    }
  }

  /** Visits the entries with first <= index <= last in maximal runs, ascending. */
  walk(first: number, last: number, visit: RunVisitor): void {
    walkRuns(this, first, last, visit);
  }

  /**
   * Gives the entries with first <= index <= last, all of them present, to `sink`, ascending. The
   * sink may change this table, but not what it has not been given yet.
   */
  feed(first: number, last: number, sink: EntrySink): void {
    feedRuns(this, first, last, sink);
  }

  /** The first index from `first` to `last` without an entry; last + 1 when there is none. */
  nextHole(first: number, last: number): number {
    let at = first;
    while (at <= last) {
      const node = this.isAtLeafOf(at) ? this.leaf : this.seek(at);
      if (node === 0) return at;
      if (node < 0) {
        at += SPAN[this.endLevel]! - offsetIn(SPAN[this.endLevel]!, at);
        continue;
      }
      if (this.pool.leafUsed[node] === NODE_SLOTS) {
        at += NODE_SLOTS - (at & SLOT_MASK);
        continue;
      }
      const slab = this.pool.leafSlabs[node >> SLAB_BITS]!;
      const offset = (node & SLAB_MASK) << NODE_BITS;
      for (let slot = at & SLOT_MASK; slot < NODE_SLOTS && at <= last; slot += 1) {
        if (slab[offset + slot] === 0) return at;
        at += 1;
      }
    }
    return last + 1;
  }

  /** Whether no leaf and no large entry is within `count` indexes from `index`. */
  isFree(index: number, count: number): boolean {
    for (let at = index; at < index + count; ) {
      if (this.seek(at) !== 0) return false;
      at += this.emptySlots() * SPAN[this.endLevel]! - offsetIn(SPAN[this.endLevel]!, at);
    }
    return true;
  }

  private setOne(slot: number, entry: number): void {
    const leaf = this.leaf;
    const { leafSlabs, leafUsed } = this.pool;
    const slab = leafSlabs[leaf >> SLAB_BITS]!;
    const at = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
    assert(slab[at] === 0, OCCUPIED);
    slab[at] = entry;
    leafUsed[leaf]! += 1;
  }

  /** Stores the part of a run that is in the current leaf; returns how much. */
  private setInLeaf(slot: number, count: number, entry: number): number {
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const step = this.step;
    const slab = this.pool.leafSlabs[this.leaf >> SLAB_BITS]!;
    const from = ((this.leaf & SLAB_MASK) << NODE_BITS) + slot;
    this.assertFree(slab, from, slots);
    fillRun(slab, from, from + slots, entry, step);
    this.pool.leafUsed[this.leaf]! += slots;
    return slots;
  }

  private setEachInLeaf(
    slot: number,
    count: number,
    entries: Float64Array,
    first: number,
    scale: number,
    offset: number,
  ): number {
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const leaf = this.leaf;
    const slab = this.pool.leafSlabs[leaf >> SLAB_BITS]!;
    const from = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
    this.assertFree(slab, from, slots);
    for (let i = 0; i < slots; i += 1) slab[from + i] = entries[first + i]! * scale + offset;
    this.pool.leafUsed[leaf]! += slots;
    return slots;
  }

  /** Slots of the current leaf are free; an empty leaf is not looked at. */
  private assertFree(slab: Float64Array, from: number, slots: number): void {
    if (this.pool.leafUsed[this.leaf] === 0) return;
    let present = 0;
    for (let i = from; i < from + slots; i += 1) if (slab[i] !== 0) present += 1;
    assert(present === 0, OCCUPIED);
  }

  private clearInLeaf(slot: number, count: number): number {
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const slab = this.pool.leafSlabs[this.leaf >> SLAB_BITS]!;
    const from = ((this.leaf & SLAB_MASK) << NODE_BITS) + slot;
    if (slots === NODE_SLOTS) {
      assert(this.pool.leafUsed[this.leaf] === NODE_SLOTS, ABSENT);
      slab.fill(0, from, from + slots);
    } else {
      let absent = 0;
      for (let i = from; i < from + slots; i += 1) {
        if (slab[i] === 0) absent += 1;
        slab[i] = 0;
      }
      assert(absent === 0, ABSENT);
    }
    this.forgetSlots(slots);
    return slots;
  }
}

/** Two numbers are on their way at a time, since an addition takes longer than a store. */
const fillRun = (
  slab: Float64Array,
  from: number,
  end: number,
  entry: number,
  step: number,
): void => {
  let even = entry;
  let odd = entry + step;
  let i = from;
  for (; i < end - 1; i += 2) {
    slab[i] = even;
    slab[i + 1] = odd;
    even += 2 * step;
    odd += 2 * step;
  }
  if (i < end) slab[i] = even;
};

/** The highest level with a slot that a run fills from its first index on; 0: none. */
const largeLevel = (index: number, count: number, largest: number): number => {
  let level = largest;
  while (level > 0 && (count < SPAN[level]! || offsetIn(SPAN[level]!, index) !== 0)) level -= 1;
  return level;
};
