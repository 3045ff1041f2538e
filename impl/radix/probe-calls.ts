/** Calls that only observe: pins of pages, accounts of a process, translations of a domain. */
import type { PinRun, Translation } from "../../spec/fields";
import { type Bytes, type Iova, U64_MAX } from "../../spec/units";
import { fail, type OnIommufd, type OnProcess } from "./call";
import { ioPfnOf, permOf } from "./iommu-domain";
import { offsetInPage, pageOf } from "./page-math";

/** Pins of the pages now at a user address, as the selftest driver counts them (TST-04). */
export const pageRefs: OnIommufd<"PAGE_REFS"> = (_ctx, { uptr, length }, { memory }) => {
  const { pageSize } = memory;
  if (offsetInPage(length | uptr, pageSize) !== 0 || uptr + length > U64_MAX) return fail("EINVAL");
  const first = pageOf(uptr, pageSize);
  const end = first + pageOf(length, pageSize);
  const refs: PinRun[] = [];
  let pins: PinRun[0] = 0;
  let count = 0;
  for (let page = first; page < end; ) {
    let pinsHere: PinRun[0] = "EFAULT";
    let pages = memory.unreadablePages(page, end - 1);
    if (pages === 0) {
      // A page that was never touched is not faulted in for this: it has no pins.
      const pfn = memory.present(page);
      pinsHere = pfn === 0 ? 0 : memory.physical.pinsOf(pfn);
      pages = 1;
    }
    if (pinsHere !== pins && count > 0) {
      refs.push([pins, count]);
      count = 0;
    }
    pins = pinsHere;
    count += pages;
    page += pages;
  }
  if (count > 0) refs.push([pins, count]);
  return { errno: 0, out: { refs } };
};

export const procStatus: OnProcess<"PROC_STATUS"> = (_kernel, _args, process) => ({
  errno: 0,
  out: { VmPin_pages: process.pinnedPages, VmLck_pages: process.lockedPages },
});

/**
 * What a domain translates within [iova, last], in maximal runs: neighbours are one run when
 * their bytes are consecutive in memory and their permission is the same.
 */
export const translate: OnIommufd<"TRANSLATE"> = (ctx, { hwpt_id, iova, last }) => {
  const hwpt = ctx.hwpt(hwpt_id);
  if (hwpt === undefined) return fail("ENOENT");
  const { domain } = hwpt;
  const runs: Translation[] = [];
  if (iova > last) return { errno: 0, out: { runs } };
  const ioPageSize = BigInt(domain.ioPageSize);
  domain.walk(domain.ioPageOf(iova), domain.ioPageOf(last), (ioPage, count, iopte) => {
    let from = BigInt(ioPage) * ioPageSize;
    let to = from + BigInt(count) * ioPageSize - 1n;
    let pa = BigInt(ioPfnOf(iopte)) * ioPageSize;
    if (from < iova) {
      pa += iova - from;
      from = iova;
    }
    if (to > last) to = last;
    const length = to - from + 1n;
    runs.push({ iova: from as Iova, length: length as Bytes, perm: permOf(iopte), pa });
  });
  return { errno: 0, out: { runs } };
};
