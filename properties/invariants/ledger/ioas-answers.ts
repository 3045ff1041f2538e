/** What is answered about an IOAS itself: its ranges, its options, the IOVAs it allows. */
import type { CallOf, OutcomeOf } from "../../../spec/calls";
import { OPTION_HUGE_PAGES } from "../../../spec/uapi/flags";
import { Ioas } from "./ioas";
import { asSet, type RangeSet } from "./ranges";
import type { LedgerState } from "./state";

/** No platform reserves so much that there are more ranges than this. */
const MOST_ELEMENTS = 1024;

export const noteIoas = (ledger: LedgerState, fd: number, id: number): void => {
  const ctx = ledger.contexts.get(fd);
  if (ctx === undefined) ledger.lost = true;
  else ctx.objects.set(id, new Ioas(id, ctx, ledger.platform.iommus));
};

export const noteRanges = (
  ledger: LedgerState,
  call: CallOf<"IOAS_IOVA_RANGES">,
  { out }: OutcomeOf<"IOAS_IOVA_RANGES">,
  set: RangeSet,
): void => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  if (ioas === undefined || ioas.fog) return;
  const answer = {
    set,
    alignment: out?.out_iova_alignment ?? 0n,
    detaches: ioas.detaches,
  };
  ioas.answer = answer;
  ioas.narrowed = false;
  ioas.widened = false;
  ioas.reshaped = false;
  const key = ioas.attached;
  if (ioas.huge !== undefined) {
    const { shape } = ioas;
    if (!ledger.alignments.has(shape)) ledger.alignments.set(shape, answer.alignment);
  }
  if (ioas.allowed?.length !== 0) return;
  ioas.answers ??= new Map();
  ioas.answers.set(key, answer);
  if (ioas.added.length === 0 && !ledger.rangesByDevices.has(key)) {
    ledger.rangesByDevices.set(key, answer.set);
  }
};

/** The array may have been stored in memory that is not scratch, even by a call that failed. */
export const noteElements = (
  { memory }: LedgerState,
  { in: { num_iovas, writable_elems, allowed_iovas } }: CallOf<"IOAS_IOVA_RANGES">,
): boolean => {
  const count = Math.min(num_iovas, writable_elems, MOST_ELEMENTS);
  if (count === 0 || memory.isScratch(allowed_iovas)) return false;
  memory.store(allowed_iovas, undefined, count * 16);
  return true;
};

export const noteAllowed = (
  ledger: LedgerState,
  { fd, in: { ioas_id, num_iovas: count, array } }: CallOf<"IOAS_ALLOW_IOVAS">,
): void => {
  const ioas = ledger.ioas(fd, ioas_id);
  if (ioas === undefined) {
    ledger.lost = true;
    return;
  }
  const list = array.slice(0, count).filter(([start, last]) => start <= last);
  ioas.allowed = array.length < count ? undefined : asSet(list);
  ioas.moved("reshaped");
};

export const noteOption = (
  ledger: LedgerState,
  { fd, in: { option_id, object_id, val64 } }: CallOf<"OPTION">,
): void => {
  const ctx = ledger.contexts.get(fd);
  const ioas = ledger.ioas(fd, object_id);
  if (option_id !== OPTION_HUGE_PAGES && ctx) {
    ctx.rlimitMode = val64;
    ledger.byProcess ||= val64 !== 0n;
  } else if (option_id === OPTION_HUGE_PAGES && ioas) {
    ioas.huge = val64;
    ioas.moved("reshaped");
  } else {
    ledger.lost = true;
  }
};
