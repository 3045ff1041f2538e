/**
 * The nodes of a radix table: finding, making and removing the way from the root to an index.
 *
 * Every node has 512 slots; a table is as high as its largest index has needed since it was
 * empty. Nodes exist only where entries do: a node that loses its last entry goes back to the
 * pool at once.
 *
 * A directory slot holds a node one level down (> 0), or nothing (0), or a large entry (< 0): one
 * number that stands for a run over everything below the slot, 512 entries on level 1 (2 MiB of
 * 4 KiB pages), 512² on level 2 (1 GiB).
 *
 * Neighbours are mostly used one after the other, so the leaf and the directory of the last
 * access are remembered: O(1) in these, else O(height).
 */
import { assert } from "./assert";
import type { NodePool } from "./node-pool";
import * as node from "./node-pool";
import * as index from "./radix-index";

/** Own copies: an imported constant is a function call, and these are read for every page. */
const { NODE_BITS, NODE_SLOTS, SLOT_MASK, SLAB_BITS, SLAB_MASK } = node;
const { SPAN, LEVELS_MAX, LOW_LEVELS, HALF, HALF_MASK, directorySlot, offsetIn } = index;

/** Indexes under a directory of level 1. */
const DIRECTORY_SPAN = NODE_SLOTS * NODE_SLOTS;

export const OCCUPIED = "a run is stored where no entry is present";

/** Directories from the root (highest level) down, of the path last looked up for pruning. */
const path = new Int32Array(LEVELS_MAX);

/** No node begins here, nor within reach of any index. */
const NOWHERE = -(2 ** 53);

export class RadixTree {
  // Members are private to the compiler only: #members are checked at run time whose they are,
  // which doubles the time of a look-up.

  readonly pool: NodePool;
  readonly step: number;
  /** 1: the root is a leaf. */
  private height = 1;
  private root = 0;
  /** The leaf of the last access, and its first index. */
  leaf = 0;
  private leafBase = NOWHERE;
  /** The directory of level 1 that was last gone through, and its first index. */
  private directory = 0;
  private directoryBase = NOWHERE;
  /** Where the last look-up ended without a leaf: the level, and the slot if there is one. */
  endLevel = 0;
  private endSlot = 0;

  constructor(pool: NodePool, step: number) {
    this.pool = pool;
    this.step = step;
  }

  get isEmpty(): boolean {
    return this.root === 0;
  }

  /** Gives every node back to the pool; the table is empty afterwards. */
  dispose(): void {
    if (this.root !== 0) this.disposeNode(this.root, this.height - 1);
    this.becomeEmpty();
  }

  isAtLeafOf(index: number): boolean {
    const slot = index - this.leafBase;
    return slot >= 0 && slot < NODE_SLOTS;
  }

  /** Whether a range takes all of the large entry that the last look-up ended at. */
  protected isWhole(index: number, count: number): boolean {
    const span = SPAN[this.endLevel]!;
    return count >= span && offsetIn(span, index) === 0;
  }

