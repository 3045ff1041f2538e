/**
 * Motifs: short sequences that random calls reach too rarely, each aimed at the clauses named
 * beside it. Everything else about the state is left as it is, so they meet it in all its
 * variety; what they are aimed at is judged like any other call, so a motif that misses its aim
 * costs nothing but calls.
 */
import { type Arg, Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  MAP_FIXED_IOVA,
  MAP_READABLE,
  MAP_WRITEABLE,
  VFIO_ATTACH_ARGSZ,
  VFIO_BIND_ARGSZ,
  VFIO_DETACH_ARGSZ,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from "../../../spec/uapi/flags";
import { type Bytes, type Iova, type IovaRange, U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeRanges, probeRefs, probeWholeDomains } from "../probes";
import { PAGE, size } from "../values";
import { type CdevView, type IoasView, type SceneView, userVaOf } from "../view";

const RW = MAP_READABLE | MAP_WRITEABLE;

/** The IOAS as it is after the calls made so far. */
const now = (c: Composer, { fd, id }: Pick<IoasView, "fd" | "id">): IoasView | undefined =>
  c.scene.ioases.find((ioas) => ioas.fd === fd && ioas.id === id);

const fresh = (c: Composer, fd: number): IoasView | undefined => {
  const { outcome } = c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
  const id = (outcome.out as { out_ioas_id: number } | undefined)?.out_ioas_id ?? 0;
  return now(c, { fd, id });
};

interface Mapping {
  readonly va: Arg<UserVa>;
  readonly bytes: bigint;
  readonly flags?: number;
  /** Absent: automatic. */
  readonly at?: Arg<bigint>;
}

const map = (c: Composer, { fd, id }: IoasView, { va, bytes, flags = RW, at }: Mapping): void => {
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

const allow = (
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

/** Attaches another device to an IOAS, with the front end at hand. */
const attach = (c: Composer, ioas: IoasView): void => {
  const pt_id = c.object(ioas.fd, ioas.id);
  if (c.can("MOCK_DOMAIN")) {
    c.make({ call: "MOCK_DOMAIN", fd: c.iommufd(ioas.fd), in: { pt_id } });
    return;
  }
  const { cdevs } = c.scene;
  const bound = cdevs.filter((cdev) => cdev.fd === ioas.fd && cdev.ioas !== ioas.id);
  const devfd = c.draw.pick(bound)?.devfd ?? openAndBind(c, ioas.fd);
  if (devfd === undefined) return;
  const args = { devfd: c.cdev(devfd), argsz: VFIO_ATTACH_ARGSZ, pt_id };
  c.make({ call: "VFIO_ATTACH", in: args });
};

/** Opens and binds a device that is closed so far; preferably behind the other IOMMU. */
const openAndBind = (c: Composer, fd: number): number | undefined => {
  const taken = c.scene.cdevs.map(({ dev }) => dev);
  const closed = [0, 1, 2, 3, 4].filter((dev) => c.platform.devices[dev] && !taken.includes(dev));
  const dev = c.draw.chance(50) ? closed.at(-1) : c.draw.pick(closed);
  return dev === undefined ? undefined : bindDevice(c, dev, fd);
};

/** Two devices of one group, if the platform has such a group. */
const pairOfAGroup = ({ platform: { devices } }: Composer): readonly number[] => {
  const second = devices.findIndex(
    ({ group }, i) => group !== null && devices.findIndex((d) => d.group === group) < i,
  );
  if (second < 0) return [];
  return [devices.findIndex(({ group }) => group === devices[second]?.group), second];
};

const bindDevice = (c: Composer, dev: number, fd: number): number | undefined => {
  const { outcome } = c.make({ call: "DEVICE_OPEN", in: { dev } });
  const devfd = (outcome.out as { devfd: number } | undefined)?.devfd;
  if (devfd === undefined) return undefined;
  const args = { devfd: c.cdev(devfd), argsz: VFIO_BIND_ARGSZ, iommufd: c.iommufd(fd) };
  c.make({ call: "VFIO_BIND", in: args });
  return devfd;
};

const look = (c: Composer, ioas: IoasView): void => {
  const present = now(c, ioas);
  if (present === undefined) return;
  probeRanges(c, present);
  probeWholeDomains(c, present);
};

/** The first two pages of a region, where nothing else has disturbed them yet. */
const start = (region: string): Handle => new Handle(region, "", PAGE * 2n);

type Make = (c: Composer, ioas: IoasView, scene: SceneView) => void;

/** A motif that works on any IOAS of the scene. */
const motif = (name: string, weight: number, calls: Aim["calls"], make: Make): Aim => ({
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

export const MOTIFS: readonly Aim[] = [
  // RNG-13, MAP-11b: an IOAS in which nothing can be mapped any more.
  motif("no-room-at-all", 1, ["ADD_RESERVED"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const args = {
      ioas_id: c.object(fd, ioas.id),
      start: 0n as Iova,
      length: (1n << 63n) as Bytes,
    };
    c.make({ call: "ADD_RESERVED", fd: c.iommufd(fd), in: args });
    const upper = { ...args, start: (1n << 63n) as Iova };
    c.make({ call: "ADD_RESERVED", fd: c.iommufd(fd), in: upper });
    look(c, ioas);
    const none = { ioas_id: c.object(fd, ioas.id) };
    c.make({ call: "IOAS_IOVA_RANGES", fd: c.iommufd(fd), in: none });
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
  }),
  // AUT-09: room for the length, but not at the alignment that 6.12 wants.
  motif("misaligned-hole", 1, ["IOAS_ALLOW_IOVAS"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const at = 0x100_0000n + PAGE * c.draw.of(1n, 3n);
    allow(c, ioas, [[at, at + 2n * PAGE - 1n]]);
    map(c, ioas, { va: new Handle("buf0"), bytes: 2n * PAGE });
    map(c, ioas, { va: new Handle("buf0", "", PAGE), bytes: PAGE });
  }),
  // AUT-11: aligning upwards would leave the address space.
  motif("top-of-the-world", 1, ["IOAS_ALLOW_IOVAS"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    allow(c, ioas, [[U64_MAX - 4n * PAGE + 1n, U64_MAX - c.draw.of(0n, 1n, PAGE)]]);
    map(c, ioas, { va: new Handle("buf0"), bytes: c.draw.of(8n, 3n, 1n) * PAGE });
    map(c, ioas, { va: new Handle("buf0"), bytes: PAGE });
  }),
  // AUT-01, AUT-10: touching elements are one, and one byte is none.
  motif("touching-elements", 1, ["IOAS_ALLOW_IOVAS"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const edge = 0x100_0000n + PAGE;
    allow(c, ioas, [
      [0x100_0000n, edge - 1n],
      [edge, edge + PAGE - 1n],
    ]);
    map(c, ioas, { va: new Handle("buf0"), bytes: 2n * PAGE });
    map(c, ioas, { va: new Handle("buf0"), bytes: 1n });
  }),
  // AUT-10: room of a single byte is no room.
  motif("single-byte-hole", 1, ["IOAS_ALLOW_IOVAS"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    allow(c, ioas, [[0x100_0000n, 0x100_0000n + PAGE]]);
    map(c, ioas, { va: start("buf0"), bytes: 1n, at: 0x100_0001n });
    map(c, ioas, { va: start("buf0"), bytes: 1n });
  }),
  // AUT-15: a reservation between two automatic maps is respected by the second.
  motif("reserve-between", 1, ["ADD_RESERVED"], (c, ioas) => {
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
    const args = {
      ioas_id: c.object(ioas.fd, ioas.id),
      start: 0x2000n as Iova,
      length: 0x10_0000n as Bytes,
    };
    c.make({ call: "ADD_RESERVED", fd: c.iommufd(ioas.fd), in: args });
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
    look(c, ioas);
  }),
  // ALW-12, ALW-14, DOM-02: allowed IOVAs outside the aperture keep a domain away.
  motif("allowed-in-the-way", 1, ["IOAS_ALLOW_IOVAS"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    allow(c, ioas, [c.draw.of([0n, 0xffffn] as const, [U64_MAX - 0xffffn, U64_MAX] as const)]);
    attach(c, ioas);
    look(c, ioas);
    allow(c, ioas, []);
    attach(c, ioas);
    look(c, ioas);
  }),
  // RSV-02, RSV-08, I-104: a mapping where a device must not have one.
  motif("mapped-in-the-way", 1, ["VFIO_ATTACH"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const at = c.draw.of(0xfee0_0000n, 0xfeef_f000n, 0x200_0000n);
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at });
    attach(c, ioas);
    const gone = { ioas_id: c.object(fd, ioas.id), iova: at as Iova, length: PAGE as Bytes };
    c.make({ call: "IOAS_UNMAP", fd: c.iommufd(fd), in: gone });
    attach(c, ioas);
    look(c, ioas);
  }),
  // DEV-15, DEV-16, DEV-32, DEV-41: the devices of a group go together or not at all.
  {
    name: "one-group",
    weight: 2,
    calls: ["VFIO_ATTACH", "VFIO_DETACH"],
    make: (c, scene) => {
      const { draw } = c;
      const [one, two] = pairOfAGroup(c);
      const fd = draw.pick(scene.fds);
      const [a, b] = scene.ioases.filter((ioas) => ioas.fd === fd);
      if (one === undefined || two === undefined || fd === undefined || a === undefined)
        return false;
      const taken = scene.cdevs.some(({ dev }) => dev === one || dev === two);
      if (taken) return false;
      const devfds = [one, two].map((dev) => bindDevice(c, dev, fd));
      const to = (i: number, ioas: IoasView): void => {
        const args = { argsz: VFIO_ATTACH_ARGSZ, pt_id: c.object(fd, ioas.id) };
        c.make({ call: "VFIO_ATTACH", in: { devfd: c.cdev(devfds[i] ?? -1), ...args } });
      };
      map(c, a, { va: start("buf0"), bytes: PAGE, at: 0x100_0000n });
      to(0, a);
      to(1, draw.chance(60) && b !== undefined ? b : a);
      to(1, a);
      if (b !== undefined && draw.chance(50)) to(draw.int(0, 1), b);
      look(c, a);
      const leaves = c.cdev(devfds[draw.int(0, 1)] ?? -1);
      c.make({ call: "VFIO_DETACH", in: { devfd: leaves, argsz: VFIO_DETACH_ARGSZ } });
      look(c, a);
      for (const devfd of devfds) {
        const load = { devfd: c.cdev(devfd ?? -1), iova: 0x100_0000n as Iova, length: 16 };
        if (c.can("DMA")) c.make({ call: "DMA", in: { ...load, dir: "to_device" } });
      }
      return true;
    },
  },
  // DEV-20: an automatic HWPT goes with its last device, and its id with it.
  motif("last-device-leaves", 1, ["DESTROY"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    attach(c, ioas);
    const [hwpt] = now(c, ioas)?.hwpts ?? [];
    const scene = c.scene;
    const mock = scene.mocks.find((m) => m.fd === fd && m.ioas === ioas.id);
    const cdev = scene.cdevs.find((d) => d.fd === fd && d.ioas === ioas.id);
    if (mock !== undefined) {
      c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, mock.stdev) } });
    }
    if (cdev !== undefined) {
      const args = { devfd: c.cdev(cdev.devfd), argsz: VFIO_DETACH_ARGSZ };
      c.make({ call: "VFIO_DETACH", in: args });
    }
    if (hwpt === undefined) return;
    c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, hwpt) } });
    c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, ioas.id) } });
  }),
  // RSV-02, RSV-03, RSV-08: a mapping in one of its regions keeps a device away until it is gone,
  // and the regions before that one are not reserved meanwhile.
  {
    name: "region-in-the-way",
    weight: 2,
    calls: ["VFIO_ATTACH"],
    make: (c, scene) => {
      const cdev = c.draw.pick(scene.cdevs.filter((d) => d.fd !== undefined && !d.hwpt));
      const region = c.platform.devices[cdev?.dev ?? -1]?.reserved.at(-1);
      if (cdev?.fd === undefined || region === undefined) return false;
      const ioas = fresh(c, cdev.fd);
      if (ioas === undefined) return true;
      const [iova] = region;
      const ioas_id = c.object(cdev.fd, ioas.id);
      map(c, ioas, { va: start("buf0"), bytes: PAGE, at: iova });
      const args = { devfd: c.cdev(cdev.devfd), argsz: VFIO_ATTACH_ARGSZ, pt_id: ioas_id };
      c.make({ call: "VFIO_ATTACH", in: args });
      look(c, ioas);
      const gone = { ioas_id, iova, length: PAGE as Bytes };
      c.make({ call: "IOAS_UNMAP", fd: c.iommufd(cdev.fd), in: gone });
      c.make({ call: "VFIO_ATTACH", in: args });
      look(c, ioas);
      return true;
    },
  },
  // DEV-20, DEV-32, DEV-41, DES-04: one device of a group takes the others along, and nothing of
  // them is left where they were.
  {
    name: "move-the-group",
    weight: 3,
    calls: ["VFIO_ATTACH", "VFIO_DETACH"],
    make: (c, { cdevs }) => {
      const groupOf = (d: CdevView) => c.platform.devices[d.dev]?.group;
      const first = c.draw.pick(cdevs.filter((d) => d.fd !== undefined));
      if (first?.fd === undefined) return false;
      const group = cdevs.filter((d) => d.fd === first.fd && groupOf(d) === groupOf(first));
      if (group.length < 2) return false;
      const [from, to] = [fresh(c, first.fd), fresh(c, first.fd)];
      if (from === undefined || to === undefined) return true;
      const moveTo = (d: CdevView, { fd, id }: IoasView): void => {
        const args = { devfd: c.cdev(d.devfd), argsz: VFIO_ATTACH_ARGSZ, pt_id: c.object(fd, id) };
        c.make({ call: "VFIO_ATTACH", in: args });
      };
      for (const d of group) moveTo(d, from);
      moveTo(first, to);
      look(c, from);
      look(c, to);
      const { fd } = from;
      c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, from.id) } });
      const args = { devfd: c.cdev(first.devfd), argsz: VFIO_DETACH_ARGSZ };
      c.make({ call: "VFIO_DETACH", in: args });
      look(c, to);
      return true;
    },
  },
  // DEV-07, DEV-40, DOM-06: a device leaves a domain that lives on, and reaches nothing any more.
  {
    name: "left-behind",
    weight: 3,
    calls: ["VFIO_DETACH", "DMA"],
    make: (c, scene) => {
      const { cdevs, ioases } = scene;
      const isShared = (d: CdevView): boolean =>
        cdevs.some((e) => e !== d && d.hwpt !== undefined && e.fd === d.fd && e.hwpt === d.hwpt);
      const cdev = c.draw.pick(cdevs.filter(isShared));
      const ioas = ioases.find(({ fd, id }) => fd === cdev?.fd && id === cdev.ioas);
      if (cdev === undefined || ioas === undefined) return false;
      map(c, ioas, { va: start("buf0"), bytes: PAGE });
      const area = now(c, ioas)?.areas.at(-1);
      const devfd = c.cdev(cdev.devfd);
      c.make({ call: "VFIO_DETACH", in: { devfd, argsz: VFIO_DETACH_ARGSZ } });
      const iova = (area?.first ?? 0n) as Iova;
      c.make({ call: "DMA", in: { devfd, dir: "to_device", iova, length: 1 } });
      look(c, ioas);
      return true;
    },
  },
  // MAP-22, DOM-04, I-104: a bad lazy mapping keeps the first domain away until it is gone.
  motif("late-fault", 1, ["IOAS_MAP"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: 0x100_0000n });
    map(c, ioas, { va: 0x3000_0000_0000n as UserVa, bytes: PAGE, at: 0x101_0000n });
    attach(c, ioas);
    probeRefs(c, fd, start("buf0"), PAGE as Bytes);
    const bad = {
      ioas_id: c.object(fd, ioas.id),
      iova: 0x101_0000n as Iova,
      length: PAGE as Bytes,
    };
    c.make({ call: "IOAS_UNMAP", fd: c.iommufd(fd), in: bad });
    attach(c, ioas);
    look(c, ioas);
  }),
  // MAP-30, PIN-04, DOM-08, CPY-31: the memory behind a pinned mapping is replaced.
  {
    name: "replaced-memory",
    weight: 2,
    calls: ["MMAP", "MUNMAP"],
    make: (c, scene) => {
      const { draw } = c;
      const ioas = draw.pick(scene.ioases.filter((i) => i.hwpts.length > 0 && i.areas.length > 0));
      const area = draw.pick(ioas?.areas ?? []);
      if (ioas === undefined || area === undefined || size(area) > 16n * PAGE) return false;
      const va = userVaOf(area);
      const first = (va - (va % PAGE)) as UserVa;
      const length = (((va + size(area) - first + PAGE - 1n) / PAGE) * PAGE) as Bytes;
      if (draw.chance(60)) {
        c.make({ call: "MMAP", in: { va: first, length, prot: "rw", kind: "anon-shared" } });
      } else {
        c.make({ call: "MUNMAP", in: { va: first, length } });
      }
      probeRefs(c, ioas.fd, first, length);
      look(c, ioas);
      const into = draw.chance(50) ? ioas : fresh(c, ioas.fd);
      if (into === undefined) return true;
      if (into !== ioas && draw.chance(60)) attach(c, into);
      c.make({
        call: "IOAS_COPY",
        fd: c.iommufd(ioas.fd),
        in: {
          flags: MAP_READABLE,
          dst_ioas_id: c.object(into.fd, into.id),
          src_ioas_id: c.object(ioas.fd, ioas.id),
          length: size(area),
          src_iova: c.inArea(ioas.fd, ioas.id, area.first, 0n) as Arg<Iova>,
        },
      });
      look(c, into);
      if (draw.chance(60)) attach(c, ioas);
      look(c, ioas);
      return true;
    },
  },
  // MAP-31: private memory that is mapped for reading is the device's own page from then on.
  motif("read-only-private", 1, ["IOAS_MAP", "MEM_WRITE"], (c, ioas) => {
    map(c, ioas, { va: start("buf1"), bytes: PAGE, flags: MAP_READABLE });
    const present = now(c, ioas);
    if (present !== undefined && present.hwpts.length === 0) attach(c, ioas);
    look(c, ioas);
    c.make({ call: "MEM_WRITE", in: { va: start("buf1"), bytes: "c0ffee00" } });
    look(c, ioas);
  }),
  // CPY-25, UNM-21, I-75: neighbours copied as one, then unmapped piece by piece.
  motif("neighbours", 1, ["IOAS_MAP", "IOAS_COPY"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const at = 0x100_0000n;
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at });
    map(c, ioas, { va: start("buf4"), bytes: 2n * PAGE, at: at + PAGE });
    if (c.draw.chance(50)) attach(c, ioas);
    const ids = { dst_ioas_id: c.object(fd, ioas.id), src_ioas_id: c.object(fd, ioas.id) };
    const to = at + 16n * PAGE;
    c.make({
      call: "IOAS_COPY",
      fd: c.iommufd(fd),
      in: {
        flags: RW | MAP_FIXED_IOVA,
        ...ids,
        length: (3n * PAGE) as Bytes,
        src_iova: at as Iova,
        dst_iova: to as Iova,
      },
    });
    look(c, ioas);
    for (const [iova, length] of [
      [to, 2n * PAGE],
      [to + PAGE, 2n * PAGE],
      [to, PAGE],
    ] as const) {
      const part = { ioas_id: c.object(fd, ioas.id), iova: iova as Iova, length: length as Bytes };
      c.make({ call: "IOAS_UNMAP", fd: c.iommufd(fd), in: part });
    }
    look(c, ioas);
  }),
  // DES-07: the registered compat IOAS goes away.
  motif("compat-gone", 1, ["VFIO_IOAS", "DESTROY"], (c, { fd }) => {
    const ioas = fresh(c, fd);
    if (ioas === undefined) return;
    const set = { op: VFIO_IOAS_SET, ioas_id: c.object(fd, ioas.id) };
    c.make({ call: "VFIO_IOAS", fd: c.iommufd(fd), in: set });
    c.make({ call: "DESTROY", fd: c.iommufd(fd), in: { id: c.object(fd, ioas.id) } });
    c.make({ call: "VFIO_IOAS", fd: c.iommufd(fd), in: { op: VFIO_IOAS_GET } });
  }),
  // OBJ-08, VFD-16, DEV-42: the iommufd is closed first, the device still works, then another
  // context takes the group.
  {
    name: "orphaned-device",
    weight: 1,
    calls: ["DEVICE_CLOSE", "VFIO_BIND", "DMA"],
    make: (c, scene) => {
      const { draw } = c;
      const cdev = draw.pick(scene.cdevs.filter((d) => d.fd !== undefined));
      if (cdev?.fd === undefined) return false;
      c.make({ call: "CLOSE", fd: c.iommufd(cdev.fd), in: {} });
      const devfd = c.cdev(cdev.devfd);
      const iova = (0x100_0000n + PAGE * BigInt(draw.int(0, 4))) as Iova;
      c.make({ call: "DMA", in: { devfd, dir: "to_device", iova, length: 16 } });
      c.make({ call: "PROC_STATUS", in: {} });
      c.make({ call: "DEVICE_CLOSE", in: { devfd } });
      c.make({ call: "PROC_STATUS", in: {} });
      const { outcome } = c.make({ call: "OPEN", in: {} });
      const fd = (outcome.out as { fd: number } | undefined)?.fd ?? -1;
      fresh(c, fd);
      const again = c.make({ call: "DEVICE_OPEN", in: { dev: cdev.dev } });
      const reopened = (again.outcome.out as { devfd: number } | undefined)?.devfd ?? -1;
      const args = { devfd: c.cdev(reopened), argsz: VFIO_BIND_ARGSZ, iommufd: c.iommufd(fd) };
      c.make({ call: "VFIO_BIND", in: args });
      return true;
    },
  },
];
