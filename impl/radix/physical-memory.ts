/**
 * The pages of the simulated machine.
 *
 * A page frame is in use while a memory object holds it or a pin does. It is free, and its pfn
 * may be handed out again, only when neither is the case: memory that a device can still reach
 * never becomes somebody else's. Frames are numbered from 1 in order of allocation and reused
 * last-in first-out, so a trace gets the same pfns every time. pfn 0 does not exist.
 *
 * A frame's bytes are made on the first store into it; until then it reads as zeros.
 * O(1) per frame or huge page.
 */
import { FrameCounts } from "./frame-counts";

/** The count of a frame is the number of its pins, twice, and one if an object holds it. */
const HELD = 1;
const PIN = 2;

/** The list of a batch has a pointer for each page, and takes 64 KiB. */
const POINTER = 8;
const PIN_BATCH = 65_536 / POINTER;

/** Pages in huge pages, the largest first. */
const HUGE_PAGES: readonly number[] = [2 ** 18, 2 ** 9];

export class PhysicalMemory {
  readonly pageSize: number;
  /** Pages in the huge pages that this machine has, the largest first. */
  readonly hugePages: readonly number[];
  readonly #frames = new FrameCounts((pfn, count) => this.#recycle(pfn, count));
  readonly #bytes = new Map<number, Uint8Array>();
  /** Free frames and huge pages, by their number of pages. */
  readonly #free = new Map<number, number[]>();
  /** The address space of the process that makes the present call: current->mm. */
  currentMemory: object | undefined;
  /** Pages that are looked up together before the first of them is pinned. */
  pinBatch = PIN_BATCH;
  /** No frame from here on was ever in use. */
  #end = 1;

  /** @param thpPages pages in the largest huge page */
  constructor(pageSize: number, thpPages = 1) {
    this.pageSize = pageSize;
    this.hugePages = HUGE_PAGES.filter((pages) => pages <= thpPages);
  }

  /** @param bytes that the list of the pages of a batch may take (TST-06) */
  limitPinBatch(bytes: number): void {
    this.pinBatch = Math.floor(bytes / POINTER);
  }

  /** Pages that go from pinning to the IOPTEs in one piece: all, unless batches were made small. */
  get pinPiece(): number {
    return this.pinBatch < PIN_BATCH ? this.pinBatch : Number.POSITIVE_INFINITY;
  }

  /** A zeroed frame, or huge page of `count` frames, held by the caller's memory object. */
  allocate(count: number): number {
    let pfn = this.#free.get(count)?.pop();
    if (pfn === undefined) {
      pfn = Math.ceil(this.#end / count) * count;
      this.#end = pfn + count;
    }
    this.#frames.start(pfn, count, HELD);
    return pfn;
  }

  /** The memory object lets go of `count` frames. */
  release(pfn: number, count: number): void {
    this.#frames.add(pfn, count, -HELD);
  }

  pin(pfn: number, count: number): void {
    this.#frames.add(pfn, count, PIN);
  }

  pinEach(count: number, pfns: Float64Array, from: number): void {
    this.#frames.addEach(count, pfns, from, PIN);
  }

  unpinEach(count: number, pfns: Float64Array, from: number): void {
    this.#frames.addEach(count, pfns, from, -PIN);
  }

  /** Frames are unpinned as often as they were pinned. */
  unpin(pfn: number, count: number): void {
    this.#frames.add(pfn, count, -PIN);
  }

  pinsOf(pfn: number): number {
    return Math.floor(this.#frames.get(pfn) / PIN);
  }

  /** Copies bytes of one frame out of the machine. */
  read(pfn: number, offset: number, into: Uint8Array, at: number, length: number): void {
    const bytes = this.#bytes.get(pfn);
    if (bytes === undefined) into.fill(0, at, at + length);
    else into.set(bytes.subarray(offset, offset + length), at);
  }

  write(pfn: number, offset: number, from: Uint8Array, at: number, length: number): void {
    let bytes = this.#bytes.get(pfn);
    if (bytes === undefined) {
      bytes = new Uint8Array(this.pageSize);
      this.#bytes.set(pfn, bytes);
    }
    bytes.set(from.subarray(at, at + length), offset);
  }

  /** Fills `count` new frames with what others hold. */
  copy(from: number, to: number, count: number): void {
    for (const [pfn, bytes] of [...this.#bytes]) {
      if (pfn >= from && pfn < from + count) this.#bytes.set(to + (pfn - from), bytes.slice());
    }
  }

  /** The machine is switched off. */
  dispose(): void {
    this.#frames.dispose();
  }

  #recycle(pfn: number, count: number): void {
    for (const written of count === 1 ? [pfn] : [...this.#bytes.keys()]) {
      if (written >= pfn && written < pfn + count) this.#bytes.delete(written);
    }
    const free = this.#free.get(count);
    if (free === undefined) this.#free.set(count, [pfn]);
    else free.push(pfn);
  }
}
