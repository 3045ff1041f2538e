/** Checks of every MAP and COPY by where its mapping is, or was asked to be. */
import type { CallOf } from "../../spec/calls";
import { MAP_FIXED_IOVA } from "../../spec/uapi/flags";
import type { Finding } from "./finding";
import type { Check } from "./invariant";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import type { Area } from "./ledger/pages";

export type MapCall = CallOf<"IOAS_MAP"> | CallOf<"IOAS_COPY">;

/** Where a MAP or COPY asks to be, or was put. */
export interface Placement {
  readonly ioas: Ioas;
  readonly start: bigint;
  readonly length: bigint;
  readonly last: bigint;
}

const placement = (
  ledger: Ledger,
  fd: number,
  id: number,
  start: bigint | undefined,
  length: bigint,
): Placement | undefined => {
  const ioas = ledger.ioas(fd, id);
  if (ioas === undefined || start === undefined || length === 0n) return undefined;
  return { ioas, start, length, last: start + length - 1n };
};

/** Where a MAP or COPY with FIXED_IOVA wants its mapping. */
export const askedAt = (call: MapCall, ledger: Ledger): Placement | undefined => {
  if ((call.in.flags & MAP_FIXED_IOVA) === 0) return undefined;
  return call.call === "IOAS_MAP"
    ? placement(ledger, call.fd, call.in.ioas_id, call.in.iova, call.in.length)
    : placement(ledger, call.fd, call.in.dst_ioas_id, call.in.dst_iova, call.in.length);
};

export type OnPlacement = (at: Placement, call: MapCall, ledger: Ledger) => Finding;

/** A check of every MAP and COPY that succeeds, and of where its mapping is. */
export const whenPlaced = (
  check: OnPlacement,
): { readonly IOAS_MAP: Check<"IOAS_MAP">; readonly IOAS_COPY: Check<"IOAS_COPY"> } => ({
  IOAS_MAP: (call, { errno, out }, ledger) => {
    if (errno !== 0) return undefined;
    const at = placement(ledger, call.fd, call.in.ioas_id, out?.iova, call.in.length);
    return at && check(at, call, ledger);
  },
  IOAS_COPY: (call, { errno, out }, ledger) => {
    if (errno !== 0) return undefined;
    const at = placement(ledger, call.fd, call.in.dst_ioas_id, out?.dst_iova, call.in.length);
    return at && check(at, call, ledger);
  },
});

/** @param sure only mappings that are certainly there count */
export const firstOverlap = ({ ioas, start, last }: Placement, sure: boolean): Area | undefined => {
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i] as Area;
    if (area.start > last) return undefined;
    if (area.sure || !sure) return area;
  }
  return undefined;
};
