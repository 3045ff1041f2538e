/**
 * Indexes of radix tables: plain numbers up to 2^53-1, nine bits per level.
 *
 * 32-bit operators cut them, so an index is split into halves of 27 bits: the lower one is the
 * slots on levels 0 to 2, the upper one those on levels 3 to 5.
 */
import * as node from "./node-pool";

/** Own copies: an imported constant is a function call, and these are read for every page. */
const { NODE_BITS, SLOT_MASK } = node;

/** SPAN[level]: indexes under one slot of a node of that level; a leaf is level 0. */
export const SPAN = [0, 1, 2, 3, 4, 5, 6].map((level) => 2 ** (NODE_BITS * level));
export const LEVELS_MAX = 6;
/** The levels whose slots are in the lower half of an index. */
export const LOW_LEVELS = 3;
export const HALF = 2 ** (LOW_LEVELS * NODE_BITS);
export const HALF_MASK = HALF - 1;

/** index modulo a power of two, exact beyond 32 bits. */
export const offsetIn = (span: number, index: number): number =>
  index - Math.floor(index / span) * span;

/** Where a directory of `level` >= 1 keeps the way to an index. */
export const directorySlot = (node: number, index: number, level: number): number => {
  const digits =
    level < LOW_LEVELS
      ? (index & HALF_MASK) >>> (NODE_BITS * level)
      : Math.floor(index / HALF) >>> (NODE_BITS * (level - LOW_LEVELS));
  return (node << NODE_BITS) + (digits & SLOT_MASK);
};
