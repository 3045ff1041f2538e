/**
 * The whole machine: open files, devices, processes. One value of this type is one hypothesis
 * about the state of the IUT; it is changed in place, and copied only where the documents leave
 * open what a call did. It holds plain data only, so that structuredClone copies it.
 */
import type { Platform } from "../../spec/platform";
import type { IovaRange } from "../../spec/units";
import { complement, type Interval } from "./intervals";
import { bootProcesses, type Page, type ProcessState } from "./memory";
import type { Access, Cdev, Context, FaultQueue, Group, PhysicalDevice } from "./objects";
import type { Pending } from "./seen";

export interface MachineState {
  readonly platform: Platform;
  readonly pageSize: number;
  /** The page size again, for arithmetic with addresses. */
  readonly page: bigint;
  readonly thpSize: bigint;
  /** Open iommufds; one can have several numbers. */
  readonly fds: Map<number, Context>;
  /** Open device cdevs. */
  readonly cdevs: Map<number, Cdev>;
  /** In-kernel users, by the number of their file. */
  readonly accesses: Map<number, Access>;
  /** Fault queues, by the number of their file. */
  readonly faultFiles: Map<number, FaultQueue>;
  /** By index in platform.iommus. */
  readonly iommus: readonly IommuState[];
  /** By index in platform.devices. */
  readonly devices: readonly PhysicalDevice[];
  /** By index; undefined: not there. */
  readonly processes: (ProcessState | undefined)[];
  /** Indexes of processes that exited. */
  readonly ended: Set<number>;
  /** The processes that have an open file: an iommufd by its number, others by what they are. */
  readonly owners: Map<object | number, Set<number>>;
  /** Pages charged to each user (ACT-03). */
  readonly charged: Map<number, number>;
  /** Pages by the physical page number that the IUT showed for them. */
  readonly tokens: Map<bigint, Page>;
  /** Bytes of a list of pages that is worked on at a time (TST-06). */
  memoryLimit: number;
  /** How many calls there were: dates things. */
  calls: number;
  nextFd: number;
  nextCdev: number;
  /** Of in-kernel users and of fault queues. */
  nextFile: number;
  nextFrame: number;
  /** Shown by PAGE_REFS at that user address; by PROC_STATUS; see seen.ts. */
  readonly seenRefs: Pending;
  readonly seenStatus: Pending;
}

export interface IommuState {
  readonly ioPageSize: bigint;
  /** The IOVAs that it cannot translate (DOM-02). */
  readonly outside: readonly Interval[];
  readonly tracksDirty: boolean;
  readonly nests: boolean;
}

const outsideOf = (aperture: IovaRange): Interval[] =>
  complement([{ first: aperture[0], last: aperture[1] }]).map(toInterval);

const toInterval = ([first, last]: IovaRange): Interval => ({ first, last });

/** A mock device is alone in its group, and so is a device that has none (DEV-02). */
export const newGroup = (): Group => ({
  owner: undefined,
  lastOwner: undefined,
  bound: [],
  attached: [],
  hwpt: undefined,
});

/** TST-06: 6.12's own, in bytes, as long as nobody has set another. */
export const USUAL_MEMORY_LIMIT = 65_536;

export const boot = (platform: Platform): MachineState => {
  const groups = new Map<number, Group>();
  const devices = platform.devices.map((spec): PhysicalDevice => {
    let group = newGroup();
    if (spec.group !== null) {
      group = groups.get(spec.group) ?? group;
      groups.set(spec.group, group);
    }
    return {
      spec,
      reserved: spec.reserved.map(toInterval),
      group,
      bound: undefined,
      info: undefined,
      buffer: undefined,
    };
  });
  return {
    platform,
    pageSize: platform.pageSize,
    page: BigInt(platform.pageSize),
    thpSize: platform.thpSize,
    fds: new Map(),
    cdevs: new Map(),
    accesses: new Map(),
    faultFiles: new Map(),
    iommus: platform.iommus.map(({ ioPageSize, aperture, dirty, nesting }) => ({
      ioPageSize: BigInt(ioPageSize),
      outside: outsideOf(aperture),
      tracksDirty: dirty === true,
      nests: nesting === true,
    })),
    devices,
    processes: bootProcesses(platform),
    ended: new Set(),
    owners: new Map(),
    charged: new Map(),
    tokens: new Map(),
    memoryLimit: USUAL_MEMORY_LIMIT,
    calls: 0,
    nextFd: 0,
    nextCdev: 0,
    nextFile: 0,
    nextFrame: 1,
    seenRefs: [],
    seenStatus: [],
  };
};
