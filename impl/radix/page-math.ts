/** Bytes to pages, for the few places per call where they meet. */

/** A byte's number in halves: several times as fast as arithmetic with bigints, and exact. */
const WORD = new BigUint64Array(1);
const HALVES = new Uint32Array(WORD.buffer);

/** The page that a byte is in. */
export const pageOf = (byte: bigint, pageSize: number): number => {
  WORD[0] = byte;
  return HALVES[1]! * (2 ** 32 / pageSize) + Math.floor(HALVES[0]! / pageSize);
};

/** Where in its page a byte is. */
export const offsetInPage = (byte: bigint, pageSize: number): number => {
  WORD[0] = byte;
  return HALVES[0]! % pageSize;
};
