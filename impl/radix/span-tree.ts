/**
 * Disjoint spans of IOVAs in ascending order: the areas of an IOAS (I-01), what is reserved in
 * it, and what is allowed. Bounds are bytes and inclusive, as bigint: a span may end at 2^64-1.
 *
 * A B+tree. Beside each entry a node keeps where it ends, so that finding looks at few entries
 * themselves, and how large a hole there is before it, or inside it if the entry is a node, so
 * that looking for room passes by everything that is packed too tightly. Both are plain numbers,
 * which round; whatever rounding leaves open is looked at exactly. A node that is appended to is left full when it splits, since IOVAs that are chosen
 * automatically ascend.
 *
 * O(log n) to find, insert and remove, and to find the first hole of at least some size; then
 * O(log n) for each further hole that is large enough.
 */
import { assert } from "./assert";

export interface Span {
  readonly iova: bigint;
  readonly last: bigint;
}

const ENTRIES_MAX = 40;
/** What rounding can do to the size of a hole, and more. */
const ROUNDING = 1 - 2 ** -50;

export const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** A node is itself a span, from its first entry to its last one. */
class SpanNode<T extends Span> implements Span {
  iova = 0n;
  last = 0n;
  /** The largest of `holes`. */
  hole = 0;
  readonly isLeaf: boolean;
  /** Spans in a leaf, else nodes. */
  entries: (T | SpanNode<T>)[];
  /** lasts[i]: entries[i].last, rounded. */
  lasts: number[];
  /** holes[i]: the larger one of what is before entries[i] in this node, and what is inside. */
  holes: number[];

  constructor(isLeaf: boolean, entries: (T | SpanNode<T>)[], lasts: number[], holes: number[]) {
    this.isLeaf = isLeaf;
    this.entries = entries;
    this.lasts = lasts;
    this.holes = holes;
  }

  /** Position of the first entry that ends at or behind `iova`. */
  lowerBound(iova: bigint): number {
    const { entries, lasts } = this;
    const rounded = Number(iova);
    let low = 0;
    let high = lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lasts[middle]! < rounded) low = middle + 1;
      else high = middle;
    }
    while (low < entries.length && entries[low]!.last < iova) low += 1;
    return low;
  }

  /** Puts an entry in; returns the new right neighbour if this node had to split. */
  put(position: number, entry: T | SpanNode<T>): SpanNode<T> | undefined {
    const { entries, lasts, holes } = this;
    entries.splice(position, 0, entry);
    lasts.splice(position, 0, 0);
    holes.splice(position, 0, 0);
    if (entries.length <= ENTRIES_MAX) {
      this.measure(position);
      return undefined;
    }
    const isAppended = position === ENTRIES_MAX;
    const kept = isAppended ? ENTRIES_MAX : ENTRIES_MAX >>> 1;
    const right = new SpanNode(
      this.isLeaf,
      entries.slice(kept),
      lasts.slice(kept),
      holes.slice(kept),
    );
    // Copies have no room to grow, which a node that is left full does not need.
    this.entries = entries.slice(0, kept);
    this.lasts = lasts.slice(0, kept);
    this.holes = holes.slice(0, kept);
    right.measure(0);
    if (position > kept) right.measure(position - kept);
    this.measure(Math.min(position, kept - 1));
    return right;
  }

  drop(position: number): void {
    this.entries.splice(position, 1);
    this.lasts.splice(position, 1);
    this.holes.splice(position, 1);
    this.measure(position);
  }

  /** Takes over the entries of its right neighbour. */
  absorb(right: SpanNode<T>): void {
    const joint = this.entries.length;
    this.entries.push(...right.entries);
    this.lasts.push(...right.lasts);
    this.holes.push(...right.holes);
    this.measure(joint);
  }

  /** The entry at a position is new, or has changed, or its predecessor has. */
  measure(position: number): void {
    this.#measureHole(position);
    this.#measureHole(position + 1);
    const { entries } = this;
    if (entries.length === 0) return;
    this.iova = entries[0]!.iova;
    this.last = entries[entries.length - 1]!.last;
    let hole = 0;
    for (const size of this.holes) if (size > hole) hole = size;
    this.hole = hole;
  }

  /** Whether the node above has to take note of a change. */
  differsFrom(iova: bigint, last: bigint, hole: number): boolean {
    return this.hole !== hole || this.last !== last || this.iova !== iova;
  }

  #measureHole(position: number): void {
    const entry = this.entries[position];
    if (entry === undefined) return;
    this.lasts[position] = Number(entry.last);
    const before = position === 0 ? 0 : Number(entry.iova - this.entries[position - 1]!.last - 1n);
    const inside = entry instanceof SpanNode ? entry.hole : 0;
    this.holes[position] = Math.max(before, inside);
  }
}

