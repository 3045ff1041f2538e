/** IOAS_MAP: fixed and automatic, and every way to get it wrong. */
import type { Arg } from "../../../spec/handle";
import type { StepOf } from "../../../spec/trace";
import { MAP_FIXED_IOVA, MAP_FLAGS, MAP_WRITEABLE } from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { BAD_VAS } from "../nothing";
import { probeMapped, probeNotMapped } from "../probes";
import { access, buffer, edge, freeIova, length, PAGE, size } from "../values";
import type { IoasView, SceneView } from "../view";

type MapIn = StepOf<"IOAS_MAP">["in"];
type MapTwist = Twist<"IOAS_MAP", IoasView>;

const isFixed = (args: MapIn): boolean => ((args.flags as number) & MAP_FIXED_IOVA) !== 0;
// >>> 0: operators on bits make a negative number of a u32 that has bit 31.
const fixed = (args: MapIn): number => ((args.flags as number) | MAP_FIXED_IOVA) >>> 0;
const automatic = (args: MapIn): number => ((args.flags as number) & ~MAP_FIXED_IOVA) >>> 0;
const bytesOf = (value: bigint): Bytes => value as Bytes;

const TWISTS: readonly MapTwist[] = [
  [
    "MAP-01",
    (a, { draw }) => ({
      ...a,
      flags: ((a.flags as number) | draw.of(8, 0x100, 2 ** 31)) >>> 0,
    }),
  ],
  ["MAP-01", (a) => ({ ...a, reserved: 1 })],
  ["MAP-02", (a) => ({ ...a, iova: U64_MAX as Iova })],
  ["MAP-02", (a) => ({ ...a, length: bytesOf(U64_MAX) })],
  [
    "MAP-03",
    (a) => ({
      ...a,
      flags: ((a.flags as number) & ~(MAP_FLAGS & ~MAP_FIXED_IOVA)) >>> 0,
    }),
  ],
  ["MAP-04", (a, c, ioas) => ({ ...a, ioas_id: otherIds(c, ioas.fd) })],
  ["MAP-05", (a) => ({ ...a, length: bytesOf(0n) })],
  [
    "MAP-05",
    (a, { draw }) => ({
      ...a,
      // Up to a page below 2^64-1; exactly there it is permitted.
      length: bytesOf(U64_MAX - draw.of(1n, BigInt(draw.int(1, 0xfff)), PAGE - 1n, PAGE)),
    }),
  ],
  [
    "MAP-06",
    (a, { draw }) => ({ ...a, user_va: (U64_MAX - BigInt(draw.int(0, 0xfff))) as UserVa }),
  ],
  // Ends exactly at 2^64, or in the last page of the address space.
  [
    "MAP-06",
    (a, { draw }) => {
      const va = U64_MAX - ((a.length as bigint) - draw.of(1n, 0n, PAGE));
      return va > U64_MAX ? undefined : { ...a, user_va: va as UserVa };
    },
  ],
  [
    "MAP-08",
    (a, { draw }, ioas) => {
      if (ioas.alignment === 1n) return undefined;
      const length = (a.length as bigint) + draw.of(1n, -1n, ioas.alignment / 2n);
      return length < 0n || length > U64_MAX ? undefined : { ...a, length: bytesOf(length) };
    },
  ],
  [
    "MAP-09a",
    (a, { draw }, ioas) =>
      ioas.alignment === 1n
        ? undefined
        : { ...a, flags: fixed(a), iova: (0x100_0000n + draw.of(1n, ioas.alignment / 2n)) as Iova },
  ],
  [
    "MAP-10a",
    (a, _, ioas) => ({
      ...a,
      flags: fixed(a),
      iova: (U64_MAX + 1n - ioas.alignment - (ioas.alignment === 1n ? 1n : 0n)) as Iova,
    }),
  ],
  ["MAP-11a", (a, c, ioas) => touchReserved(a, c, ioas)],
  ["MAP-12a", (a, c, ioas) => overlapArea(a, c, ioas)],
  ["MAP-12a", (a, c, ioas) => overlapArea(a, c, ioas)],
  [
    "MAP-09b",
    (a, { draw }, ioas) => ({
      ...a,
      flags: automatic(a),
      length: bytesOf(((U64_MAX / 2n + BigInt(draw.int(0, 2))) / ioas.alignment) * ioas.alignment),
      user_va: 0x1000n as UserVa,
    }),
  ],
  [
    "MAP-10b",
    (a, { draw }, ioas) =>
      ioas.alignment === 1n
        ? undefined
        : {
            ...a,
            flags: automatic(a),
            user_va: (BAD_VAS[0] + draw.of(1n, ioas.alignment / 2n)) as UserVa,
          },
  ],
  [
    "MAP-11b",
    (a, _, ioas) => {
      const [start, last] = ioas.ranges[0] ?? [0n, 0n];
      const length = ((last - start) / 2n / PAGE + 1n) * PAGE * 2n;
      // Where everything is free there is no length that does not fit.
      if (length > U64_MAX) return undefined;
      return { ...a, flags: automatic(a), length: bytesOf(length) };
    },
  ],
  [
    "MAP-13",
    (a, { draw }, ioas) => {
      if (ioas.alignment === 1n) return undefined;
      return {
        ...a,
        flags: fixed(a),
        user_va: (BAD_VAS[0] + draw.of(1n, ioas.alignment / 2n)) as UserVa,
      };
    },
  ],
  [
    "MAP-14",
    (a, { draw }) => ({ ...a, user_va: (draw.pick(BAD_VAS.slice(0, 2)) ?? 0n) as UserVa }),
  ],
  ["MAP-14", (a, c, ioas) => offTheEnd(a, c, ioas)],
  ["MAP-14", (a, c, ioas) => unwritable(a, c, ioas)],
];

