/** Checks of every call that makes IOVAs of an IOAS reserved. */
import type { Call } from "../../spec/calls";
import { type Finding, HELD } from "./finding";
import type { Check } from "./invariant";
import { type Arrival, attachmentOf } from "./ledger/attachment";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import type { Area } from "./ledger/pages";
import { outsideOf, touches } from "./ledger/ranges";
import { firstOverlap } from "./placement";

/** The first mapping that something new in an IOAS would reserve. */
export const areaInWay = (ioas: Ioas, { iommu, reserved }: Arrival): Area | undefined => {
  for (const [start, last] of reserved) {
    const area = firstOverlap({ ioas, start, last, length: 0n }, true);
    if (area) return area;
  }
  if (iommu === undefined) return undefined;
  const [low, high] = iommu.aperture;
  return ioas.areas.find((area) => area.sure && (area.start < low || area.last > high));
};

/** True when an allowed IOVA would be reserved. */
export const allowedInWay = (ioas: Ioas, { iommu, reserved }: Arrival): boolean => {
  const allowed = ioas.allowed ?? [];
  if (reserved.some(([start, last]) => touches(allowed, start, last))) return true;
  return iommu !== undefined && outsideOf([iommu.aperture], allowed) !== undefined;
};

export type OnArrival = (ioas: Ioas, arrival: Arrival) => Finding;

/** A check of every attach, replace and mock device that succeeds, per device that arrives. */
export const whenAttached =
  (check: OnArrival) =>
  (call: Call, { errno }: { readonly errno: unknown }, ledger: Ledger): Finding => {
    const attachment = errno === 0 ? attachmentOf(call, ledger) : undefined;
    if (attachment?.ioas === undefined || attachment.ctx.closed) return undefined;
    let finding: Finding;
    for (const arrival of attachment.arrivals) {
      finding = check(attachment.ioas, arrival);
      if (finding !== HELD && finding !== undefined) return finding;
    }
    return finding;
  };

export const whenReserved =
  (check: OnArrival): Check<"ADD_RESERVED"> =>
  (call, { errno }, ledger) => {
    const { start, length } = call.in;
    const ioas = errno === 0 && length > 0n ? ledger.ioas(call.fd, call.in.ioas_id) : undefined;
    const last = (start + length - 1n) as typeof start;
    return ioas && check(ioas, { iommu: undefined, reserved: [[start, last]] });
  };
