/** What keeps a domain or a device away from an IOAS until it is gone. */
import type { UserVa } from "../../../spec/units";
import { type Bytes, U64_MAX } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeRefs } from "../probes";
import { PAGE } from "../values";
import {
  allow,
  attach,
  attachCdev,
  destroy,
  fresh,
  freshMotif,
  look,
  map,
  openIommufd,
  PLACE,
  start,
  unmap,
} from "./steps";

/** OPT-06: only a context without objects lets RLIMIT_MODE be set. */
const mustBeEmpty = (c: Composer, fd: number): void => {
  c.make({ call: "OPTION", fd: c.iommufd(fd), in: { val64: 1n } });
  c.make({ call: "OPTION", fd: c.iommufd(fd), in: { val64: 0n } });
};

export const IN_THE_WAY: readonly Aim[] = [
  // ALW-12, ALW-14, DOM-02: allowed IOVAs outside the aperture keep a domain away.
  freshMotif("allowed-in-the-way", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    allow(c, ioas, [c.draw.of([0n, 0xffffn] as const, [U64_MAX - 0xffffn, U64_MAX] as const)]);
    attach(c, ioas);
    look(c, ioas);
    allow(c, ioas, []);
    attach(c, ioas);
    look(c, ioas);
  }),
  // ALW-06, ALW-07: the last of many cannot be allowed, so that none is.
  freshMotif("last-not-allowed", 0.6, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    attach(c, ioas);
    const good = [1n, 3n, 5n].map((n) => [PLACE + n * PAGE, PLACE + (n + 1n) * PAGE - 1n] as const);
    allow(c, ioas, [...good, [U64_MAX - 0xffffn, U64_MAX]]);
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE });
    look(c, ioas);
  }),
  // RSV-02, RSV-08, I-104: a mapping where a device must not have one.
  freshMotif("mapped-in-the-way", 1, ["VFIO_ATTACH"], (c, ioas) => {
    const at = c.draw.of(0xfee0_0000n, 0xfeef_f000n, 0x200_0000n);
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at });
    attach(c, ioas);
    unmap(c, ioas, at, PAGE);
    attach(c, ioas);
    look(c, ioas);
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
      map(c, ioas, { va: start("buf0"), bytes: PAGE, at: iova });
      attachCdev(c, cdev.devfd, ioas);
      look(c, ioas);
      unmap(c, ioas, iova, PAGE);
      attachCdev(c, cdev.devfd, ioas);
      look(c, ioas);
      return true;
    },
  },
  // MAP-22, DOM-04, I-104: a bad lazy mapping keeps the first domain away until it is gone.
  freshMotif("late-fault", 1, ["IOAS_MAP"], (c, ioas) => {
    const bad = PLACE + 16n * PAGE;
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE });
    map(c, ioas, { va: 0x3000_0000_0000n as UserVa, bytes: PAGE, at: bad });
    attach(c, ioas);
    probeRefs(c, ioas.fd, start("buf0"), PAGE as Bytes);
    unmap(c, ioas, bad, PAGE);
    attach(c, ioas);
    look(c, ioas);
  }),
  // OPT-06, DEV-17: a domain that could not join left no object behind.
  {
    name: "nothing-left-behind",
    weight: 0.5,
    calls: ["OPTION"],
    make: (c, scene) => {
      if (scene.fds.length >= 3) return false;
      const fd = openIommufd(c);
      const ioas = fresh(c, fd);
      if (ioas === undefined) return true;
      map(c, ioas, { va: start("buf0"), bytes: PAGE, at: c.draw.of(0n, U64_MAX - PAGE + 1n) });
      attach(c, ioas);
      for (const { devfd } of c.scene.cdevs.filter((cdev) => cdev.fd === fd)) {
        c.make({ call: "DEVICE_CLOSE", in: { devfd: c.cdev(devfd) } });
      }
      destroy(c, fd, ioas.id);
      mustBeEmpty(c, fd);
      return true;
    },
  },
  // GEN-16, HWP-15, IAL-03: nor did one whose id could not be stored.
  {
    name: "told-to-nobody",
    weight: 0.7,
    calls: ["OPTION", "RAW"],
    make: (c, scene) => {
      const raw = { memory: "r" } as const;
      const device = c.can("HWPT_ALLOC") && c.draw.chance(50) && c.draw.pick(scene.devices);
      const ioas = device ? fresh(c, device.fd) : undefined;
      if (device && ioas) {
        const args = { dev_id: c.object(ioas.fd, device.id), pt_id: c.object(ioas.fd, ioas.id) };
        c.make({ call: "HWPT_ALLOC", fd: c.iommufd(ioas.fd), in: args, raw });
        look(c, ioas);
        destroy(c, ioas.fd, ioas.id);
        return true;
      }
      if (scene.fds.length >= 3) return false;
      const fd = openIommufd(c);
      const given = { fd: c.iommufd(fd), in: {}, raw } as const;
      if (c.can("FAULT_QUEUE_ALLOC") && c.draw.chance(50)) {
        c.make({ call: "FAULT_QUEUE_ALLOC", ...given });
      } else c.make({ call: "IOAS_ALLOC", ...given });
      mustBeEmpty(c, fd);
      return true;
    },
  },
];
