/**
 * Dirty bits of one domain, by IOMMU page (DTY). They come with a write of the device, and go
 * when they are read, when tracking is switched on, or with the mapping.
 */
import type { Interval } from "./intervals";
import type { DirtyLog, Doubt, Hwpt } from "./objects";
import { expectLater } from "./seen";

export const newLog = (): DirtyLog => ({
  tracking: false,
  pages: new Set(),
  doubtful: new Map(),
  seen: [],
});

/** A write of the device. */
export const write = ({ dirty }: Hwpt, page: number): void => {
  if (dirty === undefined) return;
  dirty.pages.add(page);
  makeSure(dirty, page);
};

export const clean = ({ dirty }: Hwpt, page: number): void => {
  if (dirty === undefined) return;
  dirty.pages.delete(page);
  makeSure(dirty, page);
};

const makeSure = (dirty: DirtyLog, page: number): void => {
  dirty.doubtful.get(page)?.pages.delete(page);
  dirty.doubtful.delete(page);
};

/** From now on these pages are still dirty, all of them, or none is. */
export const doubt = ({ dirty }: Hwpt, pages: readonly number[]): void => {
  if (dirty === undefined) return;
  const groups = new Map<Doubt | undefined, Doubt>();
  for (const page of pages) {
    if (!dirty.pages.has(page)) continue;
    // What was in doubt before may be clean for another reason than the others.
    const before = dirty.doubtful.get(page);
    const group = groups.get(before) ?? { pages: new Set() };
    groups.set(before, group);
    makeSure(dirty, page);
    group.pages.add(page);
    dirty.doubtful.set(page, group);
  }
};

/** It has been seen which. */
export const settleDoubt = (hwpt: Hwpt, { pages }: Doubt, areDirty: boolean): void => {
  for (const page of [...pages]) {
    if (areDirty) hwpt.dirty?.doubtful.delete(page);
    else clean(hwpt, page);
  }
  pages.clear();
};

/** DTY-25: what is unmapped is dirty no more. */
export const forget = (hwpt: Hwpt, { first, last }: Interval): void => {
  const { dirty, ioPageSize } = hwpt;
  if (dirty === undefined) return;
  for (const page of dirtyPagesIn(hwpt, first, last)) {
    if (!dirty.doubtful.has(page)) expectLater(dirty.seen, "DTY-25", BigInt(page) * ioPageSize);
    clean(hwpt, page);
  }
};

/** DTY-04: switching tracking on forgets everything. */
export const startTracking = (hwpt: Hwpt): void => {
  const { dirty, ioPageSize } = hwpt;
  if (dirty === undefined) return;
  for (const page of dirty.pages) {
    if (!dirty.doubtful.has(page)) expectLater(dirty.seen, "DTY-04", BigInt(page) * ioPageSize);
  }
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
