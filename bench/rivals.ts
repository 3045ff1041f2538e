/**
 * What one would write instead of impl/radix: maps of bigints, or a package for ordered maps or
 * intervals. Each maps user pages for a device: it looks for overlaps, finds and pins the pages,
 * keeps what is mapped where, and translates. They check less than impl/radix does: no alignment,
 * no reserved regions, no accounts, no copies.
 */
import { IntervalTree } from "node-interval-tree";
import BTree from "sorted-btree";
import { BUFFER, PAGE } from "./machine";

export interface Rival {
  readonly name: string;
  map(va: bigint, length: bigint, iova: bigint): void;
  unmap(iova: bigint, length: bigint): void;
}

/** Frame of a page of the buffer. */
type Frames = (page: number) => number;

interface Area {
  readonly iova: bigint;
  readonly last: bigint;
  readonly va: bigint;
}

/** Straightforward: addresses are bigints, everything is in a Map or a list. */
export class NaiveRival implements Rival {
  readonly name = "Map and bigint";
  readonly #frames = new Map<bigint, bigint>();
  readonly #pins = new Map<bigint, bigint>();
  readonly #ioptes = new Map<bigint, bigint>();
  #areas: Area[] = [];

  constructor(frames: Frames, pages: number) {
    for (let page = 0; page < pages; page += 1) {
      this.#frames.set(BUFFER + BigInt(page) * PAGE, BigInt(frames(page)) * PAGE);
    }
  }

  map(va: bigint, length: bigint, iova: bigint): void {
    const last = iova + length - 1n;
    if (this.#areas.some((area) => area.iova <= last && area.last >= iova))
      throw new Error("EEXIST");
    for (let offset = 0n; offset < length; offset += PAGE) {
      const frame = this.#frames.get(va + offset);
      if (frame === undefined) throw new Error("EFAULT");
      this.#pins.set(frame, (this.#pins.get(frame) ?? 0n) + 1n);
      this.#ioptes.set(iova + offset, frame | 3n);
    }
    this.#areas.push({ iova, last, va });
  }

  unmap(iova: bigint, length: bigint): void {
    const last = iova + length - 1n;
    const inside = (area: Area): boolean => area.iova >= iova && area.last <= last;
    for (const area of this.#areas.filter(inside)) {
      for (let at = area.iova; at <= area.last; at += PAGE) {
        const frame = (this.#ioptes.get(at) ?? 0n) & ~3n;
        const pins = this.#pins.get(frame) ?? 0n;
        if (pins === 1n) this.#pins.delete(frame);
        else this.#pins.set(frame, pins - 1n);
        this.#ioptes.delete(at);
      }
    }
    this.#areas = this.#areas.filter((area) => !inside(area));
  }
}

/** A B+tree from npm for areas, IOPTEs and pins; page numbers are plain numbers. */
export class BTreeRival implements Rival {
  readonly name = "sorted-btree";
  readonly #frames: Frames;
  readonly #pins = new BTree<number, number>();
  readonly #ioptes = new BTree<number, number>();
  readonly #areas = new BTree<number, number>();

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  map(va: bigint, length: bigint, iova: bigint): void {
    const first = Number(iova / PAGE);
    const count = Number(length / PAGE);
    const userPage = Number((va - BUFFER) / PAGE);
    const before = this.#areas.nextLowerPair(first + count);
    if (before !== undefined && before[0] + before[1] > first) throw new Error("EEXIST");
    for (let i = 0; i < count; i += 1) {
      const frame = this.#frames(userPage + i);
      this.#pins.set(frame, (this.#pins.get(frame) ?? 0) + 1);
      this.#ioptes.set(first + i, frame * 8 + 3);
    }
    this.#areas.set(first, count);
  }

  unmap(iova: bigint, length: bigint): void {
    const first = Number(iova / PAGE);
    const end = first + Number(length / PAGE);
    for (const [area, count] of this.#areas.getRange(first, end)) {
      for (let page = area; page < area + count; page += 1) {
        const frame = Math.floor((this.#ioptes.get(page) ?? 0) / 8);
        const pins = this.#pins.get(frame) ?? 0;
        if (pins === 1) this.#pins.delete(frame);
        else this.#pins.set(frame, pins - 1);
      }
      this.#ioptes.deleteRange(area, area + count, false);
    }
    this.#areas.deleteRange(first, end, false);
  }
}

interface Run {
  readonly low: number;
  readonly high: number;
  readonly frame: number;
}

/** An interval tree from npm for areas and for runs of IOPTEs, typed arrays for pins. */
export class IntervalRival implements Rival {
  readonly name = "node-interval-tree";
  readonly #frames: Frames;
  readonly #pins: Uint32Array;
  readonly #runs = new IntervalTree<Run>();

  constructor(frames: Frames, framesEnd: number) {
    this.#frames = frames;
    this.#pins = new Uint32Array(framesEnd);
  }

  map(va: bigint, length: bigint, iova: bigint): void {
    const first = Number(iova / PAGE);
    const count = Number(length / PAGE);
    const userPage = Number((va - BUFFER) / PAGE);
    if (this.#runs.search(first, first + count - 1).length > 0) throw new Error("EEXIST");
    for (let at = 0; at < count; ) {
      const frame = this.#frames(userPage + at);
      let run = 1;
      while (at + run < count && this.#frames(userPage + at + run) === frame + run) run += 1;
      const entry = { low: first + at, high: first + at + run - 1, frame };
      this.#runs.insert(entry);
      this.#count(entry, 1);
      at += run;
    }
  }

  unmap(iova: bigint, length: bigint): void {
    const first = Number(iova / PAGE);
    const last = first + Number(length / PAGE) - 1;
    for (const entry of this.#runs.search(first, last)) {
      this.#runs.remove(entry);
      this.#count(entry, -1);
    }
  }

  #count({ low, high, frame }: Run, by: number): void {
    for (let i = frame; i <= frame + high - low; i += 1) {
      this.#pins[i] = (this.#pins[i] ?? 0) + by;
    }
  }
}
