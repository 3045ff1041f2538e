/**
 * The memory that a raw call points to (spec/calls/raw.ts): its bytes end exactly where an
 * accessible page ends, so whatever lies behind them faults.
 */
import type { In } from "../../spec/calls";
import { SCRATCH } from "../../spec/platform";
import { fromHex, toHex } from "./hex";

type Given = Pick<In<"RAW">, "bytes" | "memory" | "arg">;

export class UserBuffer {
  readonly #given: Given;
  readonly #bytes: Uint8Array;
  #isChanged = false;

  constructor(given: Given) {
    this.#given = given;
    this.#bytes = given.memory === "none" ? new Uint8Array(0) : fromHex(given.bytes);
  }

  /** The pointer itself; some commands take it for a number. */
  get pointer(): bigint {
    const { memory, arg } = this.#given;
    return memory === "none" ? arg : SCRATCH.va + SCRATCH.length - BigInt(this.#bytes.length);
  }

  /** A copy of the first `length` bytes; undefined: one of them cannot be read. */
  load(length: number): Uint8Array | undefined {
    return length <= this.#bytes.length ? this.#bytes.slice(0, length) : undefined;
  }

  /** The 32-bit number that it begins with. */
  loadWord(): number | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 4) return undefined;
    return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
  }

  /** Whether there is anything but zeros between two offsets; undefined: it faults before that. */
  hasNonZero(from: number, to: number): boolean | undefined {
    const end = Math.min(to, this.#bytes.length);
    for (let at = from; at < end; at += 1) if (this.#bytes[at] !== 0) return true;
    return end === to ? false : undefined;
  }

  /** Stores bytes up to the first one that cannot be stored; false: there is one. */
  store(offset: number, bytes: Uint8Array): boolean {
    if (this.#given.memory !== "rw") return bytes.length === 0;
    const room = Math.max(this.#bytes.length - offset, 0);
    this.#bytes.set(
      bytes.length <= room ? bytes : bytes.subarray(0, room),
      Math.min(offset, this.#bytes.length),
    );
    this.#isChanged = true;
    return bytes.length <= room;
  }

  /** The bytes now. Those that are nowhere stay what they are. */
  toHex(): string {
    return this.#isChanged ? toHex(this.#bytes) : this.#given.bytes;
  }
}
