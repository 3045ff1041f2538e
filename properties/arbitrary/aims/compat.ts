/** The VFIO container's calls on an iommufd: they work on the IOAS that VFIO_IOAS has set. */
import type { Arg } from "../../../spec/handle";
import type { StepOf } from "../../../spec/trace";
import {
  DMA_MAP_READ,
  DMA_MAP_WRITE,
  DMA_UNMAP_ALL,
  MAP_WRITEABLE,
  VFIO_DMA_CC_IOMMU,
  VFIO_IOAS_SET,
  VFIO_NOIOMMU_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
} from "../../../spec/uapi/flags";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import type { Composer } from "../composer";
import { BAD_VAS } from "../nothing";
import { probeRange, probeRanges } from "../probes";
import { buffer, edge, freeIova, length, PAGE, size } from "../values";
import type { IoasView, SceneView } from "../view";

/** Mostly there is a compat IOAS, for without one nothing works. */
const container = (c: Composer, scene: SceneView): IoasView | undefined => {
  const { draw } = c;
  const compat = draw.pick(scene.ioases.filter(({ isCompat }) => isCompat));
  if (compat !== undefined && draw.chance(96)) return compat;
  const ioas = draw.pick(scene.ioases);
  if (ioas !== undefined && draw.chance(75)) {
    const args = { op: VFIO_IOAS_SET, ioas_id: c.object(ioas.fd, ioas.id) };
    c.make({ call: "VFIO_IOAS", fd: c.iommufd(ioas.fd), in: args });
  }
  return ioas;
};

export const versionAim: Aim = {
  name: "vfio-version",
  family: "compat",
  weight: 2,
  calls: ["VFIO_GET_API_VERSION", "VFIO_CHECK_EXTENSION"],
  make: (c, scene) => {
    const { draw } = c;
    const fd = draw.pick(scene.fds);
    if (fd === undefined) return false;
    const arg = BigInt(
      draw.of(
        ...[VFIO_TYPE1_IOMMU, VFIO_DMA_CC_IOMMU, VFIO_UNMAP_ALL, VFIO_NOIOMMU_IOMMU, 99],
        2 ** 32 + VFIO_TYPE1_IOMMU,
      ),
    );
    c.make({ call: "VFIO_GET_API_VERSION", fd: c.iommufd(fd), in: { arg } });
    c.make({ call: "VFIO_CHECK_EXTENSION", fd: c.iommufd(fd), in: { arg } });
    return true;
  },
};

export const setIommuAim: Aim = {
  name: "vfio-set-iommu",
  family: "compat",
  weight: 5,
  calls: ["VFIO_SET_IOMMU"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = container(c, scene);
    if (ioas === undefined) return false;
    const arg = BigInt(
      draw.chance(85) ? draw.of(VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU) : draw.of(0, 7, 2),
    );
    c.make({ call: "VFIO_SET_IOMMU", fd: c.iommufd(ioas.fd), in: { arg } });
    if (draw.chance(40)) probeRanges(c, ioas);
    return true;
  },
};

export const iommuInfoAim: Aim = {
  name: "vfio-iommu-info",
  family: "compat",
  weight: 4,
  calls: ["VFIO_IOMMU_GET_INFO"],
  make: (c, scene) => {
    const ioas = container(c, scene);
    if (ioas === undefined) return false;
    const { draw } = c;
    // VCC-24: the struct and its chain, whole or not quite.
    const whole = 56 + 16 * ioas.ranges.length;
    const argsz = draw.chance(35)
      ? whole - draw.of(0, 1, 4, 8, 15, 16)
      : draw.of(0, 15, 16, 20, 24, 40, 48, 72, 104, 320, 320, 320);
    c.make({ call: "VFIO_IOMMU_GET_INFO", fd: c.iommufd(ioas.fd), in: { argsz } });
    return true;
  },
};

type MapIn = StepOf<"VFIO_MAP_DMA">["in"];
const MAP_TWISTS: readonly Twist<"VFIO_MAP_DMA", IoasView>[] = [
  ["VCC-10", (a, { draw }) => ({ ...a, argsz: draw.of(0, LAYOUTS.VFIO_MAP_DMA.min - 1) })],
  ["VCC-10", (a) => ({ ...a, flags: (a.flags as number) | 4 })],
  ["MAP-05", (a) => ({ ...a, size: 0n as Bytes })],
  ["MAP-06", (a) => ({ ...a, vaddr: (U64_MAX - 0xfffn) as UserVa })],
  ["MAP-08", (a) => ({ ...a, size: ((a.size as bigint) + 1n) as Bytes })],
  ["MAP-09a", (a) => ({ ...a, iova: 0x100_0001n as Iova })],
  ["MAP-10a", (a) => ({ ...a, iova: (U64_MAX - 0x7ffn) as Iova })],
  ["MAP-12a", (a, c, ioas) => ({ ...a, iova: edge(c, ioas) as Iova })],
  [
    "MAP-12a",
    (a, { draw }, ioas) => {
      const area = draw.pick(ioas.areas);
      return area && { ...a, iova: area.first as Iova };
    },
  ],
  ["MAP-14", (a) => ({ ...a, vaddr: BAD_VAS[0] as UserVa })],
];

