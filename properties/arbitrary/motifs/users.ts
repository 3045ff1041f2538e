/** In-kernel users, and other processes, whose mappings go while they have them. */
import { type Arg, Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
  HWPT_DIRTY_TRACKING,
  MAP_READABLE,
  MAP_WRITEABLE,
  MOCK_NO_DIRTY,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
} from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeProcess, probeRefs } from "../probes";
import { PAGE } from "../values";
import type { AccessView, IoasView } from "../view";
import {
  attach,
  copy,
  destroy,
  fresh,
  freshMotif,
  leave,
  look,
  map,
  motif,
  openIommufd,
  PLACE,
  RW,
  start,
  unmap,
} from "./steps";

export const newAccess = (
  c: Composer,
  { fd, id }: IoasView,
  flags: number = ACCESS_NEEDS_PIN_PAGES,
): AccessView | undefined => {
  const args = { ioas_id: c.object(fd, id), flags };
  c.make({ call: "CREATE_ACCESS", fd: c.iommufd(fd), in: args });
  return c.scene.accesses.at(-1);
};

export const pin = (
  c: Composer,
  { fd, file }: AccessView,
  at: bigint,
  bytes: bigint,
  flags: number = ACCESS_PAGES_WRITE,
  uptr: Arg<UserVa> = 0n as UserVa,
): number => {
  const range = { iova: at as Iova, length: bytes as Bytes, flags, uptr };
  const args = { access_fd: c.accessFile(file), ...range };
  const { outcome } = c.make({ call: "ACCESS_PAGES", fd: c.iommufd(fd), in: args });
  return (outcome.out as { out_access_pages_id?: number } | undefined)?.out_access_pages_id ?? 99;
};

export const letGo = (c: Composer, { fd, file }: AccessView, item: number): void => {
  const args = { access_fd: c.accessFile(file), access_pages_id: c.pinned(file, item) };
  c.make({ call: "DESTROY_ACCESS_PAGES", fd: c.iommufd(fd), in: args });
};

/** Bytes that repeat but for their place: 12 of them do not fit a page evenly. */
const PATTERN = "c0ffee0112345678deadbeef";

export const rw = (
  c: Composer,
  { fd, file }: AccessView,
  at: bigint,
  bytes: number,
  flags: number,
) => {
  const range = { iova: at as Iova, length: BigInt(bytes) as Bytes, uptr: SCRATCH.va };
  const data = (flags & ACCESS_RW_WRITE) === 0 ? {} : { data_repeat: PATTERN };
  const args = { access_fd: c.accessFile(file), ...range, flags, accessible_bytes: bytes, ...data };
  c.make({ call: "ACCESS_RW", fd: c.iommufd(fd), in: args });
};

/** A child of the present process, if there may be one more. */
export const fork = (c: Composer): number | undefined => {
  const { processes } = c.scene;
  const child = [1, 2, 3].find((i) => c.model.state.processes[i] === undefined);
  if (child === undefined || processes.length > 2) return undefined;
  // The number of a process that is gone is not given again.
  const { outcome } = c.make({ call: "FORK", in: { child } });
  return outcome.errno === 0 ? child : undefined;
};

const USER = 1000;

/** Of two pages at PLACE. */
const PARTS_OF_TWO: readonly [at: bigint, bytes: bigint][] = [
  [PLACE, PAGE],
  [PLACE, 2n * PAGE],
  [PLACE + PAGE, PAGE],
];

