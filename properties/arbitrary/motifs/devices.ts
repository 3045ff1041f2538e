/** Devices that come, move together, and go; and what they reach then. */
import type { Iova, IovaRange } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { closedDevices, fitDevices, pairOfAGroup } from "../devices";
import { probeAllPins, probeProcess } from "../probes";
import { PAGE } from "../values";
import type { CdevView } from "../view";
import {
  allow,
  attach,
  attachCdev,
  bindDevice,
  destroy,
  detachCdev,
  fresh,
  freshMotif,
  look,
  map,
  now,
  openIommufd,
  PLACE,
  reserve,
  start,
  unmap,
} from "./steps";
import { paging } from "./tables";

/** Regions that one of two devices has to itself. */
const reservedForOne = ({ platform }: Composer, pair: readonly number[]): readonly IovaRange[] => {
  const [some = [], others = []] = pair.map((dev) => platform.devices[dev]?.reserved);
  const isIn = (list: readonly IovaRange[], [first]: IovaRange): boolean =>
    list.some((one) => one[0] === first);
  return [
    ...others.filter((range) => !isIn(some, range)),
    ...some.filter((range) => !isIn(others, range)),
  ];
};

export const DEVICES: readonly Aim[] = [
  // DEV-15, DEV-16, DEV-32, DEV-41: the devices of a group go together or not at all.
  {
    name: "one-group",
    weight: 2,
    calls: ["VFIO_ATTACH", "VFIO_DETACH"],
    make: (c, scene) => {
      const { draw } = c;
      const [one, two] = pairOfAGroup(c.platform);
      const fd = draw.pick(scene.fds);
      const [a, b] = scene.ioases.filter((ioas) => ioas.fd === fd);
      if (one === undefined || two === undefined || fd === undefined || a === undefined)
        return false;
      if (scene.cdevs.some(({ dev }) => dev === one || dev === two)) return false;
      const devfds = [one, two].map((dev) => bindDevice(c, dev, fd) ?? -1);
      const [first = -1, second = -1] = devfds;
      map(c, a, { va: start("buf0"), bytes: PAGE, at: PLACE });
      attachCdev(c, first, a);
      attachCdev(c, second, draw.chance(60) && b !== undefined ? b : a);
      attachCdev(c, second, a);
      if (b !== undefined && draw.chance(50)) attachCdev(c, draw.of(first, second), b);
      look(c, a);
      detachCdev(c, { devfd: draw.of(first, second) });
      look(c, a);
      for (const devfd of devfds) {
        const load = { devfd: c.cdev(devfd), iova: PLACE as Iova, length: 16 };
        if (c.can("DMA")) c.make({ call: "DMA", in: { ...load, dir: "to_device" } });
      }
      return true;
    },
  },
  // DEV-33, DEV-34, RSV-02: a group is to move to where only one of its devices must not be, so that
  // all of it stays and nothing is reserved for those that could have gone.
  {
    name: "group-stays",
    weight: 1,
    calls: ["VFIO_ATTACH", "IOAS_IOVA_RANGES"],
    make: (c, { fds }) => {
      const { draw } = c;
      const pair = pairOfAGroup(c.platform);
      const fd = draw.pick(fds);
      const closed = closedDevices(c);
      const [region] = reservedForOne(c, pair);
      if (fd === undefined || pair.length < 2 || region === undefined) return false;
      if (!pair.every((dev) => closed.includes(dev))) return false;
      const [from, to] = [fresh(c, fd), fresh(c, fd)];
      if (from === undefined || to === undefined) return true;
      map(c, from, { va: start("buf0"), bytes: PAGE, at: PLACE });
      const devfds = (draw.chance(75) ? pair : pair.toReversed()).map((dev) => {
        const devfd = bindDevice(c, dev, fd) ?? -1;
        attachCdev(c, devfd, from);
        return devfd;
      });
      const at = draw.of(region[0], region[1] - PAGE + 1n);
      const isMapped = draw.chance(60);
      if (isMapped) map(c, to, { va: start("buf4"), bytes: PAGE, at });
      else allow(c, to, [[at, at + PAGE - 1n]]);
      const move = (): void => {
        attachCdev(c, draw.pick(devfds) ?? -1, to);
        look(c, from);
        look(c, to);
      };
      move();
      if (isMapped) unmap(c, to, at, PAGE);
      else allow(c, to, []);
      if (draw.chance(60)) move();
      if (draw.chance(50)) detachCdev(c, { devfd: draw.pick(devfds) ?? -1 });
      look(c, from);
      return true;
    },
  },
  // UNM-23: the mapping goes, and the regions of the device that lie in the range stay.
  freshMotif("unmap-over-regions", 0.7, ["VFIO_ATTACH", "IOAS_UNMAP"], (c, ioas) => {
    attach(c, ioas);
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE });
    unmap(c, ioas, PLACE, 1n << 32n);
    look(c, ioas);
  }),
  // DEV-12, DOM-05, DOM-06: as many domains in one IOAS as there are IOMMUs to make them; what is
  // mapped before, between and after reaches all of them, and outlives each.
  {
    name: "many-domains",
    weight: 0.7,
    calls: ["VFIO_ATTACH", "VFIO_DETACH"],
    make: (c, { fds }) => {
      const { draw } = c;
      const fd = draw.pick(fds);
      const iommuOf = (dev: number) => c.platform.devices[dev]?.iommu;
      const fit = fitDevices(c);
      const apart = fit.filter((dev, i) =>
        fit.slice(0, i).every((other) => iommuOf(other) !== iommuOf(dev)),
      );
      const ioas = apart.length > 1 && fd !== undefined ? fresh(c, fd) : undefined;
      if (ioas === undefined) return false;
      const mapAt = (at: bigint): void =>
        map(c, ioas, { va: start("buf0"), bytes: PAGE * draw.of(1n, 2n, 3n), at });
      mapAt(PLACE);
      const devfds: number[] = [];
      for (const dev of apart) {
        const devfd = bindDevice(c, dev, ioas.fd) ?? -1;
        attachCdev(c, devfd, ioas);
        devfds.push(devfd);
        mapAt(PLACE + PAGE * 16n * BigInt(devfds.length));
      }
      look(c, ioas);
      // DEV-33: to a domain that another IOMMU made no device can be moved, and it stays as it was.
      const [ours = -1, theirs = -1] = devfds;
      const other = c.scene.cdevs.find(({ devfd }) => devfd === theirs)?.hwpt;
      if (draw.chance(50)) attachCdev(c, ours, { ...ioas, id: other ?? 0 });
      look(c, ioas);
      if (draw.chance(50)) unmap(c, ioas, PLACE, PAGE * 64n);
      const leaves = draw.chance(50) ? devfds : [devfds[draw.int(0, devfds.length - 1)] ?? -1];
      for (const devfd of leaves) {
        detachCdev(c, { devfd });
        look(c, ioas);
      }
      return true;
    },
  },
  // ALN-02, DEV-01 to DEV-05: a device that cannot be bound, or not be attached.
  {
    name: "unfit-device",
    weight: 0.7,
    calls: ["VFIO_ATTACH"],
    make: (c, { ioases }) => {
      const fit = fitDevices(c);
      const dev = c.draw.pick(closedDevices(c).filter((i) => !fit.includes(i)));
      const ioas = c.draw.pick(ioases);
      if (dev === undefined || ioas === undefined) return false;
      const devfd = bindDevice(c, dev, ioas.fd) ?? -1;
      attachCdev(c, devfd, ioas);
      look(c, ioas);
      return true;
    },
  },
  // VFD-06: a device that another file has bound.
  {
    name: "second-file",
    weight: 0.3,
    calls: ["VFIO_BIND"],
    make: (c, { cdevs }) => {
      const bound = c.draw.pick(cdevs.filter(({ fd }) => fd !== undefined));
      if (bound?.fd === undefined) return false;
      const devfd = bindDevice(c, bound.dev, bound.fd);
      if (c.draw.chance(70)) c.make({ call: "DEVICE_CLOSE", in: { devfd: c.cdev(devfd ?? -1) } });
      return true;
    },
  },
  // RSV-01, DEV-32, DES-05, OBJ-07: a device moves from table to table of one IOAS, and what it
  // reserves there stays. One that it is on stays, too, until all is closed.
  freshMotif("from-table-to-table", 1, ["VFIO_ATTACH", "HWPT_ALLOC"], (c, ioas) => {
    attach(c, ioas);
    const cdev = c.scene.cdevs.findLast((one) => one.fd === ioas.fd && one.ioas === ioas.id);
    if (cdev === undefined) return;
    const one = paging(c, ioas, cdev.devid, 0);
    const two = paging(c, ioas, cdev.devid, 0);
    for (const id of [one, two, ioas.id]) {
      attachCdev(c, cdev.devfd, { ...ioas, id });
      if (c.draw.chance(40)) destroy(c, ioas.fd, id);
      look(c, ioas);
    }
    detachCdev(c, cdev);
    look(c, ioas);
    if (c.draw.chance(40)) return;
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE });
    for (const { devfd } of c.scene.cdevs.filter((one) => one.fd === ioas.fd)) {
      c.make({ call: "DEVICE_CLOSE", in: { devfd: c.cdev(devfd) } });
    }
    c.make({ call: "CLOSE", fd: c.iommufd(ioas.fd), in: {} });
    probeAllPins(c, openIommufd(c));
  }),
  // DEV-20: an automatic HWPT goes with its last device, and its id with it.
  freshMotif("last-device-leaves", 1.5, ["DESTROY"], (c, ioas) => {
    const { fd } = ioas;
    // RSV-07: what is reserved for nobody stays.
    if (c.can("ADD_RESERVED") && c.draw.chance(40)) reserve(c, ioas, PLACE, PAGE);
    attach(c, ioas);
    const [hwpt] = now(c, ioas)?.hwpts ?? [];
    const { mocks, cdevs } = c.scene;
    const mock = mocks.find((m) => m.fd === fd && m.ioas === ioas.id);
    const cdev = cdevs.find((d) => d.fd === fd && d.ioas === ioas.id);
    if (mock !== undefined) destroy(c, fd, mock.stdev);
    if (cdev !== undefined) detachCdev(c, cdev);
    look(c, ioas);
    if (hwpt === undefined) return;
    destroy(c, fd, hwpt);
    destroy(c, fd, ioas.id);
  }),
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
      for (const { devfd } of group) attachCdev(c, devfd, from);
      attachCdev(c, first.devfd, to);
      look(c, from);
      look(c, to);
      destroy(c, from.fd, from.id);
      detachCdev(c, first);
      look(c, to);
      return true;
    },
  },
  // DEV-07, DEV-40, DOM-06: a device leaves a domain that lives on, and reaches nothing any more.
  {
    name: "left-behind",
    weight: 3,
    calls: ["VFIO_DETACH", "DMA"],
    make: (c, { cdevs, ioases }) => {
      const isShared = (d: CdevView): boolean =>
        cdevs.some((e) => e !== d && d.hwpt !== undefined && e.fd === d.fd && e.hwpt === d.hwpt);
      const cdev = c.draw.pick(cdevs.filter(isShared));
      const ioas = ioases.find(({ fd, id }) => fd === cdev?.fd && id === cdev.ioas);
      if (cdev === undefined || ioas === undefined) return false;
      map(c, ioas, { va: start("buf0"), bytes: PAGE });
      const area = now(c, ioas)?.areas.at(-1);
      detachCdev(c, cdev);
      const iova = (area?.first ?? 0n) as Iova;
      const devfd = c.cdev(cdev.devfd);
      c.make({ call: "DMA", in: { devfd, dir: "to_device", iova, length: 1 } });
      look(c, ioas);
      return true;
    },
  },
  // OBJ-08, VFD-16, DEV-42: the iommufd is closed first, the device still works, then another
  // context takes the group.
  {
    name: "orphaned-device",
    weight: 1,
    calls: ["DEVICE_CLOSE", "VFIO_BIND", "VFIO_DETACH"],
    make: (c, scene) => {
      const { draw } = c;
      const cdev = draw.pick(scene.cdevs.filter((d) => d.fd !== undefined));
      if (cdev?.fd === undefined) return false;
      c.make({ call: "CLOSE", fd: c.iommufd(cdev.fd), in: {} });
      const devfd = c.cdev(cdev.devfd);
      if (c.can("DMA")) {
        const iova = (PLACE + PAGE * BigInt(draw.int(0, 4))) as Iova;
        c.make({ call: "DMA", in: { devfd, dir: "to_device", iova, length: 16 } });
      }
      if (draw.chance(c.can("DMA") ? 20 : 80)) detachCdev(c, cdev);
      probeProcess(c);
      c.make({ call: "DEVICE_CLOSE", in: { devfd } });
      probeProcess(c);
      const fd = openIommufd(c);
      fresh(c, fd);
      bindDevice(c, cdev.dev, fd);
      return true;
    },
  },
];