export const mapDmaAim: Aim = {
  name: "vfio-map-dma",
  family: "compat",
  weight: 12,
  calls: ["VFIO_MAP_DMA"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = container(c, scene);
    if (ioas === undefined) return false;
    const flags = draw.of(3, 3, DMA_MAP_READ, DMA_MAP_WRITE, 0);
    const bytes = length(c, ioas.alignment);
    const found = buffer(c, flags & DMA_MAP_WRITE ? MAP_WRITEABLE : 0, bytes, ioas.alignment);
    const iova = freeIova(c, ioas, bytes);
    if (found === undefined || iova === undefined) return false;
    const args: MapIn = {
      argsz: LAYOUTS.VFIO_MAP_DMA.size,
      flags,
      vaddr: found.va,
      iova,
      size: bytes as Bytes,
    };
    const step = { call: "VFIO_MAP_DMA" as const, fd: c.iommufd(ioas.fd), in: args };
    const made = makeTwisted(c, step, ioas, MAP_TWISTS);
    if (made.call.call === "VFIO_MAP_DMA") {
      probeRange(c, ioas, made.call.in.iova, made.call.in.size);
    }
    return true;
  },
};

type UnmapIn = StepOf<"VFIO_UNMAP_DMA">["in"];
const UNMAP_TWISTS: readonly Twist<"VFIO_UNMAP_DMA", IoasView>[] = [
  ["VCC-11", (a, { draw }) => ({ ...a, argsz: draw.of(0, 23) })],
  ["VCC-11", (a, { draw }) => ({ ...a, flags: draw.of(1, 4) })],
  ["VCC-12", (a) => ({ ...a, flags: DMA_UNMAP_ALL })],
  ["VCC-13", (a) => ({ ...a, size: 0n as Bytes })],
  ["VCC-13", (a) => ({ ...a, iova: (U64_MAX - 1n) as Iova, size: PAGE as Bytes })],
  ["VCC-15", (a) => (a.size ? { ...a, size: ((a.size as bigint) - 1n) as Bytes } : undefined)],
  ["VCC-13", (a) => ({ ...a, iova: 0x7000_0000n as Iova })],
];

/** A whole mapping or any part of one, or several. */
const partOf = (c: Composer, ioas: IoasView): UnmapIn | undefined => {
  const { draw } = c;
  const i = draw.int(0, ioas.areas.length - 1);
  const [area, next] = [ioas.areas[i], ioas.areas[i + 1]];
  if (area === undefined) return undefined;
  const whole = size(area);
  const unit = whole > PAGE ? PAGE : ioas.alignment;
  const units = Number(whole / unit);
  const from = draw.chance(50) ? 0 : draw.int(0, Math.max(0, units - 1));
  const left = whole - unit * BigInt(from);
  const bytes = draw.chance(50) || units < 2 ? left : unit * BigInt(draw.int(1, units - from));
  const further = next !== undefined && draw.chance(20) ? next.last - area.last : 0n;
  const all = bytes + further;
  return {
    argsz: LAYOUTS.VFIO_UNMAP_DMA.size,
    iova: (area.first + unit * BigInt(from)) as Arg<Iova>,
    // From 0 to the last address it is one byte more than can be said.
    size: (all > U64_MAX ? U64_MAX : all) as Bytes,
  };
};

export const unmapDmaAim: Aim = {
  name: "vfio-unmap-dma",
  family: "compat",
  weight: 9,
  calls: ["VFIO_UNMAP_DMA"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = container(c, scene);
    if (ioas === undefined) return false;
    const argsz = LAYOUTS.VFIO_UNMAP_DMA.size;
    const args: UnmapIn = draw.chance(8)
      ? { argsz, flags: DMA_UNMAP_ALL }
      : (partOf(c, ioas) ?? { argsz, iova: 0n as Iova, size: PAGE as Bytes });
    const before = [...ioas.areas];
    const step = { call: "VFIO_UNMAP_DMA" as const, fd: c.iommufd(ioas.fd), in: args };
    const { call } = makeTwisted(c, step, ioas, UNMAP_TWISTS);
    if (call.call !== "VFIO_UNMAP_DMA") return true;
    const { flags, iova, size: bytes } = call.in;
    if (flags === 0) probeRange(c, ioas, iova, bytes, before);
    return true;
  },
};