const HELD: readonly Aim[] = [
  // ACC-30, UNM-27, UNM-30: who has a mapping pinned is asked to let go, whoever else holds it.
  freshMotif("held-mapping", 5, ["ACCESS_PAGES"], (c, ioas) => {
    const { draw } = c;
    // One mapping, or two that are pinned as one.
    const parts = draw.of([2n], [2n], [1n, 1n]);
    for (const [i, pages] of parts.entries()) {
      const [va, at] = [new Handle("buf0", "", PAGE * BigInt(2 + i)), PLACE + PAGE * BigInt(i)];
      map(c, ioas, { va, bytes: pages * PAGE, at });
    }
    const users = [newAccess(c, ioas), draw.chance(40) ? newAccess(c, ioas) : undefined];
    if (draw.chance(40)) attach(c, ioas);
    // ACC-11: whole pages only.
    if (draw.chance(15) && users[0]) pin(c, users[0], PLACE, draw.of(1n, PAGE / 2n, PAGE + 1n));
    // ACC-12: not more than the mapping permits.
    if (draw.chance(40) && users[0]) {
      const [flags, wish] = draw.of([MAP_READABLE, ACCESS_PAGES_WRITE] as const, [
        MAP_WRITEABLE,
        0,
      ]);
      map(c, ioas, { va: start("buf4"), bytes: PAGE, at: PLACE + 2n * PAGE, flags });
      pin(c, users[0], PLACE + 2n * PAGE, PAGE, wish);
    }
    // ACC-10: what was pinned before a gap is let go again.
    if (draw.chance(30) && users[0]) pin(c, users[0], PLACE, 4n * PAGE);
    const pinned = users.flatMap((user) => {
      const [at, bytes] = draw.pick(PARTS_OF_TWO) ?? [PLACE, PAGE];
      return user === undefined ? [] : [{ user, item: pin(c, user, at, bytes) }];
    });
    probeRefs(c, ioas.fd, start("buf0"), (2n * PAGE) as Bytes);
    if (draw.chance(30)) unmap(c, ioas, draw.of(PLACE, PLACE + PAGE), PAGE);
    if (draw.chance(25)) unmap(c, ioas, 0n, U64_MAX);
    unmap(c, ioas, draw.chance(30) ? 0n : PLACE, 2n * PAGE);
    for (const { user, item } of pinned) if (draw.chance(80)) letGo(c, user, item);
    probeRefs(c, ioas.fd, start("buf0"), (2n * PAGE) as Bytes);
    look(c, ioas);
  }),
  // ACC-04, PIN-05, I-34: pages go from hand to hand and are never pinned twice.
  freshMotif("handed-over", 4, ["ACCESS_PAGES", "ACCESS_REPLACE_IOAS"], (c, ioas) => {
    const { draw } = c;
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
    const user = newAccess(c, ioas);
    if (user === undefined) return;
    const early = draw.chance(50);
    if (early) attach(c, ioas);
    // ACC-15: what it gets are the pages that the domain has.
    const shown = draw.chance(50) ? start("buf0") : undefined;
    const item = pin(c, user, PLACE, 2n * PAGE, ACCESS_PAGES_WRITE, shown);
    if (!early) attach(c, ioas);
    const check = (): void => probeRefs(c, ioas.fd, start("buf0"), (2n * PAGE) as Bytes);
    check();
    // DOM-07: what the user holds stays pinned when the domain goes.
    if (draw.chance(40)) {
      leave(c, ioas);
      check();
    }
    const other = draw.chance(50) ? fresh(c, ioas.fd) : undefined;
    if (other === undefined) letGo(c, user, item);
    else {
      // ACC-01: a mapping that begins inside a page keeps it away.
      if (draw.chance(35)) map(c, other, { va: start("buf4"), bytes: 1n, at: PLACE + 1n });
      const args = { access_fd: c.accessFile(user.file), ioas_id: c.object(other.fd, other.id) };
      c.make({ call: "ACCESS_REPLACE_IOAS", fd: c.iommufd(ioas.fd), in: args });
      destroy(c, ioas.fd, other.id);
    }
    check();
    if (draw.chance(50))
      c.make({ call: "CLOSE_ACCESS", in: { access_fd: c.accessFile(user.file) } });
    check();
  }),
  // ACC-20 … ACC-22, GEN-23: bytes across pages and mappings, for whichever process, leave no pin.
  freshMotif("bytes-across", 2.5, ["CREATE_ACCESS", "ACCESS_RW"], (c, ioas) => {
    const { draw } = c;
    const odd = draw.of(0n, 0n, 1n, PAGE / 2n);
    const [first, second, third] = [PLACE, PLACE + 2n * PAGE - odd, PLACE + 4n * PAGE - odd];
    const regions = draw.of(["buf0", "buf4"] as const, ["buf1", "buf0"] as const);
    map(c, ioas, { va: start(regions[0]), bytes: 2n * PAGE - odd, at: first });
    map(c, ioas, { va: start(regions[1]), bytes: 2n * PAGE, at: second });
    // Writeable for the device, but not for the process.
    map(c, ioas, { va: start("buf2"), bytes: PAGE, at: third });
    const user = newAccess(c, ioas, odd === 0n ? ACCESS_NEEDS_PIN_PAGES : 0);
    if (user === undefined) return;
    const slow = draw.of(0, ACCESS_RW_SLOW_PATH);
    rw(c, user, first + PAGE - 5n, 8192, ACCESS_RW_WRITE | slow);
    rw(c, user, first + PAGE - 5n, 8192, slow);
    rw(c, user, second - 3n, 16, draw.of(0, ACCESS_RW_SLOW_PATH));
    rw(c, user, third - 1n, 2, ACCESS_RW_WRITE);
    // ACC-20: the mapping says what may be done, whatever its memory permits.
    const less = draw.of(MAP_READABLE, MAP_READABLE, MAP_WRITEABLE);
    const fourth = third + 4n * PAGE;
    copy(c, ioas, { src: ioas, from: first, bytes: PAGE, flags: less, at: fourth });
    rw(c, user, fourth + 4n, 4, draw.of(0, ACCESS_RW_WRITE, ACCESS_RW_WRITE) | slow);
    const parent = c.proc;
    const child = draw.chance(40) && c.can("FORK") ? fork(c) : undefined;
    if (child !== undefined) {
      c.proc = child;
      c.make({ call: "MEM_WRITE", in: { va: start(regions[0]), bytes: "0badcafe" } });
      rw(c, user, first, 16, draw.of(0, ACCESS_RW_SLOW_PATH));
      rw(c, user, first + 1n, 8, ACCESS_RW_WRITE);
      c.make({ call: "EXIT", in: {} });
      c.proc = parent;
      rw(c, user, first, 16, 0);
    }
    for (const region of regions) {
      probeRefs(c, ioas.fd, start(region) as unknown as UserVa, (2n * PAGE) as Bytes);
    }
  }),
];

