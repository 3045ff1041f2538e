/**
 * The selftest driver's calls (TST-01..07): devices that exist only while a test wants them.
 *
 * MOCK_DOMAIN makes a device in a group of its own, binds it and attaches it; one more object
 * ("stdev") stands for all of that, and destroying it undoes all of it. ADD_RESERVED and the
 * MD_CHECK probes look straight into an IOAS, a HWPT and the user's pages.
 */
import type { OutcomeOf } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { MOCK_HUGE_IOVA, MOCK_NO_DIRTY } from "../../spec/uapi/flags";
import { U64_MAX, wraps } from "../../spec/units";
import { done, fail, type OnIommufd } from "./call";
import type { IommufdCtx } from "./ctx";
import { IommufdDevice } from "./device";
import { type Iommu, IommuGroup } from "./iommu";
import { ioPfnOf } from "./iommu-domain";
import { IommufdObject } from "./iommufd-object";
import type { Kernel } from "./kernel";

class SelftestDevice extends IommufdObject {
  readonly device: IommufdDevice;

  constructor(id: number, device: IommufdDevice) {
    super(id);
    this.device = device;
  }

  override destroy(): void {
    this.device.detach();
    this.device.unbind();
  }
}

export const mockDomain: OnIommufd<"MOCK_DOMAIN"> = (ctx, { pt_id }, _process, kernel) =>
  makeMockDevice(ctx, kernel, pt_id, 0);

export const mockDomainFlags: OnIommufd<"MOCK_DOMAIN_FLAGS"> = (ctx, args, _process, kernel) =>
  makeMockDevice(ctx, kernel, args.pt_id, args.dev_flags);

/** TST-02: ids are taken in the order stdev, idev, automatic HWPT. */
const makeMockDevice = (
  ctx: IommufdCtx,
  kernel: Kernel,
  ptId: number,
  flags: number,
): OutcomeOf<"MOCK_DOMAIN"> => {
  const iommu = kernel.iommus[0];
  if (!hasMockDriver(kernel) || iommu === undefined) return fail("ENOTTY");
  if ((flags & ~(MOCK_NO_DIRTY | MOCK_HUGE_IOVA)) !== 0) return fail("EINVAL");
  const stdevId = ctx.takeId();
  const made = makeAttached(ctx, iommu, ptId, flags);
  if (typeof made === "string") {
    ctx.freeId(stdevId);
    return fail(made);
  }
  ctx.publish(new SelftestDevice(stdevId, made.device));
  return {
    errno: 0,
    out: { out_stdev_id: stdevId, out_hwpt_id: made.hwptId, out_idev_id: made.device.id },
  };
};

/** Multiples of the smallest IO page that a MOCK_HUGE_IOVA device has pages of, as a mask. */
const WITH_HUGE_PAGES = 0x201n;

const makeAttached = (
  ctx: IommufdCtx,
  iommu: Iommu,
  ptId: number,
  flags: number,
): { readonly device: IommufdDevice; readonly hwptId: number } | Errno => {
  const ioPageSize = BigInt(iommu.ioPageSize);
  const device = IommufdDevice.bindTo(ctx, {
    iommu,
    ioPageSizes: (flags & MOCK_HUGE_IOVA) === 0 ? ioPageSize : ioPageSize * WITH_HUGE_PAGES,
    group: new IommuGroup(false),
    reserved: [],
    coherent: true,
    msiIsolated: true,
    tracksDirty: iommu.tracksDirty && (flags & MOCK_NO_DIRTY) === 0,
    buffer: undefined,
  });
  if (typeof device === "string") return device;
  const hwptId = device.attach(ptId);
  if (typeof hwptId === "number") return { device, hwptId };
  device.unbind();
  return hwptId;
};

