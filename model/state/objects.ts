/**
 * The objects of an iommufd and how they hang together (OBJ-05).
 *
 *     Context ── Ioas ── Area ── Pages ── Pin ── Page (memory.ts)
 *                  ├──── Hwpt ── Group ── BoundDevice
 *                  │      └── NestedHwpt ── FaultQueue
 *                  └──── Access ── PinnedRange
 *
 * Areas of one IOAS are disjoint and sorted. A Pages object belongs to one MAP and is shared by
 * its copies (CPY-21). An HWPT translates what its IOAS maps, so translations are never stored:
 * the areas are the translations (DOM-01). Alignment and usable ranges follow from the rest and
 * are kept only because every MAP asks for them; ioas.ts alone writes them.
 */
import type { PageFault } from "../../spec/fields";
import type { Device } from "../../spec/platform";
import type { IovaRange } from "../../spec/units";
import type { Interval } from "./intervals";
import type { Page } from "./memory";
import type { Pending } from "./seen";

/** One open of /dev/iommu (GEN-22). */
export interface Context {
  /** Ids are the IUT's own. */
  readonly objects: Map<number, IommufdObject>;
  /** RLIMIT_MODE: pins are charged to the process instead of the user. */
  byProcess: boolean;
  /** The IOAS registered by VFIO_IOAS. */
  compat: Ioas | undefined;
  /** False once user space closed it. */
  open: boolean;
  /** Open files of bound devices and in-kernel users: they keep it alive after that (OBJ-08). */
  holders: number;
  /** Ids of automatic HWPTs that went with their last device (DEV-20). */
  readonly goneHwpts: Set<number>;
  /** The registered compat IOAS was destroyed (DES-07). */
  compatGone: boolean;
}

export type IommufdObject = Ioas | AnyHwpt | FaultQueue | BoundDevice | Stdev | Access;

export interface Ioas {
  readonly type: "ioas";
  readonly id: number;
  /** Sorted, disjoint. */
  readonly areas: Area[];
  /** Elements of ALLOW_IOVAS, and the same with those that touch joined. */
  allowed: readonly Interval[];
  allowedSpans: readonly Interval[];
  /** A sorted multiset: equal reservations of two owners are two (RSV-04). */
  reservations: Reservation[];
  /** Its domains, in the order of their creation (DEV-12). */
  readonly hwpts: Hwpt[];
  /** Attached in-kernel users. */
  readonly accesses: Access[];
  hugePages: boolean;
  /** ALN-01. */
  alignment: bigint;
  /** What ALN-01 makes of it; in profile documented an IUT may have told another. */
  alignmentByRule: bigint;
  /** What nothing reserves (RNG-03). */
  usable: readonly IovaRange[];
  readonly seen: SeenOfIoas;
}

export interface Reservation extends Interval {
  /** The HWPT whose aperture ends here, the device, or nobody (RSV-07). */
  readonly owner: Hwpt | BoundDevice | undefined;
}

export interface Area extends Interval {
  readonly pages: Pages;
  /** Offset of the first byte in the memory of `pages`, which starts at a page boundary. */
  readonly startByte: bigint;
  readonly readable: boolean;
  readonly writeable: boolean;
  /** Number of the call that made it. */
  readonly born: number;
  readonly seen: SeenOfArea;
}

/** The user memory of one MAP: iopt_pages. */
export interface Pages {
  readonly proc: number;
  /** user_va, down to its page boundary, and the number of that page. */
  readonly va: bigint;
  readonly firstPage: number;
  /** The MAP had WRITEABLE: pins are for writing (PIN-06), copies may write (CPY-10). */
  readonly writeable: boolean;
  /** Who is charged for pins (ACT-01), and who the user was then. */
  readonly account: "none" | "user" | "process";
  readonly uid: number;
  /** By page index within the memory: what a domain or an in-kernel user needs. */
  readonly pins: Map<number, Pin>;
}

export interface Pin {
  readonly page: Page;
  /** Areas in IOASs with a domain, and ranges of in-kernel users: it is pinned once for all. */
  holders: number;
}

/** What devices attach to. */
export type AnyHwpt = Hwpt | NestedHwpt;

/** A paging HWPT: a domain of its IOAS. */
export interface Hwpt {
  readonly type: "hwpt";
  readonly id: number;
  readonly ioas: Ioas;
  /** Index into platform.iommus: it serves the devices of this IOMMU only. */
  readonly iommu: number;
  readonly ioPageSize: bigint;
  /** All its page sizes, one bit each (VCC-22). */
  readonly pageSizes: bigint;
  /** Made by an attach, and gone with its last device (DEV-20); the others are made by hand. */
  readonly auto: boolean;
  readonly nestParent: boolean;
  /** Undefined: made without DIRTY_TRACKING (DTY-03). */
  readonly dirty: DirtyLog | undefined;
  /** Attached devices and nested HWPTs: its users. */
  devices: number;
  children: number;
  /** A device was attached once. */
  hadDevice: boolean;
  readonly born: number;
  /** It got pinned pages that the user address no longer leads to (DOM-08). */
  filledStale: boolean;
}

/** What one call may have cleared or not: all of these pages, or none. */
export interface Doubt {
  readonly pages: Set<number>;
}

/** Which pages a device has written to, as the IOMMU notes it in one domain (DTY-24). */
export interface DirtyLog {
  tracking: boolean;
  /** IOVAs in IOMMU pages. */
  readonly pages: Set<number>;
  /** Those among them of which no answer shows whether they still are. */
  readonly doubtful: Map<number, Doubt>;
  /** Shown by a right answer about that IOVA; see seen.ts. */
  readonly seen: Pending;
}

