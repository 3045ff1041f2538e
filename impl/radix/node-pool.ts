/**
 * The memory of all radix tables: nodes of 512 slots in large typed arrays ("slabs").
 *
 * There are two kinds of nodes, each with its own ids from 1 (0 means "no node"): directories
 * hold ids of nodes one level down (int32), leaves hold numbers (float64). What a directory
 * keeps instead of a node full of consecutive numbers, a large entry, has an id of the third
 * kind. A typed array costs about 1 µs to allocate, so a table must never allocate one for
 * itself: one pool per process lends nodes to every table of every machine and gets them back.
 *
 * Leaves are nearly all of the memory, so their slabs are never copied. Directories are few, and
 * every look-up goes through several, so they share one array, which is copied when it doubles.
 *
 * Invariant: a node in the pool is all zeros. Whoever gives one back has scrubbed it, which is
 * free for a node that was emptied slot by slot.
 *
 * All operations are O(1), amortized.
 */

export const NODE_BITS = 9;
export const NODE_SLOTS = 1 << NODE_BITS;
export const SLOT_MASK = NODE_SLOTS - 1;

/** A slab holds 16 nodes: 64 KiB of leaves. */
export const SLAB_BITS = 4;
export const SLAB_MASK = (1 << SLAB_BITS) - 1;
const SLAB_SLOTS = NODE_SLOTS << SLAB_BITS;

export class NodePool {
  /** Leaf `id` is the 512 slots of leafSlabs[id >> 4] from (id & 15) << 9. */
  readonly leafSlabs: Float64Array[] = [];
  /** Directory `id` is the 512 slots from id << 9. Replaced when it grows. */
  directories = new Int32Array(SLAB_SLOTS);
  /** Slots in use, by node id. Kept by the tables: a node with 0 goes back to the pool. */
  readonly leafUsed: number[] = [0];
  readonly directoryUsed: number[] = [0];
  /** The first number of what a large entry stands for, by its id. */
  readonly largeEntries: number[] = [0];
  readonly #freeLeaves: number[] = [];
  readonly #freeDirectories: number[] = [];
  readonly #freeLarge: number[] = [];

  takeLeaf(): number {
    const free = this.#freeLeaves.pop();
    if (free !== undefined) return free;
    const id = this.leafUsed.length;
    if (id >> SLAB_BITS >= this.leafSlabs.length) this.leafSlabs.push(new Float64Array(SLAB_SLOTS));
    this.leafUsed.push(0);
    return id;
  }

  takeDirectory(): number {
    const free = this.#freeDirectories.pop();
    if (free !== undefined) return free;
    const id = this.directoryUsed.length;
    if (id << NODE_BITS >= this.directories.length) {
      const grown = new Int32Array(2 * this.directories.length);
      grown.set(this.directories);
      this.directories = grown;
    }
    this.directoryUsed.push(0);
    return id;
  }

  takeLarge(entry: number): number {
    const id = this.#freeLarge.pop() ?? this.largeEntries.length;
    this.largeEntries[id] = entry;
    return id;
  }

  /** The leaf's slots and its count are all zero. */
  giveLeaf(id: number): void {
    this.#freeLeaves.push(id);
  }

  giveDirectory(id: number): void {
    this.#freeDirectories.push(id);
  }

  giveLarge(id: number): void {
    this.#freeLarge.push(id);
  }

  /** Nodes that tables hold now. */
  get lent(): number {
    const made = this.leafUsed.length - 1 + (this.directoryUsed.length - 1);
    return made - this.#freeLeaves.length - this.#freeDirectories.length;
  }

  /** Large entries that tables hold now. */
  get lentLarge(): number {
    return this.largeEntries.length - 1 - this.#freeLarge.length;
  }
}

/** The pool of this process. */
export const nodePool = new NodePool();
