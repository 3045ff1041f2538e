/**
 * Stretches of page indexes that may overlap: the kernel's interval trees of an iopt_pages.
 *
 * A treap whose nodes are the areas themselves, so that it costs nothing for an iopt_pages with
 * one area, which is nearly every one. In order of first index; every node knows the last index
 * that its subtree reaches. Priorities are scrambled serial numbers, so runs repeat exactly.
 *
 * Expected O(log n) each.
 */
export interface IntervalNode<T> {
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** From takeSerial(). */
  readonly serial: number;
  left: T | undefined;
  right: T | undefined;
  /** The largest lastIndex in the subtree. */
  reach: number;
}

let taken = 0;

/** A number of 31 bits that no other node has. */
export const takeSerial = (): number => {
  taken = (taken + 1) & 0x7fff_ffff;
  return taken;
};

/** Scrambles a serial. */
const priorityOf = (serial: number): number => {
  const mixed = Math.imul(serial, 0x9e37_79b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d) >>> 0;
};

/** Some interval that covers `index`. */
export const findCovering = <T extends IntervalNode<T>>(
  root: T | undefined,
  index: number,
): T | undefined => {
  let node = root;
  while (node !== undefined) {
    if (node.firstIndex <= index && index <= node.lastIndex) return node;
    // If anything on the left reaches the index and none of it covers it, all of it begins
    // behind the index, and so does everything on the right.
    node = node.left !== undefined && node.left.reach >= index ? node.left : node.right;
  }
  return undefined;
};

/** The smallest first index behind `index`; infinity when there is none. */
export const nextStart = <T extends IntervalNode<T>>(
  root: T | undefined,
  index: number,
): number => {
  let next = Number.POSITIVE_INFINITY;
  for (let node = root; node !== undefined; ) {
    if (node.firstIndex > index) {
      next = node.firstIndex;
      node = node.left;
    } else {
      node = node.right;
    }
  }
  return next;
};

/** Returns the new root. */
export const insertInterval = <T extends IntervalNode<T>>(root: T | undefined, node: T): T => {
  if (root === undefined || isAbove(node, root)) {
    [node.left, node.right] = split(root, node);
    return updated(node);
  }
  if (isBefore(node, root)) root.left = insertInterval(root.left, node);
  else root.right = insertInterval(root.right, node);
  return updated(root);
};

/** Returns the new root. */
export const removeInterval = <T extends IntervalNode<T>>(
  root: T | undefined,
  node: T,
): T | undefined => {
  if (root === undefined) return undefined;
  if (root === node) {
    const rest = merge(node.left, node.right);
    node.left = undefined;
    node.right = undefined;
    return rest;
  }
  if (isBefore(node, root)) root.left = removeInterval(root.left, node);
  else root.right = removeInterval(root.right, node);
  return updated(root);
};

const isBefore = <T extends IntervalNode<T>>(a: T, b: T): boolean =>
  a.firstIndex === b.firstIndex ? a.serial < b.serial : a.firstIndex < b.firstIndex;

const isAbove = <T extends IntervalNode<T>>(a: T, b: T): boolean =>
  priorityOf(a.serial) > priorityOf(b.serial);

const updated = <T extends IntervalNode<T>>(node: T): T => {
  node.reach = Math.max(node.lastIndex, node.left?.reach ?? 0, node.right?.reach ?? 0);
  return node;
};

/** What is before `at`, and the rest. */
const split = <T extends IntervalNode<T>>(
  root: T | undefined,
  at: T,
): [T | undefined, T | undefined] => {
  if (root === undefined) return [undefined, undefined];
  if (isBefore(root, at)) {
    const [before, rest] = split(root.right, at);
    root.right = before;
    return [updated(root), rest];
  }
  const [before, rest] = split(root.left, at);
  root.left = rest;
  return [before, updated(root)];
};

/** All of `a` is before all of `b`. */
const merge = <T extends IntervalNode<T>>(a: T | undefined, b: T | undefined): T | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  if (isAbove(a, b)) {
    a.right = merge(a.right, b);
    return updated(a);
  }
  b.left = merge(a, b.left);
  return updated(b);
};
