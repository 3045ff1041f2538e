/** What both sides are going to do, drawn once. */

import { Handle } from "../../spec/handle";
import type { Device, MemoryRegion } from "../../spec/platform";
import { MAP_READABLE, MAP_WRITEABLE } from "../../spec/uapi/flags";
import type { Bytes, Iova } from "../../spec/units";
import type { Composer } from "../arbitrary/composer";
import { PAGE } from "../arbitrary/values";

export const RW = MAP_READABLE | MAP_WRITEABLE;

export interface Mapping {
  readonly va: Handle;
  readonly bytes: Bytes;
  /** Absent: automatic. */
  readonly at?: Iova;
  readonly flags: number;
  /** The whole pages that hold it. */
  readonly pages: { readonly va: Handle; readonly bytes: Bytes };
}

export type Fixed = Mapping & { readonly at: Iova };

/** Far behind the buffer of a mapping, where there is no memory. */
export const noMemory = ({ va }: Mapping): Handle =>
  new Handle(va.name, "", va.add + 0x1000_0000_0000n);

export const mapping = (
  region: string,
  offset: bigint,
  bytes: bigint,
  at: bigint,
  flags = RW,
): Fixed => {
  const first = offset - (offset % PAGE);
  const span = ((offset + bytes - first + PAGE - 1n) / PAGE) * PAGE;
  return {
    va: new Handle(region, "", offset),
    bytes: bytes as Bytes,
    at: at as Iova,
    flags,
    pages: { va: new Handle(region, "", first), bytes: span as Bytes },
  };
};

/** Somewhere low in every aperture, clear of reserved regions. */
export const somewhere = (c: Composer): bigint => GROUND[0] + PAGE * BigInt(c.draw.int(0, 24));

/** Memory that a device may use; `writeable`: and write. */
export const regions = (c: Composer, writeable: boolean): readonly MemoryRegion[] =>
  (c.platform.processes[0]?.memory ?? []).filter(
    ({ prot, length }) => length >= 8n * PAGE && (writeable ? prot === "rw" : prot !== "none"),
  );

export interface Plan {
  readonly maps: readonly Fixed[];
  /** From the first mapped byte to the last. */
  readonly window: readonly [bigint, bigint];
}

/** The smallest length that a domain of the platform's plainest IOMMU takes. */
const unitOf = ({ platform }: Composer): bigint => {
  const [iommu] = platform.iommus;
  const unit = BigInt(iommu?.ioPageSize ?? PAGE);
  return platform.frontEnd === "mock" && unit < PAGE ? unit : PAGE;
};

/** Disjoint FIXED mappings in ascending order, some of them touching. */
export const drawPlan = (c: Composer, count: number, wholePages = false): Plan => {
  const { draw } = c;
  const maps: Fixed[] = [];
  let at = somewhere(c);
  for (let i = 0; i < count; i++) {
    if (i > 0) at += PAGE * draw.of(0n, 0n, 1n, 2n);
    const readOnly = draw.chance(25);
    const region = draw.pick(regions(c, !readOnly));
    if (region === undefined) break;
    const half = !wholePages && draw.chance(25) ? unitOf(c) : PAGE;
    const bytes = PAGE * BigInt(draw.int(1, 3)) - (PAGE - half);
    const offset = PAGE * BigInt(draw.int(0, 4)) + (draw.chance(50) ? PAGE - half : 0n);
    maps.push(mapping(region.name, offset, bytes, at, readOnly ? MAP_READABLE : RW));
    at += bytes;
  }
  return { maps, window: [maps[0]?.at ?? at, at - 1n] };
};

/** Two to five whole pages of writeable memory, mapped in one piece that can be cut. */
export const drawWhole = (c: Composer): Fixed | undefined => {
  const region = c.draw.pick(regions(c, true));
  if (region === undefined) return undefined;
  const pages = c.draw.int(2, 5);
  return mapping(region.name, 0n, PAGE * BigInt(pages), somewhere(c));
};

/** A piece of it, where it is: the same memory at the same IOVA. */
export const pieceOf = ({ va, at }: Fixed, start: bigint, bytes: bigint): Fixed =>
  mapping(va.name, va.add + start, bytes, at + start);

/** Another order of a list: never the same, if it has more than one element. */
export const permuted = <T>(c: Composer, list: readonly T[]): T[] => {
  const rest = [...list];
  const order: T[] = [];
  while (rest.length > 0) order.push(...rest.splice(c.draw.int(0, rest.length - 1), 1));
  return order.every((item, i) => item === list[i]) ? order.reverse() : order;
};

/** Where all plans are carried out: every device that is used must leave it alone. */
const GROUND = [0x100_0000n, 0x11f_ffffn] as const;

const isFit = (device: Device, { platform }: Composer): boolean => {
  const iommu = platform.iommus[device.iommu];
  if (iommu === undefined || iommu.ioPageSize > platform.pageSize) return false;
  const [first, last] = GROUND;
  return (
    device.coherent &&
    device.msiIsolated &&
    !device.kernelDriverInGroup &&
    iommu.aperture[0] <= first &&
    last <= iommu.aperture[1] &&
    device.reserved.every(([start, end]) => end < first || last < start)
  );
};

/** Devices that nobody has opened and whose groups nobody owns, one of each group. */
export const freeDevices = (c: Composer): number[] => {
  const { devices } = c.platform;
  const taken = new Set(c.scene.cdevs.map(({ dev }) => devices[dev]?.group ?? null));
  const free: number[] = [];
  for (const [i, device] of devices.entries()) {
    const { group } = device;
    if (group === null || taken.has(group) || !isFit(device, c)) continue;
    taken.add(group);
    free.push(i);
  }
  // Not always the same one, nor always the widest first.
  return c.draw.chance(50) ? free : free.reverse();
};