const LIMITS: readonly Aim[] = [
  // ACT-03, ACT-05, I-36: up to the limit, and one page further.
  freshMotif("up-to-the-limit", 4, ["SETRLIMIT_MEMLOCK", "SETUID"], (c, ioas) => {
    const { draw } = c;
    c.make({ call: "SETUID", in: { uid: USER } });
    const pages = BigInt(draw.int(1, 4));
    const limit = (pages * PAGE) as Bytes;
    // What is not a whole page more is none.
    const cur = (limit + draw.of(0n, 0n, 1n, PAGE - 1n)) as Bytes;
    c.make({ call: "SETRLIMIT_MEMLOCK", in: { cur, max: cur } });
    attach(c, ioas);
    // What is charged at once is given back at once.
    if (draw.chance(50)) {
      map(c, ioas, { va: new Handle("buf0"), bytes: limit, at: PLACE });
      unmap(c, ioas, PLACE, limit);
      probeProcess(c);
    }
    for (let i = 0n; i <= pages; i++) {
      const odd = draw.chance(15) ? 0x800n : 0n;
      map(c, ioas, {
        va: new Handle("buf0", "", PAGE * i),
        bytes: PAGE - odd,
        at: PLACE + PAGE * i,
      });
    }
    probeProcess(c);
    unmap(c, ioas, PLACE, PAGE);
    map(c, ioas, { va: start("buf4"), bytes: PAGE, at: PLACE });
    probeProcess(c);
  }),
  // ACT-01: whether pins are charged, and to whom, is settled by who maps, not when they are made.
  freshMotif("mapped-by-root", 3, ["SETRLIMIT_MEMLOCK", "SETUID"], (c, ioas) => {
    const { draw } = c;
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
    c.make({ call: "SETUID", in: { uid: USER } });
    const limit = (BigInt(draw.int(0, 1)) * PAGE) as Bytes;
    c.make({ call: "SETRLIMIT_MEMLOCK", in: { cur: limit, max: limit } });
    const charged = { va: start("buf4"), bytes: PAGE, at: PLACE + 2n * PAGE };
    if (draw.chance(50)) map(c, ioas, charged);
    attach(c, ioas);
    probeProcess(c);
    map(c, ioas, { ...charged, at: PLACE + 3n * PAGE });
    look(c, ioas);
  }),
  // ACT-01, I-36: what one user's process mapped is returned to it, whoever unmaps it.
  freshMotif("unmapped-by-another", 3, ["SETRLIMIT_MEMLOCK", "SETUID", "FORK"], (c, ioas) => {
    const { draw } = c;
    const parent = c.proc;
    const limit = (BigInt(draw.int(1, 2)) * PAGE) as Bytes;
    attach(c, ioas);
    const child = fork(c);
    if (child === undefined) return;
    c.proc = child;
    c.make({ call: "SETRLIMIT_MEMLOCK", in: { cur: limit, max: limit } });
    c.make({ call: "SETUID", in: { uid: USER } });
    map(c, ioas, { va: start("buf0"), bytes: limit, at: PLACE });
    c.proc = parent;
    unmap(c, ioas, PLACE, limit);
    c.proc = child;
    map(c, ioas, { va: start("buf1"), bytes: limit, at: PLACE });
    map(c, ioas, { va: start("buf4"), bytes: PAGE, at: PLACE + limit });
    c.proc = draw.pick(c.scene.processes) ?? parent;
    probeProcess(c);
  }),
  // MAP-33, I-39: a mapping of a process that is gone.
  freshMotif("orphan", 4, ["FORK", "EXIT"], (c, ioas) => {
    const { draw } = c;
    const parent = c.proc;
    const child = fork(c);
    if (child === undefined) return;
    if (draw.chance(40)) attach(c, ioas);
    c.proc = child;
    map(c, ioas, { va: start(draw.of("buf0", "buf1")), bytes: PAGE, at: PLACE });
    c.make({ call: "MEM_WRITE", in: { va: start("buf0"), bytes: "0badcafe" } });
    if (draw.chance(30)) attach(c, ioas);
    if (draw.chance(80)) c.make({ call: "EXIT", in: {} });
    c.proc = parent;
    attach(c, ioas);
    look(c, ioas);
    probeRefs(c, ioas.fd, start("buf0") as unknown as UserVa, PAGE as Bytes);
  }),
];

