import { describe, expect, test } from "@jest/globals";
import { LINUX_PLATFORMS } from "../impl/linux/platforms";
import {
  type Device,
  type Iommu,
  type MemoryRegion,
  MOCK_PLATFORM,
  PLATFORMS,
  type Platform,
  VFIO_PLATFORM,
} from "./platform";
import { platformFlaw } from "./platform-flaw";
import type { Bytes, IovaRange, UserVa } from "./units";

const size = (thpSize: bigint) => ({ ...MOCK_PLATFORM, thpSize: thpSize as Bytes });
const iommu = (patch: Partial<Iommu>): Platform => ({
  ...MOCK_PLATFORM,
  iommus: MOCK_PLATFORM.iommus.map((one) => ({ ...one, ...patch })),
});
const device = (patch: Partial<Device>): Platform => ({
  ...VFIO_PLATFORM,
  devices: VFIO_PLATFORM.devices.map((one, i) => (i === 1 ? { ...one, ...patch } : one)),
});
const region = (index: number, patch: Partial<Record<keyof MemoryRegion, bigint>>): Platform => ({
  ...MOCK_PLATFORM,
  processes: MOCK_PLATFORM.processes.map((process) => ({
    ...process,
    memory: process.memory.map((one, i) =>
      i === index ? ({ ...one, ...patch } as MemoryRegion) : one,
    ),
  })),
});
const falling = [2n, 1n] as unknown as IovaRange;
const LAST_END = (1n << 47n) - 4096n;
const FALLS = "the last address is below the first";
const BEYOND = "lies beyond the end of user memory (2^47)";

describe("a platform that no machine can be", () => {
  test.each<[where: string, what: string, Platform]>([
    ["pageSize", "expected a power of two from 4096 to 65536", { ...MOCK_PLATFORM, pageSize: 3 }],
    ["pageSize", "expected a power of two from 4096 to 65536", { ...MOCK_PLATFORM, pageSize: 0 }],
    ["pageSize", "expected a power of two from 4096", { ...MOCK_PLATFORM, pageSize: 0x2_0000 }],
    ["thpSize", "expected a power of two, and no less than a page", size(0n)],
    ["thpSize", "expected a power of two, and no less than a page", size(2048n)],
    ["thpSize", "expected a power of two, and no less than a page", size(12288n)],
    ["iommus[0].ioPageSize", "expected a power of two", iommu({ ioPageSize: 0 })],
    ["iommus[0].ioPageSize", "expected a power of two", iommu({ ioPageSize: 3000 })],
    ["iommus[0].aperture", FALLS, iommu({ aperture: falling })],
    ["devices[1].iommu", "there is no IOMMU 7", device({ iommu: 7 })],
    ["devices[1].reserved[0]", FALLS, device({ reserved: [falling] })],
    ["processes[0].memory[1].va", "expected whole pages", region(1, { va: 0x2000_0010_0800n })],
    ["processes[0].memory[1].length", "expected whole pages", region(1, { length: 0x1001n })],
    ["processes[0].memory[1].length", "expected at least one page", region(1, { length: 0n })],
    ["processes[0].memory[4].offset", "expected whole pages", region(4, { offset: 0x800n })],
    ["processes[0].memory[4].offset", "an offset below 2^47", region(4, { offset: 1n << 47n })],
    ["processes[0].memory[0]", BEYOND, region(0, { va: (1n << 64n) - 0x1_0000n })],
    ["processes[0].memory[1]", BEYOND, region(1, { va: LAST_END })],
    ["processes[0].memory[1]", "lies over buf0", region(0, { length: 0x10_1000n })],
    ["processes[0].memory[3]", "lies over scratch memory", region(3, { va: 0x1_0000_f000n })],
    ["processes[0].memory[3]", "lies over scratch memory", region(3, { va: 0xffff_d000n })],
  ])("%s: %s", (where, what, platform) => {
    expect(platformFlaw(platform)).toEqual({ where, what: expect.stringContaining(what) });
  });
});

test.each<[string, Platform]>([
  ...[...PLATFORMS, ...LINUX_PLATFORMS].map((one) => [one.name, one] as [string, Platform]),
  ["IOMMU pages larger than the CPU's", iommu({ ioPageSize: 0x1_0000 })],
  ["an aperture of one address", iommu({ aperture: [5n, 5n] as unknown as IovaRange })],
  ["memory up to its end", region(1, { va: (LAST_END - 0x1_0000n) as UserVa })],
  ["memory next to other", region(1, { va: 0x2000_0002_0000n })],
  ["memory around scratch memory", region(1, { va: 0x1_0001_0000n })],
  ["memory at 0", region(3, { va: 0n })],
])("nothing is wrong with %s", (_, platform) => {
  expect(platformFlaw(platform)).toBeUndefined();
});
