/**
 * Dirty bits of one domain, by IOMMU page (DTY). They come with a write of the device, and go
 * when they are read, when tracking is switched on, or with the mapping.
 */
import type { Interval } from "./intervals";
import type { DirtyLog, Hwpt } from "./objects";
import { expectLater } from "./seen";

export const newLog = (): DirtyLog => ({
  tracking: false,
  pages: new Set(),
  doubtful: new Set(),
  seen: [],
});

/** A write of the device. */
export const write = (hwpt: Hwpt, page: number): void => {
  hwpt.dirty?.pages.add(page);
  hwpt.dirty?.doubtful.delete(page);
};

export const clean = (hwpt: Hwpt, page: number): void => {
  hwpt.dirty?.pages.delete(page);
  hwpt.dirty?.doubtful.delete(page);
};

export const doubt = (hwpt: Hwpt, page: number): void => {
  hwpt.dirty?.doubtful.add(page);
};

export const isDoubtful = (hwpt: Hwpt, page: number): boolean =>
  hwpt.dirty?.doubtful.has(page) === true;

/** DTY-25: what is unmapped is dirty no more. */
export const forget = (hwpt: Hwpt, { first, last }: Interval): void => {
  const { dirty, ioPageSize } = hwpt;
  if (dirty === undefined) return;
  for (const page of dirtyPagesIn(hwpt, first, last)) {
    clean(hwpt, page);
    expectLater(dirty.seen, "DTY-25", BigInt(page) * ioPageSize);
  }
};

/** DTY-04: switching tracking on forgets everything. */
export const startTracking = (hwpt: Hwpt): void => {
  const { dirty, ioPageSize } = hwpt;
  if (dirty === undefined) return;
  for (const page of dirty.pages) expectLater(dirty.seen, "DTY-04", BigInt(page) * ioPageSize);
  dirty.pages.clear();
  dirty.doubtful.clear();
  dirty.tracking = true;
};

/** The dirty pages of which a byte lies in [first, last]. */
export const dirtyPagesIn = (hwpt: Hwpt, first: bigint, last: bigint): number[] => {
  if (hwpt.dirty === undefined) return [];
  const from = Number(first / hwpt.ioPageSize);
  const to = Number(last / hwpt.ioPageSize);
  return [...hwpt.dirty.pages].filter((page) => page >= from && page <= to);
};
