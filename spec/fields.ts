import type { Bytes, Iova, IovaRange, UserVa } from "./units";

/** What one field of a call holds: its TypeScript type here, its JSON form in json/. */
export interface FieldTypes {
  /** Numbers up to 32 bits; JSON numbers in files. */
  u8: number;
  u16: number;
  u32: number;
  s32: number;
  /** A u32 object id of an iommufd; 0 is never one. */
  id: number;
  /** A u32 number that an in-kernel user of the mock driver gives to what it pinned, from 0 on. */
  item: number;
  /** A file descriptor of the calling process; -1 is never one. */
  fd: number;
  /** 64-bit numbers; "0x…" strings in files. */
  u64: bigint;
  iova: Iova;
  bytes: Bytes;
  va: UserVa;
  /** Bytes as lower-case hex digits. */
  hex: string;
  /** CPU access rights of user memory. */
  prot: Prot;
  /** What backs user memory. */
  backing: Backing;
  /** Which way a device moves bytes: from memory to the device, or from the device to memory. */
  direction: "to_device" | "from_device";
  /** Inclusive IOVA ranges, [[start, last], …]. */
  ranges: readonly IovaRange[];
  /** Pins of consecutive pages, run-length encoded. */
  pins: readonly PinRun[];
  /** What one domain translates, in ascending order. */
  translations: readonly Translation[];
  /** Page faults as a fault file hands them out. */
  faults: readonly PageFault[];
  /** Answers to page faults; in a trace, a cookie may be a handle. */
  responses: readonly PageResponse[];
  /** The capability chain of VFIO_IOMMU_GET_INFO, in its order. */
  caps: readonly InfoCap[];
}

export type FieldType = keyof FieldTypes;

export type Prot = "none" | "r" | "rw";
export type Backing = "anon-shared" | "anon-private" | "memfd";
/** `pages` consecutive pages with this number of pins, or without a page at all. */
export type PinRun = readonly [pins: number | "EFAULT", pages: number];

/** A stretch of IOVA that a domain translates to consecutive physical bytes with one permission. */
export interface Translation {
  readonly iova: Iova;
  readonly length: Bytes;
  /** 1 device may read, 2 device may write, 3 both, 0 neither. */
  readonly perm: number;
  /** The IUT's own physical address of the first byte. Only equality of pages means anything. */
  readonly pa: bigint;
}

/** struct iommu_hwpt_pgfault. */
export interface PageFault {
  readonly flags: number;
  readonly dev_id: number;
  readonly pasid: number;
  readonly grpid: number;
  readonly perm: number;
  readonly reserved: number;
  readonly addr: bigint;
  readonly length: number;
  readonly cookie: number;
}

/** struct iommu_hwpt_page_response. */
export interface PageResponse {
  readonly cookie: number;
  readonly code: number;
}

/** A vfio_info_cap_header and what follows it; which of the two, `id` says. */
export interface InfoCap {
  readonly id: number;
  readonly version: number;
  /** Its own offset in the buffer, and that of the next one; 0: it is the last. */
  readonly at: number;
  readonly next: number;
  /** Of VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL. */
  readonly avail?: number;
  /** Of VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE. */
  readonly ranges?: readonly IovaRange[];
}

export type Fields = Readonly<Record<string, FieldType>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: FieldTypes[F[K]] };

/** The value of a field that a file leaves out. */
export const ABSENT: { readonly [K in FieldType]: FieldTypes[K] } = {
  u8: 0,
  u16: 0,
  u32: 0,
  s32: 0,
  id: 0,
  item: 0,
  fd: 0,
  u64: 0n,
  iova: 0n as Iova,
  bytes: 0n as Bytes,
  va: 0n as UserVa,
  hex: "",
  prot: "none",
  backing: "anon-shared",
  direction: "to_device",
  // One for all calls, so that nobody may change it.
  ranges: Object.freeze([]),
  pins: Object.freeze([]),
  translations: Object.freeze([]),
  faults: Object.freeze([]),
  responses: Object.freeze([]),
  caps: Object.freeze([]),
};
