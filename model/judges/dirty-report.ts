/**
 * What an answer of IOMMU_HWPT_GET_DIRTY_BITMAP reports, and what it leaves behind.
 *
 * 6.12 stops at the first IOVA that is not mapped (DTY-21), so there are two reports that can be
 * right, and of some pages nobody knows afterwards whether they are still dirty.
 */
import { SCRATCH } from "../../spec/platform";
import { DIRTY_NO_CLEAR } from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { clean, dirtyPagesIn, doubt, settleDoubt } from "../state/dirty";
import { higher, lower } from "../state/intervals";
import { areaAt } from "../state/ioas";
import type { Doubt, Hwpt } from "../state/objects";
import type { OnHwpt } from "./on-hwpt";

export interface View extends OnHwpt {
  readonly flags: number;
  readonly reserved: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly last: bigint;
  readonly pageSize: bigint;
  /** What every byte of the caller's bitmap holds; undefined: it cannot be written to. */
  readonly prefill: number | undefined;
  readonly strict: boolean;
  readonly isJudged: boolean;
  /** The call failed, if it is judged. */
  readonly failed: boolean;
  /** The bitmap it answered, if it is judged; undefined: as it was. */
  readonly claimed: string | undefined;
  /** Worked out at most once. */
  reading: Reading | undefined;
}

/** What the answer says of the IUT. */
interface Reading {
  /** What is dirty before a hole, and in the whole range. */
  readonly looked: readonly number[];
  readonly all: readonly number[];
  /** It can be a report of the one, and of the other. */
  readonly stops: boolean;
  readonly goesOn: boolean;
}

export const wraps = (v: View): boolean => v.length > 0n && v.last > U64_MAX;
/** 6.12 tests with masks, so that a page_size which is no power of two is open (DTY-16). */
export const isOff = (v: View, size: bigint): boolean =>
  ((v.iova | (v.last + 1n)) & (size - 1n)) !== 0n;
const isPowerOfTwo = (n: bigint): boolean => n > 0n && (n & (n - 1n)) === 0n;

/** No caller has memory for more. */
const BITS_MAX = 8n * SCRATCH.length;

/**
 * A domain that knows larger pages as well may have mapped a stretch as one of them, if the memory
 * behind it lies so: then all of it is dirty, and is read, as one (UNS-10).
 */
const mayHaveLargePage = ({ ioas, pageSizes, ioPageSize }: Hwpt): boolean => {
  const large = pageSizes - ioPageSize;
  return (
    large > 0n &&
    ioas.areas.some(({ first, last }) => last + 1n - (first + (-first & (large - 1n))) >= large)
  );
};

/** The call is one of which it is clear what it has to answer. */
export const isMeasurable = (v: View): boolean =>
  v.hwpt !== undefined &&
  !mayHaveLargePage(v.hwpt) &&
  v.length > 0n &&
  !wraps(v) &&
  isPowerOfTwo(v.pageSize) &&
  !isOff(v, v.pageSize) &&
  v.length / v.pageSize <= BITS_MAX;

export const alignment = (v: View): bigint => v.hwpt?.ioas.alignment ?? 1n;
export const tracks = (v: View): boolean => v.hwpt?.dirty?.tracking === true;
export const clears = (v: View): boolean => (v.flags & DIRTY_NO_CLEAR) === 0;

/** The last IOVA up to which the range is mapped without a hole; iova - 1 if it starts in one. */
const reachOf = (v: View, hwpt: Hwpt): bigint => {
  let next = v.iova;
  while (next <= v.last) {
    const area = areaAt(hwpt.ioas, next);
    if (area === undefined) break;
    next = area.last + 1n;
  }
  return lower(next - 1n, v.last);
};

export const hasHole = (v: View): boolean => v.hwpt !== undefined && reachOf(v, v.hwpt) < v.last;

/** What 6.12 looks at: nothing without tracking, and nothing behind a hole (DTY-21). */
const lookedAt = (v: View, hwpt: Hwpt): readonly number[] => {
  if (!tracks(v)) return NO_PAGES;
  const reach = reachOf(v, hwpt);
  return reach < v.iova ? NO_PAGES : dirtyPagesIn(hwpt, v.iova, reach);
};

/** All that is to be reported, whatever 6.12 does. */
const allDirty = (v: View, hwpt: Hwpt): readonly number[] =>
  tracks(v) || !v.strict ? dirtyPagesIn(hwpt, v.iova, v.last) : NO_PAGES;

const NO_PAGES: readonly number[] = [];

/** Which pages the answer can be a report of. */
const readingOf = (v: View, hwpt: Hwpt): Reading => {
  if (v.reading === undefined) {
    const [looked, all] = [lookedAt(v, hwpt), allDirty(v, hwpt)];
    const stops = reports(v, hwpt, looked);
    // Something is dirty behind a hole.
    const isDivided = all.length > looked.length;
    v.reading = { looked, all, stops, goesOn: isDivided ? reports(v, hwpt, all) : stops };
  }
  return v.reading;
};

