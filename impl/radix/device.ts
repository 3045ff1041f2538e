/**
 * iommufd_device: a device bound to a context, and where it is attached.
 *
 * Binding claims the DMA of the device's whole group for the context (DEV-06). Attaching and
 * replacing take the id of a HWPT or of an IOAS; for an IOAS, an automatic HWPT of it that the
 * device fits is used, or a new one is made (DEV-12). Whoever bound the device, a VFIO file or
 * the mock driver, is its user, so it can never be destroyed by id (DES-03).
 */
import type { Errno } from "../../spec/errno";
import type { PageFault } from "../../spec/fields";
import { assert } from "./assert";
import type { IommufdCtx } from "./ctx";
import { IommufdGroup } from "./group";
import { IommufdHwpt, IommufdHwptPaging, IommufdIoas } from "./hw-pagetable";
import type { HostDevice, IommuGroup } from "./iommu";
import { IommufdObject } from "./iommufd-object";

/** How a device is brought to a HWPT: attached to it, or moved there with its group. */
type BringTo = (device: IommufdDevice, hwpt: IommufdHwpt) => 0 | Errno;

/** The one user of a device is whoever bound it. */
const BOUND = 1;

export class IommufdDevice extends IommufdObject {
  readonly #ctx: IommufdCtx;
  readonly host: HostDevice;
  readonly #iommuGroup: IommuGroup;
  readonly #group: IommufdGroup;
  #isAttached = false;

  private constructor(id: number, ctx: IommufdCtx, host: HostDevice, iommuGroup: IommuGroup) {
    super(id);
    this.users = BOUND;
    this.#ctx = ctx;
    this.host = host;
    this.#iommuGroup = iommuGroup;
    let group = ctx.groups.get(iommuGroup);
    if (group === undefined) {
      group = new IommufdGroup();
      ctx.groups.set(iommuGroup, group);
    }
    group.bound += 1;
    this.#group = group;
  }

  /** DEV-01..06 */
  static bindTo(ctx: IommufdCtx, host: HostDevice): IommufdDevice | Errno {
    if (!host.coherent) return "EINVAL";
    const { group } = host;
    if (group === null) return "ENODEV";
    if (!host.msiIsolated) return "EPERM";
    const errno = group.claim(ctx);
    if (errno !== 0) return errno;
    return ctx.publish(new IommufdDevice(ctx.takeId(), ctx, host, group));
  }

  /** Gives the device up; it is not attached (DEV-42). */
  unbind(): void {
    assert(!this.#isAttached, "a device is detached before it is unbound");
    this.#ctx.freeId(this.id);
    this.#iommuGroup.release();
    this.#group.bound -= 1;
    if (this.#group.bound === 0) this.#ctx.groups.delete(this.#iommuGroup);
  }

  override destroy(): void {
    assert(false, "a device has a user until it is unbound");
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  /** Attaches the device, which is not attached; returns the id of the HWPT. */
  attach(ptId: number): number | Errno {
    const hwptId = this.#changePt(ptId, attachTo, true);
    if (typeof hwptId === "number") this.#isAttached = true;
    return hwptId;
  }

  /** Moves the device's group elsewhere; returns the id of the HWPT. */
  replace(ptId: number): number | Errno {
    return this.#changePt(ptId, replaceBy, false);
  }

  detach(): void {
    this.#isAttached = false;
    this.#ctx.putHwpt(this.#group.detach(this.host));
  }

  /** The device could not reach a page (FLT-06). */
  reportFault(report: Omit<PageFault, "cookie" | "dev_id">): void {
    this.#group.reportFault({ ...report, dev_id: this.id });
  }

  bringToHwpt(hwpt: IommufdHwpt): 0 | Errno {
    return this.#group.attach(this.host, hwpt);
  }

  moveGroupTo(hwpt: IommufdHwpt): 0 | Errno {
    const old = this.#group.replace(hwpt);
    if (typeof old === "string") return old;
    if (old !== hwpt) this.#ctx.putHwpt(old);
    return 0;
  }

  #changePt(ptId: number, bringTo: BringTo, attachFirst: boolean): number | Errno {
    const object = this.#ctx.get(ptId);
    if (object === undefined) return "ENOENT";
    if (object instanceof IommufdHwpt) return bringTo(this, object) || object.id;
    if (object instanceof IommufdIoas) return this.#autoDomain(object, bringTo, attachFirst);
    return "EINVAL";
  }

  /** DEV-12, DEV-13: EINVAL means that the device does not fit a HWPT, anything else ends the search. */
  #autoDomain(ioas: IommufdIoas, bringTo: BringTo, attachFirst: boolean): number | Errno {
    for (const hwpt of ioas.hwpts) {
      if (!hwpt.isAuto) continue;
      const errno = bringTo(this, hwpt);
      if (errno === 0) return hwpt.id;
      if (errno !== "EINVAL") return errno;
    }
    const domain = this.host.iommu.allocDomain(this.host.ioPageSizes);
    const hwpt = new IommufdHwptPaging(this.#ctx.takeId(), ioas, domain, "auto");
    const errno = attachFirst ? this.#attachNew(hwpt) : this.#replaceByNew(hwpt);
    if (errno === 0) return this.#ctx.publish(hwpt).id;
    this.#ctx.freeId(hwpt.id);
    return errno;
  }

  /** DEV-17: the device is attached before the IOAS gets the domain. */
  #attachNew(hwpt: IommufdHwptPaging): 0 | Errno {
    const errno = this.bringToHwpt(hwpt);
    if (errno !== 0) return errno;
    const added = hwpt.addToIoas();
    if (added !== 0) this.#group.detach(this.host);
    return added;
  }

  /** The domain is complete before the group moves to it, so DMA never stops (DEV-33). */
  #replaceByNew(hwpt: IommufdHwptPaging): 0 | Errno {
    const added = hwpt.addToIoas();
    if (added !== 0) return added;
    const errno = this.moveGroupTo(hwpt);
    if (errno !== 0) hwpt.destroy();
    return errno;
  }
}

const attachTo: BringTo = (device, hwpt) => device.bringToHwpt(hwpt);
const replaceBy: BringTo = (device, hwpt) => device.moveGroupTo(hwpt);
