/**
 * A radix table: a sparse array of numbers, indexed by 0..2^53-1, made for runs: neighbours
 * whose entries differ by the table's `step`.
 *
 * It is the page table of an iommu_domain (index: IOVA in IO pages, entry: an IOPTE), the
 * pinned_pfns of an iopt_pages, the page index of a memory object, and the pin counts of the
 * page frames. 0 means "not present", so entries are never 0. Every node has 512 slots; a table
 * is as high as its largest index has needed since it was empty. Nodes exist only where entries
 * do: a node that loses its last entry goes back to the pool at once.
 *
 * A directory slot holds a node one level down (> 0), or nothing (0), or a large entry (< 0): one
 * number that stands for a run over everything below the slot, 512 entries on level 1 (2 MiB of
 * 4 KiB pages), 512² on level 2 (1 GiB). What changes a part of it splits it first.
 *
 * Indexes are plain numbers. 32-bit operators cut them, so an index is split into halves of 27
 * bits: the lower one is the slots on levels 0 to 2, the upper one those on levels 3 to 5.
 *
 * Complexity: get, O(height), or O(1) in the leaf of the last access; everything on ranges,
 * O(height) per leaf or large entry, and one load or store per entry in a leaf. bench/table.ts
 * holds it against C: what a leaf is full of or empty of is not looked at entry by entry, and no
 * loop hands a number from one round to the next.
 */
import { assert } from "./assert";
import type { NodePool } from "./node-pool";
import * as node from "./node-pool";

/** Own copies: an imported constant is a function call, and these are read for every page. */
const { NODE_BITS, NODE_SLOTS, SLOT_MASK, SLAB_BITS, SLAB_MASK } = node;

/** SPAN[level]: indexes under one slot of a node of that level; a leaf is level 0. */
const SPAN = [0, 1, 2, 3, 4, 5, 6].map((level) => 2 ** (NODE_BITS * level));
const LEVELS_MAX = 6;
/** Indexes under a directory of level 1. */
const DIRECTORY_SPAN = NODE_SLOTS * NODE_SLOTS;
/** The levels whose slots are in the lower half of an index. */
const LOW_LEVELS = 3;
const HALF = 2 ** (LOW_LEVELS * NODE_BITS);
const HALF_MASK = HALF - 1;
/** The highest level with large entries. */
export const LARGEST = 2;

/** Visits `count` entries from `index`: entry, entry + step, … */
export type RunVisitor = (index: number, count: number, entry: number) => void;

/** Takes entries in by the run, and one by one where runs are short. */
export interface EntrySink {
  run: RunVisitor;
  /** entries[from], … are the entries of `count` indexes from `index`. */
  each(index: number, count: number, entries: Float64Array, from: number): void;
}

/** What is at least this long is worth being a run. */
const LONG_RUN = 16;

const OCCUPIED = "a run is stored where no entry is present";
const ABSENT = "a run is cleared where all entries are present";
const UNCOUNTED = "what is counted is present, and never negative";

/** Directories from the root (highest level) down, of the path last looked up for pruning. */
const path = new Int32Array(LEVELS_MAX);
/** Where the last look-up ended without a leaf: the level, and the slot if there is one. */
let endLevel = 0;
let endSlot = 0;

/** No node begins here, nor within reach of any index. */
const NOWHERE = -(2 ** 53);

export class RadixTable {
  readonly #pool: NodePool;
  readonly #step: number;
  /** 1: the root is a leaf. */
  #height = 1;
  #root = 0;
  /** The leaf of the last access, and its first index. */
  #leaf = 0;
  #leafBase = NOWHERE;
  /** The directory of level 1 that was last gone through, and its first index. */
  #directory = 0;
  #directoryBase = NOWHERE;

  constructor(pool: NodePool, step: number) {
    this.#pool = pool;
    this.#step = step;
  }

  // Methods are private to the compiler only: calls of #methods check the class at run time, which
  // doubles the time of a look-up.

  get isEmpty(): boolean {
    return this.#root === 0;
  }

