/**
 * What the selftest driver's devices and page tables do on demand: pages become dirty, faults
 * are reported, and the IOTLB of a nested HWPT is looked at.
 */
import { FAULT_LAST_PAGE, FAULT_PASID_VALID } from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { done, fail, type OnIommufd } from "./call";
import { IommufdDevice } from "./device";
import { fromHex } from "./hex";
import { IommufdHwptNested } from "./hw-pagetable";
import { hasMockDriver } from "./mock-front-end";

/** Bits that the driver is willing to look at in one call. */
const DIRTY_BITS_MAX = 2n ** 27n;

/** The driver counts in pages of `page_size`, and takes their numbers for those of IO pages. */
export const dirty: OnIommufd<"DIRTY"> = (ctx, args, _process, kernel) => {
  const { iova, length, page_size: pageSize } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if (pageSize === 0n || length === 0n || args.uptr === 0n) return fail("EINVAL");
  if (iova % pageSize !== 0n || length % pageSize !== 0n) return fail("EINVAL");
  const bits = length / pageSize;
  if (bits > DIRTY_BITS_MAX) return fail("EOVERFLOW");
  const domain = ctx.hwpt(args.hwpt_id)?.domain;
  if (domain === undefined) return fail("ENOENT");
  if (domain.dirty?.isTracking !== true) return fail("EINVAL");
  const bitmap = fromHex(args.bitmap);
  if (bitmap.length * 8 < Number(bits)) return fail("EFAULT");
  const last = BigInt(domain.ioPageOf(domain.iommu.aperture[1]));
  let count = 0n;
  for (let i = 0; i < Number(bits); i += 1) {
    if (((bitmap[i >> 3]! >> (i & 7)) & 1) === 0) continue;
    const ioPage = ((iova + BigInt(i) * pageSize) & U64_MAX) / pageSize;
    if (ioPage > last || domain.iopteAt(Number(ioPage)) === 0) continue;
    domain.dirty.add(Number(ioPage));
    count += 1n;
  }
  return { errno: 0, out: { out_nr_dirty: count } };
};

export const mdCheckIotlb: OnIommufd<"MD_CHECK_IOTLB"> = (ctx, args, _process, kernel) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const hwpt = ctx.get(args.hwpt_id);
  if (!(hwpt instanceof IommufdHwptNested)) return fail("ENOENT");
  return done(hwpt.domain.slot(args.iotlb_id) === args.iotlb ? 0 : "EINVAL");
};

export const triggerIopf: OnIommufd<"TRIGGER_IOPF"> = (ctx, args, _process, kernel) => {
  const { dev_id, pasid, grpid, perm, addr } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const device = ctx.get(dev_id);
  if (!(device instanceof IommufdDevice)) return fail("ENOENT");
  const flags = pasid === 0 ? FAULT_LAST_PAGE : FAULT_LAST_PAGE | FAULT_PASID_VALID;
  device.reportFault({ flags, pasid, grpid, perm, reserved: 0, addr, length: 0 });
  return done(0);
};
