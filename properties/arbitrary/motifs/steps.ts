/** Motifs, and the calls they are made of, in few words. */
import { type Arg, Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  MAP_FIXED_IOVA,
  MAP_READABLE,
  MAP_WRITEABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  VFIO_ATTACH_ARGSZ,
  VFIO_BIND_ARGSZ,
  VFIO_DETACH_ARGSZ,
} from "../../../spec/uapi/flags";
import type { Bytes, Iova, IovaRange, UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { fitDevices } from "../devices";
import { probeRanges, probeWholeDomains } from "../probes";
import { PAGE } from "../values";
import type { CdevView, IoasView, SceneView } from "../view";

export const RW = MAP_READABLE | MAP_WRITEABLE;
/** Inside every aperture. */
export const PLACE = 0x100_0000n;

type Make = (c: Composer, ioas: IoasView, scene: SceneView) => void;

/** A motif that works on any IOAS of the scene. */
export const motif = (name: string, weight: number, calls: Aim["calls"], make: Make): Aim => ({
  name,
  weight,
  calls,
  make: (c, scene) => {
    const ioas = c.draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    make(c, ioas, scene);
    return true;
  },
});

/** A motif that begins with an IOAS of its own. */
export const freshMotif = (name: string, weight: number, calls: Aim["calls"], make: Make): Aim =>
  motif(name, weight, calls, (c, { fd }, scene) => {
    const ioas = fresh(c, fd);
    if (ioas !== undefined) make(c, ioas, scene);
  });

/** The IOAS as it is after the calls made so far. */
export const now = (c: Composer, { fd, id }: Pick<IoasView, "fd" | "id">): IoasView | undefined =>
  c.scene.ioases.find((ioas) => ioas.fd === fd && ioas.id === id);

export const fresh = (c: Composer, fd: number): IoasView | undefined => {
  const { outcome } = c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
  const id = (outcome.out as { out_ioas_id: number } | undefined)?.out_ioas_id ?? 0;
  return now(c, { fd, id });
};

export const openIommufd = (c: Composer): number => {
  const { outcome } = c.make({ call: "OPEN", in: {} });
  return (outcome.out as { fd: number } | undefined)?.fd ?? -1;
};

export const destroy = (c: Composer, fd: number, id: number): void => {
  c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, id) } });
};

interface Mapping {
  readonly va: Arg<UserVa>;
  readonly bytes: bigint;
  readonly flags?: number;
  /** Absent: automatic. */
  readonly at?: Arg<bigint>;
}

export const map = (
  c: Composer,
  { fd, id }: IoasView,
  { va, bytes, flags = RW, at }: Mapping,
): void => {
  c.make({
    call: "IOAS_MAP",
    fd: c.iommufd(fd),
    in: {
      flags: flags | (at === undefined ? 0 : MAP_FIXED_IOVA),
      ioas_id: c.object(fd, id),
      user_va: va,
      length: bytes as Bytes,
      ...(at !== undefined && { iova: at as Arg<Iova> }),
    },
  });
};

interface Copying {
  readonly src: IoasView;
  readonly from: Arg<bigint>;
  readonly bytes: bigint;
  readonly flags?: number;
  /** Absent: automatic. */
  readonly at?: bigint;
}

export const copy = (
  c: Composer,
  { fd, id }: IoasView,
  { src, from, bytes, flags = RW, at }: Copying,
): void => {
  c.make({
    call: "IOAS_COPY",
    fd: c.iommufd(fd),
    in: {
      flags: flags | (at === undefined ? 0 : MAP_FIXED_IOVA),
      dst_ioas_id: c.object(fd, id),
      src_ioas_id: c.object(src.fd, src.id),
      length: bytes as Bytes,
      src_iova: from as Arg<Iova>,
      ...(at !== undefined && { dst_iova: at as Iova }),
    },
  });
};

export const unmap = (
  c: Composer,
  { fd, id }: IoasView,
  iova: Arg<bigint>,
  bytes: bigint,
): void => {
  const args = { ioas_id: c.object(fd, id), iova: iova as Arg<Iova>, length: bytes as Bytes };
  c.make({ call: "IOAS_UNMAP", fd: c.iommufd(fd), in: args });
};

