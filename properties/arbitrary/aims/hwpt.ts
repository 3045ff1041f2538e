/** HW page tables by hand, on an IOAS or nested, and what the IOMMU of a device can do. */
import { SCRATCH } from "../../../spec/platform";
import type { StepOf } from "../../../spec/trace";
import {
  HWPT_DATA_MOCK,
  HWPT_DATA_VTD_S1,
  HWPT_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
} from "../../../spec/uapi/flags";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { BOGUS_IDS } from "../nothing";
import { probeRanges, probeWholeDomains } from "../probes";
import type { DeviceView, SceneView } from "../view";

type AllocIn = StepOf<"HWPT_ALLOC">["in"];
type AllocTwist = Twist<"HWPT_ALLOC", DeviceView>;

const word = (value: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString("hex");
};
const flagsOf = (a: AllocIn): number => (a.flags as number | undefined) ?? 0;
const mockData = (c: Composer) => ({
  data_type: HWPT_DATA_MOCK,
  data_len: 4,
  data_uptr: SCRATCH.va,
  data: word(c.draw.int(1, 0xffff)),
});

const TWISTS: readonly AllocTwist[] = [
  ["HWP-01", (a) => ({ ...a, reserved: 1 })],
  ["HWP-02", (a) => ({ ...a, data_type: HWPT_DATA_MOCK, data_len: 0 })],
  ["HWP-02", (a, c) => ({ ...a, ...mockData(c), data_type: 0 })],
  ["HWP-03", (a, c, { fd }) => ({ ...a, dev_id: otherIds(c, fd) })],
  ["HWP-04", (a, { draw }) => ({ ...a, pt_id: draw.pick(BOGUS_IDS) ?? 0 })],
  ["HWP-05", (a, c, { fd }) => ({ ...a, pt_id: otherIds(c, fd) })],
  ["HWP-05", (a) => (a.dev_id === undefined ? undefined : { ...a, pt_id: a.dev_id })],
  ["HWP-07", (a, { draw }) => ({ ...a, flags: flagsOf(a) | draw.of(8, 0x4000_0000) })],
  ["HWP-08", (a) => ({ ...a, flags: flagsOf(a) | HWPT_DIRTY_TRACKING })],
  ["HWP-09", (a, c) => ({ ...a, ...mockData(c) })],
  ["HWP-11", (a) => ({ ...a, flags: flagsOf(a) | HWPT_NEST_PARENT })],
  // A table that is no parent, whether a device or somebody's hand has made it.
  [
    "HWP-12",
    (a, c, { fd }) => {
      const others = c.scene.hwpts.filter((hwpt) => hwpt.fd === fd && !hwpt.nestParent);
      const other = c.draw.pick(others);
      return other && { ...a, ...mockData(c), pt_id: c.object(fd, other.id), flags: 0 };
    },
  ],
  ["HWP-13", (a) => ({ ...a, data_type: HWPT_DATA_VTD_S1 })],
  ["HWP-13", (a, { draw }) => ({ ...a, data_len: draw.of(3, 8) })],
  ["HWP-13", (a) => ({ ...a, data: "00" })],
  [
    "HWP-14",
    (a, c, { fd }) => ({
      ...a,
      flags: flagsOf(a) | HWPT_FAULT_ID_VALID,
      fault_id: otherIds(c, fd),
    }),
  ],
  // The struct as it was before there was fault_id (HWP-29).
  ["HWP-29", (a, { draw }) => ({ ...a, size: draw.int(24, 47) })],
  ["HWP-29", (a) => ({ ...a, size: 24 })],
  ["GEN-07", (a, { draw }) => ({ ...a, size: draw.of(4, 23) })],
];

/** On an IOAS, or on a table that may be a parent. */
const ground = (c: Composer, scene: SceneView, { fd, tracksDirty }: DeviceView): AllocIn => {
  const { draw } = c;
  const parents = scene.hwpts.filter((hwpt) => hwpt.fd === fd && hwpt.nestParent);
  const parent = draw.chance(55) ? draw.pick(parents) : undefined;
  if (parent !== undefined && c.can("HWPT_INVALIDATE")) {
    const queues = scene.queues.filter((q) => q.fd === fd);
    // HWP-14: an id that is there, but no queue's.
    const queue = draw.chance(18) ? parent : draw.chance(60) ? draw.pick(queues) : undefined;
    return {
      pt_id: c.object(fd, parent.id),
      ...mockData(c),
      ...(queue && { flags: HWPT_FAULT_ID_VALID, fault_id: c.object(fd, queue.id) }),
    };
  }
  const nests = c.platform.iommus.some(({ nesting }) => nesting);
  const flags =
    (tracksDirty && draw.chance(60) ? HWPT_DIRTY_TRACKING : 0) |
    (nests && draw.chance(60) ? HWPT_NEST_PARENT : 0);
  const ioas = draw.pick(scene.ioases.filter((one) => one.fd === fd));
  const others = scene.hwpts.filter((hwpt) => hwpt.fd === fd && !hwpt.nestParent);
  const other = draw.chance(6) ? draw.pick(others) : undefined;
  return { pt_id: c.object(fd, other?.id ?? ioas?.id ?? 0), ...(flags !== 0 && { flags }) };
};

export const hwptAllocAim: Aim = {
  name: "hwpt-alloc",
  family: "hwpt",
  weight: 14,
  calls: ["HWPT_ALLOC"],
  make: (c, scene) => {
    const device = c.draw.pick(scene.devices);
    if (device === undefined || scene.hwpts.length >= 8) return false;
    const { fd, id } = device;
    const args = { dev_id: c.object(fd, id), ...ground(c, scene, device) };
    makeTwisted(c, { call: "HWPT_ALLOC" as const, fd: c.iommufd(fd), in: args }, device, TWISTS);
    for (const ioas of c.scene.ioases) {
      if (ioas.fd !== fd || !c.draw.chance(50)) continue;
      probeRanges(c, ioas);
      probeWholeDomains(c, ioas);
    }
    return true;
  },
};

const INFO_TWISTS: readonly Twist<"GET_HW_INFO", DeviceView>[] = [
  ["HWI-01", (a) => ({ ...a, flags: 1 })],
  ["HWI-01", (a, { draw }) => ({ ...a, [draw.of("reserved0", "reserved2")]: 1 })],
  ["HWI-02", (a, c, { fd }) => ({ ...a, dev_id: otherIds(c, fd) })],
  ["HWI-05", (a, { draw }) => ({ ...a, data_len: 16, writable_bytes: draw.of(0, 4, 15) })],
  ["GEN-07", (a) => ({ ...a, size: 31 })],
];

export const hwInfoAim: Aim = {
  name: "hw-info",
  family: "hwpt",
  weight: 4,
  calls: ["GET_HW_INFO"],
  make: (c, scene) => {
    const { draw } = c;
    const device = draw.pick(scene.devices);
    if (device === undefined) return false;
    // The mock driver tells 8 bytes and VT-d 24; one byte more of room is the least to be cleared.
    const room = draw.of(0, 4, 7, 8, 9, 9, 15, 16, 23, 24, 25, 25, 64);
    const args = {
      dev_id: c.object(device.fd, device.id),
      data_len: room,
      data_uptr: SCRATCH.va,
      writable_bytes: room,
      ...(draw.chance(25) && { size: draw.of(32, 33, 39, 40) }),
    };
    const step = { call: "GET_HW_INFO" as const, fd: c.iommufd(device.fd), in: args };
    if (draw.chance(60)) c.make(step);
    else makeTwisted(c, step, device, INFO_TWISTS);
    return true;
  },
};
