/**
 * iommufd_group: the devices of one IOMMU group within one context.
 *
 * All attached devices of a group share one HWPT (DEV-15, I-61): the first one brings the group
 * to it, the last one takes it away, and a replace moves all of them together. Every attached
 * device is one user of the HWPT and keeps its own reserved regions out of the HWPT's IOAS
 * (RSV-04, RSV-05). A failure leaves group, HWPTs and IOAS as they were (DEV-17, DEV-33); what
 * DEV-35 suspects of 6.12, that a replace which fails within one IOAS drops reserved regions
 * still in use, is not imitated.
 */
import type { Errno } from "../../spec/errno";
import type { PageFault } from "../../spec/fields";
import { assert } from "./assert";
import type { IommufdHwpt } from "./hw-pagetable";
import type { IoPagetable } from "./io-pagetable";
import type { HostDevice } from "./iommu";

export class IommufdGroup {
  /** Bound devices, attached or not; the group is forgotten with the last one. */
  bound = 0;
  #hwpt: IommufdHwpt | undefined;
  readonly #attached: HostDevice[] = [];

  /** Attaches a device that is not attached (DEV-15..17). */
  attach(device: HostDevice, hwpt: IommufdHwpt): 0 | Errno {
    if (this.#hwpt !== undefined && this.#hwpt !== hwpt) return "EINVAL";
    const { iopt } = hwpt.ioas;
    const errno = reserveRegions(iopt, device) || this.#follow(device, hwpt);
    if (errno !== 0) {
      iopt.unreserve(device);
      return errno;
    }
    this.#hwpt = hwpt;
    this.#attached.push(device);
    hwpt.users += 1;
    return 0;
  }

  /** Detaches an attached device; returns the HWPT, which may have lost its last user. */
  detach(device: HostDevice): IommufdHwpt {
    const hwpt = this.#hwpt;
    assert(hwpt !== undefined, "a group with an attached device has a HW page table");
    this.#attached.splice(this.#attached.indexOf(device), 1);
    if (this.#attached.length === 0) {
      this.#hwpt = undefined;
      if (device.group !== null) device.group.domain = undefined;
    }
    if (this.#attached.length === 0) hwpt.fault?.answerAllOf(this);
    hwpt.ioas.iopt.unreserve(device);
    hwpt.users -= 1;
    return hwpt;
  }

  /** The device hands in a page fault; without a queue it is lost. */
  reportFault(report: Omit<PageFault, "cookie">): void {
    this.#hwpt?.fault?.report({ source: this, report });
  }

  /**
   * Moves the whole group from its HWPT to another one (DEV-31..34). Returns the HWPT that was
   * left, which may have lost its last user.
   */
  replace(hwpt: IommufdHwpt): IommufdHwpt | Errno {
    const old = this.#hwpt;
    if (old === undefined) return "EINVAL";
    if (old === hwpt) return old;
    const moves = hwpt.ioas !== old.ioas;
    const errno = (moves ? this.#reserveAll(hwpt) : 0) || this.#switchDomain(hwpt);
    if (errno !== 0) {
      if (moves) this.#unreserveAll(hwpt);
      return errno;
    }
    if (moves) this.#unreserveAll(old);
    old.fault?.answerAllOf(this);
    this.#hwpt = hwpt;
    hwpt.users += this.#attached.length;
    old.users -= this.#attached.length;
    return old;
  }

  #reserveAll(hwpt: IommufdHwpt): 0 | Errno {
    for (const device of this.#attached) {
      const errno = reserveRegions(hwpt.ioas.iopt, device);
      if (errno !== 0) return errno;
    }
    return 0;
  }

  #unreserveAll(hwpt: IommufdHwpt): void {
    for (const device of this.#attached) hwpt.ioas.iopt.unreserve(device);
  }

  /** The first device brings the group to the domain; the others find it there (DEV-16). */
  #follow(device: HostDevice, hwpt: IommufdHwpt): 0 | Errno {
    if (this.#hwpt !== undefined) return 0;
    return device.iommu.attach(device, hwpt.domain);
  }

  /** One domain to the other without a gap, for the whole group at once. */
  #switchDomain(hwpt: IommufdHwpt): 0 | Errno {
    const [device] = this.#attached;
    assert(device !== undefined, "a group with a HW page table has an attached device");
    return device.iommu.attach(device, hwpt.domain);
  }
}

/** RSV-01; what was reserved before a conflict stays for the caller to take back (RSV-03). */
const reserveRegions = (iopt: IoPagetable, device: HostDevice): 0 | Errno => {
  for (const [start, last] of device.reserved) {
    const errno = iopt.reserve(start, last, device);
    if (errno !== 0) return errno;
  }
  return 0;
};
