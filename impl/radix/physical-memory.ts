/**
 * The pages of the simulated machine.
 *
 * A page frame is in use while a memory object holds it (`held`) or a pin does. It is free, and
 * its pfn may be handed out again, only when neither is the case: memory that a device can
 * still reach never becomes somebody else's. Frames are numbered from 1 in order of allocation
 * and reused last-in first-out, so a trace gets the same pfns every time. pfn 0 does not exist.
 *
 * A frame's bytes are made on the first store into it; until then it reads as zeros.
 * All operations are O(1).
 */
import { assert } from "./assert";

export class PhysicalMemory {
  readonly pageSize: number;
  readonly #pins: number[] = [0];
  readonly #held: boolean[] = [false];
  readonly #bytes: (Uint8Array | undefined)[] = [undefined];
  readonly #free: number[] = [];

  constructor(pageSize: number) {
    this.pageSize = pageSize;
  }

  /** A zeroed frame, held by the caller's memory object. */
  allocate(): number {
    const free = this.#free.pop();
    if (free !== undefined) {
      this.#held[free] = true;
      return free;
    }
    this.#pins.push(0);
    this.#held.push(true);
    this.#bytes.push(undefined);
    return this.#pins.length - 1;
  }

  /** The memory object lets go of the frame. */
  release(pfn: number): void {
    this.#held[pfn] = false;
    if (this.#pins[pfn] === 0) this.#recycle(pfn);
  }

  pin(pfn: number): void {
    this.#pins[pfn]! += 1;
  }

  unpin(pfn: number): void {
    assert(this.#pins[pfn]! > 0, "a page is unpinned as often as it was pinned");
    this.#pins[pfn]! -= 1;
    if (this.#pins[pfn] === 0 && !this.#held[pfn]) this.#recycle(pfn);
  }

  pinsOf(pfn: number): number {
    return this.#pins[pfn]!;
  }

  /** Copies bytes of one frame out of the machine. */
  read(pfn: number, offset: number, into: Uint8Array, at: number, length: number): void {
    const bytes = this.#bytes[pfn];
    if (bytes === undefined) into.fill(0, at, at + length);
    else into.set(bytes.subarray(offset, offset + length), at);
  }

  write(pfn: number, offset: number, from: Uint8Array, at: number, length: number): void {
    let bytes = this.#bytes[pfn];
    if (bytes === undefined) {
      bytes = new Uint8Array(this.pageSize);
      this.#bytes[pfn] = bytes;
    }
    bytes.set(from.subarray(at, at + length), offset);
  }

  #recycle(pfn: number): void {
    this.#bytes[pfn] = undefined;
    this.#free.push(pfn);
  }
}
