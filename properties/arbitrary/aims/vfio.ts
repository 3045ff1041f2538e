/** The VFIO front end: open, bind, attach, replace, detach, close, and DMA. */

import { FD_NOT_AN_IOMMUFD, FD_NOT_OPEN } from "../../../spec/calls";
import type { Arg } from "../../../spec/handle";
import { VFIO_ATTACH_ARGSZ, VFIO_BIND_ARGSZ, VFIO_DETACH_ARGSZ } from "../../../spec/uapi/flags";
import { type Iova, U64_MAX } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { closedDevices, fitDevices } from "../devices";
import { BOGUS_IDS } from "../nothing";
import { probeRanges, probeWholeDomains } from "../probes";
import { edge, PAGE, size } from "../values";
import { type CdevView, type SceneView, userVaOf } from "../view";

const BUFFER = 64;

const afterwards = (c: Composer): void => {
  for (const ioas of c.scene.ioases) {
    if (!c.draw.chance(40)) continue;
    probeRanges(c, ioas);
    probeWholeDomains(c, ioas);
  }
};

/** A device that has left an IOAS tries what it could reach there (DEV-07, DEV-40, I-62). */
const reachBack = (c: Composer, { ioases }: SceneView, { devfd, fd, ioas }: CdevView): void => {
  const left = ioases.find((other) => other.fd === fd && other.id === ioas);
  const area = c.draw.pick(left?.areas ?? []);
  if (area === undefined || !c.can("DMA") || !c.draw.chance(50)) return;
  const args = { dir: "to_device" as const, iova: area.first as Iova, length: 1 };
  c.make({ call: "DMA", in: { devfd: c.cdev(devfd), ...args } });
};

export const deviceOpenAim: Aim = {
  name: "device-open",
  weight: 6,
  calls: ["DEVICE_OPEN"],
  make: (c, scene) => {
    const { draw } = c;
    const again = draw.chance(8) ? draw.pick(scene.cdevs)?.dev : undefined;
    // The unfit devices are many, and needed less often.
    const dev = again ?? draw.pick(draw.chance(50) ? fitDevices(c) : closedDevices(c));
    if (dev === undefined || scene.cdevs.length >= 8) return false;
    const { outcome } = c.make({ call: "DEVICE_OPEN", in: { dev } });
    const devfd = (outcome.out as { devfd: number } | undefined)?.devfd;
    const cdev = c.scene.cdevs.find((opened) => opened.devfd === devfd);
    if (cdev !== undefined && draw.chance(80)) bind(c, scene, cdev);
    return true;
  },
};

/** VFD-02: what a device says of itself, if it is bound and there is room for it. */
export const deviceInfoAim: Aim = {
  name: "device-info",
  weight: 1.5,
  calls: ["VFIO_GET_INFO"],
  make: (c, scene) => {
    const { draw } = c;
    const cdev = draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    const argsz = draw.of(24, 24, 20, 16, 15, 8, 0, 64);
    c.make({ call: "VFIO_GET_INFO", in: { devfd: c.cdev(cdev.devfd), argsz } });
    return true;
  },
};

export const deviceCloseAim: Aim = {
  name: "device-close",
  weight: 3,
  calls: ["DEVICE_CLOSE"],
  make: (c, scene) => {
    const cdev = c.draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    c.make({ call: "DEVICE_CLOSE", in: { devfd: c.cdev(cdev.devfd) } });
    afterwards(c);
    return true;
  },
};

const BIND_TWISTS: readonly Twist<"VFIO_BIND", CdevView>[] = [
  ["VFD-01", (a, { draw }) => ({ ...a, argsz: draw.of(0, VFIO_BIND_ARGSZ - 1) })],
  ["VFD-01", (a) => ({ ...a, flags: 1 })],
  ["VFD-01", (a) => ({ ...a, iommufd: -1 })],
  ["VFD-05", (a) => ({ ...a, iommufd: FD_NOT_OPEN })],
  ["VFD-05", (a) => ({ ...a, iommufd: FD_NOT_AN_IOMMUFD })],
];

const bind = (c: Composer, scene: SceneView, cdev: CdevView): void => {
  const { draw } = c;
  const fd = draw.pick(scene.fds);
  if (fd === undefined) return;
  const args = {
    devfd: c.cdev(cdev.devfd),
    argsz: VFIO_BIND_ARGSZ + draw.of(0, 0, 0, 16),
    iommufd: c.iommufd(fd),
  };
  makeTwisted(c, { call: "VFIO_BIND" as const, in: args }, cdev, BIND_TWISTS);
};

export const bindAim: Aim = {
  name: "bind",
  weight: 6,
  calls: ["VFIO_BIND"],
  make: (c, scene) => {
    const unbound = scene.cdevs.filter((cdev) => cdev.fd === undefined);
    const cdev = c.draw.chance(85) ? c.draw.pick(unbound) : c.draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    bind(c, scene, cdev);
    return true;
  },
};

const ATTACH_TWISTS: readonly Twist<"VFIO_ATTACH", CdevView>[] = [
  ["VFD-10", (a, { draw }) => ({ ...a, argsz: draw.of(0, VFIO_ATTACH_ARGSZ - 1) })],
  ["VFD-10", (a) => ({ ...a, flags: 1 })],
  ["DEV-10", (a, { draw }) => ({ ...a, pt_id: draw.pick(BOGUS_IDS) ?? 0 })],
  ["DEV-11", (a, c, cdev) => ({ ...a, pt_id: otherIds(c, cdev.fd ?? -1) })],
];