/** The last two pages of the address space begin there. */
const LAST_PAGES = (U64_MAX - 2n * PAGE + 1n) as UserVa;

const AT_THE_LIMIT: readonly Aim[] = [
  // OPT-05, ACT-04: by process it is charged whatever may be done with it.
  {
    name: "charged-to-the-process",
    weight: 2,
    calls: ["OPTION", "SETUID", "PROC_STATUS"],
    make: (c, { fds }) => {
      const { draw } = c;
      if (fds.length >= 3) return false;
      const fd = openIommufd(c);
      const mode = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: 1n };
      c.make({ call: "OPTION", fd: c.iommufd(fd), in: mode });
      const ioas = fresh(c, fd);
      if (ioas === undefined) return true;
      c.make({ call: "SETUID", in: { uid: USER } });
      if (draw.chance(70)) attach(c, ioas);
      const flags = draw.of(MAP_READABLE, MAP_READABLE, RW);
      map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE, flags });
      probeProcess(c);
      if (draw.chance(50)) attach(c, ioas);
      probeProcess(c);
      unmap(c, ioas, PLACE, 2n * PAGE);
      probeProcess(c);
      return true;
    },
  },
  // CPY-11, CPY-12, ACT-05: pieces that meet inside an IOMMU page cannot be mapped, which shows
  // before a limit, and after a page that is missing.
  freshMotif("cut-at-the-limit", 2, ["SETRLIMIT_MEMLOCK", "SETUID", "IOAS_COPY"], (c, src) => {
    const { draw } = c;
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    const cur = (BigInt(draw.int(0, 2)) * PAGE) as Bytes;
    c.make({ call: "SETRLIMIT_MEMLOCK", in: { cur, max: cur } });
    c.make({ call: "SETUID", in: { uid: USER } });
    const hole = { va: new Handle("buf0", "", 3n * PAGE), length: PAGE as Bytes };
    const isMissing = draw.chance(30);
    if (isMissing) c.make({ call: "MUNMAP", in: hole });
    const [bytes, cut] = [2n * PAGE, draw.of(0x1400n, 0x1400n, 0x1800n, 0xc00n)];
    map(c, src, { va: start("buf0"), bytes: cut, at: PLACE });
    map(c, src, { va: start("buf1"), bytes: bytes - cut, at: PLACE + cut });
    const early = draw.chance(70);
    if (early) attach(c, dst);
    copy(c, dst, { src, from: PLACE, bytes, at: PLACE });
    if (!early) attach(c, dst);
    look(c, dst);
    probeProcess(c);
    probeRefs(c, dst.fd, start("buf0"), bytes as Bytes);
    if (isMissing) c.make({ call: "MMAP", in: { ...hole, prot: "rw", kind: "anon-shared" } });
  }),
  // DOM-04, MAP-14: the last pages that there are, mapped while nothing had to pin them: it matters
  // whose they are, and whether that process still is.
  freshMotif("end-of-memory", 2, ["MOCK_DOMAIN", "FORK", "EXIT"], (c, ioas) => {
    const { draw } = c;
    const parent = c.proc;
    const child = fork(c);
    if (child === undefined) return;
    c.proc = child;
    map(c, ioas, { va: LAST_PAGES, bytes: draw.of(0x1800n, 0x1800n, PAGE), at: PLACE });
    const isGone = draw.chance(35);
    if (isGone) c.make({ call: "EXIT", in: {} });
    for (let n = draw.int(1, 2); n > 0; n--) {
      c.proc = isGone || draw.chance(50) ? parent : child;
      attach(c, ioas);
    }
    c.proc = parent;
    unmap(c, ioas, PLACE, 2n * PAGE);
    attach(c, ioas);
    look(c, ioas);
    if (!isGone && draw.chance(80)) c.make({ call: "EXIT", proc: child, in: {} });
  }),
];

