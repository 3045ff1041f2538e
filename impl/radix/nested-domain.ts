/**
 * A domain of the mock driver that is nested in another one.
 *
 * The table that it would walk first belongs to the guest, and the mock driver has none: all
 * there is of it is an IOTLB of four slots, which begin with a value that the guest gave and are
 * zero once they have been invalidated (INV-07).
 */
import type { Errno } from "../../spec/errno";
import { INVALIDATE_ALL, MOCK_IOTLB_SLOTS } from "../../spec/uapi/flags";
import type { IommuDomain } from "./iommu-domain";

export class NestedDomain {
  readonly iommu: IommuDomain["iommu"];
  /** Nothing is ever dirty in it, so it takes devices that cannot track (HWP-24). */
  readonly dirty = undefined;
  readonly #iotlb: number[];

  constructor(parent: IommuDomain, iotlb: number) {
    this.iommu = parent.iommu;
    this.#iotlb = new Array<number>(MOCK_IOTLB_SLOTS).fill(iotlb);
  }

  /** What a slot holds; undefined: there is no such slot. */
  slot(index: number): number | undefined {
    return this.#iotlb[index];
  }

  /** Carries out one entry of an invalidation (INV-05, INV-07). */
  invalidate(flags: number, slot: number): 0 | Errno {
    if ((flags & ~INVALIDATE_ALL) !== 0) return "EOPNOTSUPP";
    if (slot >= MOCK_IOTLB_SLOTS) return "EINVAL";
    if ((flags & INVALIDATE_ALL) !== 0) this.#iotlb.fill(0);
    else this.#iotlb[slot] = 0;
    return 0;
  }
}
