/**
 * The state of one simulated machine: processes with their memory, IOMMUs and the devices behind
 * them, and all open files. It is built from a Platform and thrown away after one trace.
 *
 * Building must be cheap, a few µs, because it happens once per trace: nothing here allocates
 * page tables or bytes before they are needed.
 */
import type { Errno } from "../../spec/errno";
import { type MemoryRegion, type Platform, SCRATCH } from "../../spec/platform";
import { Process, type User } from "./accounting";
import type { IommufdCtx } from "./ctx";
import { type AnonFile, FileTable } from "./file-table";
import { type HostDevice, Iommu, IommuGroup } from "./iommu";
import { PhysicalMemory } from "./physical-memory";
import { type MemoryObject, makeMemoryObject, UserMemory } from "./user-memory";
import { VfioDevices } from "./vfio-devices";

export class Kernel {
  readonly platform: Platform;
  readonly physical: PhysicalMemory;
  readonly iommus: readonly Iommu[];
  readonly vfio: VfioDevices;
  readonly iommufds = new FileTable<IommufdCtx>((ctx) => ctx.put());
  /** Fault queues and in-kernel users of the mock driver. */
  readonly anonFiles = new FileTable<AnonFile>((file) => file.release());
  /** By index; undefined: it has exited. */
  readonly #processes: Map<number, Process | undefined>;
  readonly #users = new Map<number, User>();
  /** All that ever were: what they mapped may outlive them. */
  readonly #memories: UserMemory[] = [];

  constructor(platform: Platform) {
    this.platform = platform;
    this.physical = new PhysicalMemory(
      platform.pageSize,
      Number(platform.thpSize) / platform.pageSize,
    );
    this.#processes = this.#makeProcesses();
    this.iommus = platform.iommus.map((iommu) => new Iommu(iommu));
    this.vfio = new VfioDevices(makeDevices(platform, this.iommus));
  }

  /** The process of an index, if it is there. */
  process(index: number): Process | undefined {
    return this.#processes.get(index);
  }

  user(uid: number): User {
    let user = this.#users.get(uid);
    if (user === undefined) {
      user = { lockedPages: 0 };
      this.#users.set(uid, user);
    }
    return user;
  }

  /** Makes a child with an index that no process ever had. */
  fork(parent: Process, index: number): 0 | Errno {
    if (this.#processes.has(index)) return "EINVAL";
    const child = parent.fork();
    this.#processes.set(index, child);
    this.#memories.push(child.memory);
    for (const files of this.#fileTables) files.inherit(parent, child);
    return 0;
  }

  /** The process ends: its memory goes first, and then its files are closed. */
  exit(process: Process): void {
    for (const [index, other] of this.#processes) {
      if (other === process) this.#processes.set(index, undefined);
    }
    process.memory.unmapAll();
    for (const files of this.#fileTables) files.closeAll(process);
  }

  /** Every process exits, and the machine is gone. */
  shutDown(): void {
    for (const process of this.#processes.values()) {
      if (process !== undefined) for (const files of this.#fileTables) files.closeAll(process);
    }
    for (const memory of this.#memories) memory.dispose();
    this.physical.dispose();
  }

  get #fileTables(): readonly Pick<FileTable<unknown>, "inherit" | "closeAll">[] {
    return [this.iommufds, this.vfio.files, this.anonFiles];
  }

  #makeProcesses(): Map<number, Process> {
    const memfds = new Map<number, MemoryObject>();
    const processes = new Map<number, Process>();
    for (const [index, shape] of this.platform.processes.entries()) {
      const memory = makeMemory(shape.memory, this.physical, memfds);
      this.#memories.push(memory);
      processes.set(index, new Process(shape, this.user(shape.uid), memory));
    }
    return processes;
  }
}

const makeMemory = (
  regions: readonly MemoryRegion[],
  physical: PhysicalMemory,
  memfds: Map<number, MemoryObject>,
): UserMemory => {
  const memory = new UserMemory(physical);
  const pagesOf = (length: bigint): number => Number(length) / physical.pageSize;
  const scratch = makeMemoryObject("anon-private");
  memory.map(pagesOf(SCRATCH.va), pagesOf(SCRATCH.length), "rw", scratch, 0);
  for (const region of regions) {
    let object: MemoryObject | undefined;
    let offset = 0;
    if (region.memfd === undefined) {
      object = makeMemoryObject(region.kind);
    } else {
      object = memfds.get(region.memfd);
      object ??= makeMemoryObject(region.kind);
      memfds.set(region.memfd, object);
      offset = pagesOf(region.offset ?? 0n);
    }
    memory.map(pagesOf(region.va), pagesOf(region.length), region.prot, object, offset);
  }
  return memory;
};

/** Multiples of the smallest IO page that IOMMUs of real machines have pages of, as a mask. */
const LARGE_PAGES = 0x4_0201n;

const makeDevices = (platform: Platform, iommus: readonly Iommu[]): HostDevice[] => {
  const groups = new Map<number, IommuGroup>();
  for (const { group, kernelDriverInGroup } of platform.devices) {
    if (group === null) continue;
    if (kernelDriverInGroup || !groups.has(group)) {
      groups.set(group, new IommuGroup(kernelDriverInGroup));
    }
  }
  return platform.devices.map((device) => ({
    iommu: iommus[device.iommu]!,
    ioPageSizes: BigInt(iommus[device.iommu]!.ioPageSize) * LARGE_PAGES,
    group: device.group === null ? null : groups.get(device.group)!,
    reserved: device.reserved,
    coherent: device.coherent,
    msiIsolated: device.msiIsolated,
    tracksDirty: iommus[device.iommu]!.tracksDirty,
    buffer: undefined,
  }));
};
