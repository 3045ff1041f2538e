/**
 * A count for every page frame of the machine, 0 for a frame that is free: what the kernel has in
 * its mem_map.
 *
 * Frames are numbered without gaps, so a pfn is an index. 512 frames are a *block*, 512 blocks a
 * *region*: the sizes of huge pages. While all frames of one have the same count, that number
 * stands for all of them, so a huge page that is held and pinned as a whole is one number. It
 * becomes single counts where somebody treats a part of it differently, and stays so.
 *
 * The memory that a device uses is anywhere, so counting its frames one by one is a cache miss
 * each. Hence single counts are no wider than they must be (2^29 pins of one frame), and none of
 * the loads on the way to one waits for another cache miss.
 *
 * O(1) per frame, or per block or region that a run covers.
 */
import { assert } from "./assert";

const BLOCK_BITS = 9;
const BLOCK = 2 ** BLOCK_BITS;
const REGION = BLOCK * BLOCK;
/** Frames in so many regions have numbers of 31 bits. */
const SMALL_REGIONS = 2 ** 31 / REGION;

/** A region whose blocks have counts of their own. */
const MIXED = -1;

/** Frames [pfn, pfn + count) have become free. */
export type FreedFrames = (pfn: number, count: number) => void;

/**
 * The single counts of all machines, 512 in a row per block: an array each would cost 1 µs to
 * allocate. Block 0 is not used. Rows are given back as they are.
 */
const singles = {
  counts: new Int32Array(16 * BLOCK),
  made: 1,
  unused: [] as number[],

  /** The place of a row with the same count everywhere. */
  take(count: number): number {
    const row = singles.unused.pop() ?? singles.made++;
    if ((row + 1) * BLOCK > singles.counts.length) {
      const grown = new Int32Array(2 * singles.counts.length);
      grown.set(singles.counts);
      singles.counts = grown;
    }
    singles.counts.fill(count, row * BLOCK, (row + 1) * BLOCK);
    return row * BLOCK;
  },
};

export class FrameCounts {
  /** By region: the count of each of its frames, or MIXED. */
  readonly #regions: number[] = [];
  /**
   * By block of a mixed region: the count of each of its frames, or where its single counts are,
   * negated. By block of another region: 0, or it is behind the end.
   */
  readonly #blocks: number[] = [];
  readonly #freed: FreedFrames;

  constructor(freed: FreedFrames) {
    this.#freed = freed;
  }

  get(pfn: number): number {
    const region = this.#regions[Math.floor(pfn / REGION)] ?? 0;
    if (region !== MIXED) return region;
    const block = this.#blocks[Math.floor(pfn / BLOCK)] ?? 0;
    return block < 0 ? singles.counts[(pfn % BLOCK) - block]! : block;
  }

  /** Counts `count` free frames for the first time. */
  start(pfn: number, count: number, value: number): void {
    this.#change(pfn, count, value, true);
  }

  /** Adds `delta` to the counts of `count` frames, none of which is free. */
  add(pfn: number, count: number, delta: number): void {
    this.#change(pfn, count, delta, false);
  }

  /** Adds `delta` to the counts of the frames pfns[from], … */
  addEach(count: number, pfns: Float64Array, from: number, delta: number): void {
    const end = from + count;
    const areSmall = this.#regions.length <= SMALL_REGIONS;
    for (let i = from; i < end; i += 1) {
      if (areSmall) i = addToSingles(singles.counts, this.#blocks, pfns, i, end, delta);
      if (i < end) this.#change(pfns[i]!, 1, delta, false);
    }
  }

  /** The machine is switched off. */
  dispose(): void {
    for (const block of this.#blocks) if (block < 0) singles.unused.push(-block / BLOCK);
    this.#blocks.length = 0;
    this.#regions.length = 0;
  }

  #change(pfn: number, count: number, delta: number, areFree: boolean): void {
    const end = pfn + count;
    for (let at = pfn; at < end; ) {
      const index = Math.floor(at / REGION);
      const region = numberAt(this.#regions, index);
      const regionEnd = (index + 1) * REGION;
      if (region !== MIXED && at === index * REGION && end >= regionEnd) {
        this.#regions[index] = this.#changed(region, delta, areFree, at, REGION);
        at = regionEnd;
        continue;
      }
      if (region !== MIXED) this.#mix(index, region);
      const stop = Math.min(end, regionEnd);
      while (at < stop) at = this.#changeInBlock(at, stop, delta, areFree);
    }
  }

  /** The blocks of a region become different. */
  #mix(index: number, count: number): void {
    this.#regions[index] = MIXED;
    if (count === 0) return;
    const first = index * BLOCK;
    numberAt(this.#blocks, first + BLOCK - 1);
    this.#blocks.fill(count, first, first + BLOCK);
  }

  /** Changes frames from `at` to the end of its block or to `end`; returns where that is. */
  #changeInBlock(at: number, end: number, delta: number, areFree: boolean): number {
    const index = Math.floor(at / BLOCK);
    const stop = Math.min(end, (index + 1) * BLOCK);
    let block = numberAt(this.#blocks, index);
    if (block >= 0) {
      if (stop - at === BLOCK) {
        this.#blocks[index] = this.#changed(block, delta, areFree, at, BLOCK);
        return stop;
      }
      block = -singles.take(block);
      this.#blocks[index] = block;
    }
    const { counts } = singles;
    const place = -block - index * BLOCK;
    for (let pfn = at; pfn < stop; pfn += 1) {
      counts[place + pfn] = this.#changed(counts[place + pfn]!, delta, areFree, pfn, 1);
    }
    return stop;
  }

  /** What `count` becomes for frames from `pfn` on; tells if that frees them. */
  #changed(count: number, delta: number, areFree: boolean, pfn: number, frames: number): number {
    const changed = count + delta;
    assert((count === 0) === areFree && changed >= 0, "frames are counted from free to free");
    if (changed === 0) this.#freed(pfn, frames);
    return changed;
  }
}

/**
 * Adds to the single counts of the frames pfns[from], … before pfns[end]; returns the first one
 * that has none, or that was free or becomes it. Apart from the rest, so that the compiler knows
 * that nothing but counts changes here.
 */
const addToSingles = (
  counts: Int32Array,
  blocks: readonly number[],
  pfns: Float64Array,
  from: number,
  end: number,
  delta: number,
): number => {
  const most = Math.max(delta, 0);
  for (let i = from; i < end; i += 1) {
    const pfn = pfns[i]! | 0;
    const block = blocks[pfn >> BLOCK_BITS]!;
    if (!(block < 0)) return i;
    const at = (pfn & (BLOCK - 1)) - block;
    const changed = counts[at]! + delta;
    if (changed <= most) return i;
    counts[at] = changed;
  }
  return end;
};

/** An element of a list that grows with zeros as far as it is needed. */
const numberAt = (list: number[], index: number): number => {
  while (list.length <= index) list.push(0);
  return list[index]!;
};
