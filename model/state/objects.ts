/**
 * The objects of an iommufd and how they hang together (OBJ-05).
 *
 *     Context ── Ioas ── Area ── Pages ── Pin ── Page (memory.ts)
 *                  └──── Hwpt ── Group ── BoundDevice
 *
 * Areas of one IOAS are disjoint and sorted. A Pages object belongs to one MAP and is shared by
 * its copies (CPY-21). An HWPT translates what its IOAS maps, so translations are never stored:
 * the areas are the translations (DOM-01). Alignment and usable ranges follow from the rest and
 * are kept only because every MAP asks for them; ioas.ts alone writes them.
 */
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
  /** VFIO devices bound to it: they keep it alive after that (OBJ-08). */
  cdevs: number;
  /** Ids of automatic HWPTs that went with their last device (DEV-20). */
  readonly goneHwpts: Set<number>;
  /** The registered compat IOAS was destroyed (DES-07). */
  compatGone: boolean;
}

export type IommufdObject = Ioas | Hwpt | BoundDevice | Stdev;

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
  /** Automatic HWPTs in the order of their creation (DEV-12). */
  readonly hwpts: Hwpt[];
  hugePages: boolean;
  /** ALN-01. */
  alignment: bigint;
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
  /** Who is charged for pins (ACT-01). */
  readonly account: "none" | "user" | "process";
  /** By page index within the memory: what some area in an IOAS with a domain needs. */
  readonly pins: Map<number, Pin>;
}

export interface Pin {
  readonly page: Page;
  /** Areas in IOASs with a domain that need it. The page is pinned once for all of them. */
  holders: number;
}

/** A paging HWPT; all are automatic so far. */
export interface Hwpt {
  readonly type: "hwpt";
  readonly id: number;
  readonly ioas: Ioas;
  /** Index into platform.iommus: it serves the devices of this IOMMU only. */
  readonly iommu: number;
  readonly ioPageSize: bigint;
  /** Attached devices: its users. */
  devices: number;
  readonly born: number;
  /** It got pinned pages that the user address no longer leads to (DOM-08). */
  filledStale: boolean;
}

export interface Group {
  /** The context that owns the DMA of the group, while a device of it is bound. */
  owner: Context | undefined;
  lastOwner: Context | undefined;
  readonly bound: BoundDevice[];
  readonly attached: BoundDevice[];
  /** What the attached devices share (DEV-15). */
  hwpt: Hwpt | undefined;
}

export interface BoundDevice {
  readonly type: "device";
  readonly id: number;
  readonly context: Context;
  readonly group: Group;
  readonly iommu: number;
  readonly reserved: readonly Interval[];
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
  /** Its own memory; undefined before its first DMA. */
  buffer: DeviceBuffer | undefined;
}

export interface DeviceBuffer {
  readonly bytes: Uint8Array;
  /** 1 for each byte that nobody knows: before anything was loaded, and after a blocked DMA. */
  readonly open: Uint8Array;
}

/** An open file of a VFIO device cdev. */
export interface Cdev {
  readonly device: PhysicalDevice;
  bound: BoundDevice | undefined;
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
