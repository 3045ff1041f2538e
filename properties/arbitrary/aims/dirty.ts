/** Dirty tracking: switched on and off, written to, read and cleared. */
import type { Arg } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import type { StepOf } from "../../../spec/trace";
import { DIRTY_NO_CLEAR, DIRTY_TRACKING_ENABLE } from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { PAGE, size } from "../values";
import type { AreaView, HwptView, IoasView, SceneView } from "../view";

/** A HW page table, and what it translates. */
interface Table {
  readonly hwpt: HwptView;
  readonly ioas: IoasView | undefined;
  readonly area: AreaView | undefined;
}

const table = (c: Composer, scene: SceneView, wanted: (hwpt: HwptView) => boolean) => {
  const hwpt =
    c.draw.pick(scene.hwpts.filter(wanted)) ??
    (c.draw.chance(25) ? c.draw.pick(scene.hwpts) : undefined);
  if (hwpt === undefined) return undefined;
  const ioas = scene.ioases.find(({ fd, id }) => fd === hwpt.fd && id === hwpt.ioas);
  return { hwpt, ioas, area: c.draw.pick(ioas?.areas ?? []) };
};

export const setTrackingAim: Aim = {
  name: "dirty-tracking",
  family: "hwpt",
  weight: 7,
  calls: ["HWPT_SET_DIRTY_TRACKING"],
  make: (c, scene) => {
    const { draw } = c;
    const found = table(c, scene, ({ tracking }) => tracking !== undefined);
    if (found === undefined) return false;
    const { fd, id, tracking } = found.hwpt;
    const enable = draw.chance(tracking === true ? 35 : 85) ? DIRTY_TRACKING_ENABLE : 0;
    const args = {
      flags: draw.chance(8) ? draw.of(2, 0x8000_0000) : enable,
      hwpt_id: draw.chance(90) ? c.object(fd, id) : otherIds(c, fd),
    };
    c.make({ call: "HWPT_SET_DIRTY_TRACKING", fd: c.iommufd(fd), in: args });
    return true;
  },
};

const MAX_BITS = 512n;

const bits = (c: Composer, count: bigint): string => {
  const bytes = Number((count + 7n) / 8n);
  const byte = c.draw.of("ff", "01", "80", "5a", "10");
  return byte.repeat(Math.min(bytes, 64));
};

export const dirtyAim: Aim = {
  name: "dirty",
  family: "hwpt",
  weight: 9,
  calls: ["DIRTY"],
  make: (c, scene) => {
    const { draw } = c;
    const found = table(c, scene, ({ tracking }) => tracking === true);
    if (found?.ioas === undefined || found.area === undefined) return false;
    const { hwpt, ioas, area } = found;
    const unit = hwpt.ioPageSize;
    const length = (size(area) / unit) * unit;
    if (length === 0n || length / unit > MAX_BITS) return false;
    const bitmap = bits(c, length / unit);
    c.make({
      call: "DIRTY",
      fd: c.iommufd(hwpt.fd),
      in: {
        hwpt_id: draw.chance(95) ? c.object(hwpt.fd, hwpt.id) : otherIds(c, hwpt.fd),
        iova: c.inArea(ioas.fd, ioas.id, area.first, draw.chance(94) ? 0n : 1n) as Arg<Iova>,
        length: length as Bytes,
        page_size: unit as Bytes,
        uptr: (draw.chance(97) ? SCRATCH.va : 0n) as UserVa,
        bitmap: draw.chance(97) ? bitmap : "",
      },
    });
    if (draw.chance(70)) getBitmap(c, found);
    return true;
  },
};

