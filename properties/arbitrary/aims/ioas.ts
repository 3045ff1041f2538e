/** The smaller calls on an iommufd: allocation, ranges, options, destruction, open and close. */
import type { Arg } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from "../../../spec/uapi/flags";
import { type Iova, type IovaRange, U64_MAX, type UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { BOGUS_IDS } from "../nothing";
import { probeRanges } from "../probes";
import { edge, PAGE } from "../values";
import type { IoasView, SceneView } from "../view";

const PLENTY = 64;
/** Just past the scratch memory: nothing can be read or written there. */
const PAST_SCRATCH = (SCRATCH.va + SCRATCH.length) as UserVa;

export const openAim: Aim = {
  name: "open",
  weight: 1,
  calls: ["OPEN"],
  make: (c, scene) => {
    if (scene.fds.length >= 3) return false;
    const { outcome } = c.make({ call: "OPEN", in: {} });
    const fd = (outcome.out as { fd: number } | undefined)?.fd;
    if (fd !== undefined) c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
    return true;
  },
};

export const closeAim: Aim = {
  name: "close",
  weight: 1,
  calls: ["CLOSE"],
  make: (c, scene) => {
    const fd = c.draw.pick(scene.fds);
    if (fd === undefined || (scene.fds.length === 1 && !c.draw.chance(15))) return false;
    c.make({ call: "CLOSE", fd: c.fileOf(fd), in: {} });
    return true;
  },
};

export const allocAim: Aim = {
  name: "alloc",
  weight: 4,
  calls: ["IOAS_ALLOC"],
  make: (c, scene) => {
    const fd = c.draw.pick(scene.fds);
    if (fd === undefined) return false;
    const flags = c.draw.chance(35) ? c.draw.of(1, 0x8000_0000) : 0;
    c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: flags === 0 ? {} : { flags } });
    return true;
  },
};

const RANGE_TWISTS: readonly Twist<"IOAS_IOVA_RANGES", IoasView>[] = [
  ["RNG-01", (a) => ({ ...a, reserved: 1 })],
  ["RNG-02", (a, c, ioas) => ({ ...a, ioas_id: otherIds(c, ioas.fd) })],
  ["RNG-07", (a, _, ioas) => ({ ...a, num_iovas: Math.max(0, ioas.ranges.length - 1) })],
  ["RNG-07", ({ ioas_id }) => (ioas_id === undefined ? {} : { ioas_id })],
  ["RNG-09", (a) => ({ ...a, allowed_iovas: PAST_SCRATCH, writable_elems: 0 })],
  // Only the last element of the array cannot be stored.
  ["RNG-09", (a, _, ioas) => ({ ...a, writable_elems: Math.max(0, ioas.ranges.length - 1) })],
];

export const rangesAim: Aim = {
  name: "ranges",
  weight: 5,
  calls: ["IOAS_IOVA_RANGES"],
  make: (c, scene) => {
    const ioas = c.draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    const { draw } = c;
    const args = {
      ioas_id: c.object(ioas.fd, ioas.id),
      num_iovas: draw.of(ioas.ranges.length, ioas.ranges.length, ioas.ranges.length + 1, 16),
      allowed_iovas: SCRATCH.va,
      writable_elems: PLENTY,
    };
    const step = { call: "IOAS_IOVA_RANGES" as const, fd: c.iommufd(ioas.fd), in: args };
    makeTwisted(c, step, ioas, RANGE_TWISTS);
    return true;
  },
};

const range = (start: bigint, last: bigint): IovaRange => [start as Iova, last as Iova];
const allow = (ranges: readonly IovaRange[]) => ({
  num_iovas: ranges.length,
  allowed_iovas: SCRATCH.va,
  array: ranges,
});