const TRACKERS: readonly Aim[] = [
  // HWP-08, HWP-24: a domain that tracks is made for no device that cannot be tracked, nor takes one.
  motif("untracked-device", 3, ["MOCK_DOMAIN_FLAGS", "HWPT_ALLOC"], (c, ioas, scene) => {
    const { fd, id } = ioas;
    const domainFor = (dev: number): number => {
      const alloc = { flags: HWPT_DIRTY_TRACKING, dev_id: c.object(fd, dev) };
      const args = { ...alloc, pt_id: c.object(fd, id) };
      const { outcome } = c.make({ call: "HWPT_ALLOC", fd: c.iommufd(fd), in: args });
      return (outcome.out as { out_hwpt_id?: number } | undefined)?.out_hwpt_id ?? 0;
    };
    const arrive = (pt: number, dev_flags: number): void => {
      const args = { pt_id: c.object(fd, pt), dev_flags };
      c.make({ call: "MOCK_DOMAIN_FLAGS", fd: c.iommufd(fd), in: args });
    };
    if (c.draw.chance(30)) {
      arrive(id, MOCK_NO_DIRTY);
      const own = c.scene.devices.findLast((one) => one.fd === fd && !one.tracksDirty);
      if (own !== undefined) domainFor(own.id);
    }
    const device = scene.devices.find((one) => one.fd === fd && one.tracksDirty);
    if (device === undefined) return;
    const hwpt = domainFor(device.id);
    if (c.draw.chance(60)) arrive(hwpt, 0);
    arrive(hwpt, MOCK_NO_DIRTY);
  }),
];

export const USERS: readonly Aim[] = [
  ...HELD.map((aim): Aim => ({ ...aim, family: "access" })),
  ...[...LIMITS, ...AT_THE_LIMIT].map((aim): Aim => ({ ...aim, family: "process" })),
  ...TRACKERS.map((aim): Aim => ({ ...aim, family: "hwpt" })),
];
