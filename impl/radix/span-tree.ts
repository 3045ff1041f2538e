/**
 * Disjoint spans of IOVAs in ascending order: the areas of an IOAS (I-01), what is reserved in
 * it, and what is allowed. Bounds are bytes and inclusive, as bigint: a span may end at 2^64-1.
 *
 * A B+tree. Its nodes keep the bounds of their entries at hand, so that nothing but the nodes on
 * one path is looked at, and know their largest holes, so that looking for room passes by
 * everything that is packed too tightly.
 *
 * O(log n) to find, insert and remove, and to find the first hole of at least some size; then
 * O(log n) for each further hole that is large enough.
 */
import { assert } from "./assert";
import { ENTRIES_MAX, type Span, SpanNode } from "./span-node";

export type { Span };

/** What rounding can do to the size of a hole, and more. */
const ROUNDING = 1 - 2 ** -50;

export const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

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
      const position = node.lowerBound(start);
      if (!node.beginsBy(position, last)) return undefined;
      const entry: T | SpanNode<T> = node.entries[position]!;
      if (!(entry instanceof SpanNode)) return entry;
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
      this.#root = new SpanNode<T>(true);
      this.#root.put(0, span);
      return;
    }
    const right = insertInto(root, span);
    if (right === undefined) return;
    this.#root = new SpanNode<T>(false);
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
      const { entries } = node;
      const start = node.lowerBound(at);
      for (let i = start; i < entries.length; i += 1) {
        if (i > start) {
          if (node.holeAt(i) < bound) continue;
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
  const right = insertInto(node.entries[childAt] as SpanNode<T>, span);
  node.renew(childAt);
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
  removeFrom(entry, span);
  if (entry.entries.length === 0) {
    node.drop(position);
    return;
  }
  node.renew(position);
  const left = node.entries[position - 1];
  if (!(left instanceof SpanNode) || left.entries.length + entry.entries.length > ENTRIES_MAX / 2) {
    return;
  }
  left.absorb(entry);
  node.drop(position);
  node.renew(position - 1);
};

function* spansIn<T extends Span>(node: SpanNode<T>): Generator<T> {
  for (const entry of node.entries) {
    if (entry instanceof SpanNode) yield* spansIn(entry);
    else yield entry;
  }
}
