/** Checks of every MAP and COPY by where its mapping is, or was asked to be. */
import type { CallOf } from "../../spec/calls";
import { MAP_FIXED_IOVA } from "../../spec/uapi/flags";
import type { Finding } from "./finding";
import type { Check } from "./invariant";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import type { Area } from "./ledger/pages";

export type MapCall = CallOf<"IOAS_MAP"> | CallOf<"IOAS_COPY"> | CallOf<"VFIO_MAP_DMA">;

/** Where a MAP or COPY asks to be, or was put. */
export interface Placement {
  readonly ioas: Ioas;
  readonly start: bigint;
  readonly length: bigint;
  readonly last: bigint;
}

const placement = (
  ioas: Ioas | undefined,
  start: bigint | undefined,
  length: bigint,
): Placement | undefined =>
  ioas === undefined || start === undefined || length === 0n
    ? undefined
    : { ioas, start, length, last: start + length - 1n };

/** True if the caller chooses the place; a container knows nothing else. */
export const isFixed = (call: MapCall): boolean =>
  call.call === "VFIO_MAP_DMA" || (call.in.flags & MAP_FIXED_IOVA) !== 0;

/** Where a MAP or COPY with FIXED_IOVA wants its mapping. */
export const askedAt = (call: MapCall, ledger: Ledger): Placement | undefined => {
  if (!isFixed(call)) return undefined;
  switch (call.call) {
    case "IOAS_MAP":
      return placement(ledger.ioas(call.fd, call.in.ioas_id), call.in.iova, call.in.length);
    case "IOAS_COPY":
      return placement(ledger.ioas(call.fd, call.in.dst_ioas_id), call.in.dst_iova, call.in.length);
    case "VFIO_MAP_DMA":
      return placement(ledger.compat(call.fd), call.in.iova, call.in.size);
  }
};

export type OnPlacement = (at: Placement, call: MapCall, ledger: Ledger) => Finding;

type OnMap = { readonly [K in MapCall["call"]]: Check<K> };

/** A check of every MAP and COPY that succeeds, and of where its mapping is. */
export const whenPlaced = (check: OnPlacement): OnMap => ({
  IOAS_MAP: (call, { errno, out }, ledger) => {
    if (errno !== 0) return undefined;
    const at = placement(ledger.ioas(call.fd, call.in.ioas_id), out?.iova, call.in.length);
    return at && check(at, call, ledger);
  },
  IOAS_COPY: (call, { errno, out }, ledger) => {
    if (errno !== 0) return undefined;
    const to = ledger.ioas(call.fd, call.in.dst_ioas_id);
    const at = placement(to, out?.dst_iova, call.in.length);
    return at && check(at, call, ledger);
  },
  VFIO_MAP_DMA: (call, { errno }, ledger) => {
    const at = errno === 0 ? askedAt(call, ledger) : undefined;
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