export class SpanTree<T extends Span> {
  #root: SpanNode<T> | undefined;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  *[Symbol.iterator](): Iterator<T> {
    if (this.#root !== undefined) yield* spansIn(this.#root);
  }

  /** The lowest span that intersects [start, last]. */
  first(start: bigint, last: bigint): T | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const entry: T | SpanNode<T> | undefined = node.entries[node.lowerBound(start)];
      if (!(entry instanceof SpanNode)) {
        return entry === undefined || entry.iova > last ? undefined : entry;
      }
      node = entry;
    }
    return undefined;
  }

  intersects(start: bigint, last: bigint): boolean {
    return this.first(start, last) !== undefined;
  }

  /** Inserts a span that intersects no other one. */
  insert(span: T): void {
    this.#count += 1;
    const root = this.#root;
    if (root === undefined) {
      this.#root = new SpanNode<T>(true, [], [], []);
      this.#root.put(0, span);
      return;
    }
    const right = insertInto(root, span);
    if (right === undefined) return;
    this.#root = new SpanNode<T>(false, [], [], []);
    this.#root.put(0, root);
    this.#root.put(1, right);
  }

  remove(span: T): void {
    const root = this.#root;
    assert(root !== undefined, "a span that is removed is in the tree");
    removeFrom(root, span);
    this.#count -= 1;
    if (this.#count === 0) this.#root = undefined;
    else if (!root.isLeaf && root.entries.length === 1) this.#root = root.entries[0] as SpanNode<T>;
  }

  /**
   * Hands the holes within [first, last] that have at least `least` bytes to `accept`, in
   * ascending order, and returns the first answer that is not undefined.
   */
  findHole(
    first: bigint,
    last: bigint,
    least: bigint,
    accept: (start: bigint, last: bigint) => bigint | undefined,
  ): bigint | undefined {
    const bound = Number(least) * ROUNDING;
    let at = first;
    let isBehind = false;
    const offer = (end: bigint): bigint | undefined =>
      end - at + 1n < least || end < at ? undefined : accept(at, end);
    const search = (node: SpanNode<T>): bigint | undefined => {
      const { entries, holes } = node;
      const start = node.lowerBound(at);
      for (let i = start; i < entries.length; i += 1) {
        if (i > start) {
          if (holes[i]! < bound) continue;
          at = larger(at, entries[i - 1]!.last + 1n);
        }
        const entry = entries[i]!;
        isBehind = entry.iova > last;
        if (isBehind) return undefined;
        let found = entry.iova > at ? offer(entry.iova - 1n) : undefined;
        if (found !== undefined) return found;
        if (entry instanceof SpanNode && entry.hole >= bound) {
          at = larger(at, entry.iova);
          found = search(entry);
          if (found !== undefined || isBehind) return found;
        }
      }
      if (node.last >= at) at = node.last + 1n;
      return undefined;
    };
    const found = this.#root === undefined ? undefined : search(this.#root);
    return found ?? (at > last ? undefined : offer(last));
  }
}

const insertInto = <T extends Span>(node: SpanNode<T>, span: T): SpanNode<T> | undefined => {
  const position = node.lowerBound(span.iova);
  if (node.isLeaf) return node.put(position, span);
  const childAt = Math.min(position, node.entries.length - 1);
  const child = node.entries[childAt] as SpanNode<T>;
  const { iova, last, hole } = child;
  const right = insertInto(child, span);
  if (child.differsFrom(iova, last, hole)) node.measure(childAt);
  return right === undefined ? undefined : node.put(childAt + 1, right);
};

const removeFrom = <T extends Span>(node: SpanNode<T>, span: T): void => {
  const position = node.lowerBound(span.iova);
  const entry = node.entries[position];
  if (!(entry instanceof SpanNode)) {
    assert(entry === span, "a span that is removed is in the tree");
    node.drop(position);
    return;
  }
  const { iova, last, hole } = entry;
  removeFrom(entry, span);
  if (entry.entries.length === 0) {
    node.drop(position);
    return;
  }
  if (entry.differsFrom(iova, last, hole)) node.measure(position);
  const left = node.entries[position - 1];
  if (!(left instanceof SpanNode) || left.entries.length + entry.entries.length > ENTRIES_MAX / 2) {
    return;
  }
  left.absorb(entry);
  node.drop(position);
  node.measure(position - 1);
};

function* spansIn<T extends Span>(node: SpanNode<T>): Generator<T> {
  for (const entry of node.entries) {
    if (entry instanceof SpanNode) yield* spansIn(entry);
    else yield entry;
  }
}
