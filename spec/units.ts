/**
 * Numbers at the uAPI boundary.
 *
 * u64 values are `bigint` under compile-time brands, so an IOVA cannot be passed where a length
 * is meant. A brand has no run-time cost. Ranges are inclusive at both ends (`last`, never
 * `end`): a range may touch 2^64-1, and then `last + 1` does not exist.
 */

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** I/O virtual address, 0..2^64-1. */
export type Iova = Brand<bigint, "Iova">;
/** Length or size in bytes, 0..2^64-1. */
export type Bytes = Brand<bigint, "Bytes">;
/** Virtual address of a user process, 0..2^64-1. */
export type UserVa = Brand<bigint, "UserVa">;

/** An inclusive range of IOVAs. */
export type IovaRange = readonly [start: Iova, last: Iova];

/** 2^64-1, the uAPI's "all" and its largest address. */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

const checked = (what: string, value: bigint): bigint => {
  if (value < 0n || value > U64_MAX) {
    throw new RangeError(`${what}: expected 0..2^64-1, got ${value}`);
  }
  return value;
};

/** @throws RangeError unless 0 <= value < 2^64 */
export const iova = (value: bigint): Iova => checked("iova", value) as Iova;
/** @throws RangeError unless 0 <= value < 2^64 */
export const bytes = (value: bigint): Bytes => checked("bytes", value) as Bytes;
/** @throws RangeError unless 0 <= value < 2^64 */
export const userVa = (value: bigint): UserVa => checked("user va", value) as UserVa;

/** Wraps to 64 bits, as the addition of a C `__u64` does. */
export const wrap64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** True when `start + length - 1` does not fit into 64 bits. A length of 0 never wraps. */
export const wraps = (start: bigint, length: bigint): boolean => start + length - 1n > U64_MAX;

/** Last address of `length` bytes (at least 1) from `start`; the caller has excluded wrapping. */
export const lastOf = <A extends bigint>(start: A, length: bigint): A => (start + length - 1n) as A;

/**
 * Which of the two 32-bit halves of a 64-bit number in memory is the low one: 0, or 1 on a
 * big-endian machine. To take halves from memory is several times as fast as to shift a bigint.
 */
export const LOW_HALF = new Uint32Array(new BigUint64Array([1n]).buffer)[0] === 1 ? 0 : 1;
