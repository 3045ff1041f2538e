/**
 * An IOAS and its HW page tables: objects that own an io_pagetable and the domains in it.
 *
 * A paging HWPT holds one domain, keeps it in the io_pagetable of its IOAS from the moment it is
 * added until it is destroyed, and is a user of that IOAS meanwhile. All HWPTs here are
 * automatic: made by attaching a device to an IOAS, shared by further devices that fit, and
 * destroyed with the last attachment (DEV-12, DEV-20). Users of a HWPT are attached devices.
 */
import type { Errno } from "../../spec/errno";
import { U64_MAX } from "../../spec/units";
import { IoPagetable } from "./io-pagetable";
import type { IommuDomain } from "./iommu-domain";
import { IommufdObject } from "./iommufd-object";

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

export class IommufdHwptPaging extends IommufdObject {
  readonly ioas: IommufdIoas;
  readonly domain: IommuDomain;

  constructor(id: number, ioas: IommufdIoas, domain: IommuDomain) {
    super(id);
    this.ioas = ioas;
    this.domain = domain;
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
