/** Bytes one after the other, little-endian, in a buffer that grows. */
export class ByteWriter {
  #bytes = Buffer.alloc(16 << 10);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  s32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeInt32LE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigUInt64LE(value, at);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Writes `width` bytes from `from` again, and zeros up to `total`. */
  again(from: number, width: number, total: number): this {
    const at = this.#room(total);
    this.#bytes.fill(0, at + width, at + total);
    this.#bytes.copyWithin(at, from, from + width);
    return this;
  }

  /** Overwrites a number that was not known when its place was written. */
  patch32(at: number, value: number): this {
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  patch8(at: number, value: number): this {
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  /** A copy of everything written so far. */
  done(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  /** Where `count` further bytes go; it may replace the buffer, so ask before writing. */
  #room(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
