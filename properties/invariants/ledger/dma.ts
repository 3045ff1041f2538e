/** Which memory a device reaches, and what a DMA leaves behind. */
import type { CallOf } from "../../../spec/calls";
import { PERM_READ, PERM_WRITE } from "../../../spec/uapi/flags";
import type { Device, Ioas } from "./ioas";
import { byteOf } from "./memory";
import type { Area } from "./pages";
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
  for (let i = 0; i < length; i++) {
    const at = iova + BigInt(i);
    const area = reach && areaAt(reach.ioas, at);
    if (dir === "from_device") {
      if (area && (area.perm & PERM_WRITE) !== 0) {
        storeByte(ledger, area, at, landed ? buffer[offset + i] : undefined);
      }
    } else if (out.fault !== 1 && out.bytes !== undefined) {
      buffer[offset + i] = answeredByte(out.bytes, call, i);
    } else {
      buffer[offset + i] = landed && area ? loadByte(ledger, area, at) : undefined;
    }
  }
};

/** A mapping of which nobody knows where it is may be where the device wrote. */
const doubtStrays = (ledger: LedgerState, reach: Reach | undefined): void => {
  for (const stray of reach?.ioas.strays ?? []) {
    if ((stray.perm & PERM_WRITE) === 0) continue;
    for (let page = stray.firstPage; page <= stray.lastPage; page++) {
      forgetPage(ledger, stray, page);
    }
  }
};

export const areaAt = (ioas: Ioas, iova: bigint): Area | undefined => {
  const area = ioas.areas[ioas.firstAt(iova)];
  return area && area.start <= iova ? area : undefined;
};

/** Number of the page of user memory that an area shows at an IOVA. */
export const pageOf = (area: Area, iova: bigint): number =>
  area.pages.process.memory.page(area.userVa + (iova - area.start));

export const storeByte = (
  ledger: LedgerState,
  area: Area,
  iova: bigint,
  value: number | undefined,
): void => {
  const { memory } = area.pages.process;
  const va = area.userVa + (iova - area.start);
  const page = memory.page(va);
  const offset = Number(memory.offset(va));
  const identity = area.pages.identity(page);
  if (identity !== undefined) ledger.bytes.set(identity, offset, value);
  // The page that was there at the MAP, or the one that is there now.
  else memory.eachPossible(page, (key) => ledger.bytes.set(key, offset, undefined));
};

/** Of a page that an area shows nobody knows anything any more. */
export const forgetPage = (ledger: LedgerState, area: Area, page: number): void => {
  const identity = area.pages.identity(page);
  if (identity !== undefined) ledger.bytes.forget(identity);
  else area.pages.process.memory.eachPossible(page, (key) => ledger.bytes.forget(key));
};

/** What the device reads at an IOVA, if anybody knows. */
export const loadByte = (ledger: LedgerState, area: Area, iova: bigint): number | undefined => {
  const { memory } = area.pages.process;
  const va = area.userVa + (iova - area.start);
  const identity = area.pages.identity(memory.page(va));
  return identity === undefined ? undefined : ledger.bytes.at(identity, Number(memory.offset(va)));
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