  /** The entry at `index`; 0 when there is none. */
  get(index: number): number {
    const node = this.isAtLeafOf(index) ? this.#leaf : this.seek(index);
    if (node > 0) {
      const slab = this.#pool.leafSlabs[node >> SLAB_BITS]!;
      return slab[((node & SLAB_MASK) << NODE_BITS) + (index & SLOT_MASK)]!;
    }
    if (node === 0) return 0;
    return this.#pool.largeEntries[-node]! + offsetIn(SPAN[endLevel]!, index) * this.#step;
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
      next += done * this.#step;
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
      const node = this.isAtLeafOf(at) ? this.#leaf : this.seek(at);
      assert(node !== 0, ABSENT);
      let done = 0;
      if (node > 0) {
        done = this.clearInLeaf(at & SLOT_MASK, left);
      } else if (this.isWhole(at, left)) {
        done = SPAN[endLevel]!;
        this.#pool.giveLarge(-node);
        this.prune(at, endLevel);
      } else {
        this.split(node);
      }
      at += done;
      left -= done;
    }
  }

  /**
   * Adds `delta` to `count` entries from `index`, all of them present; none becomes negative. An
   * entry that becomes 0 is gone, and `gone` is told, in runs. For tables with step 0.
   */
  addToRun(
    index: number,
    count: number,
    delta: number,
    gone: (index: number, count: number) => void,
  ): void {
    let at = index;
    let left = count;
    while (left > 0) {
      const node = this.isAtLeafOf(at) ? this.#leaf : this.seek(at);
      assert(node !== 0, UNCOUNTED);
      let done = 0;
      if (node > 0) {
        done = this.addInLeaf(at, left, delta, gone);
      } else if (this.isWhole(at, left)) {
        done = SPAN[endLevel]!;
        this.addToLarge(-node, at, delta, gone);
      } else {
        this.split(node);
      }
      at += done;
      left -= done;
    }
  }

  /** Adds `delta` to the entries at the indexes indexes[from], …, as addToRun does. */
  addToEach(
    indexes: Float64Array,
    from: number,
    count: number,
    delta: number,
    gone: (index: number, count: number) => void,
  ): void {
    const { leafSlabs } = this.#pool;
    for (let i = from; i < from + count; i += 1) {
      const index = indexes[i]!;
      const leaf = this.isAtLeafOf(index) ? this.#leaf : this.seek(index);
      if (leaf > 0) {
        const slab = leafSlabs[leaf >> SLAB_BITS]!;
        const slot = ((leaf & SLAB_MASK) << NODE_BITS) + (index & SLOT_MASK);
        const entry = slab[slot]! + delta;
        if (entry > 0 && entry !== delta) {
          slab[slot] = entry;
          continue;
        }
      }
      this.addToRun(index, 1, delta, gone);
    }
  }

  /**
   * Visits the entries with first <= index <= last in maximal runs, ascending. The visitor may
   * change this table, but not what it has not been shown yet.
   */
  walk(first: number, last: number, visit: RunVisitor): void {
    const step = this.#step;
    let start = 0;
    let count = 0;
    let entry = 0;
    let next = 0;
    for (let at = first; at <= last; ) {
      const node = this.isAtLeafOf(at) ? this.#leaf : this.seek(at);
      const span = node > 0 ? NODE_SLOTS : SPAN[endLevel]!;
      const offset = offsetIn(span, at);
      const reach = (node === 0 ? this.emptySlots() : 1) * span;
      const length = Math.min(reach - offset, last + 1 - at);
      if (node < 0) {
        const large = this.#pool.largeEntries[-node]! + offset * step;
        if (count === 0 || large !== next || start + count !== at) {
          if (count > 0) visit(start, count, entry);
          start = at;
          count = 0;
          entry = large;
        }
        count += length;
        next = entry + count * step;
      } else if (node > 0) {
        const slab = this.#pool.leafSlabs[node >> SLAB_BITS]!;
        const from = ((node & SLAB_MASK) << NODE_BITS) + (at & SLOT_MASK);
        const slots = length | 0;
        for (let i = 0; i < slots; i += 1) {
          const found = slab[from + i]!;
          if (found === 0) continue;
          if (count === 0 || found !== next || start + count !== at + i) {
            if (count > 0) visit(start, count, entry);
            start = at + i;
            count = 0;
            entry = found;
          }
          count += 1;
          next = found + step;
        }
      }
      at += length;
    }
    if (count > 0) visit(start, count, entry);
  }

  /**
   * Gives the entries with first <= index <= last, all of them present, to `sink`, ascending.
   * The sink may change this table, but not what it has not been given yet.
   */
  feed(first: number, last: number, sink: EntrySink): void {
    const step = this.#step;
    let start = 0;
    let count = 0;
    let entry = 0;
    for (let at = first; at <= last; ) {
      const node = this.isAtLeafOf(at) ? this.#leaf : this.seek(at);
      assert(node !== 0, "what is fed is present");
      const span = node > 0 ? NODE_SLOTS : SPAN[endLevel]!;
      const offset = offsetIn(span, at);
      const length = Math.min(span - offset, last + 1 - at);
      if (node < 0) {
        const large = this.#pool.largeEntries[-node]! + offset * step;
        if (count > 0 && large !== entry + count * step) {
          sink.run(start, count, entry);
          count = 0;
        }
        if (count === 0) {
          start = at;
          entry = large;
        }
        count += length;
        at += length;
        continue;
      }
      const slab = this.#pool.leafSlabs[node >> SLAB_BITS]!;
      const from = ((node & SLAB_MASK) << NODE_BITS) + (at & SLOT_MASK);
      const end = from + (length | 0);
      for (let i = from; i < end; ) {
        if (count > 0 && slab[i] !== entry + count * step) {
          sink.run(start, count, entry);
          count = 0;
        }
        if (count === 0) {
          const long = nextLongRun(slab, i, end, step);
          if (long > i) sink.each(at + (i - from), long - i, slab, i);
          i = long;
          start = at + (i - from);
          entry = slab[i]!;
        }
        const runEnd = endOfRun(slab, i, end, step);
        count += runEnd - i;
        i = runEnd;
      }
      at += length;
    }
    if (count > 0) sink.run(start, count, entry);
  }

  /** The first index from `first` to `last` without an entry; last + 1 when there is none. */
  nextHole(first: number, last: number): number {
    let at = first;
    while (at <= last) {
      const node = this.isAtLeafOf(at) ? this.#leaf : this.seek(at);
      if (node === 0) return at;
      if (node < 0) {
        at += SPAN[endLevel]! - offsetIn(SPAN[endLevel]!, at);
        continue;
      }
      const slab = this.#pool.leafSlabs[node >> SLAB_BITS]!;
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
      at += this.emptySlots() * SPAN[endLevel]! - offsetIn(SPAN[endLevel]!, at);
    }
    return true;
  }

  /** Gives every node back to the pool; the table is empty afterwards. */
  dispose(): void {
    if (this.#root !== 0) this.disposeNode(this.#root, this.#height - 1);
    this.becomeEmpty();
  }

  private isAtLeafOf(index: number): boolean {
    const slot = index - this.#leafBase;
    return slot >= 0 && slot < NODE_SLOTS;
  }

  /** Whether a range takes all of the large entry that the last look-up ended at. */
  private isWhole(index: number, count: number): boolean {
    const span = SPAN[endLevel]!;
    return count >= span && offsetIn(span, index) === 0;
  }

  /** The leaf of an index (> 0), the large entry that covers it (< 0), or 0; endLevel says where. */
  private seek(index: number): number {
    const { directories } = this.#pool;
    const offset = index - this.#directoryBase;
    if (offset < DIRECTORY_SPAN && offset >= 0) {
      const slot = (this.#directory << NODE_BITS) + (offset >>> NODE_BITS);
      const child = directories[slot]!;
      if (child > 0) {
        this.goToLeaf(index, child);
      } else {
        endLevel = 1;
        endSlot = slot;
      }
      return child;
    }
    const height = this.#height;
    let node = this.#root;
    if (node === 0 || index >= SPAN[height]!) {
      endLevel = LEVELS_MAX;
      return 0;
    }
    let level = height - 1;
    let digits = level < LOW_LEVELS ? index & HALF_MASK : Math.floor(index / HALF);
    let shift = NODE_BITS * (level < LOW_LEVELS ? level : level - LOW_LEVELS);
    for (; level > 0; level -= 1) {
      if (level === 1) this.goToDirectory(index, node);
      const slot = (node << NODE_BITS) + ((digits >>> shift) & SLOT_MASK);
      node = directories[slot]!;
      if (node <= 0) {
        endLevel = level;
        endSlot = slot;
        return node;
      }
      if (level === LOW_LEVELS) {
        digits = index & HALF_MASK;
        shift = NODE_BITS * LOW_LEVELS;
      }
      shift -= NODE_BITS;
    }
    this.goToLeaf(index, node);
    return node;
  }

  /** Empty slots from the one that the last look-up ended at, in its directory. */
  private emptySlots(): number {
    if (endLevel === LEVELS_MAX) return 1;
    const { directories } = this.#pool;
    const last = endSlot | SLOT_MASK;
    let at = endSlot + 1;
    while (at <= last && directories[at] === 0) at += 1;
    return at - endSlot;
  }

  private goToLeaf(index: number, leaf: number): void {
    this.#leaf = leaf;
    this.#leafBase = index - (index & SLOT_MASK);
  }

  private goToDirectory(index: number, directory: number): void {
    this.#directory = directory;
    this.#directoryBase = index - (index & (DIRECTORY_SPAN - 1));
  }

  private makeLeaf(index: number): void {
    const pool = this.#pool;
    let leaf: number;
    if (index < NODE_SLOTS && this.#height === 1) {
      if (this.#root === 0) this.#root = pool.takeLeaf();
      leaf = this.#root;
    } else {
      const directory = this.makeDirectory(index, 1);
      leaf = pool.directories[endSlot]!;
      assert(leaf >= 0, OCCUPIED);
      if (leaf === 0) {
        leaf = pool.takeLeaf();
        pool.directories[endSlot] = leaf;
        pool.directoryUsed[directory]! += 1;
      }
    }
    this.goToLeaf(index, leaf);
  }

  private setLarge(index: number, level: number, entry: number): void {
    const directory = this.makeDirectory(index, level);
    const pool = this.#pool;
    assert(pool.directories[endSlot] === 0, OCCUPIED);
    pool.directories[endSlot] = -pool.takeLarge(entry);
    pool.directoryUsed[directory]! += 1;
  }

  /** The directory of a level >= 1 that leads to an index; endSlot is where. */
  private makeDirectory(index: number, toLevel: number): number {
    const pool = this.#pool;
    this.grow(index, toLevel);
    let node = this.#root;
    for (let level = this.#height - 1; ; level -= 1) {
      endSlot = directorySlot(node, index, level);
      if (level === toLevel) return node;
      let child = pool.directories[endSlot]!;
      assert(child >= 0, OCCUPIED);
      if (child === 0) {
        child = pool.takeDirectory();
        pool.directories[endSlot] = child;
        pool.directoryUsed[node]! += 1;
      }
      node = child;
    }
  }

  /** Makes the root a directory that reaches an index, and is of this level at least. */
  private grow(index: number, level: number): void {
    assert(index <= Number.MAX_SAFE_INTEGER, "an index of a radix table is below 2^53");
    const pool = this.#pool;
    while (this.#height <= level || index >= SPAN[this.#height]!) {
      if (this.#root !== 0) {
        const root = pool.takeDirectory();
        pool.directories[root << NODE_BITS] = this.#root;
        pool.directoryUsed[root] = 1;
        this.#root = root;
      }
      this.#height += 1;
    }
    if (this.#root === 0) this.#root = pool.takeDirectory();
  }

  private setOne(slot: number, entry: number): void {
    const leaf = this.#leaf;
    const { leafSlabs, leafUsed } = this.#pool;
    const slab = leafSlabs[leaf >> SLAB_BITS]!;
    const at = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
    assert(slab[at] === 0, OCCUPIED);
    slab[at] = entry;
    leafUsed[leaf]! += 1;
  }

  /** Stores the part of a run that is in the current leaf; returns how much. */
  private setInLeaf(slot: number, count: number, entry: number): number {
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const step = this.#step;
    const slab = this.#pool.leafSlabs[this.#leaf >> SLAB_BITS]!;
    const from = ((this.#leaf & SLAB_MASK) << NODE_BITS) + slot;
    this.assertFree(slab, from, slots);
    fillRun(slab, from, from + slots, entry, step);
    this.#pool.leafUsed[this.#leaf]! += slots;
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
    const leaf = this.#leaf;
    const slab = this.#pool.leafSlabs[leaf >> SLAB_BITS]!;
    const from = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
    this.assertFree(slab, from, slots);
    for (let i = 0; i < slots; i += 1) slab[from + i] = entries[first + i]! * scale + offset;
    this.#pool.leafUsed[leaf]! += slots;
    return slots;
  }

  /** Slots of the current leaf are free; an empty leaf is not looked at. */
  private assertFree(slab: Float64Array, from: number, slots: number): void {
    if (this.#pool.leafUsed[this.#leaf] === 0) return;
    let present = 0;
    for (let i = from; i < from + slots; i += 1) if (slab[i] !== 0) present += 1;
    assert(present === 0, OCCUPIED);
  }

  private clearInLeaf(slot: number, count: number): number {
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const slab = this.#pool.leafSlabs[this.#leaf >> SLAB_BITS]!;
    const from = ((this.#leaf & SLAB_MASK) << NODE_BITS) + slot;
    if (slots === NODE_SLOTS) {
      assert(this.#pool.leafUsed[this.#leaf] === NODE_SLOTS, ABSENT);
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

  private addInLeaf(
    index: number,
    count: number,
    delta: number,
    gone: (index: number, count: number) => void,
  ): number {
    const slot = index & SLOT_MASK;
    const slots = Math.min(count, NODE_SLOTS - slot) | 0;
    const slab = this.#pool.leafSlabs[this.#leaf >> SLAB_BITS]!;
    const from = ((this.#leaf & SLAB_MASK) << NODE_BITS) + slot;
    let wentAway = 0;
    for (let i = 0; i < slots; i += 1) {
      const entry = slab[from + i]!;
      assert(entry !== 0 && entry + delta >= 0, UNCOUNTED);
      slab[from + i] = entry + delta;
      if (entry + delta !== 0) continue;
      gone(index + i, 1);
      wentAway += 1;
    }
    if (wentAway > 0) this.forgetSlots(wentAway);
    return slots;
  }

  private addToLarge(
    id: number,
    index: number,
    delta: number,
    gone: (index: number, count: number) => void,
  ): void {
    const pool = this.#pool;
    const entry = pool.largeEntries[id]! + delta;
    assert(entry >= 0, UNCOUNTED);
    pool.largeEntries[id] = entry;
    if (entry > 0) return;
    pool.giveLarge(id);
    this.prune(index, endLevel);
    gone(index, SPAN[endLevel]!);
  }

  /** Replaces the large entry that the last look-up ended at by a node full of entries. */
  private split(large: number): void {
    const pool = this.#pool;
    const first = pool.largeEntries[-large]!;
    pool.giveLarge(-large);
    if (endLevel === 1) {
      const leaf = pool.takeLeaf();
      const offset = (leaf & SLAB_MASK) << NODE_BITS;
      const slab = pool.leafSlabs[leaf >> SLAB_BITS]!;
      for (let i = 0; i < NODE_SLOTS; i += 1) slab[offset + i] = first + i * this.#step;
      pool.leafUsed[leaf] = NODE_SLOTS;
      pool.directories[endSlot] = leaf;
      return;
    }
    const directory = pool.takeDirectory();
    const { directories } = pool;
    const offset = directory << NODE_BITS;
    const step = this.#step * SPAN[endLevel - 1]!;
    for (let i = 0; i < NODE_SLOTS; i += 1) {
      directories[offset + i] = -pool.takeLarge(first + i * step);
    }
    pool.directoryUsed[directory] = NODE_SLOTS;
    directories[endSlot] = directory;
  }

  /** The current leaf has lost entries; an empty one goes. */
  private forgetSlots(slots: number): void {
    const pool = this.#pool;
    const leaf = this.#leaf;
    const used = pool.leafUsed[leaf]! - slots;
    pool.leafUsed[leaf] = used;
    if (used > 0) return;
    const index = this.#leafBase;
    this.#leafBase = NOWHERE;
    pool.giveLeaf(leaf);
    this.prune(index, 1);
  }

  /**
   * Empties the slot of a directory that leads to an index, and gives back every directory that
   * has become empty with it.
   */
  private prune(index: number, fromLevel: number): void {
    const pool = this.#pool;
    const { directories } = pool;
    const height = this.#height;
    let node = this.#root;
    for (let level = height - 1; level >= fromLevel; level -= 1) {
      path[level] = node;
      node = directories[directorySlot(node, index, level)]!;
    }
    for (let level = fromLevel; level < height; level += 1) {
      const directory = path[level]!;
      directories[directorySlot(directory, index, level)] = 0;
      const used = pool.directoryUsed[directory]! - 1;
      pool.directoryUsed[directory] = used;
      if (used > 0) return;
      if (directory === this.#directory) this.#directoryBase = NOWHERE;
      pool.giveDirectory(directory);
    }
    this.becomeEmpty();
  }

  private becomeEmpty(): void {
    this.#root = 0;
    this.#height = 1;
    this.#leafBase = NOWHERE;
    this.#directoryBase = NOWHERE;
  }

  private disposeNode(node: number, level: number): void {
    const pool = this.#pool;
    if (level === 0) {
      const offset = (node & SLAB_MASK) << NODE_BITS;
      pool.leafSlabs[node >> SLAB_BITS]!.fill(0, offset, offset + NODE_SLOTS);
      pool.leafUsed[node] = 0;
      pool.giveLeaf(node);
      return;
    }
    const { directories } = pool;
    let left = pool.directoryUsed[node]!;
    for (let slot = node << NODE_BITS; left > 0; slot += 1) {
      const child = directories[slot]!;
      if (child === 0) continue;
      if (child < 0) pool.giveLarge(-child);
      else this.disposeNode(child, level - 1);
      directories[slot] = 0;
      left -= 1;
    }
    pool.directoryUsed[node] = 0;
    pool.giveDirectory(node);
  }
}

/** Where the run that begins at slot `i` ends. */
const endOfRun = (slab: Float64Array, i: number, end: number, step: number): number => {
  let at = i + 1;
  while (at < end && slab[at] === slab[at - 1]! + step) at += 1;
  return at;
};

/**
 * Where the next run begins, from slot `i` on, that is long or reaches `end`. A long run covers
 * two of the slots that are looked at.
 */
const nextLongRun = (slab: Float64Array, i: number, end: number, step: number): number => {
  const stride = LONG_RUN / 2;
  for (let at = i; at + stride < end; at += stride) {
    if (slab[at + stride] !== slab[at]! + stride * step) continue;
    const start = startOfRun(slab, at, i, step);
    const runEnd = endOfRun(slab, start, end, step);
    if (runEnd === end || runEnd - start >= LONG_RUN) return start;
  }
  return startOfRun(slab, end - 1, i, step);
};

/** Where the run that slot `i` is in begins, not looking before `least`. */
const startOfRun = (slab: Float64Array, i: number, least: number, step: number): number => {
  let at = i;
  while (at > least && slab[at - 1] === slab[at]! - step) at -= 1;
  return at;
};

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

/** index modulo a power of two, exact beyond 32 bits. */
const offsetIn = (span: number, index: number): number => index - Math.floor(index / span) * span;

/** The highest level with a slot that a run fills from its first index on; 0: none. */
const largeLevel = (index: number, count: number, largest: number): number => {
  let level = largest;
  while (level > 0 && (count < SPAN[level]! || offsetIn(SPAN[level]!, index) !== 0)) level -= 1;
  return level;
};

/** Where a directory of `level` >= 1 keeps the way to an index. */
const directorySlot = (node: number, index: number, level: number): number => {
  const digits =
    level < LOW_LEVELS
      ? (index & HALF_MASK) >>> (NODE_BITS * level)
      : Math.floor(index / HALF) >>> (NODE_BITS * (level - LOW_LEVELS));
  return (node << NODE_BITS) + (digits & SLOT_MASK);
};