export const allow = (
  c: Composer,
  { fd, id }: IoasView,
  ranges: readonly (readonly [bigint, bigint])[],
): void => {
  c.make({
    call: "IOAS_ALLOW_IOVAS",
    fd: c.iommufd(fd),
    in: {
      ioas_id: c.object(fd, id),
      num_iovas: ranges.length,
      allowed_iovas: SCRATCH.va,
      array: ranges as readonly IovaRange[],
    },
  });
};

export const reserve = (c: Composer, { fd, id }: IoasView, start: bigint, bytes: bigint): void => {
  const args = { ioas_id: c.object(fd, id), start: start as Iova, length: bytes as Bytes };
  c.make({ call: "ADD_RESERVED", fd: c.iommufd(fd), in: args });
};

export const setHugePages = (c: Composer, { fd, id }: IoasView, on: boolean): void => {
  const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: c.object(fd, id) };
  c.make({ call: "OPTION", fd: c.iommufd(fd), in: { ...option, val64: on ? 1n : 0n } });
};

export const getHugePages = (c: Composer, { fd, id }: IoasView): void => {
  const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_GET, object_id: c.object(fd, id) };
  c.make({ call: "OPTION", fd: c.iommufd(fd), in: option });
};

/** Attaches another device to an IOAS, with the front end at hand. */
export const attach = (c: Composer, ioas: IoasView): void => {
  const pt_id = c.object(ioas.fd, ioas.id);
  if (c.can("MOCK_DOMAIN")) {
    c.make({ call: "MOCK_DOMAIN", fd: c.iommufd(ioas.fd), in: { pt_id } });
    return;
  }
  const { cdevs } = c.scene;
  const bound = cdevs.filter((cdev) => cdev.fd === ioas.fd && cdev.ioas !== ioas.id);
  const devfd = c.draw.pick(bound)?.devfd ?? openAndBind(c, ioas.fd);
  if (devfd !== undefined) attachCdev(c, devfd, ioas);
};

/** The last device that was attached leaves again, and so does the domain that it had alone. */
export const leave = (c: Composer, { fd, id }: IoasView): void => {
  const mock = c.scene.mocks.findLast((one) => one.fd === fd && one.ioas === id);
  const cdev = c.scene.cdevs.findLast((one) => one.fd === fd && one.ioas === id);
  if (mock !== undefined) destroy(c, fd, mock.stdev);
  else if (cdev !== undefined) detachCdev(c, cdev);
};

export const attachCdev = (c: Composer, devfd: number, { fd, id }: IoasView): void => {
  const args = { devfd: c.cdev(devfd), argsz: VFIO_ATTACH_ARGSZ, pt_id: c.object(fd, id) };
  c.make({ call: "VFIO_ATTACH", in: args });
};

export const detachCdev = (c: Composer, { devfd }: Pick<CdevView, "devfd">): void => {
  c.make({ call: "VFIO_DETACH", in: { devfd: c.cdev(devfd), argsz: VFIO_DETACH_ARGSZ } });
};

/** Opens and binds a device that is closed so far; preferably behind another IOMMU. */
const openAndBind = (c: Composer, fd: number): number | undefined => {
  const fit = fitDevices(c);
  const dev = c.draw.chance(50) ? fit.at(-1) : c.draw.pick(fit);
  return dev === undefined ? undefined : bindDevice(c, dev, fd);
};

export const bindDevice = (c: Composer, dev: number, fd: number): number | undefined => {
  const { outcome } = c.make({ call: "DEVICE_OPEN", in: { dev } });
  const devfd = (outcome.out as { devfd: number } | undefined)?.devfd;
  if (devfd === undefined) return undefined;
  const args = { devfd: c.cdev(devfd), argsz: VFIO_BIND_ARGSZ, iommufd: c.iommufd(fd) };
  c.make({ call: "VFIO_BIND", in: args });
  return devfd;
};

export const look = (c: Composer, ioas: IoasView): void => {
  const present = now(c, ioas);
  if (present === undefined) return;
  probeRanges(c, present);
  probeWholeDomains(c, present);
};

/** The third page of a region on, where nothing else has disturbed it yet. */
export const start = (region: string): Handle => new Handle(region, "", PAGE * 2n);
