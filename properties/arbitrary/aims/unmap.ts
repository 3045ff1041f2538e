/** IOAS_UNMAP: exact areas, supersets, everything, and ranges that cut an area. */
import type { Arg } from "../../../spec/handle";
import { type Bytes, type Iova, U64_MAX } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { probeRange } from "../probes";
import { edge, PAGE, size } from "../values";
import type { AreaView, IoasView } from "../view";
import { pickIoas } from "./map";

type UnmapTwist = Twist<"IOAS_UNMAP", IoasView>;

const TWISTS: readonly UnmapTwist[] = [
  ["UNM-01", (a, c, ioas) => ({ ...a, ioas_id: otherIds(c, ioas.fd) })],
  ["UNM-03", (a) => ({ ...a, iova: U64_MAX as Iova })],
  ["UNM-03", (a) => ({ ...a, iova: 1n as Iova, length: U64_MAX as Bytes })],
  ["UNM-04", (a) => ({ ...a, length: 0n as Bytes })],
  ["UNM-05", (a) => ({ ...a, iova: (U64_MAX - 1n) as Iova, length: PAGE as Bytes })],
  ["UNM-07", (a, c, ioas) => cutOne(a.iova, c, ioas)],
  ["UNM-07", (a, c, ioas) => cutOne(a.iova, c, ioas)],
  ["UNM-08", (a, c, ioas) => ({ ...a, iova: nowhere(c, ioas), length: 1n as Bytes })],
  ["UNM-24", (_, c, ioas) => cutLast(c, ioas)],
];

/** A range that leaves the first or the last byte of an area, or touches only one. */
const cutOne = (_: unknown, c: Composer, ioas: IoasView): ReturnType<UnmapTwist[1]> => {
  const area = c.draw.pick(ioas.areas);
  if (area === undefined || size(area) === 1n) return undefined;
  const whole = size(area);
  const [offset, bytes] = c.draw.of([1n, whole - 1n], [0n, whole - 1n], [0n, 1n], [whole - 1n, 1n]);
  return range(c, ioas, area, offset ?? 0n, bytes ?? 1n);
};

/** Whole areas, then a part of the next: the earlier ones are gone when it fails (UNM-24). */
const cutLast = (c: Composer, ioas: IoasView): ReturnType<UnmapTwist[1]> => {
  const i = c.draw.int(0, ioas.areas.length - 2);
  const [first, next] = [ioas.areas[i], ioas.areas[i + 1]];
  if (first === undefined || next === undefined || size(next) === 1n) return undefined;
  return range(c, ioas, first, 0n, next.last - first.first);
};

const nowhere = (c: Composer, ioas: IoasView): Iova => {
  const at = edge(c, ioas);
  const covered = ioas.areas.find((area) => area.first <= at && at <= area.last);
  const free = covered === undefined ? at : covered.last + 1n;
  return (free > U64_MAX - 1n ? 0n : free) as Iova;
};

const range = (c: Composer, ioas: IoasView, area: AreaView, offset: bigint, bytes: bigint) => ({
  ioas_id: c.object(ioas.fd, ioas.id),
  iova: c.inArea(ioas.fd, ioas.id, area.first, offset) as Arg<Iova>,
  length: bytes as Bytes,
});

/** A range that covers areas `i` to `j` and up to a page beside them that is not mapped. */
const superset = (c: Composer, ioas: IoasView, i: number, j: number) => {
  const [first, last] = [ioas.areas[i], ioas.areas[j]];
  if (first === undefined || last === undefined) return undefined;
  const below = first.first - ((ioas.areas[i - 1]?.last ?? -1n) + 1n);
  const above = (ioas.areas[j + 1]?.first ?? U64_MAX + 1n) - last.last - 1n;
  const before = [0n, 1n, PAGE].filter((by) => by <= below);
  const after = [0n, 1n, PAGE].filter((by) => by <= above);
  const lead = c.draw.pick(before) ?? 0n;
  const bytes = last.last - first.first + 1n + lead + (c.draw.pick(after) ?? 0n);
  if (bytes >= U64_MAX) return undefined;
  return range(c, ioas, first, -lead, bytes);
};

export const unmapAim: Aim = {
  name: "unmap",
  weight: 11,
  calls: ["IOAS_UNMAP"],
  make: (c, scene) => {
    const ioas = pickIoas(c, scene);
    if (ioas === undefined) return false;
    const { draw } = c;
    const i = draw.int(0, ioas.areas.length - 1);
    const area = ioas.areas[i];
    if (area === undefined && !draw.chance(25)) return false;
    const j = draw.chance(70) ? i : Math.min(ioas.areas.length - 1, i + draw.int(1, 3));
    const args =
      area === undefined || draw.chance(7)
        ? { ioas_id: c.object(ioas.fd, ioas.id), iova: 0n as Iova, length: U64_MAX as Bytes }
        : draw.chance(45)
          ? range(c, ioas, area, 0n, size(area))
          : superset(c, ioas, i, j);
    if (args === undefined) return false;
    const step = { call: "IOAS_UNMAP" as const, fd: c.iommufd(ioas.fd), in: args };
    const before = [...ioas.areas];
    const { call } = makeTwisted(c, step, ioas, TWISTS);
    if (call.call === "IOAS_UNMAP") probeRange(c, ioas, call.in.iova, call.in.length, before);
    return true;
  },
};