export const mockDomainReplace: OnIommufd<"MOCK_DOMAIN_REPLACE"> = (
  ctx,
  { stdev_id, pt_id },
  _process,
  kernel,
) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const stdev = ctx.get(stdev_id);
  if (!(stdev instanceof SelftestDevice)) return fail("ENOENT");
  const hwptId = stdev.device.replace(pt_id);
  return typeof hwptId === "string" ? fail(hwptId) : { errno: 0, out: { pt_id: hwptId } };
};

/** TST-01; RSV-07: nobody owns these regions, so they stay as long as the IOAS. */
export const addReserved: OnIommufd<"ADD_RESERVED"> = (ctx, args, _process, kernel) => {
  const { ioas_id, start, length } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if (length === 0n) return fail("EINVAL");
  if (wraps(start, length)) return fail("EOVERFLOW");
  const ioas = ctx.ioas(ioas_id);
  if (ioas === undefined) return fail("ENOENT");
  return done(ioas.iopt.reserve(start, start + length - 1n, undefined));
};

/** TST-03: whether every IO page of a range leads to the page that is at `uptr` now. */
export const mdCheckMap: OnIommufd<"MD_CHECK_MAP"> = (ctx, args, { memory }, kernel) => {
  const iommu = kernel.iommus[0];
  if (!hasMockDriver(kernel) || iommu === undefined) return fail("ENOTTY");
  const { iova, length, uptr } = args;
  const ioPageSize = BigInt(iommu.ioPageSize);
  if ((iova | length | uptr) % ioPageSize !== 0n || uptr + length > U64_MAX) return fail("EINVAL");
  const hwpt = ctx.hwpt(args.hwpt_id);
  if (hwpt === undefined) return fail("ENOENT");
  const { domain } = hwpt;
  const perPage = memory.pageSize / iommu.ioPageSize;
  const firstIoPage = domain.ioPageOf(iova);
  const firstUserIoPage = Number(uptr / ioPageSize);
  for (let i = 0; i < Number(length / ioPageSize); i += 1) {
    const page = Math.floor((firstUserIoPage + i) / perPage);
    // Its end is added up before it is looked at, as when it is pinned.
    if (page + 1 === 2 ** 64 / memory.pageSize) return fail("EOVERFLOW");
    const pfn = memory.touch(page, false);
    if (pfn === 0) return fail("EFAULT");
    const iopte = domain.iopteAt(firstIoPage + i);
    const expected = pfn * perPage + (firstUserIoPage + i - page * perPage);
    if (iopte === 0 || ioPfnOf(iopte) !== expected) return fail("EINVAL");
  }
  return done(0);
};

/** Room for one page and for how often the next pages follow. */
const MEMORY_LIMIT_MIN = 12;

/** TST-06: bytes that a list of pages may take; fewer than for one page are refused. */
export const setTempMemoryLimit: OnIommufd<"SET_TEMP_MEMORY_LIMIT"> = (
  _ctx,
  args,
  _process,
  kernel,
) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if (args.limit < MEMORY_LIMIT_MIN) return fail("EINVAL");
  kernel.physical.limitPinBatch(args.limit);
  return done(0);
};

/** TST-04: whether every page at `uptr` has exactly this number of pins. */
export const mdCheckRefs: OnIommufd<"MD_CHECK_REFS"> = (_ctx, args, { memory }, kernel) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const { length, uptr, refs } = args;
  const pageSize = BigInt(memory.pageSize);
  if ((length | uptr) % pageSize !== 0n || uptr + length > U64_MAX) return fail("EINVAL");
  const first = Number(uptr / pageSize);
  const count = Number(length / pageSize);
  for (let page = first; page < first + count; page += 1) {
    const pfn = memory.touch(page, false);
    if (pfn === 0) return fail("EFAULT");
    if (memory.physical.pinsOf(pfn) !== refs) return fail("EIO");
  }
  return done(0);
};

/** The other front end has no mock driver, as a kernel without the selftest option. */
export const hasMockDriver = ({ platform }: Kernel): boolean => platform.frontEnd === "mock";
