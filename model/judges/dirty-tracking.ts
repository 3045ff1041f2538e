/**
 * IOMMU_HWPT_SET_DIRTY_TRACKING, and DIRTY of the mock driver, by which a test plays the device
 * that writes.
 */
import { DIRTY_TRACKING_ENABLE } from "../../spec/uapi/flags";
import { wrap64 } from "../../spec/units";
import { fact, judge, never, rule } from "../judge";
import { startTracking, write } from "../state/dirty";
import { areaAt } from "../state/ioas";
import type { Hwpt } from "../state/objects";
import { fdIsOpen } from "./common";
import { hwptRule, type OnHwpt, onHwpt } from "./on-hwpt";

interface SetView extends OnHwpt {
  readonly flags: number;
  readonly reserved: number;
  readonly strict: boolean;
}

const enables = (v: SetView): boolean => (v.flags & DIRTY_TRACKING_ENABLE) !== 0;

const cannotTrack = ({ hwpt }: SetView): boolean => hwpt !== undefined && !hwpt.dirty;

export const HWPT_SET_DIRTY_TRACKING = judge<"HWPT_SET_DIRTY_TRACKING", SetView>(
  "HWPT_SET_DIRTY_TRACKING",
  {
    promise: "DTY-04",
    view: (machine, call, _claimed, profile) => {
      const { hwpt_id, flags, reserved } = call.in;
      const { context, hwptId, object, hwpt } = onHwpt(machine, call.fd, hwpt_id);
      const strict = profile === "linux-6.12";
      return { machine, context, hwptId, object, hwpt, flags, reserved, strict };
    },
    rules: [
      fdIsOpen(),
      rule("DTY-01", "EOPNOTSUPP", (v) => (v.flags & ~DIRTY_TRACKING_ENABLE) !== 0, {
        also: () => ["GEN-18"],
      }),
      rule("DTY-05", "EOPNOTSUPP", (v) => !v.strict && v.reserved !== 0, { applies: never }),
      hwptRule("DTY-02"),
      rule("DTY-03", "EOPNOTSUPP", (v) => cannotTrack(v) && enables(v), { hard: true }),
      // It is off: only 6.12 minds who asks for that.
      rule("DTY-03", "EOPNOTSUPP", (v) => cannotTrack(v) && !enables(v), { applies: never }),
    ],
    facts: [fact("DTY-04", { when: (v) => v.hwpt?.dirty?.tracking === enables(v) })],
    effect: (v) => {
      const { hwpt } = v;
      if (hwpt?.dirty === undefined) return;
      if (enables(v)) startTracking(hwpt);
      else hwpt.dirty.tracking = false;
    },
  },
);

interface DirtyView extends OnHwpt {
  readonly iova: bigint;
  readonly length: bigint;
  readonly pageSize: bigint;
  readonly uptr: bigint;
  readonly bitmap: Uint8Array;
}

const isMisaligned = (v: DirtyView): boolean =>
  v.pageSize === 0n ||
  v.length === 0n ||
  v.iova % v.pageSize !== 0n ||
  v.length % v.pageSize !== 0n ||
  v.uptr === 0n;

/** More bits than this the mock driver does not take. */
const BITS_MAX = 8n * 2n ** 24n;

const bitsOf = (v: DirtyView): bigint => (v.pageSize === 0n ? 0n : v.length / v.pageSize);

const isReadable = (v: DirtyView): boolean => BigInt(v.bitmap.length) * 8n >= bitsOf(v);

/**
 * The pages that get dirty. The mock driver counts iova in pages of the size that it is given,
 * and takes that for a page of its own, so that any other size than its own leads elsewhere. A
 * range that ends behind 2^64 goes on at 0.
 */
const written = (v: DirtyView, hwpt: Hwpt): number[] => {
  const pages: number[] = [];
  for (let i = 0; i < bitsOf(v); i++) {
    if (((v.bitmap[i >> 3] ?? 0) & (1 << (i & 7))) === 0) continue;
    const page = wrap64(v.iova + BigInt(i) * v.pageSize) / v.pageSize;
    if (areaAt(hwpt.ioas, page * hwpt.ioPageSize) !== undefined) pages.push(Number(page));
  }
  return pages;
};

const writtenIn = (v: DirtyView): number[] =>
  v.hwpt === undefined || isMisaligned(v) ? [] : written(v, v.hwpt);

const count = (v: DirtyView): bigint => BigInt(writtenIn(v).length);

export const DIRTY = judge<"DIRTY", DirtyView>("DIRTY", {
  promise: "DTY-20",
  view: (machine, call) => {
    const { hwpt_id, iova, length, page_size, uptr, bitmap } = call.in;
    const { context, hwptId, object, hwpt } = onHwpt(machine, call.fd, hwpt_id);
    return {
      machine,
      context,
      hwptId,
      object,
      hwpt,
      iova,
      length,
      pageSize: page_size,
      uptr,
      bitmap: Buffer.from(bitmap, "hex"),
    };
  },
  rules: [
    fdIsOpen(),
    rule("DTY-20", "EINVAL", isMisaligned, { applies: never, hard: true }),
    rule("DTY-20", "EOVERFLOW", (v) => bitsOf(v) > BITS_MAX, { applies: never, hard: true }),
    hwptRule("DTY-20", { applies: never }),
    rule("DTY-20", "EINVAL", (v) => v.hwpt !== undefined && v.hwpt.dirty?.tracking !== true, {
      applies: never,
      hard: true,
    }),
    rule("DTY-20", "EFAULT", (v) => v.hwpt !== undefined && !isReadable(v), {
      applies: never,
      hard: true,
    }),
  ],
  facts: [
    fact("DTY-20", {
      holds: (v, out) => out.out_nr_dirty === count(v),
      right: (v) => `out_nr_dirty ${count(v)}`,
      uncounted: true,
    }),
  ],
  answer: (v) => ({ out_nr_dirty: count(v) }),
  effect: (v) => {
    if (v.hwpt === undefined) return;
    for (const page of writtenIn(v)) write(v.hwpt, page);
  },
});
