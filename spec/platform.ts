import type { Backing, Prot } from "./fields";
import { deepFreeze } from "./frozen";
import type { Need } from "./needs";
import { HW_INFO_TYPE_MOCK, HW_INFO_TYPE_VTD } from "./uapi/flags";
import type { Bytes, Iova, IovaRange, UserVa } from "./units";

/**
 * A machine as data: an IUT builds one like it, the model judges by it, the generator makes
 * calls that fit it.
 */
export interface Platform {
  /** Short name for people: "mock", "vfio". */
  readonly name: string;
  /** Bytes of a CPU page; a power of two. */
  readonly pageSize: number;
  /** Cap of the alignment that automatic IOVAs are given (AUT-06): the size of a huge page. */
  readonly thpSize: Bytes;
  /**
   * `mock`: devices are made by MOCK_DOMAIN, each in a group of its own, all behind iommus[0].
   * `vfio`: devices exist from the start and are reached through their cdevs.
   */
  readonly frontEnd: "mock" | "vfio";
  readonly iommus: readonly Iommu[];
  /** Empty for the mock front end. */
  readonly devices: readonly Device[];
  /** The process that runs the trace, and others if there are any. */
  readonly processes: readonly Process[];
  /**
   * Where the pages of user memory lie physically: one after the other as in virtual memory, or
   * no two neighbours together. No outcome may depend on it. Absent: wherever they happen to be.
   */
  readonly physical?: "contiguous" | "scattered";
}

/** One IOMMU: domains made for it serve its own devices only. */
export interface Iommu {
  /** Smallest page of its page tables in bytes; a power of two. */
  readonly ioPageSize: number;
  /** IOVAs it can translate. Everything else is reserved while a domain of it is in the IOAS. */
  readonly aperture: IovaRange;
  /** It notes which pages a device has written to (HWI-07); absent: it does not. */
  readonly dirty?: boolean;
  /** Its page tables can be nested; absent: they cannot. */
  readonly nesting?: boolean;
  /** It can make DMA coherent against a device's will (VCC-02); absent: it cannot. */
  readonly enforcesCoherency?: boolean;
  /** What GET_HW_INFO tells; absent: type NONE and no data (HWI-06). */
  readonly hwInfo?: HwInfo;
}

export interface HwInfo {
  readonly type: number;
  /** The bytes of the struct that belongs to the type, as hex digits. */
  readonly data: string;
}

export interface Device {
  /** Index into platform.iommus. */
  readonly iommu: number;
  /** Devices with the same number share a group; null: the device has none (DEV-02). */
  readonly group: number | null;
  /** Regions that no mapping may touch while the device is attached. */
  readonly reserved: readonly IovaRange[];
  /** False: DMA of the device is not coherent with CPU caches (DEV-01). */
  readonly coherent: boolean;
  /** False: its interrupts are not isolated, and unsafe ones are not allowed (DEV-03). */
  readonly msiIsolated: boolean;
  /** True: a kernel driver that uses the DMA API holds a device of its group (DEV-05). */
  readonly kernelDriverInGroup: boolean;
}

export interface Process {
  readonly uid: number;
  /** Capabilities that matter: without IPC_LOCK pins are charged, SYS_RESOURCE sets RLIMIT_MODE. */
  readonly capabilities: readonly Capability[];
  /** RLIMIT_MEMLOCK in bytes, soft and hard; null: unlimited. */
  readonly memlock: Bytes | null;
  /** What is mapped before the first call; the memory is zero. */
  readonly memory: readonly MemoryRegion[];
}

export type Capability = "IPC_LOCK" | "SYS_RESOURCE";

export interface MemoryRegion {
  /** Name for handles: "buf1 + 0x800". */
  readonly name: string;
  readonly va: UserVa;
  readonly length: Bytes;
  readonly prot: Prot;
  readonly kind: Backing;
  /** For memfd: regions with the same number show the same file. */
  readonly memfd?: number;
  /** Offset into the memfd, a multiple of the page size. */
  readonly offset?: Bytes;
}

/**
 * User memory that exists in every process beside `memory` and is never mapped for DMA: arrays
 * that calls read or write live here. Its contents are set before each call, so it has no state.
 */
export const SCRATCH: { readonly va: UserVa; readonly length: Bytes } = {
  va: 0x1_0000_0000n as UserVa,
  length: 0x1_0000n as Bytes,
};

/** What every platform offers, its devices left aside. */
const OFFERED_BY_ALL: readonly Need[] = [
  "page-refs",
  "proc-status",
  "raw-bytes",
  "self-report",
  "compat",
  "dup",
  "second-process",
  "privilege",
  "memlimit",
];

/**
 * What a platform offers to clauses and calls.
 * @param hasDevices false: to an IUT that does not know this platform's kind of devices
 */