const ALLOW_TWISTS: readonly Twist<"IOAS_ALLOW_IOVAS", IoasView>[] = [
  ["ALW-01", (a) => ({ ...a, reserved: 1 })],
  ["ALW-02", (a, c, ioas) => ({ ...a, ioas_id: otherIds(c, ioas.fd) })],
  ["ALW-03", (a) => ({ ...a, num_iovas: 2, allowed_iovas: PAST_SCRATCH, array: [] })],
  ["ALW-03", (a) => ({ ...a, num_iovas: ((a.num_iovas as number | undefined) ?? 0) + 1 })],
  [
    "ALW-04",
    (a, c, ioas) => {
      const at = edge(c, ioas);
      const start = c.draw.chance(50) || at === U64_MAX ? at : at + 1n;
      return {
        ...a,
        ...allow([...((a.array as IovaRange[] | undefined) ?? []), range(start, at)]),
      };
    },
  ],
  [
    "ALW-13",
    (a, { draw }, ioas) => {
      const valid = draw.pick(ioas.ranges);
      if (valid === undefined || valid[0] < 2n) return undefined;
      return { ...a, ...allow([range(valid[0] - 1n, valid[0]), range(valid[1], valid[0])]) };
    },
  ],
  [
    "ALW-05",
    (a, { draw }) => {
      const [first] = (a.array as IovaRange[] | undefined) ?? [];
      if (first === undefined) return undefined;
      const [start, last] = first;
      // By its first byte, by its last, and by its middle.
      const over: IovaRange[] = [range(last, last === U64_MAX ? last : last + 1n)];
      if (start > 0n) over.push(range(start - 1n, start));
      if (start > 0n && last < U64_MAX) over.push(range(start - 1n, last + 1n));
      return { ...a, ...allow([first, draw.pick(over) ?? first]) };
    },
  ],
  [
    "ALW-06",
    (a, { draw }, ioas) => {
      const valid = draw.pick(ioas.ranges);
      if (valid === undefined) return undefined;
      const [start, last] = valid;
      if (start === 0n && last === U64_MAX) return undefined;
      return { ...a, ...allow([start > 0n ? range(start - 1n, last) : range(start, last + 1n)]) };
    },
  ],
];

/** Ascending ranges inside the valid ones, sometimes touching, sometimes a few pages only. */
const allowedRanges = (c: Composer, ioas: IoasView): IovaRange[] => {
  const { draw } = c;
  const [start, last] = draw.pick(ioas.ranges) ?? [0n, 0n];
  // All of a valid range, or its end: what follows is reserved.
  if (draw.chance(15) && last > start) {
    const from = last - PAGE * BigInt(draw.int(1, 8)) + 1n;
    return [range(from < start || draw.chance(40) ? start : from, last)];
  }
  const from = start > 0x100_0000n || last < 0x110_0000n ? start : 0x100_0000n;
  const ranges: IovaRange[] = [];
  let at = from + BigInt(draw.int(0, 8)) * draw.of(PAGE, 1n);
  for (let n = draw.int(1, 3); n > 0; n--) {
    const end =
      at + BigInt(draw.int(1, 8)) * draw.of(PAGE, PAGE, ioas.alignment) - draw.of(1n, 1n, 0n);
    if (end > last || end <= at) break;
    ranges.push(range(at, end));
    at = end + 1n + (draw.chance(40) ? 0n : BigInt(draw.int(1, 4)) * PAGE);
  }
  return ranges;
};

export const allowAim: Aim = {
  name: "allow",
  weight: 5,
  calls: ["IOAS_ALLOW_IOVAS"],
  make: (c, scene) => {
    const ioas = c.draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    const clears = c.draw.chance(ioas.allowed.length > 0 ? 50 : 15);
    const args = {
      ioas_id: c.object(ioas.fd, ioas.id),
      ...(clears ? {} : allow(allowedRanges(c, ioas))),
    };
    const step = { call: "IOAS_ALLOW_IOVAS" as const, fd: c.iommufd(ioas.fd), in: args };
    makeTwisted(c, step, ioas, ALLOW_TWISTS);
    if (c.draw.chance(40)) probeRanges(c, ioas);
    return true;
  },
};

const OPTION_TWISTS: readonly Twist<"OPTION", IoasView>[] = [
  ["OPT-01", (a) => ({ ...a, reserved: 1 })],
  ["OPT-02", (a, { draw }) => ({ ...a, option_id: draw.of(2, 99) })],
  [
    "OPT-03",
    (a, c, ioas) => ({
      ...a,
      option_id: OPTION_RLIMIT_MODE,
      object_id: c.object(ioas.fd, ioas.id),
    }),
  ],
  // OPT-11 as well, and also where a byte or a word of it is 0 or 1.
  [
    "OPT-07",
    (a, { draw }) => ({
      ...a,
      op: OPTION_OP_SET,
      val64: draw.of(2n, 0x100n, 1n << 32n, (1n << 32n) + 1n, U64_MAX),
    }),
  ],
  [
    "OPT-08",
    ({ option_id, object_id }, { draw }) => ({
      ...(option_id !== undefined && { option_id }),
      ...(object_id !== undefined && { object_id }),
      op: draw.of(2, 0xffff),
    }),
  ],
  [
    "OPT-09",
    (a, c, ioas) => ({
      ...a,
      option_id: OPTION_HUGE_PAGES,
      object_id: otherIds(c, ioas.fd),
    }),
  ],
];

