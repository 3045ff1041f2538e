/**
 * Reading a radix table in runs: neighbours whose entries differ by its step.
 *
 * Whoever takes entries in may change the table meanwhile, but not what is still to come.
 * O(height) per leaf or large entry, and one load per entry in a leaf.
 */
import { assert } from "./assert";
import * as node from "./node-pool";
import * as index from "./radix-index";
import type { RadixTree } from "./radix-tree";

/** Own copies: an imported constant is a function call, and these are read for every page. */
const { NODE_BITS, NODE_SLOTS, SLOT_MASK, SLAB_BITS, SLAB_MASK } = node;
const { SPAN, offsetIn } = index;

/** Visits `count` entries from `index`: entry, entry + step, … */
export type RunVisitor = (index: number, count: number, entry: number) => void;

/** Takes entries in by the run, and one by one where runs are short. */
export interface EntrySink {
  run: RunVisitor;
  /** entries[from], … are the entries of `count` indexes from `index`. */
  each(index: number, count: number, entries: Float64Array, from: number): void;
}

/** What is at least this long is worth being a run. */
const LONG_RUN = 16;

/** Visits the entries with first <= index <= last in maximal runs, ascending. */
export const walkRuns = (tree: RadixTree, first: number, last: number, visit: RunVisitor): void => {
  const step = tree.step;
  let start = 0;
  let count = 0;
  let entry = 0;
  let next = 0;
  for (let at = first; at <= last; ) {
    const node = tree.isAtLeafOf(at) ? tree.leaf : tree.seek(at);
    const span = node > 0 ? NODE_SLOTS : SPAN[tree.endLevel]!;
    const offset = offsetIn(span, at);
    const reach = (node === 0 ? tree.emptySlots() : 1) * span;
    const length = Math.min(reach - offset, last + 1 - at);
    if (node < 0) {
      const large = tree.pool.largeEntries[-node]! + offset * step;
      if (count === 0 || large !== next || start + count !== at) {
        if (count > 0) visit(start, count, entry);
        start = at;
        count = 0;
        entry = large;
      }
      count += length;
      next = entry + count * step;
    } else if (node > 0) {
      const slab = tree.pool.leafSlabs[node >> SLAB_BITS]!;
      const from = ((node & SLAB_MASK) << NODE_BITS) + (at & SLOT_MASK);
      const slots = length | 0;
      for (let i = 0; i < slots; i += 1) {
        const found = slab[from + i]!;
        if (found === 0) continue;
        if (count === 0 || found !== next || start + count !== at + i) {
          if (count > 0) visit(start, count, entry);
          start = at + i;
          count = 0;
          entry = found;
        }
        count += 1;
        next = found + step;
      }
    }
    at += length;
  }
  if (count > 0) visit(start, count, entry);
};

/** Gives the entries with first <= index <= last, all of them present, to `sink`, ascending. */
export const feedRuns = (tree: RadixTree, first: number, last: number, sink: EntrySink): void => {
  const step = tree.step;
  let start = 0;
  let count = 0;
  let entry = 0;
  for (let at = first; at <= last; ) {
    const node = tree.isAtLeafOf(at) ? tree.leaf : tree.seek(at);
    assert(node !== 0, "what is fed is present");
    const span = node > 0 ? NODE_SLOTS : SPAN[tree.endLevel]!;
    const offset = offsetIn(span, at);
    const length = Math.min(span - offset, last + 1 - at);
    if (node < 0) {
      const large = tree.pool.largeEntries[-node]! + offset * step;
      if (count > 0 && large !== entry + count * step) {
        sink.run(start, count, entry);
        count = 0;
      }
      if (count === 0) {
        start = at;
        entry = large;
      }
      count += length;
      at += length;
      continue;
    }
    const slab = tree.pool.leafSlabs[node >> SLAB_BITS]!;
    const from = ((node & SLAB_MASK) << NODE_BITS) + (at & SLOT_MASK);
    const end = from + (length | 0);
    for (let i = from; i < end; ) {
      if (count > 0 && slab[i] !== entry + count * step) {
        sink.run(start, count, entry);
        count = 0;
      }
      if (count === 0) {
        const long = nextLongRun(slab, i, end, step);
        if (long > i) sink.each(at + (i - from), long - i, slab, i);
        i = long;
        start = at + (i - from);
        entry = slab[i]!;
      }
      const runEnd = endOfRun(slab, i, end, step);
      count += runEnd - i;
      i = runEnd;
    }
    at += length;
  }
  if (count > 0) sink.run(start, count, entry);
};

/** Where the run that begins at slot `i` ends. */
const endOfRun = (slab: Float64Array, i: number, end: number, step: number): number => {
  let at = i + 1;
  while (at < end && slab[at] === slab[at - 1]! + step) at += 1;
  return at;
};

/**
 * Where the next run begins, from slot `i` on, that is long or reaches `end`. A long run covers
 * two of the slots that are looked at.
 */
const nextLongRun = (slab: Float64Array, i: number, end: number, step: number): number => {
  const stride = LONG_RUN / 2;
  for (let at = i; at + stride < end; at += stride) {
    if (slab[at + stride] !== slab[at]! + stride * step) continue;
    const start = startOfRun(slab, at, i, step);
    const runEnd = endOfRun(slab, start, end, step);
    if (runEnd === end || runEnd - start >= LONG_RUN) return start;
  }
  return startOfRun(slab, end - 1, i, step);
};

/** Where the run that slot `i` is in begins, not looking before `least`. */
const startOfRun = (slab: Float64Array, i: number, least: number, step: number): number => {
  let at = i;
  while (at > least && slab[at - 1] === slab[at]! - step) at -= 1;
  return at;
};