/** A page table of user space's own, below a paging HWPT. */
export interface NestedHwpt {
  readonly type: "nested";
  readonly id: number;
  readonly parent: Hwpt;
  /** The parent's, where attached devices reserve their regions (RSV-06). */
  readonly ioas: Ioas;
  readonly iommu: number;
  /** The slots of the mock driver's IOTLB (INV-07). */
  readonly iotlb: number[];
  readonly queue: FaultQueue | undefined;
  devices: number;
}

/**
 * Page faults on their way to user space (FLT). A fault waits in the queue of the nested HWPT
 * that its device is attached to; reading it gives it a cookie, by which it is answered.
 */
export interface FaultQueue {
  readonly type: "fault";
  readonly id: number;
  readonly context: Context;
  /** The file by which user space reads and answers; a user of the queue, as are HWPTs (FLT-02). */
  fileIsOpen: boolean;
  hwpts: number;
  /** Not read yet, the oldest first. */
  waiting: Fault[];
  /** Those whose device left before they were read (FLT-07). */
  readonly gone: Fault[];
  /** Read but not answered, by cookie. */
  readonly unanswered: Map<number, Fault>;
  /** Cookies of faults that were answered because their device left (FLT-07). */
  readonly goneCookies: Set<number>;
  /** Cookie 0 was answered to while a fault waited for its answer: 6.12 may give it out (FLT-06). */
  zeroIsFree: boolean;
}

export interface Fault {
  readonly device: BoundDevice;
  readonly record: Omit<PageFault, "cookie">;
}

export interface Group {
  /** The context that owns the DMA of the group, while a device of it is bound. */
  owner: Context | undefined;
  lastOwner: Context | undefined;
  readonly bound: BoundDevice[];
  readonly attached: BoundDevice[];
  /** What the attached devices share (DEV-15). */
  hwpt: AnyHwpt | undefined;
}

export interface BoundDevice {
  readonly type: "device";
  readonly id: number;
  readonly context: Context;
  readonly group: Group;
  readonly iommu: number;
  readonly reserved: readonly Interval[];
  /** Its IOMMU can note what it writes to (HWI-07). */
  readonly tracksDirty: boolean;
  /** Page sizes of a domain that is made for it, one bit each. */
  readonly pageSizes: bigint;
  /** GET_HW_INFO was answered (HWI-10). */
  infoAsked: boolean;
}

/** The selftest object that stands for a mock device and its binding (TST-02). */
export interface Stdev {
  readonly type: "stdev";
  readonly id: number;
  readonly device: BoundDevice;
}

/** A device of a VFIO platform, bound or not. */
export interface PhysicalDevice {
  readonly spec: Device;
  readonly reserved: readonly Interval[];
  readonly group: Group;
  bound: BoundDevice | undefined;
  /** What it said of itself. */
  info: DeviceInfo | undefined;
  /** Its own memory; undefined before its first DMA. */
  buffer: DeviceBuffer | undefined;
}

export interface DeviceBuffer {
  readonly bytes: Uint8Array;
  /** 1 for each byte that nobody knows: before anything was loaded, and after a blocked DMA. */
  readonly open: Uint8Array;
}

/** What VFIO_GET_INFO tells of a device. */
export interface DeviceInfo {
  readonly flags: number;
  readonly num_regions: number;
  readonly num_irqs: number;
}

/** An open file of a VFIO device cdev. */
export interface Cdev {
  readonly device: PhysicalDevice;
  bound: BoundDevice | undefined;
}

/** An in-kernel user of an IOAS (iommufd_access), behind a file of the mock driver. */
export interface Access {
  readonly type: "access";
  readonly context: Context;
  /** Always set: it is attached when it is made, and goes when its file is closed. */
  ioas: Ioas;
  /** It may pin, and so needs page alignment (ALN-01). */
  readonly pinsPages: boolean;
  /** What it has pinned, by the number that it got. */
  readonly ranges: Map<number, PinnedRange>;
  nextRange: number;
  /** Numbers of what it had to let go of (ACC-30). */
  readonly revoked: Set<number>;
}

/** What one ACCESS_PAGES has pinned. */
export interface PinnedRange extends Interval {
  /** The parts of areas that it lies in; none of them is ever cut while it does (VCC-15). */
  readonly pieces: readonly Piece[];
}

/** Bytes [first, last] of an area, in IOVA; `startByte` is where they are in `pages`. */
export interface Piece extends Interval {
  readonly area: Area;
  readonly pages: Pages;
  readonly startByte: bigint;
}

/** What coverage remembers of an IOAS; see seen.ts. */
export interface SeenOfIoas {
  /** Nothing was done with it yet. */
  fresh: boolean;
  hadDevice: boolean;
  /** IOVA_RANGES answered and nothing changed since. */
  rangesAsked: boolean;
  reservedSinceAuto: boolean;
  readonly translate: Pending;
  readonly ranges: Pending;
  readonly auto: Pending;
  /** Shown by a later MAP, UNMAP, COPY or TRANSLATE at that IOVA. */
  readonly areas: Pending;
}

/** What coverage remembers of an area. */
export interface SeenOfArea {
  /** Made by MAP while the IOAS had a domain. */
  readonly pinnedByMap: boolean;
  readonly copyOf: Area | undefined;
  /** One of several areas of one COPY. */
  readonly piece: boolean;
  /** Copied when its pages were no longer those at the user address (CPY-31). */
  readonly copiedStale: boolean;
  removed: boolean;
  outlivedAllowed: boolean;
}
