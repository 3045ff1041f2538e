/** One IOAS and the objects around it, as the answers told of them. */
import type { Iommu, Device as PlatformDevice } from "../../../spec/platform";
import type { IovaRange } from "../../../spec/units";
import type { DirtyBits } from "./dirty-bits";
import type { Area, Holder } from "./pages";
import { asSet, complement, EVERYTHING, type RangeSet } from "./ranges";

/** One open of /dev/iommu. */
export class Context {
  readonly objects = new Map<number, LiveObject>();
  /** Devices of the VFIO front end bound to it. */
  readonly bound = new Set<Device>();
  /** Fault queues whose file is open. */
  readonly openQueues = new Set<Queue>();
  /** In-kernel users whose file is open. */
  readonly accesses = new Set<Access>();
  /** User space has closed it; bound devices and open files may keep it alive (OBJ-08) or not. */
  closed = false;
  /** undefined: nobody knows. */
  rlimitMode: bigint | undefined = 0n;
  /** Id of the compat IOAS; 0: none; undefined: nobody knows. */
  compat: number | undefined = 0;
}

/** A bound device. */
export interface Device {
  readonly kind: "device";
  readonly ctx: Context;
  readonly id: number;
  /** Index into platform.devices; -1 for one of the mock driver. */
  readonly index: number;
  readonly group: Group;
  readonly iommu: Iommu | undefined;
  readonly reserved: RangeSet;
  hwpt: Hwpt | undefined;
}

/** Devices that cannot be told apart by an IOMMU, and so have one owner and one HWPT. */
export interface Group {
  readonly devices: Set<Device>;
  /** Reserved regions of all its devices: they may count as soon as one attaches (RSV-05). */
  readonly reserved: RangeSet;
}

export interface Hwpt {
  readonly kind: "hwpt";
  readonly id: number;
  /** That of its parent if it is nested. */
  readonly ioas: Ioas;
  readonly devices: Set<Device>;
  /** undefined: it came with an attach, and goes with its last device (DEV-20). */
  readonly made: Made | undefined;
}

/** What is to be known of an HWPT that HWPT_ALLOC made. */
export interface Made {
  /** Index into platform.iommus. */
  readonly iommu: number;
  /** Set if it is nested. */
  readonly parent: Hwpt | undefined;
  readonly queue: Queue | undefined;
  /** Nested HWPTs on it. */
  children: number;
  /** Set if it can track. */
  readonly dirty: DirtyBits | undefined;
}

/** A fault queue. */
export interface Queue {
  readonly kind: "queue";
  readonly ctx: Context;
  readonly id: number;
  /** HWPTs that deliver to it. */
  hwpts: number;
}

/** An in-kernel user. It has an object id as well, which nobody is told. */
export interface Access {
  readonly ctx: Context;
  /** undefined: nobody knows. */
  ioas: Ioas | undefined;
  readonly pinsPages: boolean;
  /** By the numbers that it gave them. */
  readonly items: Map<number, Item>;
}

/** A range that an in-kernel user has pinned. */
export interface Item {
  readonly first: bigint;
  readonly last: bigint;
  /** One for each mapping in the range. */
  readonly pins: readonly Holder[];
}

/** A device of the mock driver, which DESTROY takes away. */
export interface Stdev {
  readonly kind: "stdev";
  readonly device: Device;
}

export type LiveObject = Ioas | Hwpt | Device | Stdev | Queue;

/** A complete answer of IOVA_RANGES. */
export interface RangesAnswer {
  readonly set: RangeSet;
  readonly alignment: bigint;
  /** `Ioas.detaches` at that time. */
  readonly detaches: number;
}

/** In the number of an attachment: further up than any device. */
const MADE_ON = 24;
const PINNED_BY_ACCESS = 2 ** 40;

/** What an aperture leaves out; asked for whenever a device comes or goes. */
const BEYOND = new WeakMap<Iommu, RangeSet>();
const beyond = (iommu: Iommu): RangeSet => {
  let set = BEYOND.get(iommu);
  if (set === undefined) {
    set = complement([iommu.aperture]);
    BEYOND.set(iommu, set);
  }
  return set;
};

export class Ioas {
  readonly kind = "ioas";
  readonly id: number;
  readonly ctx: Context;
  /** Ascending, disjoint. */
  readonly areas: Area[] = [];
  doubts = 0;
  /** Mappings that may be there, nobody knows where: those of MAPs whose answer got lost. */
  readonly strays: Area[] = [];
  readonly hwpts = new Set<Hwpt>();
  readonly devices = new Set<Device>();
  readonly accesses = new Set<Access>();
  readonly added: IovaRange[] = [];
  /** undefined: nobody knows. */
  allowed: RangeSet | undefined = [];
  /** undefined: nobody knows. */
  huge: bigint | undefined = 1n;
  /** VFIO_SET_IOMMU has made it a container of TYPE1, which can cut mappings. */
  isType1 = false;
  /** True: nobody knows what is reserved (DEV-35). */
  fog = false;
  /** Something that can ask for an alignment was on it. */
  everAttached = false;
  attaches = 0;
  detaches = 0;

