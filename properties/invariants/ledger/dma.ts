/** Which memory a device reaches, and what a DMA leaves behind. */
import type { CallOf } from "../../../spec/calls";
import { PERM_READ, PERM_WRITE } from "../../../spec/uapi/flags";
import type { Device, Ioas } from "./ioas";
import { byteOf } from "./memory";
import type { Area } from "./pages";
import { higher, lower } from "./ranges";
import type { LedgerState } from "./state";

/** Bytes of a device's own buffer. */
export const DEVICE_BUFFER = 64;

export interface Reach {
  readonly ioas: Ioas;
  /** False: through a fellow of its group, or in a context that user space has closed. */
  readonly sure: boolean;
}

/** The IOAS a device may reach; undefined: none at all. */
export const reachOf = (device: Device): Reach | undefined => {
  const { closed } = device.ctx;
  if (device.hwpt) return { ioas: device.hwpt.ioas, sure: !closed };
  for (const { hwpt } of device.group.devices) if (hwpt) return { ioas: hwpt.ioas, sure: false };
  return undefined;
};

export interface Cover {
  /** Every byte is mapped with the right, for certain. */
  readonly all: boolean;
  /** Every byte may be mapped with the right. */
  readonly maybe: boolean;
}

const NO_COVER: Cover = { all: false, maybe: false };
const MAYBE: Cover = { all: false, maybe: true };

/** How far [start, last] is mapped with a right. */
export const coverOf = (reach: Reach, start: bigint, last: bigint, perm: number): Cover => {
  const { areas, strays } = reach.ioas;
  let all = reach.sure;
  let next = start;
  for (let i = reach.ioas.firstAt(start); next <= last; i++) {
    const area = areas[i];
    if (area === undefined || area.start > next || (area.perm & perm) !== perm) {
      return strays.length > 0 ? MAYBE : NO_COVER;
    }
    if (!area.sure) all = false;
    next = area.last + 1n;
  }
  return { all, maybe: true };
};

export const permFor = (dir: "to_device" | "from_device"): number =>
  dir === "to_device" ? PERM_READ : PERM_WRITE;

export const noteDma = (
  ledger: LedgerState,
  call: CallOf<"DMA">,
  out: { readonly fault?: number; readonly bytes?: string },
): void => {
  const { devfd, dir, iova, length, device_offset: offset } = call.in;
  const device = ledger.files.get(devfd)?.device;
  if (device === undefined) {
    if (out.fault !== 1) ledger.lost = true;
    return;
  }
  if (length === 0 || offset + length > DEVICE_BUFFER) return;
  let buffer = ledger.buffers.get(device.index);
  if (buffer === undefined) {
    buffer = new Array<number | undefined>(DEVICE_BUFFER).fill(undefined);
    ledger.buffers.set(device.index, buffer);
  }
  const reach = reachOf(device);
  const last = iova + BigInt(length) - 1n;
  if (dir === "from_device") doubtStrays(ledger, reach);
  const landed =
    out.fault !== 1 && reach !== undefined && coverOf(reach, iova, last, permFor(dir)).all;
  if (dir === "from_device") {
    eachArea(reach?.ioas, iova, last, (area, from, to) => {
      if ((area.perm & PERM_WRITE) === 0) return;
      storeBytes(ledger, area, iova, from, to, (i) => (landed ? buffer[offset + i] : undefined));
    });
    return;
  }
  const { bytes } = out;
  const isAnswered = out.fault !== 1 && bytes !== undefined;
  for (let i = 0; i < length; i++) {
    buffer[offset + i] = isAnswered ? answeredByte(bytes, call, i) : undefined;
  }
  if (isAnswered || !landed) return;
  eachArea(reach.ioas, iova, last, (area, from, to) =>
    eachPage(area, iova, from, to, (page, at, i, count) => {
      const key = area.pages.identity(page);
      for (let k = 0; k < count && key !== undefined; k++) {
        buffer[offset + i + k] = ledger.bytes.at(key, at + k);
      }
    }),
  );
};

/** A device that may reach more pages than this may have written anywhere. */
const STRAY_PAGES = 2 ** 16;

/** A mapping of which nobody knows where it is may be where the device wrote. */
const doubtStrays = (ledger: LedgerState, reach: Reach | undefined): void => {
  for (const stray of reach?.ioas.strays ?? []) {
    if ((stray.perm & PERM_WRITE) === 0) continue;
    if (stray.lastPage - stray.firstPage > STRAY_PAGES) {
      ledger.lost = true;
      return;
    }
    for (let page = stray.firstPage; page <= stray.lastPage; page++) {
      forgetPage(ledger, stray, page);
    }
  }
};

