/**
 * The hardware side: IOMMUs, and the devices and groups behind them.
 *
 * An IOMMU translates a device's DMA by walking the page table of the domain that the device's
 * group is attached to, on every access: there is no IOTLB, so nothing is ever stale. Domains
 * serve only the IOMMU that made them.
 *
 * Groups are the unit of isolation: hardware need not be able to tell their devices apart. So
 * the DMA of all of them belongs to one owner (DEV-04) and goes through one domain, whichever of
 * them is attached (DEV-41); without a domain it is blocked (DEV-07).
 */
import type { Errno } from "../../spec/errno";
import type { HwInfo, Iommu as IommuShape } from "../../spec/platform";
import type { IovaRange } from "../../spec/units";
import { IommuDomain, ioPfnOf, permOf } from "./iommu-domain";
import type { NestedDomain } from "./nested-domain";

export const DEVICE_BUFFER_SIZE = 64;

export type AttachableDomain = IommuDomain | NestedDomain;

export class IommuGroup {
  /** A kernel driver uses one of its devices through the DMA API (DEV-05). */
  readonly #heldByKernel: boolean;
  /** What translates the DMA of its devices now. */
  domain: AttachableDomain | undefined;
  #owner: object | undefined;
  #owned = 0;

  constructor(heldByKernel: boolean) {
    this.#heldByKernel = heldByKernel;
  }

  claim(owner: object): 0 | Errno {
    if (this.#heldByKernel || (this.#owned > 0 && this.#owner !== owner)) return "EPERM";
    this.#owner = owner;
    this.#owned += 1;
    return 0;
  }

  /** One of the claims is given up; the group is free for others after the last one. */
  release(): void {
    this.#owned -= 1;
  }
}

export interface HostDevice {
  readonly iommu: Iommu;
  readonly group: IommuGroup | null;
  /** Regions that no mapping may touch while the device is attached (RSV-01). */
  readonly reserved: readonly IovaRange[];
  readonly coherent: boolean;
  readonly msiIsolated: boolean;
  /** The device's own memory, for DMA to and from; made on first use. */
  buffer: Uint8Array | undefined;
  /** The sizes of pages that domains made for it tell of, as a mask. */
  readonly ioPageSizes: bigint;
  /** Its writes can be tracked (HWI-07). */
  readonly tracksDirty: boolean;
}

export class Iommu {
  readonly ioPageSize: number;
  readonly aperture: IovaRange;
  readonly enforcesCoherency: boolean;
  /** It can note which pages a device writes to. */
  readonly tracksDirty: boolean;
  /** Its domains can be nested in one another. */
  readonly nests: boolean;
  /** What it tells of itself. */
  readonly hwInfo: HwInfo | undefined;

  constructor({
    ioPageSize,
    aperture,
    enforcesCoherency = false,
    dirty = false,
    nesting = false,
    hwInfo,
  }: IommuShape) {
    this.ioPageSize = ioPageSize;
    this.aperture = aperture;
    this.enforcesCoherency = enforcesCoherency;
    this.tracksDirty = dirty;
    this.nests = nesting;
    this.hwInfo = hwInfo;
  }

  allocDomain(ioPageSizes = BigInt(this.ioPageSize), tracksDirty = false): IommuDomain {
    return new IommuDomain(this, ioPageSizes, tracksDirty);
  }

  /** The driver's attach: also moves a group from one domain to another without a gap. */
  attach({ group, tracksDirty }: HostDevice, domain: AttachableDomain): 0 | Errno {
    if (group === null || domain.iommu !== this) return "EINVAL";
    if (domain.dirty !== undefined && !tracksDirty) return "EINVAL"; // HWP-24
    group.domain = domain;
    return 0;
  }

  /**
   * Where an access of `device` to `iova` with one of the PERM bits goes, as a physical byte
   * address; -1 when it is blocked.
   */
  translate(device: HostDevice, iova: bigint, perm: number): number {
    const domain = device.group?.domain;
    // A nested one has no table of its own to walk.
    if (!(domain instanceof IommuDomain)) return -1;
    if (iova < this.aperture[0] || iova > this.aperture[1]) return -1;
    const ioPage = domain.ioPageOf(iova);
    const iopte = domain.iopteAt(ioPage);
    if ((permOf(iopte) & perm) === 0) return -1;
    const offset = Number(iova & BigInt(this.ioPageSize - 1));
    return ioPfnOf(iopte) * this.ioPageSize + offset;
  }
}