/** The answer reports these pages, as far as they are still dirty. */
const reports = (v: View, hwpt: Hwpt, pages: readonly number[]): boolean => {
  if (v.prefill === undefined) return v.claimed === undefined;
  const got = bytesGot(v, hwpt);
  // Who does not track, or fails, may report them or not.
  if (!tracks(v) || v.failed) {
    return isSubset(bitmapOf(v, hwpt, NO_PAGES), got) && isSubset(got, bitmapOf(v, hwpt, pages));
  }
  const doubts = doubtsAmong(hwpt, pages);
  if (doubts.length === 0) return isSame(got, bitmapOf(v, hwpt, pages));
  const lost = doubts.filter((doubt) => !isSubset(bitmapOf(v, hwpt, shared(doubt, pages)), got));
  const left = pages.filter((page) => !lost.some((doubt) => doubt.pages.has(page)));
  return isSame(got, bitmapOf(v, hwpt, left));
};

const bytesGot = (v: View, hwpt: Hwpt): Uint8Array =>
  v.claimed === undefined ? bitmapOf(v, hwpt, NO_PAGES) : Buffer.from(v.claimed, "hex");

/** What nobody knows about some of the pages, each thing once. */
const doubtsAmong = ({ dirty }: Hwpt, pages: readonly number[]): readonly Doubt[] => {
  if (dirty === undefined || dirty.doubtful.size === 0) return NO_DOUBTS;
  return [...new Set(pages.flatMap((page) => dirty.doubtful.get(page) ?? NO_DOUBTS))];
};

const NO_DOUBTS: readonly Doubt[] = [];

const shared = (doubt: Doubt, pages: readonly number[]): readonly number[] =>
  pages.filter((page) => doubt.pages.has(page));

/** What the call reports: where the answer does not show that it looked behind the hole, what 6.12 does. */
const dirtyPages = (v: View, hwpt: Hwpt): readonly number[] => {
  if (!v.strict) return allDirty(v, hwpt);
  if (!v.isJudged || !isMeasurable(v)) return lookedAt(v, hwpt);
  const { looked, all, stops, goesOn } = readingOf(v, hwpt);
  return goesOn && !stops ? all : looked;
};

const bytesOf = (v: View): number => Number((v.length / v.pageSize + 7n) / 8n);

/** DTY-18, DTY-19, DTY-22: bits are added for all of page_size that a dirty page touches. */
const bitmapOf = (v: View, hwpt: Hwpt, pages: readonly number[]): Uint8Array => {
  const bitmap = new Uint8Array(bytesOf(v)).fill(v.prefill ?? 0);
  for (const page of pages) {
    const first = higher(BigInt(page) * hwpt.ioPageSize, v.iova);
    const last = lower((BigInt(page) + 1n) * hwpt.ioPageSize - 1n, v.last);
    const to = Number((last - v.iova) / v.pageSize);
    for (let bit = Number((first - v.iova) / v.pageSize); bit <= to; bit++) {
      bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }
  return bitmap;
};

export interface Answer {
  readonly bitmap?: string;
}

const isSubset = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => (byte & ~(b[i] ?? 0)) === 0);

const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

export const isRight = (v: View): boolean => {
  if (v.hwpt === undefined) return true;
  const { stops, goesOn } = readingOf(v, v.hwpt);
  return goesOn || (v.strict && stops);
};

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** DTY-19: no bit of the caller's is lost. */
export const keepsPrefill = (v: View, { bitmap }: Answer): boolean =>
  v.hwpt === undefined ||
  bitmap === undefined ||
  isSubset(bitmapOf(v, v.hwpt, []), Buffer.from(bitmap, "hex"));

export const answerOf = (v: View): Answer => {
  if (v.hwpt === undefined || v.prefill === undefined || !isMeasurable(v)) return {};
  const bitmap = bitmapOf(v, v.hwpt, dirtyPages(v, v.hwpt));
  return bitmap.every((byte) => byte === v.prefill) ? {} : { bitmap: hexOf(bitmap) };
};

export const right = (v: View): string => {
  const { bitmap } = answerOf(v);
  return bitmap === undefined ? "the bitmap as it was" : `bitmap ${bitmap}`;
};

export const isOtherSize = (v: View): boolean => v.pageSize !== v.hwpt?.ioPageSize;
export const isPrefilled = (v: View): boolean => v.prefill !== undefined && v.prefill !== 0;

const surelyDirty = (v: View, hwpt: Hwpt): readonly number[] =>
  dirtyPagesIn(hwpt, v.iova, v.last).filter((page) => hwpt.dirty?.doubtful.has(page) === false);

