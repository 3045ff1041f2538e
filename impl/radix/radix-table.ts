/**
 * A radix table: a sparse array of numbers, indexed by 0..2^53-1.
 *
 * It is the page table of an iommu_domain (index: IOVA in IO pages, entry: an IOPTE), the
 * pinned_pfns of an iopt_pages and the page index of a memory object. 0 means "not present", so
 * entries are never 0. Every node has 512 slots; the height is fixed from the largest index, so
 * a 48-bit IOMMU with 4 KiB pages has four levels, and a buffer of up to 2 MiB has one. Nodes
 * exist only where entries do: a node that loses its last entry goes back to the pool at once.
 *
 * Indexes are plain numbers. 32-bit operators would cut them, so an index is split once, with
 * arithmetic: block = index / 512 (which leaf), and the block into two halves of at most 27
 * bits, which shifts may handle.
 *
 * Complexity: get, O(height), or O(1) for the leaf of the last access; setRun and clearRun,
 * O(height) per leaf and one store per entry; walk and dispose skip empty subtrees.
 */
import { assert } from "./assert";
import { NODE_BITS, NODE_SLOTS, type NodePool, SLAB_BITS, SLAB_MASK, SLOT_MASK } from "./node-pool";

/** Three directory levels: what fits a half of a block number. */
const HALF = 2 ** (3 * NODE_BITS);
/** SPAN[level]: indexes under one slot of a node of that level; a leaf is level 0. */
const SPAN = [0, 1, 2, 3, 4, 5, 6].map((level) => 2 ** (NODE_BITS * level));
const LEVELS_MAX = 6;

/** Directories from the root (highest level) down, of the path last looked up for pruning. */
const path = new Int32Array(LEVELS_MAX);

export class RadixTable {
  readonly #pool: NodePool;
  /** 1: the root is a leaf. */
  readonly #height: number;
  #root = 0;
  #cachedBlock = -1;
  #cachedLeaf = 0;

  constructor(pool: NodePool, lastIndex: number) {
    assert(lastIndex <= Number.MAX_SAFE_INTEGER, "an index of a radix table is below 2^53");
    this.#pool = pool;
    let height = 1;
    while (lastIndex >= SPAN[height]!) height += 1;
    this.#height = height;
  }

  get isEmpty(): boolean {
    return this.#root === 0;
  }

  /** The entry at `index`; 0 when there is none. */
  get(index: number): number {
    const block = Math.floor(index / NODE_SLOTS);
    const leaf = block === this.#cachedBlock ? this.#cachedLeaf : this.#findLeaf(block);
    if (leaf === 0) return 0;
    const slot = index - block * NODE_SLOTS;
    return this.#pool.leafSlabs[leaf >> SLAB_BITS]![((leaf & SLAB_MASK) << NODE_BITS) + slot]!;
  }

  /** Stores value, value + step, … at `count` indexes from `index`; all of them are free. */
  setRun(index: number, count: number, value: number, step: number): void {
    const pool = this.#pool;
    let at = index;
    let left = count;
    let entry = value;
    while (left > 0) {
      const block = Math.floor(at / NODE_SLOTS);
      const leaf = block === this.#cachedBlock ? this.#cachedLeaf : this.#makeLeaf(block);
      const slot = at - block * NODE_SLOTS;
      const slots = Math.min(left, NODE_SLOTS - slot);
      const slab = pool.leafSlabs[leaf >> SLAB_BITS]!;
      const from = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
      let present = 0;
      for (let i = from; i < from + slots; i += 1) {
        if (slab[i] !== 0) present += 1;
        slab[i] = entry;
        entry += step;
      }
      assert(present === 0, "a run is stored where no entry is present");
      pool.leafUsed[leaf]! += slots;
      at += slots;
      left -= slots;
    }
  }

  /** Removes `count` entries from `index`; all of them are present. */
  clearRun(index: number, count: number): void {
    const pool = this.#pool;
    let at = index;
    let left = count;
    while (left > 0) {
      const block = Math.floor(at / NODE_SLOTS);
      const leaf = block === this.#cachedBlock ? this.#cachedLeaf : this.#findLeaf(block);
      assert(leaf !== 0, "a run is cleared where all entries are present");
      const slot = at - block * NODE_SLOTS;
      const slots = Math.min(left, NODE_SLOTS - slot);
      const slab = pool.leafSlabs[leaf >> SLAB_BITS]!;
      const from = ((leaf & SLAB_MASK) << NODE_BITS) + slot;
      let absent = 0;
      for (let i = from; i < from + slots; i += 1) {
        if (slab[i] === 0) absent += 1;
        slab[i] = 0;
      }
      assert(absent === 0, "a run is cleared where all entries are present");
      pool.leafUsed[leaf]! -= slots;
      if (pool.leafUsed[leaf] === 0) this.#prune(block, leaf);
      at += slots;
      left -= slots;
    }
  }