type Twisting = Twist<"HWPT_GET_DIRTY_BITMAP", Table>;
type GetIn = StepOf<"HWPT_GET_DIRTY_BITMAP">["in"];
const TWISTS: readonly Twisting[] = [
  ["DTY-10", (a) => ({ ...a, flags: 2 })],
  ["DTY-10", (a) => ({ ...a, reserved: 1 })],
  ["DTY-11", (a, c, { hwpt }) => ({ ...a, hwpt_id: otherIds(c, hwpt.fd) })],
  ["DTY-12", (a) => ({ ...a, length: 0n as Bytes })],
  ["DTY-13", (a) => ({ ...a, iova: (U64_MAX - 0xfffn) as Iova, length: 0x2000n as Bytes })],
  [
    "DTY-14",
    (a, _, { hwpt }) => ({
      ...a,
      length: ((a.length as bigint) + hwpt.ioPageSize / 2n) as Bytes,
      page_size: (hwpt.ioPageSize / 2n) as Bytes,
    }),
  ],
  [
    "DTY-14",
    (a, c, { hwpt, ioas, area }) => {
      const half = hwpt.ioPageSize / 2n;
      if (ioas === undefined || area === undefined) return undefined;
      const iova = c.inArea(ioas.fd, ioas.id, area.first, half) as Arg<Iova>;
      return { ...a, iova, length: half as Bytes, page_size: half as Bytes };
    },
  ],
  ["DTY-15", (a) => ({ ...a, page_size: 0n as Bytes })],
  ["DTY-16", (a) => ({ ...a, page_size: 0x1_0000_0000n as Bytes })],
  // Not all of the range is mapped (DTY-21).
  ["DTY-21", (a) => ({ ...a, length: ((a.length as bigint) + 2n * PAGE) as Bytes })],
  ["DTY-23", (a) => ({ ...a, prefill: "" })],
];

/** More than one page of bitmap, for areas of a few pages: bits may stand for single bytes. */
const MAX_FINE_BITS = 0x1_0000n;

const bitOf = (c: Composer, unit: bigint, whole: bigint): bigint => {
  const { draw } = c;
  if (!draw.chance(8)) return draw.of(unit, unit, unit, PAGE, unit / 2n);
  const fine = 1n << BigInt(draw.int(0, 9));
  return whole / fine <= MAX_FINE_BITS ? fine : unit;
};

/** Where the bitmap lies: a word need not be whole, nor a page. */
const BITMAPS = [0n, 0n, 0n, 1n, 7n, 0xffcn, 0xfffn] as const;

const getBitmap = (c: Composer, found: Table): void => {
  const { draw } = c;
  const { hwpt, ioas, area } = found;
  const unit = hwpt.ioPageSize;
  const whole = area === undefined ? PAGE : (size(area) / unit) * unit;
  if (whole === 0n || whole / unit > MAX_BITS) return;
  const page = bitOf(c, unit, whole);
  const from = draw.chance(75) ? 0n : (whole / 2n / PAGE) * PAGE;
  const length = ((whole - from) / page) * page;
  const args: GetIn = {
    hwpt_id: c.object(hwpt.fd, hwpt.id),
    flags: draw.chance(40) ? DIRTY_NO_CLEAR : 0,
    iova: (ioas === undefined || area === undefined
      ? 0x100_0000n
      : c.inArea(ioas.fd, ioas.id, area.first, from)) as Arg<Iova>,
    length: length as Bytes,
    page_size: page as Bytes,
    data: (SCRATCH.va + draw.of(...BITMAPS)) as UserVa,
    prefill: draw.of("00", "00", "00", "a5", "80"),
  };
  const step = { call: "HWPT_GET_DIRTY_BITMAP" as const, fd: c.iommufd(hwpt.fd), in: args };
  makeTwisted(c, step, found, TWISTS);
};

export const dirtyBitmapAim: Aim = {
  name: "dirty-bitmap",
  family: "hwpt",
  weight: 9,
  calls: ["HWPT_GET_DIRTY_BITMAP"],
  make: (c, scene) => {
    const found = table(c, scene, ({ tracking }) => tracking !== undefined);
    if (found === undefined) return false;
    getBitmap(c, found);
    return true;
  },
};
