/**
 * The areas of an IOAS, by IOVA: disjoint (I-01), in ascending order.
 *
 * A sorted array: O(log n) to find, O(n) with a small constant to insert and remove.
 */
import type { IoptArea } from "./iopt-pages";
import type { Spans } from "./iova-spans";

export class AreaIndex implements Spans {
  readonly #areas: IoptArea[] = [];

  get count(): number {
    return this.#areas.length;
  }

  startAt(position: number): bigint {
    return this.#areas[position]!.iova;
  }

  lastAt(position: number): bigint {
    return this.#areas[position]!.last;
  }

  lowerBound(iova: bigint): number {
    const areas = this.#areas;
    let low = 0;
    let high = areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (areas[middle]!.last < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  [Symbol.iterator](): Iterator<IoptArea> {
    return this.#areas[Symbol.iterator]();
  }

  /** The lowest area that intersects [start, last]. */
  first(start: bigint, last: bigint): IoptArea | undefined {
    const area = this.#areas[this.lowerBound(start)];
    return area === undefined || area.iova > last ? undefined : area;
  }

  insert(area: IoptArea): void {
    this.#areas.splice(this.lowerBound(area.iova), 0, area);
  }

  remove(area: IoptArea): void {
    this.#areas.splice(this.lowerBound(area.iova), 1);
  }
}
