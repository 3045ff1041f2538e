/** Dirty tracking: HWPT_SET_DIRTY_TRACKING and HWPT_GET_DIRTY_BITMAP (family DTY). */
import type { In } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { SCRATCH } from "../../spec/platform";
import { DIRTY_NO_CLEAR, DIRTY_TRACKING_ENABLE } from "../../spec/uapi/flags";
import { wraps } from "../../spec/units";
import { done, fail, type OnIommufd } from "./call";
import { fromHex, toHex } from "./hex";
import type { IoPagetable } from "./io-pagetable";

export const hwptSetDirtyTracking: OnIommufd<"HWPT_SET_DIRTY_TRACKING"> = (ctx, args) => {
  const { flags, hwpt_id } = args;
  if ((flags & ~DIRTY_TRACKING_ENABLE) !== 0) return fail("EOPNOTSUPP");
  const hwpt = ctx.hwpt(hwpt_id);
  if (hwpt === undefined) return fail("ENOENT");
  const { dirty } = hwpt.domain;
  if (dirty === undefined) return fail("EOPNOTSUPP");
  dirty.isTracking = (flags & DIRTY_TRACKING_ENABLE) !== 0;
  if (dirty.isTracking) dirty.clearAll();
  return done(0);
};

type GetArgs = In<"HWPT_GET_DIRTY_BITMAP">;

/**
 * DTY-10..23. It looks at all of the range, as the documents want it and 6.12 does not (DTY-21).
 * What cannot be stored is lost, as there: the answer is 0.
 */
export const hwptGetDirtyBitmap: OnIommufd<"HWPT_GET_DIRTY_BITMAP"> = (ctx, args) => {
  const { flags, iova } = args;
  if ((flags & ~DIRTY_NO_CLEAR) !== 0 || args.reserved !== 0) return fail("EOPNOTSUPP");
  const hwpt = ctx.hwpt(args.hwpt_id);
  if (hwpt === undefined) return fail("ENOENT");
  const { domain, ioas } = hwpt;
  const errno = checkRange(ioas.iopt, args);
  if (errno !== 0) return fail(errno);
  const { dirty } = domain;
  if (dirty === undefined) return fail("EOPNOTSUPP");
  if (!dirty.isTracking) return done(0);
  const first = domain.ioPageOf(iova);
  const last = domain.ioPageOf(iova + args.length - 1n);
  const bitmap = new DirtyBitmap(args);
  dirty.visit(first, last, (ioPage) =>
    bitmap.set((ioPage - first) * domain.ioPageSize, domain.ioPageSize),
  );
  if ((flags & DIRTY_NO_CLEAR) === 0) dirty.clear(first, last);
  return bitmap.hasChanged ? { errno: 0, out: { bitmap: bitmap.toHex() } } : done(0);
};

/** DTY-12..16 */
const checkRange = (
  { alignment }: IoPagetable,
  { iova, length, page_size }: GetArgs,
): 0 | Errno => {
  if (length === 0n) return "EINVAL";
  if (wraps(iova, length)) return "EOVERFLOW";
  const ends = iova | (iova + length);
  if ((ends & (alignment - 1n)) !== 0n || page_size === 0n) return "EINVAL";
  return (ends & (page_size - 1n)) === 0n ? 0 : "EINVAL";
};

/** The caller's bitmap: bits are only ever set (DTY-18, DTY-19). */
class DirtyBitmap {
  hasChanged = false;
  readonly #bytes: Uint8Array;
  /** Bytes that a bit stands for; of a page_size that is no power of two, the lowest set bit. */
  readonly #bytesPerBit: number;

  constructor({ length, page_size, prefill }: GetArgs) {
    this.#bytesPerBit = Number(page_size & -page_size);
    const bytes = (length / page_size + 7n) / 8n;
    const room = bytes < SCRATCH.length ? bytes : SCRATCH.length;
    const isAccessible = prefill !== "";
    this.#bytes = new Uint8Array(isAccessible ? Number(room) : 0);
    if (isAccessible) this.#bytes.fill(fromHex(prefill)[0]!);
  }

  /** Sets the bits of all pages that some of `count` bytes from `offset` belong to. */
  set(offset: number, count: number): void {
    const last = Math.floor((offset + count - 1) / this.#bytesPerBit);
    for (let bit = Math.floor(offset / this.#bytesPerBit); bit <= last; bit += 1) {
      const at = Math.floor(bit / 8);
      const before = this.#bytes[at];
      if (before === undefined) return;
      const after = before | (1 << (bit % 8));
      this.#bytes[at] = after;
      this.hasChanged ||= after !== before;
    }
  }

  toHex(): string {
    return toHex(this.#bytes);
  }
}
