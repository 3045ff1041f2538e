/**
 * A node of a span-tree.ts: spans in ascending order if it is a leaf, else nodes.
 *
 * Spans are objects anywhere in memory, and their bounds two more each. So a node keeps the bounds
 * of its entries as plain numbers in one array, and nothing else is looked at on the way to an
 * entry. Numbers are exact below 2^53; above, they round, and what rounding leaves open is looked
 * at exactly.
 *
 * A node knows its largest hole. A change looks only at the holes that it makes and takes, unless
 * the largest one is among these.
 */
export interface Span {
  readonly iova: bigint;
  readonly last: bigint;
}

/** Entries of a node at most. */
export const ENTRIES_MAX = 40;
/** Below it, bounds are exact as numbers. */
const EXACT = 2 ** 53;

/** A node is itself a span, from its first entry to its last one. */
export class SpanNode<T extends Span> implements Span {
  /** The largest hole between or inside the entries. */
  hole = 0;
  entries: (T | SpanNode<T>)[] = [];
  /** First and last of each entry, rounded. */
  #bounds: number[] = [];
  /** The largest hole inside each entry; undefined: the node is a leaf. */
  #inside: number[] | undefined;

  constructor(isLeaf: boolean) {
    this.#inside = isLeaf ? undefined : [];
  }

  get isLeaf(): boolean {
    return this.#inside === undefined;
  }

  get iova(): bigint {
    return this.entries[0]!.iova;
  }

  get last(): bigint {
    return this.entries[this.entries.length - 1]!.last;
  }

  /** Position of the first entry that ends at or behind `iova`. */
  lowerBound(iova: bigint): number {
    const bounds = this.#bounds;
    const rounded = Number(iova);
    const count = bounds.length >>> 1;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bounds[2 * middle + 1]! < rounded) low = middle + 1;
      else high = middle;
    }
    if (rounded >= EXACT) while (low < count && this.entries[low]!.last < iova) low += 1;
    return low;
  }

  /** Whether there is an entry at a position, and it begins at or before `iova`. */
  beginsBy(position: number, iova: bigint): boolean {
    const bounds = this.#bounds;
    if (2 * position >= bounds.length) return false;
    const rounded = Number(iova);
    if (rounded < EXACT) return bounds[2 * position]! <= rounded;
    return this.entries[position]!.iova <= iova;
  }

  /** The largest hole before the entry at a position, in this node, or inside it; rounded. */
  holeAt(position: number): number {
    return Math.max(this.#holeBefore(position), this.#inside?.[position] ?? 0);
  }

  /** Puts an entry in; returns the new right neighbour if there was no room. */
  put(position: number, entry: T | SpanNode<T>): SpanNode<T> | undefined {
    // Automatic IOVAs ascend: a node that is appended to stays full.
    if (position === ENTRIES_MAX) {
      const right = new SpanNode<T>(this.isLeaf);
      right.put(0, entry);
      return right;
    }
    const lost = this.#holeBefore(position);
    this.entries.splice(position, 0, entry);
    makeRoom(this.#bounds, 2 * position, 2);
    if (this.#inside !== undefined) makeRoom(this.#inside, position, 1);
    this.#note(position);
    if (this.entries.length > ENTRIES_MAX) return this.#split();
    this.#measure(lost, this.#holesAround(position));
    if (position === ENTRIES_MAX - 1) this.#trim();
    return undefined;
  }

  drop(position: number): void {
    const lost = this.#areExact ? this.#holesAround(position) : Number.POSITIVE_INFINITY;
    this.entries.splice(position, 1);
    this.#bounds.splice(2 * position, 2);
    this.#inside?.splice(position, 1);
    this.#measure(lost, this.#areExact ? this.#holeBefore(position) : 0);
  }

  /** Takes over the entries of its right neighbour. */
  absorb(right: SpanNode<T>): void {
    this.entries.push(...right.entries);
    this.#bounds.push(...right.#bounds);
    this.#inside?.push(...(right.#inside ?? []));
    this.#measureAll();
  }

  /** The entry at a position, a node, may have changed. */
  renew(position: number): void {
    const child = this.entries[position] as SpanNode<T>;
    if (this.#areExact && !this.#differs(position, child)) return;
    const lost = this.#areExact ? this.#holesAround(position) : Number.POSITIVE_INFINITY;
    this.#note(position);
    this.#measure(lost, this.#areExact ? this.#holesAround(position) : 0);
  }

  get #areExact(): boolean {
    const bounds = this.#bounds;
    return bounds.length === 0 || bounds[bounds.length - 1]! < EXACT;
  }

  #differs(position: number, child: SpanNode<T>): boolean {
    const bounds = this.#bounds;
    return (
      this.#inside?.[position] !== child.hole ||
      bounds[2 * position] !== child.#bounds[0] ||
      bounds[2 * position + 1] !== child.#bounds[child.#bounds.length - 1]
    );
  }

  #holeBefore(position: number): number {
    const bounds = this.#bounds;
    if (position === 0 || 2 * position >= bounds.length) return 0;
    const first = bounds[2 * position]!;
    if (first < EXACT) return first - bounds[2 * position - 1]! - 1;
    return Number(this.entries[position]!.iova - this.entries[position - 1]!.last - 1n);
  }

  /** The largest hole that has to do with the entry at a position. */
  #holesAround(position: number): number {
    return Math.max(this.holeAt(position), this.#holeBefore(position + 1));
  }

  #note(position: number): void {
    const bounds = this.#bounds;
    const entry = this.entries[position]!;
    if (entry instanceof SpanNode) {
      bounds[2 * position] = entry.#bounds[0]!;
      bounds[2 * position + 1] = entry.#bounds[entry.#bounds.length - 1]!;
      this.#inside![position] = entry.hole;
    } else {
      bounds[2 * position] = Number(entry.iova);
      bounds[2 * position + 1] = Number(entry.last);
    }
  }

  /** Holes up to the size `lost` are gone, others up to `gained` have come. */
  #measure(lost: number, gained: number): void {
    if (!this.#areExact) this.#measureAll();
    else if (gained >= this.hole) this.hole = gained;
    else if (lost >= this.hole) this.#measureAll();
  }

  #measureAll(): void {
    let hole = 0;
    for (let i = 0; i < this.entries.length; i += 1) hole = Math.max(hole, this.holeAt(i));
    this.hole = hole;
  }

  /** Keeps half of the entries, and returns a node with the others. */
  #split(): SpanNode<T> {
    const kept = ENTRIES_MAX >>> 1;
    const right = new SpanNode<T>(this.isLeaf);
    right.entries = this.entries.splice(kept);
    right.#bounds = this.#bounds.splice(2 * kept);
    right.#inside = this.#inside?.splice(kept);
    right.#measureAll();
    this.#measureAll();
    return right;
  }

  /** Nothing will be appended: gives back the room that lists keep for that. */
  #trim(): void {
    this.entries = this.entries.slice();
    this.#bounds = this.#bounds.slice();
    this.#inside = this.#inside?.slice();
  }
}

/** Moves numbers up, to make room for `count` at a position: no array is made, as by splice. */
const makeRoom = (numbers: number[], position: number, count: number): void => {
  const end = numbers.length;
  for (let i = 0; i < count; i += 1) numbers.push(0);
  for (let i = end - 1; i >= position; i -= 1) numbers[i + count] = numbers[i]!;
};
