/** In-kernel users where something ends: user space, or a mapping inside a page. */

import type { Arg } from "../../../spec/handle";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
} from "../../../spec/uapi/flags";
import { type Bytes, U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import { probeRefs } from "../probes";
import { PAGE } from "../values";
import { attach, copy, fresh, freshMotif, look, map, PLACE, start, unmap } from "./steps";
import { newAccess, pin, rw } from "./users";

/** The last page of user space on x86-64; nothing can be behind it. */
const LAST_USER_PAGE = 0x7fff_ffff_e000n as UserVa;

export const EDGES: readonly Aim[] = [
  // ACC-20, ACC-22: one way moves bytes up to the end of user space, and the other none.
  freshMotif("over-the-end-of-user-space", 1.5, ["ACCESS_RW", "MMAP"], (c, ioas) => {
    const { draw } = c;
    const last = { va: LAST_USER_PAGE, length: PAGE as Bytes };
    c.make({ call: "MMAP", in: { ...last, prot: "rw", kind: "anon-shared" } });
    map(c, ioas, { va: LAST_USER_PAGE, bytes: 2n * PAGE, at: PLACE });
    const user = newAccess(c, ioas, draw.of(0, ACCESS_NEEDS_PIN_PAGES));
    if (user === undefined) return;
    rw(c, user, PLACE, Number(PAGE), ACCESS_RW_WRITE);
    const slow = draw.of(0, 0, ACCESS_RW_SLOW_PATH);
    rw(c, user, PLACE + PAGE - 8n, draw.of(8, 16, 16), draw.of(0, ACCESS_RW_WRITE) | slow);
    rw(c, user, PLACE + draw.of(0n, 5n), Number(PAGE), slow);
    c.make({
      call: "MEM_READ",
      in: { va: (LAST_USER_PAGE + PAGE - 16n) as UserVa, length: 16 },
    });
    if (draw.chance(70)) c.make({ call: "MUNMAP", in: last });
  }),
  // CPY-11, DOM-04, ACC-32: a cut inside a page is the domain's affair, whatever in-kernel users ask.
  freshMotif("cut-inside-a-page", 2, ["CREATE_ACCESS", "IOAS_COPY"], (c, src) => {
    const { draw } = c;
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    const [bytes, cut] = [2n * PAGE, draw.of(0x1800n, 0x1800n, 0x800n, 0x1400n)];
    map(c, src, { va: start("buf0"), bytes: cut, at: PLACE });
    map(c, src, { va: start("buf1"), bytes: bytes - cut, at: PLACE + cut });
    const user = newAccess(c, dst, draw.of(0, ACCESS_NEEDS_PIN_PAGES, ACCESS_NEEDS_PIN_PAGES));
    const early = draw.chance(50);
    if (early) attach(c, dst);
    copy(c, dst, { src, from: PLACE, bytes, at: PLACE });
    if (!early) attach(c, dst);
    look(c, dst);
    const shown = draw.of<Arg<UserVa>>(start("buf0"), start("buf1"), 0n as UserVa);
    if (user) pin(c, user, draw.of(PLACE, PLACE + PAGE), PAGE, ACCESS_PAGES_WRITE, shown);
    if (draw.chance(50)) attach(c, dst);
    probeRefs(c, dst.fd, start("buf0"), bytes as Bytes);
    unmap(c, dst, draw.of(0n, PLACE), draw.of(U64_MAX, bytes));
  }),
].map((aim): Aim => ({ ...aim, family: "access" }));
