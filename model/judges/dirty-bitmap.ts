/**
 * IOMMU_HWPT_GET_DIRTY_BITMAP: which pages of a range were written to.
 *
 * Whoever tracks must report every dirty page of the range and no other (DTY-20). 6.12 stops at
 * the first IOVA that is not mapped (DTY-21), and so reports less: in profile documented that is
 * a deviation, and EINVAL would be right instead (UNS-09). As it is a defect, nobody has to have
 * it: in profile linux-6.12 it is right to look behind the hole, too.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { SCRATCH } from "../../spec/platform";
import { DIRTY_NO_CLEAR } from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { fact, judge, rule } from "../judge";
import { dirtyPagesIn } from "../state/dirty";
import { higher, lower } from "../state/intervals";
import { areaAt } from "../state/ioas";
import type { Hwpt } from "../state/objects";
import { settle } from "../state/seen";
import { fdIsOpen } from "./common";
import { hwptRule, type OnHwpt, onHwpt } from "./on-hwpt";

interface View extends OnHwpt {
  readonly flags: number;
  readonly reserved: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly last: bigint;
  readonly pageSize: bigint;
  /** What every byte of the caller's bitmap holds; undefined: it cannot be written to. */
  readonly prefill: number | undefined;
  readonly strict: boolean;
  /** The call failed, if it is judged. */
  readonly failed: boolean;
  /** The bitmap it answered, if it is judged. */
  readonly claimed: string | undefined;
  bitmaps: Bitmaps | undefined;
}

/** The bitmap with what must be reported, and with what may be. */
interface Bitmaps {
  readonly least: Uint8Array;
  readonly most: Uint8Array;
}

const wraps = (v: View): boolean => v.length > 0n && v.last > U64_MAX;
/** 6.12 tests with masks, so that a page_size which is no power of two is open (DTY-16). */
const isOff = (v: View, size: bigint): boolean => ((v.iova | (v.last + 1n)) & (size - 1n)) !== 0n;
const isPowerOfTwo = (n: bigint): boolean => n > 0n && (n & (n - 1n)) === 0n;

/** No caller has memory for more. */
const BITS_MAX = 8n * SCRATCH.length;

/** The call is one of which it is clear what it has to answer. */
const isMeasurable = (v: View): boolean =>
  v.hwpt !== undefined &&
  v.length > 0n &&
  !wraps(v) &&
  isPowerOfTwo(v.pageSize) &&
  !isOff(v, v.pageSize) &&
  v.length / v.pageSize <= BITS_MAX;

const alignment = (v: View): bigint => v.hwpt?.ioas.alignment ?? 1n;
const tracks = (v: View): boolean => v.hwpt?.dirty?.tracking === true;
const clears = (v: View): boolean => (v.flags & DIRTY_NO_CLEAR) === 0;

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

const hasHole = (v: View): boolean => v.hwpt !== undefined && reachOf(v, v.hwpt) < v.last;

/** What 6.12 looks at: nothing without tracking, and nothing behind a hole (DTY-21). */
const lookedAt = (v: View, hwpt: Hwpt): number[] => {
  if (!tracks(v)) return [];
  const reach = reachOf(v, hwpt);
  return reach < v.iova ? [] : dirtyPagesIn(hwpt, v.iova, reach);
};

/** All that is to be reported, whatever 6.12 does. */
const allDirty = (v: View, hwpt: Hwpt): number[] =>
  tracks(v) || !v.strict ? dirtyPagesIn(hwpt, v.iova, v.last) : [];

/** Something is dirty behind a hole. */
const isDivided = (v: View, hwpt: Hwpt): boolean =>
  allDirty(v, hwpt).length > lookedAt(v, hwpt).length;

/** The answer shows that the IUT looked behind the hole; without one it does what 6.12 does. */
const looksBehind = (v: View, hwpt: Hwpt): boolean =>
  v.claimed !== undefined &&
  v.prefill !== undefined &&
  v.claimed !== hexOf(bitmapOf(v, hwpt, lookedAt(v, hwpt))) &&
  v.claimed === hexOf(bitmapOf(v, hwpt, allDirty(v, hwpt)));

const dirtyPages = (v: View, hwpt: Hwpt): number[] => {
  if (!v.strict) return allDirty(v, hwpt);
  return isDivided(v, hwpt) && looksBehind(v, hwpt) ? allDirty(v, hwpt) : lookedAt(v, hwpt);
};

/** Nothing shows whether what is dirty behind the hole was looked at. */
const nobodyCanTell = (v: View, hwpt: Hwpt): boolean =>
  isDivided(v, hwpt) &&
  (v.prefill === undefined ||
    isSubset(bitmapOf(v, hwpt, allDirty(v, hwpt)), bitmapOf(v, hwpt, lookedAt(v, hwpt))));

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

