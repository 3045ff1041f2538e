/** The VFIO container's calls in the ledger: they work on the compat IOAS. */
import type { CallOf, OutcomeOf } from "../../../spec/calls";
import type { Errno } from "../../../spec/errno";
import {
  DMA_MAP_READ,
  DMA_MAP_WRITE,
  DMA_UNMAP_ALL,
  PERM_READ,
  PERM_WRITE,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
  VFIO_TYPE1_IOMMU,
} from "../../../spec/uapi/flags";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import { U64_MAX } from "../../../spec/units";
import { doubtDirty } from "./dirty-calls";
import type { Ioas } from "./ioas";
import { addMapping } from "./map-calls";
import { doubtRange, mayBeCut, removeAll, removeRange } from "./mappings";
import type { LedgerState } from "./state";

export const permOfDma = (flags: number): number =>
  (flags & DMA_MAP_READ ? PERM_READ : 0) | (flags & DMA_MAP_WRITE ? PERM_WRITE : 0);

/** @returns true when anything may have changed */
export const noteVfioIoas = (
  ledger: LedgerState,
  call: CallOf<"VFIO_IOAS">,
  { errno, out }: OutcomeOf<"VFIO_IOAS">,
): boolean => {
  const ctx = ledger.contexts.get(call.fd);
  if (ctx === undefined) return false;
  if (call.in.op === VFIO_IOAS_GET) {
    if (errno === 0) ctx.compat = out?.ioas_id;
    else if (errno === "ENODEV") ctx.compat = 0;
    return false;
  }
  if (errno !== 0) return false;
  if (call.in.op === VFIO_IOAS_SET) ctx.compat = call.in.ioas_id;
  else if (call.in.op === VFIO_IOAS_CLEAR) ctx.compat = 0;
  return true;
};

/** A type has been set: TYPE1 goes without large pages, and can cut mappings (VCC-03). */
export const noteSetIommu = (ledger: LedgerState, call: CallOf<"VFIO_SET_IOMMU">): void => {
  if (call.in.arg !== BigInt(VFIO_TYPE1_IOMMU)) return;
  const known = ledger.compat(call.fd);
  const objects = ledger.contexts.get(call.fd)?.objects.values() ?? [];
  for (const ioas of known ? [known] : objects) {
    if (ioas.kind !== "ioas") continue;
    ioas.huge = known ? 0n : undefined;
    ioas.isType1 = true;
    ioas.moved("reshaped");
  }
};

export const noteMapDma = (ledger: LedgerState, call: CallOf<"VFIO_MAP_DMA">): void => {
  const { flags, vaddr: userVa, iova: start, size: length } = call.in;
  const ioas = ledger.compat(call.fd);
  if (ioas === undefined || length === 0n) ledger.lost = true;
  else addMapping(ledger, { ioas, start, length, userVa, perm: permOfDma(flags) });
};

/** What VFIO_UNMAP_DMA asks for; undefined: no range. */
export const unmapDmaRange = ({
  flags,
  iova,
  size,
}: CallOf<"VFIO_UNMAP_DMA">["in"]):
  | { readonly start: bigint; readonly last: bigint }
  | undefined => {
  const all = (flags & DMA_UNMAP_ALL) !== 0;
  if (all) return iova === 0n && size === 0n ? { start: 0n, last: U64_MAX } : undefined;
  const last = iova + size - 1n;
  return size === 0n || last > U64_MAX ? undefined : { start: iova, last };
};

export const noteUnmapDma = (ledger: LedgerState, call: CallOf<"VFIO_UNMAP_DMA">): void => {
  const ioas = ledger.compat(call.fd);
  const range = unmapDmaRange(call.in);
  if (ioas === undefined || range === undefined) {
    ledger.lost = true;
    return;
  }
  if (range.start === 0n && range.last === U64_MAX) removeAll(ledger, ioas);
  else removeRange(ledger, ioas, range.start, range.last, true);
  doubtDirty(ioas, { iova: range.start, length: range.last - range.start + 1n });
  ledger.handovers++;
};

/** Whether mappings are cut goes by the option in 6.12 (VCC-17), by the type elsewhere. */
export const neverCuts = ({ huge, isType1 }: Ioas): boolean => huge === 1n && !isType1;

/**
 * Mappings may have been cut, and some of them may be gone (VCC-14, VCC-16).
 * @returns true when that may have happened
 */
export const noteFailedUnmapDma = (
  ledger: LedgerState,
  { fd, in: args }: CallOf<"VFIO_UNMAP_DMA">,
  errno: Errno,
): boolean => {
  const { argsz, flags, iova, size } = args;
  const ctx = ledger.contexts.get(fd);
  if (ctx && errno === "ENODEV") ctx.compat = 0;
  const ioas = ledger.compat(fd);
  if (ioas === undefined || argsz < LAYOUTS.VFIO_UNMAP_DMA.min) return false;
  if ((flags & ~DMA_UNMAP_ALL) !== 0) return false;
  let any = false;
  if (!neverCuts(ioas) && (flags & DMA_UNMAP_ALL) === 0) {
    any = mayBeCut(ledger, ioas, BigInt.asUintN(64, iova + size - 1n));
    if (iova > 0n && mayBeCut(ledger, ioas, iova - 1n)) any = true;
  }
  const range = unmapDmaRange(args);
  // A cut that is refused, and a range that is none, come before anything is unmapped.
  if (range === undefined || errno === "EINVAL") return any;
  doubtDirty(ioas, { iova: range.start, length: range.last - range.start + 1n });
  return doubtRange(ledger, ioas, range.start, range.last) || any;
};
