/**
 * Sets of IOVAs, as disjoint inclusive spans.
 *
 * The allowed ones come as a list and become a union; spans that touch are one (AUT-01). What is
 * reserved comes and goes in overlapping regions, each with its owner: so every piece of the
 * union counts the regions that cover it. All of it is O(log n) per piece that a region meets.
 */
import { U64_MAX } from "../../spec/units";
import { larger, type Span, SpanTree, smaller } from "./span-tree";

/** A union that only grows. */
export class IovaSpans extends SpanTree<Span> {
  /** Adds a span; what it overlaps or touches becomes one with it. */
  add(start: bigint, last: bigint): void {
    const from = start === 0n ? 0n : start - 1n;
    let [iova, end] = [start, last];
    for (let met = this.first(from, last + 1n); met; met = this.first(from, last + 1n)) {
      iova = smaller(iova, met.iova);
      end = larger(end, met.last);
      this.remove(met);
    }
    this.insert({ iova, last: end });
  }
}

/** A maximal piece of what is reserved that the same number of regions covers. */
interface Piece extends Span {
  readonly regions: number;
}

export class ReservedIovas {
  /** The union of all regions. */
  readonly pieces = new SpanTree<Piece>();
  readonly #byOwner = new Map<object, Span[]>();

  /** @param owner who can take the region away again; undefined: nobody (RSV-07) */
  add(start: bigint, last: bigint, owner: object | undefined): void {
    this.#change(start, last, 1);
    if (owner === undefined) return;
    const regions = this.#byOwner.get(owner);
    if (regions === undefined) this.#byOwner.set(owner, [{ iova: start, last }]);
    else regions.push({ iova: start, last });
  }

  removeAllOf(owner: object): void {
    const regions = this.#byOwner.get(owner);
    if (regions === undefined) return;
    for (const { iova, last } of regions) this.#change(iova, last, -1);
    this.#byOwner.delete(owner);
  }

  /** One region more or less covers [start, last]. */
  #change(start: bigint, last: bigint, by: 1 | -1): void {
    for (let at = start; at <= last; ) {
      const met = this.pieces.first(at, last);
      if (met === undefined) {
        this.#insert(at, last, by);
        break;
      }
      const from = larger(met.iova, at);
      if (from > at) this.#insert(at, from - 1n, by);
      const end = smaller(met.last, last);
      this.pieces.remove(met);
      if (met.iova < from) this.#insert(met.iova, from - 1n, met.regions);
      if (met.last > end) this.#insert(end + 1n, met.last, met.regions);
      if (met.regions + by > 0) this.#insert(from, end, met.regions + by);
      at = end + 1n;
    }
    if (last !== U64_MAX) this.#joinAt(last + 1n);
  }

  /** Inserts a piece; it becomes one with a lower neighbour that counts the same. */
  #insert(iova: bigint, last: bigint, regions: number): void {
    const left = iova === 0n ? undefined : this.pieces.first(iova - 1n, iova - 1n);
    if (left === undefined || left.regions !== regions) {
      this.pieces.insert({ iova, last, regions });
    } else {
      this.pieces.remove(left);
      this.pieces.insert({ iova: left.iova, last, regions });
    }
  }

  /** A piece that begins at `iova` becomes one with a lower neighbour that counts the same. */
  #joinAt(iova: bigint): void {
    const piece = this.pieces.first(iova, iova);
    if (piece?.iova !== iova) return;
    this.pieces.remove(piece);
    this.#insert(piece.iova, piece.last, piece.regions);
  }
}