  /** The leaf of an index (> 0), the large entry that covers it (< 0), or 0; endLevel says where. */
  seek(index: number): number {
    const { directories } = this.pool;
    const offset = index - this.directoryBase;
    if (offset < DIRECTORY_SPAN && offset >= 0) {
      const slot = (this.directory << NODE_BITS) + (offset >>> NODE_BITS);
      const child = directories[slot]!;
      if (child > 0) {
        this.goToLeaf(index, child);
      } else {
        this.endLevel = 1;
        this.endSlot = slot;
      }
      return child;
    }
    const height = this.height;
    let node = this.root;
    if (node === 0 || index >= SPAN[height]!) {
      this.endLevel = LEVELS_MAX;
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
        this.endLevel = level;
        this.endSlot = slot;
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
  emptySlots(): number {
    if (this.endLevel === LEVELS_MAX) return 1;
    const { directories } = this.pool;
    const last = this.endSlot | SLOT_MASK;
    let at = this.endSlot + 1;
    while (at <= last && directories[at] === 0) at += 1;
    return at - this.endSlot;
  }

  private goToLeaf(index: number, leaf: number): void {
    this.leaf = leaf;
    this.leafBase = index - (index & SLOT_MASK);
  }

  private goToDirectory(index: number, directory: number): void {
    this.directory = directory;
    this.directoryBase = index - (index & (DIRECTORY_SPAN - 1));
  }

  protected makeLeaf(index: number): void {
    const pool = this.pool;
    let leaf: number;
    if (index < NODE_SLOTS && this.height === 1) {
      if (this.root === 0) this.root = pool.takeLeaf();
      leaf = this.root;
    } else {
      const directory = this.makeDirectory(index, 1);
      leaf = pool.directories[this.endSlot]!;
      assert(leaf >= 0, OCCUPIED);
      if (leaf === 0) {
        leaf = pool.takeLeaf();
        pool.directories[this.endSlot] = leaf;
        pool.directoryUsed[directory]! += 1;
      }
    }
    this.goToLeaf(index, leaf);
  }

  protected setLarge(index: number, level: number, entry: number): void {
    const directory = this.makeDirectory(index, level);
    const pool = this.pool;
    assert(pool.directories[this.endSlot] === 0, OCCUPIED);
    pool.directories[this.endSlot] = -pool.takeLarge(entry);
    pool.directoryUsed[directory]! += 1;
  }

  /** The directory of a level >= 1 that leads to an index; endSlot is where. */
  private makeDirectory(index: number, toLevel: number): number {
    const pool = this.pool;
    this.grow(index, toLevel);
    let node = this.root;
    for (let level = this.height - 1; ; level -= 1) {
      this.endSlot = directorySlot(node, index, level);
      if (level === toLevel) return node;
      let child = pool.directories[this.endSlot]!;
      assert(child >= 0, OCCUPIED);
      if (child === 0) {
        child = pool.takeDirectory();
        pool.directories[this.endSlot] = child;
        pool.directoryUsed[node]! += 1;
      }
      node = child;
    }
  }

  /** Makes the root a directory that reaches an index, and is of this level at least. */
  private grow(index: number, level: number): void {
    assert(index <= Number.MAX_SAFE_INTEGER, "an index of a radix table is below 2^53");
    const pool = this.pool;
    while (this.height <= level || index >= SPAN[this.height]!) {
      if (this.root !== 0) {
        const root = pool.takeDirectory();
        pool.directories[root << NODE_BITS] = this.root;
        pool.directoryUsed[root] = 1;
        this.root = root;
      }
      this.height += 1;
    }
    if (this.root === 0) this.root = pool.takeDirectory();
  }

  /** Replaces the large entry that the last look-up ended at by a node full of entries. */
  protected split(large: number): void {
    const pool = this.pool;
    const first = pool.largeEntries[-large]!;
    pool.giveLarge(-large);
    if (this.endLevel === 1) {
      const leaf = pool.takeLeaf();
      const offset = (leaf & SLAB_MASK) << NODE_BITS;
      const slab = pool.leafSlabs[leaf >> SLAB_BITS]!;
      for (let i = 0; i < NODE_SLOTS; i += 1) slab[offset + i] = first + i * this.step;
      pool.leafUsed[leaf] = NODE_SLOTS;
      pool.directories[this.endSlot] = leaf;
      return;
    }
    const directory = pool.takeDirectory();
    const { directories } = pool;
    const offset = directory << NODE_BITS;
    const step = this.step * SPAN[this.endLevel - 1]!;
    for (let i = 0; i < NODE_SLOTS; i += 1) {
      directories[offset + i] = -pool.takeLarge(first + i * step);
    }
    pool.directoryUsed[directory] = NODE_SLOTS;
    directories[this.endSlot] = directory;
  }

  /** The current leaf has lost entries; an empty one goes. */
  protected forgetSlots(slots: number): void {
    const pool = this.pool;
    const leaf = this.leaf;
    const used = pool.leafUsed[leaf]! - slots;
    pool.leafUsed[leaf] = used;
    if (used > 0) return;
    const index = this.leafBase;
    this.leafBase = NOWHERE;
    pool.giveLeaf(leaf);
    this.prune(index, 1);
  }

  /**
   * Empties the slot of a directory that leads to an index, and gives back every directory that
   * has become empty with it.
   */
  protected prune(index: number, fromLevel: number): void {
    const pool = this.pool;
    const { directories } = pool;
    const height = this.height;
    let node = this.root;
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
      if (directory === this.directory) this.directoryBase = NOWHERE;
      pool.giveDirectory(directory);
    }
    this.becomeEmpty();
  }

  private becomeEmpty(): void {
    this.root = 0;
    this.height = 1;
    this.leafBase = NOWHERE;
    this.directoryBase = NOWHERE;
  }

  private disposeNode(node: number, level: number): void {
    const pool = this.pool;
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
