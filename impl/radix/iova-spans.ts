/**
 * A set of IOVAs, kept as disjoint inclusive spans in ascending order; spans that touch are one
 * (RNG-03, AUT-01). Bounds are bigint: a span may end at 2^64-1 and begin at any byte.
 *
 * `Spans` is what searching for room needs to know of any ordered list of disjoint spans; the
 * areas of an IOAS are another one.
 *
 * Finding is a binary search; adding is O(n), for lists of a handful of spans.
 */

export const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** Disjoint inclusive spans in ascending order. */
export interface Spans {
  readonly count: number;
  startAt(position: number): bigint;
  lastAt(position: number): bigint;
  /** Position of the first span that ends at or behind `iova`. */
  lowerBound(iova: bigint): number;
}

/**
 * Hands the holes between spans within [first, last] to `accept`, in ascending order, and
 * returns the first answer that is not undefined.
 */
export const findInHoles = (
  spans: Spans,
  first: bigint,
  last: bigint,
  accept: (start: bigint, last: bigint) => bigint | undefined,
): bigint | undefined => {
  let at = first;
  for (let i = spans.lowerBound(first); i < spans.count; i += 1) {
    const start = spans.startAt(i);
    if (start > last) break;
    if (start > at) {
      const found = accept(at, start - 1n);
      if (found !== undefined) return found;
    }
    if (spans.lastAt(i) >= last) return undefined;
    at = spans.lastAt(i) + 1n;
  }
  return accept(at, last);
};

export class IovaSpans implements Spans {
  readonly #starts: bigint[] = [];
  readonly #lasts: bigint[] = [];

  get count(): number {
    return this.#starts.length;
  }

  startAt(position: number): bigint {
    return this.#starts[position]!;
  }

  lastAt(position: number): bigint {
    return this.#lasts[position]!;
  }

  lowerBound(iova: bigint): number {
    let low = 0;
    let high = this.#lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lasts[middle]! < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  intersects(start: bigint, last: bigint): boolean {
    const position = this.lowerBound(start);
    return position < this.count && this.startAt(position) <= last;
  }

  /** Adds a span; what it overlaps or touches becomes one with it. */
  add(start: bigint, last: bigint): void {
    const from = this.lowerBound(start === 0n ? 0n : start - 1n);
    let to = from;
    let mergedStart = start;
    let mergedLast = last;
    while (to < this.count && this.startAt(to) <= last + 1n) {
      mergedStart = smaller(mergedStart, this.startAt(to));
      mergedLast = larger(mergedLast, this.lastAt(to));
      to += 1;
    }
    this.#starts.splice(from, to - from, mergedStart);
    this.#lasts.splice(from, to - from, mergedLast);
  }
}