/** There is such an IOVA, and the mapping ends before 2^64; without length it may begin anywhere. */
const fits = (iova: bigint, length: bigint): boolean =>
  iova >= 0n && iova <= U64_MAX && iova + length - 1n <= U64_MAX;

/** One unit of the mapping lies outside the valid ranges. */
const touchReserved: MapTwist[1] = (a, { draw }, ioas) => {
  const range = draw.pick(ioas.ranges);
  if (range === undefined) return undefined;
  const unit = ioas.alignment;
  const [start, last] = range;
  const iova = draw.chance(50) ? start - unit : last + 1n - (a.length as bigint) + unit;
  if (!fits(iova, a.length as bigint)) return undefined;
  return { ...a, flags: fixed(a), iova: iova as Iova };
};

/** One unit of the mapping lies in a live area. */
const overlapArea: MapTwist[1] = (a, c, ioas) => {
  const area = c.draw.pick(ioas.areas);
  if (area === undefined) return undefined;
  const by = c.draw.of(0n, size(area) - ioas.alignment, ioas.alignment - (a.length as bigint));
  const iova = area.first + by;
  if (!fits(iova, a.length as bigint)) return undefined;
  return { ...a, flags: fixed(a), iova: c.inArea(ioas.fd, ioas.id, area.first, by) as Arg<Iova> };
};

/** The last page of the buffer is the last page of its region, or just beyond it (MAP-28). */
const offTheEnd = (a: MapIn, c: Composer, ioas: IoasView): MapIn | undefined => {
  const found = buffer(c, a.flags as number, PAGE, ioas.alignment);
  if (found === undefined) return undefined;
  const { va, length: regionLength } = found.region;
  return { ...a, user_va: (va + regionLength - PAGE) as UserVa, length: bytesOf(2n * PAGE) };
};

const unwritable = (a: MapIn, c: Composer, ioas: IoasView): MapIn | undefined => {
  const found = buffer(c, 0, a.length as bigint, ioas.alignment);
  return found === undefined
    ? undefined
    : { ...a, flags: ((a.flags as number) | MAP_WRITEABLE) >>> 0, user_va: found.va };
};

export const mapAim: Aim = {
  name: "map",
  weight: 26,
  calls: ["IOAS_MAP"],
  make: (c, scene) => {
    const ioas = pickIoas(c, scene);
    if (ioas === undefined) return false;
    const { draw } = c;
    const rights = access(c);
    const bytes = length(c, ioas.alignment);
    const found = buffer(c, rights, bytes, ioas.alignment);
    if (found === undefined) return false;
    // Nothing is looked at before a domain comes (MAP-22).
    const lazy = ioas.hwpts.length === 0 && draw.chance(8);
    const iova = draw.chance(62) ? freeIova(c, ioas, bytes) : undefined;
    const args: MapIn = {
      flags: rights | (iova === undefined ? 0 : MAP_FIXED_IOVA),
      ioas_id: c.object(ioas.fd, ioas.id),
      user_va: lazy ? ((draw.pick(BAD_VAS) ?? 0n) as UserVa) : found.va,
      length: bytesOf(bytes),
      // Without FIXED the input is ignored (MAP-32).
      ...(iova !== undefined ? { iova } : draw.chance(20) && { iova: edge(c, ioas) as Iova }),
    };
    const step = { call: "IOAS_MAP" as const, fd: c.iommufd(ioas.fd), in: args };
    const made = makeTwisted(c, step, ioas, TWISTS);
    if (made.call.call !== "IOAS_MAP") return true;
    if (made.outcome.errno === 0) probeMapped(c, ioas, made);
    else if (isFixed(made.call.in)) probeNotMapped(c, ioas, made.call.in);
    return true;
  },
};

/** IOASs with domains are the interesting ones. */
export const pickIoas = (c: Composer, scene: SceneView): IoasView | undefined => {
  const attached = scene.ioases.filter((ioas) => ioas.hwpts.length > 0);
  return c.draw.chance(65) && attached.length > 0
    ? c.draw.pick(attached)
    : c.draw.pick(scene.ioases);
};
