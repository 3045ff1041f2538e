/** Bytes to pages, for the few places per call where they meet. */

import { LOW_HALF } from "../../spec/units";

/** A byte's number in halves: several times as fast as arithmetic with bigints, and exact. */
const WORD = new BigUint64Array(1);
const HALVES = new Uint32Array(WORD.buffer);

/** The page that a byte is in. */
export const pageOf = (byte: bigint, pageSize: number): number => {
  WORD[0] = byte;
  return HALVES[1 - LOW_HALF]! * (2 ** 32 / pageSize) + Math.floor(HALVES[LOW_HALF]! / pageSize);
};

/** Where in its page a byte is. */
export const offsetInPage = (byte: bigint, pageSize: number): number => {
  WORD[0] = byte;
  return HALVES[LOW_HALF]! % pageSize;
};
