/**
 * What a generator wants to know about the predicted state. The state itself is the model's
 * (DESIGN §7); these are only the questions asked of it.
 */
import type { IovaRange } from "../../spec/units";

export interface AreaView {
  readonly first: bigint;
  readonly last: bigint;
  /** Offset of its first byte in the memory of its MAP. */
  readonly startByte: bigint;
  /** That memory: its page-aligned user address, and whether it may be mapped writeable. */
  readonly pages: { readonly va: bigint; readonly writeable: boolean };
}

/** Where the first byte of an area lies in user memory. */
export const userVaOf = (area: AreaView): bigint => area.pages.va + area.startByte;

export interface IoasView {
  readonly fd: number;
  readonly id: number;
  /** Ascending. */
  readonly areas: readonly AreaView[];
  readonly alignment: bigint;
  readonly hugePages: boolean;
  /** IOVAs that may be mapped, ascending. */
  readonly ranges: readonly IovaRange[];
  readonly allowed: readonly { readonly first: bigint; readonly last: bigint }[];
  /** Ids of its domains. */
  readonly hwpts: readonly number[];
  /** The one that VFIO_IOAS has set. */
  readonly isCompat: boolean;
}

export interface MockView {
  readonly fd: number;
  readonly stdev: number;
  readonly idev: number;
  readonly hwpt: number;
  readonly ioas: number;
}

export interface CdevView {
  readonly devfd: number;
  /** Index into platform.devices. */
  readonly dev: number;
  /** The iommufd it is bound to; undefined while unbound. */
  readonly fd: number | undefined;
  /** Its object id there. */
  readonly devid: number;
  /** What it is attached to; undefined while detached. */
  readonly hwpt: number | undefined;
  readonly ioas: number | undefined;
}

/** A device that is bound, whatever the front end. */
export interface DeviceView {
  readonly fd: number;
  readonly id: number;
  /** Its IOMMU notes what it writes to. */
  readonly tracksDirty: boolean;
}

export interface HwptView {
  readonly fd: number;
  readonly id: number;
  /** The IOAS it translates; that of its parent if it is nested. */
  readonly ioas: number;
  readonly auto: boolean;
  readonly nestParent: boolean;
  /** undefined: it cannot track what is written to. */
  readonly tracking: boolean | undefined;
  readonly ioPageSize: bigint;
  /** What the slots of its IOTLB hold; undefined: it is not nested. */
  readonly iotlb: readonly number[] | undefined;
  /** It delivers page faults. */
  readonly faults: boolean;
}

/** An in-kernel user. */
export interface AccessView {
  readonly file: number;
  /** Its iommufd, and the IOAS it is attached to. */
  readonly fd: number;
  readonly ioas: number;
  readonly pinsPages: boolean;
  /** Numbers of what it has pinned, and of what it had to let go of. */
  readonly pinned: readonly number[];
  readonly revoked: readonly number[];
}

export interface QueueView {
  readonly fd: number;
  readonly id: number;
  /** undefined once its file is closed. */
  readonly file: number | undefined;
  readonly waiting: number;
  /** Cookies of faults that were read, and of those that nobody waits for any more. */
  readonly unanswered: readonly number[];
  readonly gone: readonly number[];
}

export interface SceneView {
  /** Indexes of the processes that are there. */
  readonly processes: readonly number[];
  /** Open iommufds, oldest first. */
  readonly fds: readonly number[];
  readonly ioases: readonly IoasView[];
  readonly mocks: readonly MockView[];
  readonly cdevs: readonly CdevView[];
  readonly devices: readonly DeviceView[];
  /** Paging and nested ones, automatic and made by hand. */
  readonly hwpts: readonly HwptView[];
  readonly accesses: readonly AccessView[];
  readonly queues: readonly QueueView[];
}
