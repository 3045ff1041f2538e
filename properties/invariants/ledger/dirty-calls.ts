/** What the calls about dirty pages tell of them, and calls that leave it in doubt. */
import type { CallOf, Outcome, OutcomeOf } from "../../../spec/calls";
import { DIRTY_NO_CLEAR, DIRTY_TRACKING_ENABLE } from "../../../spec/uapi/flags";
import { BITS_MAX, type DirtyBits, type Read } from "./dirty-bits";
import type { Ioas } from "./ioas";
import type { LedgerState } from "./state";

/** True if all of it is mapped for sure. */
export const isMapped = (ioas: Ioas, first: bigint, last: bigint): boolean => {
  let next = first;
  for (let i = ioas.firstAt(first); next <= last; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.start > next || ioas.doubts > 0) return false;
    next = area.last + 1n;
  }
  return true;
};

/** Whether a page that was unmapped is still dirty when it comes back, nobody says. */
export const doubtDirty = (
  ioas: Ioas | undefined,
  { iova, length }: { readonly iova: bigint; readonly length: bigint },
): void => {
  if (length === 0n) return;
  for (const { made } of ioas?.hwpts ?? []) made?.dirty?.doubt(iova, iova + length - 1n);
};

type DirtyCall =
  | CallOf<"HWPT_SET_DIRTY_TRACKING">
  | CallOf<"DIRTY">
  | CallOf<"HWPT_GET_DIRTY_BITMAP">;

export const noteDirty = (ledger: LedgerState, call: DirtyCall, outcome: Outcome): void => {
  const hwpt = ledger.hwpt(call.fd, call.in.hwpt_id);
  const bits = hwpt?.made?.dirty;
  if (hwpt === undefined || bits === undefined) return;
  switch (call.call) {
    case "HWPT_SET_DIRTY_TRACKING": {
      const on = (call.in.flags & DIRTY_TRACKING_ENABLE) !== 0;
      bits.reads = [];
      if (on) {
        bits.restarted = bits.pages.size > 0;
        bits.pages.clear();
      }
      bits.tracking = on;
      return;
    }
    case "DIRTY":
      write(bits, hwpt.ioas, call);
      return;
    case "HWPT_GET_DIRTY_BITMAP":
      read(bits, hwpt.ioas, call, outcome as OutcomeOf<"HWPT_GET_DIRTY_BITMAP">);
  }
};

const write = (bits: DirtyBits, ioas: Ioas, call: CallOf<"DIRTY">): void => {
  const { iova, length, page_size, bitmap } = call.in;
  bits.reads = [];
  bits.restarted = false;
  if (page_size !== bits.unit || length / page_size > BITS_MAX) {
    bits.doubt(0n, 0xffff_ffff_ffff_ffffn);
    return;
  }
  const bytes = Buffer.from(bitmap, "hex");
  for (let i = 0n; i < length / page_size; i++) {
    if (((bytes[Number(i >> 3n)] ?? 0) & (1 << Number(i & 7n))) === 0) continue;
    const at = iova + i * page_size;
    bits.pages.set(at / bits.unit, isMapped(ioas, at, at + page_size - 1n) ? "dirty" : "open");
  }
};

const read = (
  bits: DirtyBits,
  ioas: Ioas,
  call: CallOf<"HWPT_GET_DIRTY_BITMAP">,
  outcome: OutcomeOf<"HWPT_GET_DIRTY_BITMAP">,
): void => {
  const { iova, length, flags } = call.in;
  const clears = (flags & DIRTY_NO_CLEAR) === 0;
  const answer = answerOf(bits, ioas, call, outcome);
  bits.asked = undefined;
  if (answer !== undefined && !clears) {
    bits.reads.push(answer);
    return;
  }
  if (!clears || length === 0n) return;
  const last = iova + length - 1n;
  if (answer === undefined) {
    bits.doubt(iova, last);
    return;
  }
  bits.reads = [];
  for (const [page, state] of bits.pages) {
    const first = page * bits.unit;
    // A page of which only a part was asked for: nobody says whether it is clean now.
    if (first > last || first + bits.unit - 1n < iova) continue;
    const whole = first >= iova && first + bits.unit - 1n <= last;
    bits.pages.set(page, whole && state !== "open" ? "cleared" : whole ? "cleared" : "open");
  }
};

/** A bitmap that says something: all of its range is mapped, and was tracked. */
export const answerOf = (
  bits: DirtyBits,
  ioas: Ioas,
  call: CallOf<"HWPT_GET_DIRTY_BITMAP">,
  outcome: OutcomeOf<"HWPT_GET_DIRTY_BITMAP">,
): Read | undefined => {
  if (bits.asked !== outcome) {
    bits.asked = outcome;
    bits.answer = readOf(bits, ioas, call, outcome);
  }
  return bits.answer;
};

/** An IOMMU that has them may report a larger page as one (UNS-10): none is smaller than this. */
const LARGE = 512n;

const mayHaveLargePage = ({ areas }: Ioas, unit: bigint): boolean => {
  const large = LARGE * unit;
  return areas.some(({ start, last }) => last + 1n - (start + (-start & (large - 1n))) >= large);
};

const readOf = (
  bits: DirtyBits,
  ioas: Ioas,
  call: CallOf<"HWPT_GET_DIRTY_BITMAP">,
  { errno, out }: OutcomeOf<"HWPT_GET_DIRTY_BITMAP">,
): Read | undefined => {
  const { iova, length, page_size: pageSize, prefill } = call.in;
  if (errno !== 0 || !bits.tracking || prefill === "" || pageSize === 0n) return undefined;
  if (length === 0n || length % pageSize !== 0n || length / pageSize > BITS_MAX) return undefined;
  if (!isMapped(ioas, iova, iova + length - 1n) || mayHaveLargePage(ioas, bits.unit)) {
    return undefined;
  }
  const before = Number.parseInt(prefill, 16);
  const bytes = out?.bitmap === undefined ? undefined : Buffer.from(out.bitmap, "hex");
  const count = Number(length / pageSize);
  const read: (boolean | undefined)[] = [];
  for (let i = 0; i < count; i++) {
    const mask = 1 << (i & 7);
    const isOpen = (before & mask) === 0;
    read.push(isOpen ? ((bytes?.[i >> 3] ?? before) & mask) !== 0 : undefined);
  }
  return { iova, pageSize, bits: read };
};
