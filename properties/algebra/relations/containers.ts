/** Relations of the VFIO container's calls to the native ones. */
import type { Arg, Handle } from "../../../spec/handle";
import {
  DMA_MAP_READ,
  DMA_MAP_WRITE,
  MAP_READABLE,
  MAP_WRITEABLE,
  VFIO_IOAS_SET,
  VFIO_TYPE1_IOMMU,
} from "../../../spec/uapi/flags";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import type { Bytes, Iova, UserVa } from "../../../spec/units";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, drawWhole, type Fixed, freeDevices, noMemory, permuted, pieceOf } from "../plan";
import { relation } from "../relation";
import { compareSides, type Side } from "../side";

/** From then on the container's calls mean this IOAS. */
const makeCompat = (side: Side, ioas: Handle): void => {
  side.make({ call: "VFIO_IOAS", fd: side.fd(), in: { op: VFIO_IOAS_SET, ioas_id: ioas } });
};

const mapDma = (side: Side, { va, bytes, at, flags }: Fixed, key?: string) => {
  const args = {
    argsz: LAYOUTS.VFIO_MAP_DMA.size,
    flags:
      ((flags & MAP_READABLE) === 0 ? 0 : DMA_MAP_READ) |
      ((flags & MAP_WRITEABLE) === 0 ? 0 : DMA_MAP_WRITE),
    vaddr: va as Arg<UserVa>,
    iova: at,
    size: bytes,
  };
  return side.make({ call: "VFIO_MAP_DMA", fd: side.fd(), in: args }, key);
};

const unmapDma = (side: Side, iova: bigint, bytes: bigint, key?: string) => {
  const { size: argsz } = LAYOUTS.VFIO_UNMAP_DMA;
  const args = { argsz, iova: iova as Iova, size: bytes as Bytes };
  return side.make({ call: "VFIO_UNMAP_DMA", fd: side.fd(), in: args }, key);
};

/** Maps and unmaps, in one of the two ways. */
type Way = "native" | "vfio";
const map = (way: Way, side: Side, ioas: Handle, one: Fixed, key?: string) =>
  way === "native" ? side.map(ioas, one, key) : mapDma(side, one, key);
const unmap = (way: Way, side: Side, ioas: Handle, at: bigint, bytes: bigint, key: string) =>
  way === "native" ? side.unmap(ioas, at as Iova, bytes, key) : unmapDma(side, at, bytes, key);

export const CONTAINERS = [
  relation(
    "I-87",
    (tail) => {
      const { c } = tail;
      const { draw } = c;
      const plan = drawPlan(c, draw.int(1, 3));
      const [first] = plan.maps;
      if (first === undefined) return;
      const attach = draw.chance(75);
      // What differs is left out: no rights at all, and unmapping where nothing is mapped.
      const behind = (plan.window[1] + 16n * PAGE) as Iova;
      const refused: readonly (readonly [string, Fixed])[] = [
        ["onto it", first],
        ["misaligned", { ...first, at: (behind + 1n) as Iova }],
        ["nothing", { ...first, at: behind, bytes: 0n as Bytes }],
        ["no memory", { ...first, at: behind, va: noMemory(first) }],
      ];
      const [what, odd] = draw.pick(refused) ?? ["onto it", first];
      const leaving = permuted(c, plan.maps);
      // Both are calls on one IOAS: what one way maps, the other unmaps (VCC-28).
      const mixed = (): Way => (draw.chance(75) ? "vfio" : "native");
      const told = (way: () => Way) => (side: Side) => {
        const ioas = side.ioas();
        makeCompat(side, ioas);
        const to = attach ? side.attach(ioas) : undefined;
        // Where one is missing, unmapping it is not the same in both ways.
        for (const one of plan.maps) map(way(), side, ioas, one);
        map(way(), side, ioas, odd, what);
        unmap(way(), side, ioas, first.at, first.bytes - 1n, "a part");
        side.ranges(ioas, "ranges");
        side.translate(to, plan.window, "translations");
        side.pins(plan.maps, "pins");
        for (const { at, bytes } of leaving) unmap(way(), side, ioas, at, bytes, `unmap ${at}`);
        side.translate(to, plan.window, "translations afterwards");
        side.pins(plan.maps, "pins afterwards");
        side.locked("locked");
      };
      compareSides(
        tail,
        freeDevices(c),
        told(() => "native"),
        told(mixed),
      );
    },
    ["VFIO_MAP_DMA", "VFIO_UNMAP_DMA"],
  ),
  relation(
    "I-91",
    (tail) => {
      const { c } = tail;
      const { draw } = c;
      const whole = drawWhole(c);
      if (whole === undefined) return;
      const pages = Number(whole.bytes / PAGE);
      const from = draw.int(0, pages - 1);
      const most = from === 0 ? pages - 1 : pages - from;
      const [start, length] = [PAGE * BigInt(from), PAGE * BigInt(draw.int(1, most))];
      const hole = pieceOf(whole, start, length);
      const end = whole.at + whole.bytes - 1n;
      const pieces = [
        ["below", whole.at, hole.at - 1n],
        ["above", hole.at + hole.bytes, end],
      ] as const;
      const [attach, early, again] = [draw.chance(90), draw.chance(60), draw.chance(50)];
      const told = (cut: boolean) => (side: Side) => {
        const ioas = side.ioas();
        makeCompat(side, ioas);
        const arg = BigInt(VFIO_TYPE1_IOMMU);
        side.make({ call: "VFIO_SET_IOMMU", fd: side.fd(), in: { arg } });
        let to = attach && early ? side.attach(ioas) : undefined;
        mapDma(side, whole);
        if (attach && !early) to = side.attach(ioas);
        if (cut) unmapDma(side, hole.at, hole.bytes);
        for (const [key, iova, last] of pieces) {
          // Not a byte more: next to what remains there is a hole on one side only.
          if (to !== undefined && iova <= last) side.walk(to, [iova, last], key);
        }
        if (cut) again ? mapDma(side, hole) : side.map(ioas, hole);
        side.ranges(ioas, "ranges");
        side.translate(to, [whole.at, end], "translations");
        side.pins([whole], "pins");
        side.locked("locked");
        side.unmap(ioas, whole.at, whole.bytes, "unmap");
        side.pins([whole], "pins afterwards");
      };
      compareSides(tail, freeDevices(c), told(false), told(true));
    },
    ["VFIO_MAP_DMA", "VFIO_UNMAP_DMA", "VFIO_SET_IOMMU"],
  ),
];
