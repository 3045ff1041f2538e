/**
 * The VFIO container's ioctls, for programs that were written before there was iommufd: they act
 * on the IOAS that stands in for a container, the compat IOAS (families VCC, VFI).
 *
 * GET_INFO and UNMAP_DMA write to user memory even when they fail, so both are here in the form
 * that typed and raw calls have in common, too.
 */
import type { CallOf, In } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { decodeOutputs, encodeRanges, encodeStruct, POISON } from "../../spec/uapi/codec";
import {
  DMA_MAP_READ,
  DMA_MAP_WRITE,
  DMA_UNMAP_ALL,
  INFO_CAP_ID_DMA_AVAIL,
  INFO_CAP_ID_IOVA_RANGE,
  IOMMU_INFO_CAPS,
  IOMMU_INFO_PGSIZES,
  PERM_READ,
  PERM_WRITE,
  VFIO_DMA_CC_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
} from "../../spec/uapi/flags";
import {
  INFO_CAP_DMA_AVAIL,
  INFO_CAP_IOVA_RANGE,
  IOVA_RANGE,
  LAYOUTS,
} from "../../spec/uapi/layouts";
import { type Bytes, type Iova, type IovaRange, U64_MAX, wrap64, wraps } from "../../spec/units";
import { done, fail, type OnIommufd } from "./call";
import type { IommufdCtx } from "./ctx";
import type { IoPagetable } from "./io-pagetable";
import { allocPages } from "./ioas-calls";

const ANSWERS_0 = Object.freeze({ errno: 0 as const, out: Object.freeze({ rc: 0 }) });
const ANSWERS_1 = Object.freeze({ errno: 0 as const, out: Object.freeze({ rc: 1 }) });

export const getApiVersion: OnIommufd<"VFIO_GET_API_VERSION"> = () => ANSWERS_0;

/** VCC-02: this machine is not configured for devices without an IOMMU. */
export const checkExtension: OnIommufd<"VFIO_CHECK_EXTENSION"> = (ctx, { arg }) => {
  switch (Number(arg)) {
    case VFIO_TYPE1_IOMMU:
    case VFIO_TYPE1v2_IOMMU:
    case VFIO_UNMAP_ALL:
      return ANSWERS_1;
    case VFIO_DMA_CC_IOMMU: {
      if (ctx.vfioIoas === undefined) return fail("ENODEV");
      const { hwpts } = ctx.vfioIoas;
      return hwpts.every(({ domain }) => domain.iommu.enforcesCoherency) ? ANSWERS_1 : ANSWERS_0;
    }
    default:
      return ANSWERS_0;
  }
};

/** VCC-03 */
export const setIommu: OnIommufd<"VFIO_SET_IOMMU"> = (ctx, { arg }) => {
  if (arg !== BigInt(VFIO_TYPE1_IOMMU) && arg !== BigInt(VFIO_TYPE1v2_IOMMU)) return fail("EINVAL");
  if (ctx.vfioIoas === undefined) return fail("ENODEV");
  const errno = arg === BigInt(VFIO_TYPE1_IOMMU) ? ctx.vfioIoas.iopt.setLargePages(false) : 0;
  return errno === 0 ? ANSWERS_0 : fail(errno);
};

/** VCC-10 */
export const mapDma: OnIommufd<"VFIO_MAP_DMA"> = (ctx, args, process) => {
  const { flags, size: length } = args;
  const unknown = (flags & ~(DMA_MAP_READ | DMA_MAP_WRITE)) !== 0;
  if (args.argsz < LAYOUTS.VFIO_MAP_DMA.min || unknown) return fail("EINVAL");
  const iopt = ctx.vfioIoas?.iopt;
  if (iopt === undefined) return fail("ENODEV");
  const writable = (flags & DMA_MAP_WRITE) !== 0;
  const pages = allocPages(ctx, process, args.vaddr, length, writable);
  if (typeof pages === "string") return fail(pages);
  const perm = ((flags & DMA_MAP_READ) === 0 ? 0 : PERM_READ) | (writable ? PERM_WRITE : 0);
  const startByte = args.vaddr % BigInt(pages.pageSize);
  const at = iopt.map([{ pages, startByte, length }], length, args.iova, perm);
  return typeof at === "string" ? fail(at) : done(0);
};

/** What an unmap did; `size` is what it stores, and absent when it stores nothing (VCC-18). */
export interface UnmapDmaResult {
  readonly errno: 0 | Errno;
  readonly size?: bigint;
}

/** VCC-11..18 */
export const unmapDmaOf = (ctx: IommufdCtx, args: In<"VFIO_UNMAP_DMA">): UnmapDmaResult => {
  const { argsz, flags, iova, size } = args;
  if (argsz < LAYOUTS.VFIO_UNMAP_DMA.min || (flags & ~DMA_UNMAP_ALL) !== 0) {
    return { errno: "EINVAL" };
  }
  const iopt = ctx.vfioIoas?.iopt;
  if (iopt === undefined) return { errno: "ENODEV" };
  if (flags === DMA_UNMAP_ALL) {
    if (iova !== 0n || size !== 0n) return { errno: "EINVAL" };
    const { errno, unmapped } = iopt.unmap(0n, U64_MAX);
    return { errno, size: unmapped };
  }
  // VCC-17: the option decides, not the type. VCC-16: cuts stay, whatever comes after them.
  const errno = iopt.largePages ? 0 : cutEnds(iopt, iova, size);
  if (errno !== 0) return { errno };
  if (size === 0n) return { errno: "EINVAL", size: 0n };
  if (wraps(iova, size)) return { errno: "EOVERFLOW", size: 0n };
  const result = iopt.unmap(iova, iova + size - 1n);
  return { errno: result.errno, size: result.unmapped };
};

