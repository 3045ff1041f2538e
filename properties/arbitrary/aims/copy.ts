/** IOAS_COPY: whole areas, parts, several at once, within one IOAS and between two. */
import type { Arg } from "../../../spec/handle";
import type { StepOf } from "../../../spec/trace";
import { MAP_FIXED_IOVA, MAP_FLAGS, MAP_READABLE, MAP_WRITEABLE } from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { probeCopied, probeRange } from "../probes";
import { access, edge, freeIova, PAGE, size } from "../values";
import type { AreaView, IoasView } from "../view";
import { pickIoas } from "./map";

interface Ends {
  readonly src: IoasView;
  readonly dst: IoasView;
  readonly area: AreaView;
}
type CopyTwist = Twist<"IOAS_COPY", Ends>;
type CopyIn = StepOf<"IOAS_COPY">["in"];

const fixed = (args: CopyIn): number => (args.flags as number) | MAP_FIXED_IOVA;

const TWISTS: readonly CopyTwist[] = [
  ["CPY-01", (a, { draw }) => ({ ...a, flags: (a.flags as number) | draw.of(8, 0x100) })],
  ["CPY-02", (a) => ({ ...a, length: U64_MAX as Bytes })],
  ["CPY-02", (a) => ({ ...a, src_iova: U64_MAX as Iova })],
  ["CPY-02", (a) => ({ ...a, dst_iova: U64_MAX as Iova })],
  ["CPY-03", (a) => ({ ...a, flags: (a.flags as number) & ~(MAP_FLAGS & ~MAP_FIXED_IOVA) })],
  ["CPY-04", (a, c, { src }) => ({ ...a, src_ioas_id: otherIds(c, src.fd) })],
  ["CPY-05", (a) => ({ ...a, length: 0n as Bytes })],
  ["CPY-06", (a) => ({ ...a, src_iova: (U64_MAX - 1n) as Iova, length: PAGE as Bytes })],
  [
    "CPY-07",
    (a) => {
      const length = (a.length as bigint) + PAGE;
      return length > U64_MAX ? undefined : { ...a, length: length as Bytes };
    },
  ],
  ["CPY-07", (a, c, { src }) => ({ ...a, src_iova: edge(c, src) as Iova })],
  ["CPY-08", (a, c, { dst }) => ({ ...a, dst_ioas_id: otherIds(c, dst.fd) })],
  ["CPY-09", (a, c, { dst }) => ({ ...a, flags: fixed(a), dst_iova: edge(c, dst) as Iova })],
  ["CPY-09", (a, c, ends) => ontoArea(a, c, ends)],
  ["CPY-10", (a) => ({ ...a, flags: (a.flags as number) | MAP_WRITEABLE })],
  ["CPY-11", (a) => ({ ...a, src_iova: a.src_iova ?? (0n as Iova), length: PAGE as Bytes })],
  [
    "CPY-29",
    (a, _, { src }) => ({
      ...a,
      flags: fixed(a),
      dst_ioas_id: a.src_ioas_id as number,
      ...(src.id >= 0 && { dst_iova: a.src_iova as Arg<Iova> }),
    }),
  ],
];

const ontoArea = (a: CopyIn, c: Composer, { dst }: Ends): CopyIn | undefined => {
  const area = c.draw.pick(dst.areas);
  if (area === undefined) return undefined;
  const iova = c.inArea(dst.fd, dst.id, area.first, c.draw.of(0n, size(area) - dst.alignment));
  return { ...a, flags: fixed(a), dst_iova: iova as Arg<Iova> };
};

/** What to copy: an area, a part of one, or neighbours without a gap between them. */
const source = (
  c: Composer,
  { areas, alignment }: IoasView,
  i: number,
): readonly [bigint, bigint] => {
  const area = areas[i];
  if (area === undefined) return [0n, 0n];
  const { draw } = c;
  const next = areas[i + 1];
  if (next !== undefined && next.first === area.last + 1n && draw.chance(50)) {
    const both = next.last - area.first + 1n;
    // All addresses are one byte more than can be said.
    return draw.chance(60) ? [0n, both > U64_MAX ? U64_MAX : both] : [size(area) - 1n, 2n];
  }
  if (draw.chance(70) || size(area) === 1n) return [0n, size(area)];
  const unit = draw.chance(60) && size(area) > PAGE ? PAGE : alignment;
  // An area may have more bytes than numbers can be drawn from.
  const units = Math.min(Number(size(area) / unit), 2 ** 32);
  const from = draw.int(0, Math.max(0, units - 1));
  return [unit * BigInt(from), unit * BigInt(Math.max(1, draw.int(1, units - from)))];
};

export const copyAim: Aim = {
  name: "copy",
  weight: 13,
  calls: ["IOAS_COPY"],
  make: (c, scene) => {
    const { draw } = c;
    const src = draw.pick(scene.ioases.filter((ioas) => ioas.areas.length > 0));
    if (src === undefined) return false;
    const mine = scene.ioases.filter((ioas) => ioas.fd === src.fd);
    const dst = pickIoas(c, { ...scene, ioases: mine });
    const i = draw.int(0, src.areas.length - 1);
    const area = src.areas[i];
    if (dst === undefined || area === undefined) return false;
    const [offset, bytes] = source(c, src, i);
    const rights = area.pages.writeable ? access(c) : MAP_READABLE;
    const iova = draw.chance(55) ? freeIova(c, dst, bytes) : undefined;
    const args: CopyIn = {
      flags: rights | (iova === undefined ? 0 : MAP_FIXED_IOVA),
      dst_ioas_id: c.object(dst.fd, dst.id),
      src_ioas_id: c.object(src.fd, src.id),
      length: bytes as Bytes,
      src_iova: c.inArea(src.fd, src.id, area.first, offset) as Arg<Iova>,
      ...(iova !== undefined && { dst_iova: iova }),
    };
    const step = { call: "IOAS_COPY" as const, fd: c.iommufd(src.fd), in: args };
    const made = makeTwisted(c, step, { src, dst, area }, TWISTS);
    if (made.call.call !== "IOAS_COPY") return true;
    const { dst_iova, length } = made.call.in;
    if (made.outcome.errno === 0) probeCopied(c, dst, made);
    else probeRange(c, dst, dst_iova, length);
    return true;
  },
};