export const optionAim: Aim = {
  name: "option",
  weight: 5,
  calls: ["OPTION"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    const huge = draw.chance(75);
    const args = {
      option_id: huge ? OPTION_HUGE_PAGES : OPTION_RLIMIT_MODE,
      op: draw.chance(70) ? OPTION_OP_SET : OPTION_OP_GET,
      val64: draw.of(0n, 1n),
      ...(huge && { object_id: c.object(ioas.fd, ioas.id) }),
    };
    const step = { call: "OPTION" as const, fd: c.iommufd(ioas.fd), in: args };
    makeTwisted(c, step, ioas, OPTION_TWISTS);
    if (huge && draw.chance(40)) probeRanges(c, ioas);
    return true;
  },
};

/** RLIMIT_MODE can be set only while there is no object at all (OPT-06). */
export const rlimitAim: Aim = {
  name: "rlimit",
  weight: 1,
  calls: ["OPTION", "OPEN"],
  make: (c, scene) => {
    if (scene.fds.length >= 3) return false;
    const { outcome } = c.make({ call: "OPEN", in: {} });
    const fd = (outcome.out as { fd: number } | undefined)?.fd;
    if (fd === undefined) return true;
    const set = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: c.draw.of(0n, 1n, 2n) };
    c.make({ call: "OPTION", fd: c.iommufd(fd), in: set });
    c.make({ call: "OPTION", fd: c.iommufd(fd), in: { ...set, op: OPTION_OP_GET, val64: 7n } });
    c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
    return true;
  },
};

const VFIO_IOAS_TWISTS: readonly Twist<"VFIO_IOAS", IoasView>[] = [
  ["VFI-01", (a) => ({ ...a, reserved: 1 })],
  ["VFI-01", (a) => ({ ...a, op: 3 })],
  ["VFI-03", (_, c, ioas) => ({ op: VFIO_IOAS_SET, ioas_id: otherIds(c, ioas.fd) })],
];

export const vfioIoasAim: Aim = {
  name: "vfio-ioas",
  weight: 3,
  calls: ["VFIO_IOAS"],
  make: (c, scene) => {
    const ioas = c.draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    const op = c.draw.of(
      VFIO_IOAS_GET,
      VFIO_IOAS_GET,
      VFIO_IOAS_SET,
      VFIO_IOAS_SET,
      VFIO_IOAS_CLEAR,
    );
    const args = { op, ...(op === VFIO_IOAS_SET && { ioas_id: c.object(ioas.fd, ioas.id) }) };
    makeTwisted(
      c,
      { call: "VFIO_IOAS" as const, fd: c.iommufd(ioas.fd), in: args },
      ioas,
      VFIO_IOAS_TWISTS,
    );
    return true;
  },
};

export const destroyAim: Aim = {
  name: "destroy",
  weight: 7,
  calls: ["DESTROY"],
  make: (c, scene) => {
    const fd = c.draw.pick(scene.fds);
    if (fd === undefined) return false;
    c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: victim(c, scene, fd) } });
    return true;
  },
};

/** Half of the time something that can go; busy and unknown objects otherwise. */
const victim = (c: Composer, scene: SceneView, fd: number): Arg<number> => {
  const { draw } = c;
  const ioases = scene.ioases.filter((ioas) => ioas.fd === fd);
  const idle = ioases.filter((ioas) => ioas.hwpts.length === 0);
  const mocks = scene.mocks.filter((mock) => mock.fd === fd);
  const cdevs = scene.cdevs.filter((cdev) => cdev.fd === fd);
  const made = [...scene.hwpts.filter(({ auto }) => !auto), ...scene.queues];
  const own = draw.chance(40) ? draw.pick(made.filter((object) => object.fd === fd)) : undefined;
  if (own !== undefined) return c.object(fd, own.id);
  const kind = draw.int(0, 9);
  const mock = draw.pick(mocks);
  if (kind < 3 && idle.length > 0 && (ioases.length > 1 || draw.chance(20))) {
    return c.object(fd, draw.pick(idle)?.id ?? 0);
  }
  if (kind < 6 && mock !== undefined) return c.object(fd, mock.stdev);
  const busy = [
    ...ioases.flatMap((ioas) => (ioas.hwpts.length > 0 ? [ioas.id, ...ioas.hwpts] : [])),
    ...mocks.map(({ idev }) => idev),
    ...cdevs.map(({ devid }) => devid),
  ];
  const id = kind < 9 ? draw.pick(busy) : undefined;
  return id === undefined ? (draw.pick(BOGUS_IDS) ?? 0) : c.object(fd, id);
};