  /** The last complete answer, and what happened to the IOAS since. */
  answer: RangesAnswer | undefined;
  narrowed = false;
  widened = false;
  reshaped = false;
  /** Complete answers by attachments, for the present `added` and without an allowed list. */
  answers: Map<number, RangesAnswer> | undefined;

  #usable: RangeSet | undefined;
  #promised: RangeSet | undefined;
  #key: number | undefined;
  #shape: number | undefined;
  #least: bigint | undefined;

  readonly #iommus: readonly Iommu[];

  constructor(id: number, ctx: Context, iommus: readonly Iommu[]) {
    this.id = id;
    this.ctx = ctx;
    this.#iommus = iommus;
  }

  /** Of a mapping that may be gone: one whose place nobody knows may be where it was. */
  isVague(area: Area): boolean {
    return !area.sure && this.strays.length > 0;
  }

  /** IOVAs that nothing known reserves. */
  get usable(): RangeSet {
    this.#usable ??= this.#complement((device) => device.reserved);
    return this.#usable;
  }

  /** IOVAs that nothing can have reserved: fellows of an attached device may count (RSV-05). */
  get promised(): RangeSet {
    this.#promised ??= this.#complement((device) => device.group.reserved);
    return this.#promised;
  }

  #complement(reservedBy: (device: Device) => RangeSet): RangeSet {
    const { size } = this.devices;
    if (size === 0 && this.added.length === 0 && this.hwpts.size === 0) return EVERYTHING;
    const reserved: IovaRange[] = [...this.added];
    for (const device of this.devices) {
      reserved.push(...reservedBy(device));
      if (device.iommu) reserved.push(...beyond(device.iommu));
    }
    for (const { made } of this.hwpts) {
      const iommu = made && this.#iommus[made.iommu];
      if (iommu) reserved.push(...beyond(iommu));
    }
    return complement(asSet(reserved));
  }

  /** A number for what is attached, as far as it matters to ranges and alignment. */
  get attached(): number {
    if (this.#key === undefined) {
      this.#key = 0;
      for (const { index } of this.devices) this.#key += index < 0 ? 0 : 2 ** index;
      // All devices of the mock driver are alike.
      if (this.#key === 0 && this.devices.size > 0) this.#key = 1;
      // Several on one IOMMU ask for no more than one.
      const made = new Set([...this.hwpts].map((hwpt) => hwpt.made?.iommu));
      for (const iommu of made) if (iommu !== undefined) this.#key += 2 ** (MADE_ON + iommu);
      for (const { pinsPages } of this.accesses) {
        if (!pinsPages) continue;
        this.#key += PINNED_BY_ACCESS;
        break;
      }
    }
    return this.#key;
  }

  /** The same with the option, where that is known: what the alignment goes by. */
  get shape(): number {
    this.#shape ??= this.attached * 2 + Number(this.huge);
    return this.#shape;
  }

  /** The alignment cannot be smaller: no domain can translate less than one of its pages. */
  alignmentAtLeast(pageSize: number): bigint {
    this.#least ??= BigInt(this.#pageAtLeast(this.huge === 0n ? pageSize : 1));
    return this.#least;
  }

  #pageAtLeast(size: number): number {
    let least = size;
    for (const { iommu } of this.devices) least = Math.max(least, iommu?.ioPageSize ?? 1);
    for (const { made } of this.hwpts) {
      least = Math.max(least, this.#iommus[made?.iommu ?? -1]?.ioPageSize ?? 1);
    }
    return least;
  }

  /**
   * Attachments or reservations are about to be others; "reshaped": in-kernel users, options or
   * the list of allowed IOVAs.
   */
  moved(how: "narrowed" | "widened" | "reshaped"): void {
    this[how] = true;
    if (how !== "reshaped") {
      this.#usable = undefined;
      this.#promised = undefined;
    }
    this.#key = undefined;
    this.#shape = undefined;
    this.#least = undefined;
  }

  /** Index of the first area that ends at `iova` or later. */
  firstAt(iova: bigint): number {
    const { areas } = this;
    let low = 0;
    let high = areas.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((areas[middle] as Area).last < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const groupReserved = (
  devices: readonly PlatformDevice[],
  group: number | null,
): RangeSet => {
  const all: IovaRange[] = [];
  for (const device of devices) if (device.group === group) all.push(...device.reserved);
  return all;
};
