/**
 * The hardware side: IOMMUs, and the devices and groups behind them.
 *
 * An IOMMU translates a device's DMA by walking the page table of the domain that the device is
 * attached to, on every access: there is no IOTLB, so nothing is ever stale. Domains serve only
 * the IOMMU that made them. A device that is not attached itself is blocked (DEV-07), even while
 * others of its group are attached; hardware that cannot tell them apart would let it through.
 *
 * Groups are the unit of ownership: the DMA of all their devices belongs to one owner (DEV-04).
 */
import type { Errno } from "../../spec/errno";
import type { IovaRange } from "../../spec/units";
import { IommuDomain, ioPfnOf, permOf } from "./iommu-domain";

export const DEVICE_BUFFER_SIZE = 64;

export class IommuGroup {
  /** A kernel driver uses one of its devices through the DMA API (DEV-05). */
  readonly #heldByKernel: boolean;
  #owner: object | undefined;
  #owned = 0;

  constructor(heldByKernel: boolean) {
    this.#heldByKernel = heldByKernel;
  }

  claim(owner: object): 0 | Errno {
    if (this.#heldByKernel) return "EBUSY";
    if (this.#owned > 0 && this.#owner !== owner) return "EPERM";
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
  /** What translates its DMA now. */
  domain: IommuDomain | undefined;
  /** The device's own memory, for DMA to and from; made on first use. */
  buffer: Uint8Array | undefined;
}

export class Iommu {
  readonly ioPageSize: number;
  readonly aperture: IovaRange;

  constructor(ioPageSize: number, aperture: IovaRange) {
    this.ioPageSize = ioPageSize;
    this.aperture = aperture;
  }

  allocDomain(): IommuDomain {
    return new IommuDomain(this);
  }

  /** The driver's attach: also moves a device from one domain to another without a gap. */
  attach(device: HostDevice, domain: IommuDomain): 0 | Errno {
    if (domain.iommu !== this) return "EINVAL";
    device.domain = domain;
    return 0;
  }

  detach(device: HostDevice): void {
    device.domain = undefined;
  }

  /**
   * Where an access of `device` to `iova` with one of the PERM bits goes, as a physical byte
   * address; -1 when it is blocked.
   */
  translate(device: HostDevice, iova: bigint, perm: number): number {
    const { domain } = device;
    if (domain === undefined || iova < this.aperture[0] || iova > this.aperture[1]) return -1;
    const ioPage = domain.ioPageOf(iova);
    const iopte = domain.iopteAt(ioPage);
    if ((permOf(iopte) & perm) === 0) return -1;
    const offset = Number(iova & BigInt(this.ioPageSize - 1));
    return ioPfnOf(iopte) * this.ioPageSize + offset;
  }
}