export const areaAt = (ioas: Ioas, iova: bigint): Area | undefined => {
  const area = ioas.areas[ioas.firstAt(iova)];
  return area && area.start <= iova ? area : undefined;
};

/** Calls `visit` for each area in [start, last], with the part [from, to] that it shows. */
export const eachArea = (
  ioas: Ioas | undefined,
  start: bigint,
  last: bigint,
  visit: (area: Area, from: bigint, to: bigint) => void,
): void => {
  if (ioas === undefined) return;
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i] as Area;
    if (area.start > last) return;
    visit(area, higher(area.start, start), lower(area.last, last));
  }
};

/**
 * Calls `visit` for each page of user memory that [from, to] of an area shows: for `count` bytes
 * from `offset` on. The first of them is number `i`, counted from `iova`.
 */
const eachPage = (
  { pages, userVa, start }: Area,
  iova: bigint,
  from: bigint,
  to: bigint,
  visit: (page: number, offset: number, i: number, count: number) => void,
): void => {
  const { memory } = pages.process;
  const va = userVa + (from - start);
  let page = memory.page(va);
  let offset = memory.offset(va);
  const end = Number(to - iova) + 1;
  for (let i = Number(from - iova); i < end; page++) {
    const count = Math.min(memory.pageSize - offset, end - i);
    visit(page, offset, i, count);
    i += count;
    offset = 0;
  }
};

/** Number of the page of user memory that an area shows at an IOVA. */
export const pageOf = (area: Area, iova: bigint): number =>
  area.pages.process.memory.page(area.userVa + (iova - area.start));

/** Stores bytes [from, to] of an area: `value` of the number of each, counted from `iova`. */
export const storeBytes = (
  { bytes }: LedgerState,
  area: Area,
  iova: bigint,
  from: bigint,
  to: bigint,
  value: (i: number) => number | undefined,
): void =>
  eachPage(area, iova, from, to, (page, offset, i, count) => {
    const identity = area.pages.identity(page);
    if (identity !== undefined) {
      for (let k = 0; k < count; k++) bytes.set(identity, offset + k, value(i + k));
      return;
    }
    // The page that was there at the MAP, or the one that is there now.
    area.pages.process.memory.eachPossible(page, (key) => {
      for (let k = 0; k < count; k++) bytes.set(key, offset + k, undefined);
    });
  });

/** Of a page that an area shows nobody knows anything any more. */
export const forgetPage = (ledger: LedgerState, area: Area, page: number): void => {
  const identity = area.pages.identity(page);
  if (identity !== undefined) ledger.bytes.forget(identity);
  else area.pages.process.memory.eachPossible(page, (key) => ledger.bytes.forget(key));
};

/** A byte that was read, and that is not what the memory holds. */
interface WrongByte {
  readonly at: bigint;
  readonly known: number;
  readonly read: number;
}

/**
 * The first of `count` bytes read from `iova` on that is not what the memory holds.
 * @param read what was read; undefined: it was not told
 * @returns "none": all that can be compared agree; undefined: none can
 */
export const wrongByte = (
  ledger: LedgerState,
  ioas: Ioas,
  iova: bigint,
  count: number,
  read: (i: number) => number | undefined,
): WrongByte | "none" | undefined => {
  let found: WrongByte | "none" | undefined;
  eachArea(ioas, iova, iova + BigInt(count) - 1n, (area, from, to) => {
    if (!area.sure) return;
    eachPage(area, iova, from, to, (page, offset, i, count) => {
      const key = area.pages.identity(page);
      if (key === undefined) return;
      for (let k = 0; k < count && typeof found !== "object"; k++) {
        const known = ledger.bytes.at(key, offset + k);
        const byte = known === undefined ? undefined : read(i + k);
        if (known === undefined || byte === undefined) continue;
        found = byte === known ? "none" : { at: iova + BigInt(i + k), known, read: byte };
      }
    });
  });
  return found;
};

/** The byte that a DMA reports at index i of the transfer; whole buffers are reported as such. */
export const answeredByte = (
  digits: string,
  { in: { length, device_offset: offset } }: CallOf<"DMA">,
  i: number,
): number | undefined => {
  if (digits.length === DEVICE_BUFFER * 2) return byteOf(digits, offset + i);
  return digits.length === length * 2 ? byteOf(digits, i) : undefined;
};