  /** Visits every entry with first <= index <= last, ascending. The visitor changes nothing. */
  walk(first: number, last: number, visit: (index: number, entry: number) => void): void {
    if (this.#root !== 0) this.#walkNode(this.#root, this.#height - 1, 0, first, last, visit);
  }

  /** Gives every node back to the pool; the table is empty afterwards. */
  dispose(): void {
    if (this.#root === 0) return;
    this.#disposeNode(this.#root, this.#height - 1);
    this.#root = 0;
    this.#cachedBlock = -1;
  }

  /** Leaf of a block; 0 when there is none. */
  #findLeaf(block: number): number {
    let node = this.#root;
    if (node === 0) return 0;
    const slabs = this.#pool.directorySlabs;
    const high = Math.floor(block / HALF);
    const low = block - high * HALF;
    for (let level = this.#height - 1; level > 0; level -= 1) {
      node = slabs[node >> SLAB_BITS]![directorySlot(node, low, high, level)]!;
      if (node === 0) return 0;
    }
    this.#cachedBlock = block;
    this.#cachedLeaf = node;
    return node;
  }

  #makeLeaf(block: number): number {
    const pool = this.#pool;
    const slabs = pool.directorySlabs;
    const height = this.#height;
    assert(block < SPAN[height]! / NODE_SLOTS, "an index is within what the table was made for");
    if (this.#root === 0) this.#root = height === 1 ? pool.takeLeaf() : pool.takeDirectory();
    let node = this.#root;
    const high = Math.floor(block / HALF);
    const low = block - high * HALF;
    for (let level = height - 1; level > 0; level -= 1) {
      const slot = directorySlot(node, low, high, level);
      let child = slabs[node >> SLAB_BITS]![slot]!;
      if (child === 0) {
        child = level === 1 ? pool.takeLeaf() : pool.takeDirectory();
        slabs[node >> SLAB_BITS]![slot] = child;
        pool.directoryUsed[node]! += 1;
      }
      node = child;
    }
    this.#cachedBlock = block;
    this.#cachedLeaf = node;
    return node;
  }

  /** Gives back an empty leaf, and every directory that has become empty with it. */
  #prune(block: number, leaf: number): void {
    const pool = this.#pool;
    const slabs = pool.directorySlabs;
    const high = Math.floor(block / HALF);
    const low = block - high * HALF;
    let node = this.#root;
    for (let level = this.#height - 1; level > 0; level -= 1) {
      path[level] = node;
      node = slabs[node >> SLAB_BITS]![directorySlot(node, low, high, level)]!;
    }
    pool.giveLeaf(leaf);
    this.#cachedBlock = -1;
    for (let level = 1; level < this.#height; level += 1) {
      const directory = path[level]!;
      slabs[directory >> SLAB_BITS]![directorySlot(directory, low, high, level)] = 0;
      pool.directoryUsed[directory]! -= 1;
      if (pool.directoryUsed[directory] !== 0) return;
      pool.giveDirectory(directory);
    }
    this.#root = 0;
  }

  #walkNode(
    node: number,
    level: number,
    base: number,
    first: number,
    last: number,
    visit: (index: number, entry: number) => void,
  ): void {
    const span = SPAN[level]!;
    const from = first <= base ? 0 : Math.floor((first - base) / span);
    const to = Math.min(SLOT_MASK, Math.floor((last - base) / span));
    const offset = (node & SLAB_MASK) << NODE_BITS;
    if (level === 0) {
      const slab = this.#pool.leafSlabs[node >> SLAB_BITS]!;
      for (let slot = from; slot <= to; slot += 1) {
        const entry = slab[offset + slot]!;
        if (entry !== 0) visit(base + slot, entry);
      }
      return;
    }
    const slab = this.#pool.directorySlabs[node >> SLAB_BITS]!;
    for (let slot = from; slot <= to; slot += 1) {
      const child = slab[offset + slot]!;
      if (child !== 0) this.#walkNode(child, level - 1, base + slot * span, first, last, visit);
    }
  }

  #disposeNode(node: number, level: number): void {
    const pool = this.#pool;
    const offset = (node & SLAB_MASK) << NODE_BITS;
    if (level === 0) {
      pool.leafSlabs[node >> SLAB_BITS]!.fill(0, offset, offset + NODE_SLOTS);
      pool.leafUsed[node] = 0;
      pool.giveLeaf(node);
      return;
    }
    const slab = pool.directorySlabs[node >> SLAB_BITS]!;
    let left = pool.directoryUsed[node]!;
    for (let slot = offset; left > 0; slot += 1) {
      const child = slab[slot]!;
      if (child === 0) continue;
      this.#disposeNode(child, level - 1);
      slab[slot] = 0;
      left -= 1;
    }
    pool.directoryUsed[node] = 0;
    pool.giveDirectory(node);
  }
}

/** Where in its slab a directory of `level` >= 1 keeps the way to a block. */
const directorySlot = (node: number, low: number, high: number, level: number): number => {
  const digits = level < 4 ? low >>> (NODE_BITS * (level - 1)) : high >>> (NODE_BITS * (level - 4));
  return ((node & SLAB_MASK) << NODE_BITS) + (digits & SLOT_MASK);
};