export const offersOf = (platform: Platform, hasDevices = true): ReadonlySet<Need> => {
  const offers = new Set<Need>(OFFERED_BY_ALL);
  if (!hasDevices) return offers;
  offers.add("device").add("translate").add("hwpt").add(platform.frontEnd);
  if (platform.frontEnd === "vfio") offers.add("dma").add("dma-result").add("device-info");
  else offers.add("access").add("fault-queue").add("small-batches");
  if (platform.iommus.some((iommu) => iommu.dirty)) offers.add("dirty");
  if (platform.iommus.some((iommu) => iommu.nesting)) offers.add("nesting");
  const nests = (device: Device): boolean => platform.iommus[device.iommu]?.nesting === true;
  if (platform.devices.some((device) => device.reserved.length > 0 && nests(device))) {
    offers.add("reserved-nesting");
  }
  if (platform.iommus.some((iommu) => !iommu.hwInfo)) offers.add("silent-iommu");
  const groups = platform.devices.map((device) => device.group);
  if (groups.some((group, i) => group !== null && groups.indexOf(group) !== i)) {
    offers.add("multi-device-group");
  }
  if (new Set(platform.devices.map((device) => device.iommu)).size > 1) offers.add("mixed-iommus");
  if (platform.devices.some((device) => !fits(device))) offers.add("unfit-device");
  if (platform.iommus.some((iommu) => iommu.ioPageSize > platform.pageSize)) {
    offers.add("large-iommu-page");
  }
  return offers;
};

/** False: it has a reason to refuse a bind. */
export const fits = (device: Device): boolean =>
  device.group !== null && device.coherent && device.msiIsolated && !device.kernelDriverInGroup;

const range = (start: bigint, last: bigint): IovaRange => [start as Iova, last as Iova];

const region = (
  index: number,
  length: bigint,
  prot: Prot,
  kind: Backing,
  memfd?: { readonly memfd: number; readonly offset: Bytes },
): MemoryRegion => ({
  name: `buf${index}`,
  va: (0x2000_0000_0000n + BigInt(index) * 0x10_0000n) as UserVa,
  length: length as Bytes,
  prot,
  kind,
  ...memfd,
});

/** The memory of the recordings (shared/kernel/README.md), so that traces can travel. */
const MEMORY: readonly MemoryRegion[] = [
  region(0, 0x2_0000n, "rw", "anon-shared"),
  region(1, 0x1_0000n, "rw", "anon-private"),
  region(2, 0x8000n, "r", "anon-shared"),
  region(3, 0x4000n, "none", "anon-shared"),
  region(4, 0x1_0000n, "rw", "memfd", { memfd: 0, offset: 0n as Bytes }),
  region(5, 0x8000n, "rw", "memfd", { memfd: 0, offset: 0x4000n as Bytes }),
];

const ROOT: Process = {
  uid: 0,
  capabilities: ["IPC_LOCK", "SYS_RESOURCE"],
  memlock: null,
  memory: MEMORY,
};

/** What the IOMMU of the mock driver can do, beside translating. */
export const MOCK_FEATURES = {
  dirty: true,
  nesting: true,
  hwInfo: { type: HW_INFO_TYPE_MOCK, data: "00000000efbeadde" },
} as const;

/** What QEMU's VT-d can do; the registers are those of vfio-31 step 27 of the recordings. */
export const VTD_FEATURES = {
  hwInfo: { type: HW_INFO_TYPE_VTD, data: "010000000000000006062f228c00d2004a0ff00000000000" },
} as const;

/** The kernel's selftest mock driver: half-page IOMMU pages, one device per group. */
export const MOCK_PLATFORM: Platform = {
  name: "mock",
  pageSize: 4096,
  thpSize: 0x20_0000n as Bytes,
  frontEnd: "mock",
  iommus: [{ ioPageSize: 2048, aperture: range(0x100_0000n, 0x7fff_ffffn), ...MOCK_FEATURES }],
  devices: [],
  processes: [ROOT],
};

const MSI = range(0xfee0_0000n, 0xfeef_ffffn);
const device = (iommu: number, group: number | null, rest: Partial<Device> = {}): Device => ({
  iommu,
  group,
  reserved: [MSI],
  coherent: true,
  msiIsolated: true,
  kernelDriverInGroup: false,
  ...rest,
});

/**
 * A VT-d-like machine: 48-bit IOMMU with four fit devices (two of them in one group, with
 * different reserved regions), two narrower IOMMUs with one device each, an IOMMU whose pages
 * are larger than the CPU's, and one device for each reason to refuse a bind.
 */
export const VFIO_PLATFORM: Platform = {
  name: "vfio",
  pageSize: 4096,
  thpSize: 0x20_0000n as Bytes,
  frontEnd: "vfio",
  iommus: [
    { ioPageSize: 4096, aperture: range(0n, 0xffff_ffff_ffffn), ...VTD_FEATURES },
    {
      ioPageSize: 4096,
      aperture: range(0x1000n, 0x7f_ffff_ffffn),
      enforcesCoherency: true,
    },
    { ioPageSize: 65536, aperture: range(0n, 0xffff_ffff_ffffn) },
    { ioPageSize: 4096, aperture: range(0n, 0x7f_ffff_ffffn) },
  ],
  devices: [
    device(0, 2),
    device(0, 3),
    device(0, 6),
    device(0, 6, { reserved: [MSI, range(0x200_0000n, 0x200_ffffn)] }),
    device(1, 7, { reserved: [] }),
    device(2, 8, { reserved: [] }),
    device(0, 9, { coherent: false }),
    device(0, null),
    device(0, 10, { msiIsolated: false }),
    device(0, 11, { kernelDriverInGroup: true }),
    device(3, 12, { reserved: [] }),
  ],
  processes: [ROOT],
};

/** Frozen: an IUT in this process gets them too, and is judged by them. */
export const PLATFORMS: readonly Platform[] = deepFreeze([MOCK_PLATFORM, VFIO_PLATFORM]);
