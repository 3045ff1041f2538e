/**
 * The memory that a raw call points to (spec/calls/raw.ts): its bytes end exactly where an
 * accessible page ends, so whatever lies behind them faults.
 */
import type { In } from "../../spec/calls";
import { SCRATCH } from "../../spec/platform";
import { fromHex, toHex } from "./hex";

type Given = Pick<In<"RAW">, "bytes" | "memory" | "arg">;

export class UserBuffer {
  /** The pointer itself; some commands take it for a number. */
  readonly pointer: bigint;
  readonly #bytes: Uint8Array;
  readonly #isWritable: boolean;
  /** Bytes that are nowhere stay what they are. */
  readonly #nowhere: string;

  constructor({ bytes, memory, arg }: Given) {
    this.#bytes = memory === "none" ? new Uint8Array(0) : fromHex(bytes);
    this.#nowhere = memory === "none" ? bytes : "";
    this.#isWritable = memory === "rw";
    this.pointer =
      memory === "none" ? arg : SCRATCH.va + SCRATCH.length - BigInt(this.#bytes.length);
  }

  /** A copy of the first `length` bytes; undefined: one of them cannot be read. */
  load(length: number): Uint8Array | undefined {
    return length <= this.#bytes.length ? this.#bytes.slice(0, length) : undefined;
  }

  /** The 32-bit number that it begins with. */
  loadWord(): number | undefined {
    const word = this.load(4);
    return word === undefined ? undefined : new DataView(word.buffer).getUint32(0, true);
  }

  /** Whether there is anything but zeros between two offsets; undefined: it faults before that. */
  hasNonZero(from: number, to: number): boolean | undefined {
    if (this.#bytes.subarray(from, to).some((byte) => byte !== 0)) return true;
    return to <= this.#bytes.length ? false : undefined;
  }

  /** Stores bytes up to the first one that cannot be stored; false: there is one. */
  readonly store = (offset: number, bytes: Uint8Array): boolean => {
    if (!this.#isWritable) return bytes.length === 0;
    const room = Math.max(this.#bytes.length - offset, 0);
    this.#bytes.set(bytes.subarray(0, room), Math.min(offset, this.#bytes.length));
    return bytes.length <= room;
  };

  toHex(): string {
    return this.#nowhere + toHex(this.#bytes);
  }
}
