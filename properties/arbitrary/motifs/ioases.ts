/** Options and ends of IOASs, and many of them. */
import { VFIO_IOAS_GET, VFIO_IOAS_SET } from "../../../spec/uapi/flags";
import { U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import { PAGE } from "../values";
import {
  attach,
  copy,
  destroy,
  fresh,
  freshMotif,
  getHugePages,
  look,
  map,
  motif,
  PLACE,
  setHugePages,
  start,
  unmap,
} from "./steps";

export const IOASES: readonly Aim[] = [
  // VFI-02, DES-07: the registered compat IOAS is answered until it goes away.
  freshMotif("compat-gone", 1, ["VFIO_IOAS", "DESTROY"], (c, { fd, id }) => {
    const set = { op: VFIO_IOAS_SET, ioas_id: c.object(fd, id) };
    const get = { op: VFIO_IOAS_GET };
    c.make({ call: "VFIO_IOAS", fd: c.iommufd(fd), in: set });
    if (c.draw.chance(50)) c.make({ call: "VFIO_IOAS", fd: c.iommufd(fd), in: get });
    destroy(c, fd, id);
    c.make({ call: "VFIO_IOAS", fd: c.iommufd(fd), in: get });
  }),
  // OPT-12, ALN-01: huge pages can be switched off, on and off again, and each time it counts.
  freshMotif("huge-pages-off-again", 0.5, ["OPTION"], (c, ioas) => {
    for (const on of [false, true, false]) {
      setHugePages(c, ioas, on);
      look(c, ioas);
      map(c, ioas, { va: start("buf0"), bytes: 1n, at: PLACE + 1n });
      unmap(c, ioas, PLACE + 1n, 1n);
    }
  }),
  // OPT-10, OPT-12 … OPT-14: what is refused is not done, and what is done can be asked
  // for again.
  freshMotif("huge-pages-in-use", 1, ["OPTION"], (c, ioas) => {
    const off = (): void => {
      setHugePages(c, ioas, false);
      getHugePages(c, ioas);
    };
    const kind = c.draw.int(0, 2);
    if (kind === 0) {
      map(c, ioas, { va: start("buf0"), bytes: 1n, at: PLACE + 1n });
      off();
      unmap(c, ioas, PLACE + 1n, 1n);
      attach(c, ioas);
    } else {
      if (kind === 1) off();
      attach(c, ioas);
      // Half a page would be in the way as well, but is not what is told.
      map(c, ioas, { va: start("buf0"), bytes: c.draw.of(PAGE, PAGE / 2n) });
      off();
      // OPT-19: what is mapped stays as it is.
      if (kind === 1) setHugePages(c, ioas, true);
    }
    look(c, ioas);
  }),
  // MAP-05, MAP-26, UNM-29: the longest mapping that there can be, and one byte more.
  freshMotif("longest-mapping", 0.5, ["IOAS_MAP"], (c, ioas) => {
    const longest = U64_MAX - PAGE;
    const va = PAGE as UserVa;
    map(c, ioas, { va, bytes: longest + 1n, at: 0n });
    const at = c.draw.of(0n, PAGE, PAGE + 1n);
    map(c, ioas, { va, bytes: longest, at });
    look(c, ioas);
    // CPY-06: up to the last byte that there is.
    const other = c.draw.chance(50) ? fresh(c, ioas.fd) : undefined;
    const from = U64_MAX - PAGE + 1n;
    if (other) copy(c, other, { src: ioas, from, bytes: PAGE, at: PLACE });
    if (c.draw.chance(50)) unmap(c, ioas, at, longest);
    else unmap(c, ioas, 0n, U64_MAX);
  }),
  // IAL-05, OBJ-03: a dozen IOASs, each with what the others have not.
  motif("many-ioases", 0.3, ["IOAS_ALLOC"], (c, { fd }) => {
    const { draw } = c;
    for (let n = draw.int(6, 9); n > 0; n--) {
      const ioas = fresh(c, fd);
      if (ioas === undefined) return;
      map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE + PAGE * BigInt(n) });
      if (draw.chance(25)) attach(c, ioas);
    }
    for (const ioas of c.scene.ioases.filter((one) => one.fd === fd)) {
      if (draw.chance(60)) look(c, ioas);
      if (draw.chance(40)) destroy(c, fd, ioas.id);
    }
  }),
];
