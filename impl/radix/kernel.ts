/**
 * The state of one simulated machine: processes with their memory, IOMMUs and the devices behind
 * them, and all open files. It is built from a Platform and thrown away after one trace.
 *
 * Building must be cheap, a few µs, because it happens once per trace: nothing here allocates
 * page tables or bytes before they are needed.
 */
import { type Platform, SCRATCH } from "../../spec/platform";
import { Process, type User } from "./accounting";
import type { IommufdCtx } from "./ctx";
import { type HostDevice, Iommu, IommuGroup } from "./iommu";
import { PhysicalMemory } from "./physical-memory";
import { type MemoryObject, makeMemoryObject, UserMemory } from "./user-memory";
import { VfioDevices } from "./vfio-devices";

export class Kernel {
  readonly platform: Platform;
  readonly physical: PhysicalMemory;
  readonly processes: readonly Process[];
  readonly iommus: readonly Iommu[];
  readonly vfio: VfioDevices;
  /** Open iommufds by number; numbers count up and are never used again. */
  readonly iommufds: (IommufdCtx | undefined)[] = [];

  constructor(platform: Platform) {
    this.platform = platform;
    this.physical = new PhysicalMemory(
      platform.pageSize,
      Number(platform.thpSize) / platform.pageSize,
    );
    this.processes = makeProcesses(platform, this.physical);
    this.iommus = platform.iommus.map((iommu) => new Iommu(iommu.ioPageSize, iommu.aperture));
    this.vfio = new VfioDevices(makeDevices(platform, this.iommus));
  }

  /** Every process exits: its files are closed, and its memory goes. */
  shutDown(): void {
    for (const ctx of this.iommufds) ctx?.put();
    this.vfio.closeAll();
    for (const process of this.processes) process.memory.dispose();
    this.physical.dispose();
  }
}

const makeProcesses = (platform: Platform, physical: PhysicalMemory): Process[] => {
  const { pageSize } = platform;
  const pagesOf = (length: bigint): number => Number(length) / pageSize;
  const memfds = new Map<number, MemoryObject>();
  const users = new Map<number, User>();
  return platform.processes.map((shape) => {
    const memory = new UserMemory(physical);
    const scratchPages = pagesOf(SCRATCH.length);
    const scratch = makeMemoryObject("anon-private");
    memory.map(pagesOf(SCRATCH.va), scratchPages, "rw", scratch, 0);
    for (const region of shape.memory) {
      const count = pagesOf(region.length);
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
      memory.map(pagesOf(region.va), count, region.prot, object, offset);
    }
    let user = users.get(shape.uid);
    if (user === undefined) {
      user = { lockedPages: 0 };
      users.set(shape.uid, user);
    }
    return new Process(shape, user, memory);
  });
};

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
    group: device.group === null ? null : groups.get(device.group)!,
    reserved: device.reserved,
    coherent: device.coherent,
    msiIsolated: device.msiIsolated,
    buffer: undefined,
  }));
};
