/** The machines that a kernel under test is given. */
import {
  type Device,
  MOCK_PLATFORM,
  type Platform,
  VFIO_PLATFORM,
  VTD_FEATURES,
} from "../../spec/platform";
import type { Iova } from "../../spec/units";
import type { Hello } from "./protocol";
import type { MachineKind } from "./vm";

const edu = (group: number): Device => ({
  iommu: 0,
  group,
  reserved: [[0xfee0_0000n as Iova, 0xfeef_ffffn as Iova]],
  coherent: true,
  msiIsolated: true,
  kernelDriverInGroup: false,
});

/** QEMU's VT-d with four `edu` devices, two of them behind one PCI bridge and so in one group. */
export const VT_D_PLATFORM: Platform = {
  ...VFIO_PLATFORM,
  name: "vt-d",
  iommus: [
    { ioPageSize: 4096, aperture: [0n as Iova, 0xffff_ffff_ffffn as Iova], ...VTD_FEATURES },
  ],
  devices: [edu(2), edu(3), edu(6), edu(6)],
};

/** Some mistakes need memory that lies in one piece to show, and some need it not to. */
const layouts = (platform: Platform): Platform[] => [
  platform,
  { ...platform, name: `${platform.name}-contiguous`, physical: "contiguous" },
  { ...platform, name: `${platform.name}-scattered`, physical: "scattered" },
];

export const LINUX_PLATFORMS: readonly Platform[] = [MOCK_PLATFORM, VT_D_PLATFORM].flatMap(layouts);

export const kindOf = (platform: Platform): MachineKind =>
  platform.frontEnd === "mock" ? "mock" : "vt-d";

/** Why a trace of `platform` cannot run here; undefined: it can. */
export const unfit = (platform: Platform): string | undefined => {
  const ours = LINUX_PLATFORMS.find(({ frontEnd }) => frontEnd === platform.frontEnd);
  const machine = ({ pageSize, thpSize, iommus, devices }: Platform): string =>
    show({
      pageSize,
      thpSize,
      // What else an IOMMU can do shows in the answers.
      iommus: iommus.map(({ ioPageSize, aperture }) => ({ ioPageSize, aperture })),
      devices: devices.map(({ group: _, ...rest }) => rest),
    });
  if (ours === undefined || machine(platform) !== machine(ours) || !sameGroups(platform, ours)) {
    return `there is no machine like platform ${platform.name}`;
  }
  const [process, ...more] = platform.processes;
  if (process === undefined || more.length > 0) return "traces of one process only";
  const isRoot = process.uid === 0 && process.memlock === null && process.capabilities.length === 2;
  return isRoot ? undefined : "traces of root without limits only";
};

const show = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v));

/** Which devices share a group is what matters, not the group's number. */
const shape = (groups: readonly (number | null)[]): string =>
  show(groups.map((group) => (group === null ? null : groups.indexOf(group))));

const sameGroups = (a: Platform, b: Platform): boolean =>
  shape(a.devices.map(({ group }) => group)) === shape(b.devices.map(({ group }) => group));

/** Why a booted machine is not what its kind promises; undefined: it is. */
export const disappoints = (hello: Hello, kind: MachineKind): string | undefined => {
  if (!hello.iommufd) return `kernel ${hello.kernel} has no /dev/iommu`;
  if (kind === "mock") {
    return hello.mock ? undefined : `kernel ${hello.kernel} lacks the mock driver (IOMMUFD_TEST)`;
  }
  const wanted = shape(VT_D_PLATFORM.devices.map(({ group }) => group));
  const found = shape(hello.groups);
  return found === wanted ? undefined : `devices in groups ${found}, expected ${wanted}`;
};