const attach = (c: Composer, scene: SceneView, cdev: CdevView): void => {
  const { draw } = c;
  const mine = scene.ioases.filter((ioas) => ioas.fd === cdev.fd);
  const ioas = draw.pick(mine);
  const hwpts = scene.hwpts.filter(({ fd }) => fd === cdev.fd);
  const hwpt = draw.chance(20) ? draw.pick(hwpts) : undefined;
  const fd = cdev.fd ?? ioas?.fd ?? -1;
  const args = {
    devfd: c.cdev(cdev.devfd),
    argsz: VFIO_ATTACH_ARGSZ + draw.of(0, 0, 0, 4),
    pt_id: c.object(fd, (hwpt ?? ioas)?.id ?? 0),
  };
  makeTwisted(c, { call: "VFIO_ATTACH" as const, in: args }, cdev, ATTACH_TWISTS);
  reachBack(c, scene, cdev);
  afterwards(c);
};

export const attachAim: Aim = {
  name: "attach",
  weight: 10,
  calls: ["VFIO_ATTACH"],
  make: (c, scene) => {
    const bound = scene.cdevs.filter((cdev) => cdev.fd !== undefined);
    const cdev = c.draw.chance(94) ? c.draw.pick(bound) : c.draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    attach(c, scene, cdev);
    return true;
  },
};

const DETACH_TWISTS: readonly Twist<"VFIO_DETACH", CdevView>[] = [
  ["VFD-14", (a, { draw }) => ({ ...a, argsz: draw.of(0, VFIO_DETACH_ARGSZ - 1) })],
  ["VFD-14", (a) => ({ ...a, flags: 1 })],
];

export const detachAim: Aim = {
  name: "detach",
  weight: 4,
  calls: ["VFIO_DETACH"],
  make: (c, scene) => {
    const attached = scene.cdevs.filter((cdev) => cdev.hwpt !== undefined);
    const cdev = c.draw.chance(80) ? c.draw.pick(attached) : c.draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    const args = { devfd: c.cdev(cdev.devfd), argsz: VFIO_DETACH_ARGSZ };
    makeTwisted(c, { call: "VFIO_DETACH" as const, in: args }, cdev, DETACH_TWISTS);
    reachBack(c, scene, cdev);
    afterwards(c);
    return true;
  },
};

/** An IOVA that a device may try: inside its areas, across their edges, or anywhere. */
const dmaTarget = (c: Composer, scene: SceneView, cdev: CdevView, length: number): Arg<Iova> => {
  const { draw } = c;
  const ioas = scene.ioases.find(({ fd, id }) => fd === cdev.fd && id === cdev.ioas);
  const area = draw.pick(ioas?.areas ?? []);
  if (ioas === undefined || area === undefined)
    return (0x100_0000n + PAGE * BigInt(draw.int(0, 8))) as Iova;
  if (draw.chance(20)) {
    const at = edge(c, ioas);
    return (at > U64_MAX - 0x1000n ? at - 0x1000n : at) as Iova;
  }
  const room = size(area) - BigInt(length);
  const offset = draw.of(0n, room, room / 2n, room + 1n, -1n, PAGE - BigInt(length >> 1));
  const inside = area.first + offset < 0n ? 0n : offset;
  return c.inArea(ioas.fd, ioas.id, area.first, inside) as Arg<Iova>;
};

/** Load from one place, store to another, and look at what the CPU sees there. */
export const dmaAim: Aim = {
  name: "dma",
  weight: 9,
  calls: ["DMA"],
  make: (c, scene) => {
    const { draw } = c;
    const attached = scene.cdevs.filter((cdev) => cdev.hwpt !== undefined);
    const cdev = draw.chance(85) ? draw.pick(attached) : draw.pick(scene.cdevs);
    if (cdev === undefined) return false;
    const devfd = c.cdev(cdev.devfd);
    const length = draw.of(8, 16, BUFFER);
    const ioas = scene.ioases.find(({ fd, id }) => fd === cdev.fd && id === cdev.ioas);
    const area = draw.pick(ioas?.areas ?? []);
    if (area !== undefined && draw.chance(60) && c.can("MEM_WRITE")) {
      const pattern = draw.int(0, 0xffff_ffff).toString(16).padStart(8, "0");
      c.make({ call: "MEM_WRITE", in: { va: userVaOf(area) as never, bytes: pattern.repeat(4) } });
    }
    const load = {
      devfd,
      dir: "to_device" as const,
      iova: dmaTarget(c, scene, cdev, length),
      length,
    };
    c.make({ call: "DMA", in: load });
    if (draw.chance(35)) return true;
    const store = { ...load, dir: "from_device" as const, iova: dmaTarget(c, scene, cdev, length) };
    c.make({ call: "DMA", in: draw.chance(4) ? { ...store, device_offset: BUFFER - 4 } : store });
    const target = draw.pick(ioas?.areas ?? []);
    if (target !== undefined) {
      c.look({ call: "MEM_READ", in: { va: userVaOf(target) as never, length: BUFFER } });
    }
    return true;
  },
};
