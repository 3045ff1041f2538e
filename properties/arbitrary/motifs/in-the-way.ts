/** What keeps a domain or a device away from an IOAS until it is gone. */
import type { UserVa } from "../../../spec/units";
import { type Bytes, U64_MAX } from "../../../spec/units";
import type { Aim } from "../aim";
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
      // RLIMIT_MODE of a context without objects.
      c.make({ call: "OPTION", fd: c.iommufd(fd), in: { val64: 1n } });
      c.make({ call: "OPTION", fd: c.iommufd(fd), in: { val64: 0n } });
      return true;
    },
  },
];