const bitmapsOf = (v: View, hwpt: Hwpt): Bitmaps => {
  if (v.bitmaps === undefined) {
    const most = bitmapOf(v, hwpt, dirtyPages(v, hwpt));
    const least = tracks(v) && !v.failed ? most : bitmapOf(v, hwpt, []);
    v.bitmaps = { least, most };
  }
  return v.bitmaps;
};

interface Answer {
  readonly bitmap?: string;
}

const isSubset = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => (byte & ~(b[i] ?? 0)) === 0);

const isRight = (v: View, out: Answer): boolean => {
  if (v.hwpt === undefined) return true;
  if (v.prefill === undefined) return out.bitmap === undefined;
  const { least, most } = bitmapsOf(v, v.hwpt);
  if (out.bitmap === undefined) return isSubset(least, bitmapOf(v, v.hwpt, []));
  const got = Buffer.from(out.bitmap, "hex");
  return isSubset(least, got) && isSubset(got, most);
};

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** DTY-19: no bit of the caller's is lost. */
const keepsPrefill = (v: View, { bitmap }: Answer): boolean =>
  v.hwpt === undefined ||
  bitmap === undefined ||
  isSubset(bitmapOf(v, v.hwpt, []), Buffer.from(bitmap, "hex"));

const answerOf = (v: View): Answer => {
  if (v.hwpt === undefined || v.prefill === undefined || !isMeasurable(v)) return {};
  const { most } = bitmapsOf(v, v.hwpt);
  return most.every((byte) => byte === v.prefill) ? {} : { bitmap: hexOf(most) };
};

const right = (v: View): string => {
  const { bitmap } = answerOf(v);
  return bitmap === undefined ? "the bitmap as it was" : `bitmap ${bitmap}`;
};

const shows = (when: (v: View) => boolean) => ({
  when: (v: View) => isMeasurable(v) && when(v),
  holds: isRight,
  right,
});

const isOtherSize = (v: View): boolean => v.pageSize !== v.hwpt?.ioPageSize;
const isPrefilled = (v: View): boolean => v.prefill !== undefined && v.prefill !== 0;

/** Another domain of the IOAS has pages in the range dirty, or clean, that this one has not. */
const differsFromOther = (v: View): boolean => {
  const { hwpt } = v;
  if (hwpt === undefined) return false;
  const own = new Set(dirtyPagesIn(hwpt, v.iova, v.last));
  return hwpt.ioas.hwpts.some((other) => {
    if (other === hwpt || other.dirty === undefined) return false;
    const theirs = dirtyPagesIn(other, v.iova, v.last);
    return theirs.length !== own.size || theirs.some((page) => !own.has(page));
  });
};