/** Another domain of the IOAS has pages in the range dirty, or clean, that this one has not. */
export const differsFromOther = (v: View): boolean => {
  const { hwpt } = v;
  if (hwpt === undefined || hwpt.ioas.hwpts.length < 2) return false;
  const own = new Set(surelyDirty(v, hwpt));
  return hwpt.ioas.hwpts.some((other) => {
    if (other === hwpt || other.dirty === undefined) return false;
    const theirs = surelyDirty(v, other);
    return theirs.length !== own.size || theirs.some((page) => !own.has(page));
  });
};

/** The answer is what it would be if the domains of the IOAS shared what is dirty, or swapped it. */
export const isOfOther = (v: View, { bitmap }: Answer): boolean => {
  const { hwpt } = v;
  if (hwpt === undefined) return false;
  const own = dirtyPagesIn(hwpt, v.iova, v.last);
  const got = bitmap ?? hexOf(bitmapOf(v, hwpt, []));
  return hwpt.ioas.hwpts.some((other) => {
    if (other === hwpt || other.dirty === undefined) return false;
    const theirs = dirtyPagesIn(other, v.iova, v.last);
    const left = own.filter((page) => !theirs.includes(page));
    return [theirs, left, [...own, ...theirs]].some(
      (pages) => got === hexOf(bitmapOf(v, hwpt, pages)),
    );
  });
};

/** It is what 6.12 answers: nothing of what is dirty behind the hole. */
export const stopsAtHole = (v: View): boolean => v.hwpt !== undefined && readingOf(v, v.hwpt).stops;

/** As many pages are reported as are dirty; so if they are not the right ones, they are misplaced. */
export const isRightInNumber = (v: View, out: Answer): boolean => {
  if (v.hwpt === undefined || v.prefill === undefined || out.bitmap === undefined) return false;
  return (
    bitsIn(Buffer.from(out.bitmap, "hex")) === bitsIn(bitmapOf(v, v.hwpt, dirtyPages(v, v.hwpt)))
  );
};

const bitsIn = (bytes: Uint8Array): number => {
  let bits = 0;
  for (const byte of bytes) for (let left = byte; left !== 0; left &= left - 1) bits++;
  return bits;
};

/** What a report makes of the dirty pages. */
export const report = (v: View): void => {
  const { hwpt } = v;
  if (hwpt?.dirty === undefined) return;
  const told = dirtyPages(v, hwpt);
  const isTold = v.isJudged && isMeasurable(v) && v.prefill !== undefined;
  if (isTold && tracks(v)) settleDoubts(v, hwpt, told);
  if (!clears(v)) return;
  // Where nothing could be stored, only 6.12 says that it is lost (DTY-23).
  if (!v.strict && v.prefill === undefined) doubt(hwpt, told);
  else for (const page of told) clean(hwpt, page);
  if (v.strict && v.isJudged && isMeasurable(v)) doubtBehind(v, hwpt);
};

/** Nothing shows whether what is dirty behind the hole was looked at, and so whether it still is. */
const doubtBehind = (v: View, hwpt: Hwpt): void => {
  const { looked, all, stops, goesOn } = readingOf(v, hwpt);
  if (!stops || !goesOn || all.length === looked.length) return;
  doubt(
    hwpt,
    all.filter((page) => !looked.includes(page)),
  );
};

/**
 * What was reported is dirty for sure, and what was not is clean. Bits that were there before, or
 * that belong to other pages as well, tell nothing.
 */
const settleDoubts = (v: View, hwpt: Hwpt, told: readonly number[]): void => {
  const doubts = doubtsAmong(hwpt, told);
  if (doubts.length === 0) return;
  const got = bytesGot(v, hwpt);
  const { looked, all, stops, goesOn } = readingOf(v, hwpt);
  const isShown = (doubt: Doubt): boolean => isSubset(bitmapOf(v, hwpt, shared(doubt, told)), got);
  const [shown, lost] = [doubts.filter(isShown), doubts.filter((doubt) => !isShown(doubt))];
  for (const doubt of lost) settleDoubt(hwpt, doubt, false);
  for (const doubt of shown) {
    const others = (page: number): boolean =>
      hwpt.dirty?.pages.has(page) === true && !doubt.pages.has(page);
    const doWithout = (pages: readonly number[]): boolean =>
      isSame(bitmapOf(v, hwpt, pages.filter(others)), got);
    const isNeeded = !(stops && doWithout(looked)) && !(goesOn && doWithout(all));
    if (isNeeded) settleDoubt(hwpt, doubt, true);
  }
};

/** It may all have been reported to nobody. */
export const doubtAll = (v: View): void => {
  if (v.hwpt !== undefined) doubt(v.hwpt, allDirty(v, v.hwpt));
};
