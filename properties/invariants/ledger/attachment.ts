/** What an attach, replace or mock device would add to an IOAS, before it is written down. */
import type { Call } from "../../../spec/calls";
import type { Iommu } from "../../../spec/platform";
import { ioasOfPt } from "./devices";
import type { Context, Device, Ioas } from "./ioas";
import type { RangeSet } from "./ranges";
import type { LedgerState } from "./state";

export interface Arrival {
  readonly iommu: Iommu | undefined;
  readonly reserved: RangeSet;
}

export interface Attachment {
  readonly ctx: Context;
  /** The device of the call; undefined: a mock device that is being made. */
  readonly device: Device | undefined;
  /** undefined: the pt_id names nothing to attach to. */
  readonly ioas: Ioas | undefined;
  /** Devices that were not in that IOAS before. */
  readonly arrivals: readonly Arrival[];
}

export const attachmentOf = (call: Call, ledger: LedgerState): Attachment | undefined => {
  switch (call.call) {
    case "VFIO_ATTACH":
      return ofDevice(ledger.files.get(call.in.devfd)?.device, call.in.pt_id);
    case "MOCK_DOMAIN_REPLACE": {
      const stdev = ledger.object(call.fd, call.in.stdev_id);
      return ofDevice(stdev?.kind === "stdev" ? stdev.device : undefined, call.in.pt_id);
    }
    case "MOCK_DOMAIN":
    case "MOCK_DOMAIN_FLAGS": {
      const ctx = ledger.contexts.get(call.fd);
      if (ctx === undefined) return undefined;
      const arrivals = [{ iommu: ledger.platform.iommus[0], reserved: [] }];
      return { ctx, device: undefined, ioas: ioasOfPt(ctx, call.in.pt_id), arrivals };
    }
    default:
      return undefined;
  }
};

const ofDevice = (device: Device | undefined, pt: number): Attachment | undefined => {
  if (device === undefined) return undefined;
  const { ctx, hwpt, group } = device;
  const ioas = ioasOfPt(ctx, pt);
  if (hwpt === undefined) return { ctx, device, ioas, arrivals: [device] };
  const movers = hwpt.ioas === ioas ? [] : [...group.devices].filter((other) => other.hwpt);
  return { ctx, device, ioas, arrivals: movers };
};
