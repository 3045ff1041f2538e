/**
 * An IOAS and its HW page tables (HWPTs).
 *
 * A paging HWPT holds one domain, keeps it in the io_pagetable of its IOAS from the moment it is
 * added until it is destroyed, and is a user of that IOAS meanwhile. Automatic ones are made by
 * attaching a device to an IOAS, are shared by further devices that fit, and go with the last
 * attachment (DEV-12, DEV-20); manual ones are made and destroyed by id (DEV-13, DEV-21).
 *
 * A nested HWPT stands on a paging one, its parent, and uses that (OBJ-05). It maps nothing
 * itself, but a device attached to it reaches memory through the IOAS of the parent, so that is
 * where the device's reserved regions count. Users of a HWPT are attached devices, and the
 * nested ones on it.
 */
import type { Errno } from "../../spec/errno";
import { U64_MAX } from "../../spec/units";
import type { IommufdFault } from "./fault";
import { IoPagetable } from "./io-pagetable";
import type { AttachableDomain } from "./iommu";
import type { IommuDomain } from "./iommu-domain";
import { IommufdObject } from "./iommufd-object";
import type { NestedDomain } from "./nested-domain";

export class IommufdIoas extends IommufdObject {
  readonly iopt: IoPagetable;
  /** In order of creation. */
  readonly hwpts: IommufdHwptPaging[] = [];

  constructor(id: number, pageSize: number, thpSize: bigint) {
    super(id);
    this.iopt = new IoPagetable(BigInt(pageSize), thpSize);
  }

  /** Mappings are not users: they go with the IOAS (OBJ-06). */
  override destroy(): void {
    this.iopt.unmap(0n, U64_MAX);
  }
}

/** What a device can be attached to. */
export abstract class IommufdHwpt extends IommufdObject {
  abstract readonly ioas: IommufdIoas;
  abstract readonly domain: AttachableDomain;
  /** Goes with its last user. */
  abstract readonly isAuto: boolean;
  /** Where page faults of its devices go; undefined: nowhere. */
  abstract readonly fault: IommufdFault | undefined;
}

export class IommufdHwptPaging extends IommufdHwpt {
  readonly ioas: IommufdIoas;
  readonly domain: IommuDomain;
  readonly isAuto: boolean;
  /** HWP-12: it may be a parent. */
  readonly nestParent: boolean;
  readonly fault = undefined;

  constructor(
    id: number,
    ioas: IommufdIoas,
    domain: IommuDomain,
    kind: "auto" | "manual" | "nest-parent",
  ) {
    super(id);
    this.ioas = ioas;
    this.domain = domain;
    this.isAuto = kind === "auto";
    this.nestParent = kind === "nest-parent";
  }

  /** Makes the domain a mirror of the IOAS; the HWPT is one of the IOAS's from then on. */
  addToIoas(): 0 | Errno {
    const errno = this.ioas.iopt.addDomain(this.domain);
    if (errno !== 0) return errno;
    this.ioas.hwpts.push(this);
    this.ioas.users += 1;
    return 0;
  }

  override destroy(): void {
    const { hwpts, iopt } = this.ioas;
    hwpts.splice(hwpts.indexOf(this), 1);
    iopt.removeDomain(this.domain);
    this.ioas.users -= 1;
  }
}

export class IommufdHwptNested extends IommufdHwpt {
  readonly domain: NestedDomain;
  readonly isAuto = false;
  readonly fault: IommufdFault | undefined;
  readonly #parent: IommufdHwptPaging;

  constructor(
    id: number,
    parent: IommufdHwptPaging,
    domain: NestedDomain,
    fault: IommufdFault | undefined,
  ) {
    super(id);
    this.domain = domain;
    this.fault = fault;
    this.#parent = parent;
    parent.users += 1;
    if (fault !== undefined) fault.users += 1;
  }

  get ioas(): IommufdIoas {
    return this.#parent.ioas;
  }

  override destroy(): void {
    this.#parent.users -= 1;
    if (this.fault !== undefined) this.fault.users -= 1;
  }
}