/** The end is cut first, and computed as 64-bit numbers wrap (VCC-15). */
const cutEnds = (iopt: IoPagetable, iova: bigint, size: bigint): 0 | Errno =>
  iopt.cutBehind(wrap64(iova + size - 1n)) || (iova === 0n ? 0 : iopt.cutBehind(iova - 1n));

export const unmapDma: OnIommufd<"VFIO_UNMAP_DMA"> = (ctx, args) => {
  const { errno, size } = unmapDmaOf(ctx, args);
  // After a failure the caller sees that size was stored only if it is another one.
  if (size === undefined || (errno !== 0 && size === args.size)) return done(errno);
  return { errno, out: { size: size as Bytes } };
};

/** The caller's buffer. */
interface InfoBuffer {
  /** Stores bytes at an offset; false: it faults. */
  store(offset: number, bytes: Uint8Array): boolean;
}

/** Where the first capability is, and the second: capabilities begin at multiples of 8. */
const DMA_AVAIL_AT = LAYOUTS.VFIO_IOMMU_GET_INFO.size;
const IOVA_RANGES_AT = DMA_AVAIL_AT + Math.ceil(INFO_CAP_DMA_AVAIL.size / 8) * 8;
const ELEMENTS_AT = IOVA_RANGES_AT + INFO_CAP_IOVA_RANGE.size;

/** VCC-20..25: whatever fits into the caller's argsz is stored, even parts of a capability. */
export const getInfoInto = (ctx: IommufdCtx, argsz: number, buffer: InfoBuffer): 0 | Errno => {
  const { min, size } = LAYOUTS.VFIO_IOMMU_GET_INFO;
  if (argsz < min) return "EINVAL";
  const iopt = ctx.vfioIoas?.iopt;
  if (iopt === undefined) return "ENODEV";
  const ranges: IovaRange[] = [];
  iopt.reserved.findHole(0n, U64_MAX, 1n, (start, last) => {
    ranges.push([start as Iova, last as Iova]);
    return undefined;
  });
  const needed = ELEMENTS_AT + ranges.length * IOVA_RANGE.size;
  const info = encodeStruct(LAYOUTS.VFIO_IOMMU_GET_INFO, {
    argsz: needed,
    flags: IOMMU_INFO_PGSIZES | IOMMU_INFO_CAPS,
    iova_pgsizes: iopt.pageSizes,
    cap_offset: argsz < needed ? 0 : DMA_AVAIL_AT,
  });
  const array = encodeRanges(ranges);
  const elements = ranges.map((_, i): Piece => {
    const [from, to] = [i * IOVA_RANGE.size, (i + 1) * IOVA_RANGE.size];
    return { at: ELEMENTS_AT + from, bytes: array.subarray(from, to), ifArgsz: ELEMENTS_AT + to };
  });
  const pieces: readonly Piece[] = [
    { at: DMA_AVAIL_AT, bytes: dmaAvail(0), ifArgsz: DMA_AVAIL_AT + INFO_CAP_DMA_AVAIL.size },
    ...elements,
    { at: IOVA_RANGES_AT, bytes: iovaRangeCap(ranges.length), ifArgsz: needed },
    { at: DMA_AVAIL_AT, bytes: dmaAvail(IOVA_RANGES_AT), ifArgsz: IOVA_RANGES_AT },
    { at: 0, bytes: info.subarray(0, Math.min(argsz, size)), ifArgsz: min },
  ];
  const isStored = ({ at, bytes, ifArgsz }: Piece): boolean =>
    argsz < ifArgsz || buffer.store(at, bytes);
  return pieces.every(isStored) ? 0 : "EFAULT";
};

/** Bytes that are stored if the caller's argsz is at least this. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly ifArgsz: number;
}

/** How many mappings are left: there is no limit. */
const dmaAvail = (next: number): Uint8Array =>
  encodeStruct(INFO_CAP_DMA_AVAIL, {
    id: INFO_CAP_ID_DMA_AVAIL,
    version: 1,
    next,
    avail: 0xffff_ffff,
  });

const iovaRangeCap = (nr_iovas: number): Uint8Array =>
  encodeStruct(INFO_CAP_IOVA_RANGE, { id: INFO_CAP_ID_IOVA_RANGE, version: 1, nr_iovas });

/** Bytes of the buffer that a typed call shows. */
const SHOWN = 320;

export const getInfo: OnIommufd<"VFIO_IOMMU_GET_INFO"> = (ctx, args) => {
  const buffer = new Uint8Array(SHOWN).fill(POISON);
  new DataView(buffer.buffer).setUint32(0, args.argsz, true);
  const errno = getInfoInto(ctx, args.argsz, {
    store: (offset, bytes) => {
      // There is memory behind what is shown.
      if (offset < SHOWN) buffer.set(bytes.subarray(0, SHOWN - offset), offset);
      return true;
    },
  });
  if (errno !== 0) return fail(errno);
  const call: CallOf<"VFIO_IOMMU_GET_INFO"> = {
    call: "VFIO_IOMMU_GET_INFO",
    proc: 0,
    thread: 0,
    fd: 0,
    in: args,
  };
  return { errno, out: decodeOutputs(call, buffer) };
};