/** The answer is what it would be if the domains of the IOAS shared what is dirty, or swapped it. */
const isOfOther = (v: View, { bitmap }: Answer): boolean => {
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
const stopsAtHole = (v: View, { bitmap }: Answer): boolean => {
  const { hwpt } = v;
  if (hwpt === undefined) return false;
  return (bitmap ?? hexOf(bitmapOf(v, hwpt, []))) === hexOf(bitmapOf(v, hwpt, lookedAt(v, hwpt)));
};

/** As many pages are reported as are dirty; so if they are not the right ones, they are misplaced. */
const isRightInNumber = (v: View, out: Answer): boolean => {
  if (v.hwpt === undefined || v.prefill === undefined || out.bitmap === undefined) return false;
  return bitsIn(Buffer.from(out.bitmap, "hex")) === bitsIn(bitmapsOf(v, v.hwpt).most);
};

const bitsIn = (bytes: Uint8Array): number => {
  let bits = 0;
  for (const byte of bytes) for (let left = byte; left !== 0; left &= left - 1) bits++;
  return bits;
};

const clear = (v: View): void => {
  if (v.hwpt === undefined || !clears(v)) return;
  for (const page of dirtyPages(v, v.hwpt)) v.hwpt.dirty?.pages.delete(page);
};

const clearAll = (v: View): void => {
  if (v.hwpt === undefined) return;
  for (const page of allDirty(v, v.hwpt)) v.hwpt.dirty?.pages.delete(page);
};

type Otherwise = readonly ((view: View) => void)[];
const NO_DOUBT: Otherwise = [];
const KEPT: Otherwise = [() => undefined];
const LOST: Otherwise = [clear];
const LOST_BEHIND: Otherwise = [clearAll];

/** Whoever cannot report may say so: UNS-09, and DTY-23. */
const whyItMayFail = (v: View, errno: Errno): ClauseId | undefined => {
  if (!isMeasurable(v)) return undefined;
  if (errno === "EFAULT" && v.prefill === undefined) return "DTY-23";
  return errno === "EINVAL" && (hasHole(v) || !tracks(v)) ? "DTY-21" : undefined;
};

export const HWPT_GET_DIRTY_BITMAP = judge<"HWPT_GET_DIRTY_BITMAP", View>("HWPT_GET_DIRTY_BITMAP", {
  promise: "DTY-20",
  promises: (v) => {
    if (v.prefill === undefined) return "DTY-23";
    return v.strict && (hasHole(v) || !tracks(v)) ? "DTY-21" : undefined;
  },
  view: (machine, call, claimed, profile) => {
    const { hwpt_id, flags, reserved, iova, length, page_size, prefill } = call.in;
    return {
      ...onHwpt(machine, call.fd, hwpt_id),
      flags,
      reserved,
      iova,
      length,
      last: iova + length - 1n,
      pageSize: page_size,
      prefill: prefill === "" ? undefined : Number.parseInt(prefill, 16),
      strict: profile === "linux-6.12",
      failed: claimed !== undefined && claimed.errno !== 0,
      claimed: claimed?.out?.bitmap,
      bitmaps: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("DTY-10", "EOPNOTSUPP", (v) => (v.flags & ~DIRTY_NO_CLEAR) !== 0 || v.reserved !== 0, {
      also: (v) => [v.reserved === 0 ? "GEN-18" : "GEN-17"],
    }),
    hwptRule("DTY-11"),
    rule("DTY-12", "EINVAL", (v) => v.length === 0n),
    rule("DTY-13", "EOVERFLOW", wraps, { hard: true }),
    rule("DTY-14", "EINVAL", (v) => v.hwpt !== undefined && isOff(v, alignment(v))),
    rule("DTY-15", "EINVAL", (v) => v.pageSize === 0n),
    rule("DTY-16", "EINVAL", (v) => v.pageSize > 0n && isOff(v, v.pageSize)),
    rule("DTY-17", "EOPNOTSUPP", (v) => v.hwpt !== undefined && v.hwpt.dirty === undefined),
  ],
  facts: [
    fact(
      "DTY-23",
      shows((v) => v.strict && v.prefill === undefined),
    ),
    fact(
      "DTY-21",
      shows((v) => v.strict && (hasHole(v) || !tracks(v))),
    ),
    fact("DTY-20", {
      ...shows(hasHole),
      holds: (v, out) => isRight(v, out) || !stopsAtHole(v, out),
      also: ["DTY-21"],
      uncounted: true,
    }),
    fact("DTY-19", { ...shows(isPrefilled), holds: keepsPrefill }),
    fact("DTY-24", {
      ...shows(differsFromOther),
      holds: (v, out) => isRight(v, out) || !isOfOther(v, out),
      uncounted: true,
    }),
    fact(
      "DTY-22",
      shows((v) => isOtherSize(v) && tracks(v)),
    ),
    fact("DTY-18", {
      ...shows((v) => tracks(v) && !isOtherSize(v)),
      holds: (v, out) => isRight(v, out) || !isRightInNumber(v, out),
      uncounted: true,
    }),
    fact(
      "DTY-20",
      shows(() => true),
    ),
    // The bits are right: so they are each one's own, and where they belong.
    fact("DTY-24", shows(differsFromOther)),
    fact(
      "DTY-18",
      shows((v) => tracks(v) && !isOtherSize(v)),
    ),
  ],
  answer: answerOf,
  shown: (v, _out, coverage) => {
    if (v.hwpt?.dirty !== undefined && tracks(v) && v.prefill !== undefined) {
      settle(v.hwpt.dirty.seen, coverage, v.iova, v.last);
    }
  },
  effect: clear,
  checkFailure: (v, _errno, out) => {
    if (out.bitmap === undefined || (!v.strict && isMeasurable(v) && isRight(v, out))) return;
    return { clause: "GEN-15", right: "nothing written" };
  },
  leeway: (v, errno) => (v.strict ? undefined : whyItMayFail(v, errno)),
  // Where nobody says whether what was not reported is lost: it is, and it is not.
  otherwise: (v, errno) => {
    if (v.hwpt?.dirty === undefined || !isMeasurable(v) || !clears(v)) return NO_DOUBT;
    if (v.strict) return errno === 0 && nobodyCanTell(v, v.hwpt) ? LOST_BEHIND : NO_DOUBT;
    if (errno === 0) return v.prefill === undefined ? KEPT : NO_DOUBT;
    return whyItMayFail(v, errno) === undefined ? NO_DOUBT : LOST;
  },
});
