/** In-kernel users of an IOAS: made, moved, closed; they pin, read and write. */
import type { Arg } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import type { StepOf } from "../../../spec/trace";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
} from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa, wrap64 } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { BAD_VAS } from "../nothing";
import { probeRanges, probeRefs } from "../probes";
import { edge, PAGE, size } from "../values";
import { type AccessView, type AreaView, type IoasView, type SceneView, userVaOf } from "../view";

const NO_FILE = -1;
/** Of all addresses. */
const LAST_PAGE = U64_MAX - PAGE + 1n;

const ioasOf = (scene: SceneView, { fd, ioas }: AccessView): IoasView | undefined =>
  scene.ioases.find((one) => one.fd === fd && one.id === ioas);

const lookAtRanges = (c: Composer, fd: number): void => {
  for (const ioas of c.scene.ioases) if (ioas.fd === fd && c.draw.chance(60)) probeRanges(c, ioas);
};

export const createAccessAim: Aim = {
  name: "create-access",
  family: "access",
  weight: 9,
  calls: ["CREATE_ACCESS"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = draw.pick(scene.ioases);
    if (ioas === undefined || scene.accesses.length >= 4) return false;
    const { fd } = ioas;
    const args = {
      ioas_id: draw.chance(85) ? c.object(fd, ioas.id) : otherIds(c, fd),
      flags: draw.chance(92) ? draw.of(ACCESS_NEEDS_PIN_PAGES, ACCESS_NEEDS_PIN_PAGES, 0) : 2,
    };
    c.make({ call: "CREATE_ACCESS", fd: c.iommufd(fd), in: args });
    lookAtRanges(c, fd);
    return true;
  },
};

export const closeAccessAim: Aim = {
  name: "close-access",
  family: "access",
  weight: 2,
  calls: ["CLOSE_ACCESS"],
  make: (c, scene) => {
    const access = c.draw.pick(scene.accesses);
    if (access === undefined) return false;
    const access_fd = c.draw.chance(6) ? NO_FILE : c.accessFile(access.file);
    c.make({ call: "CLOSE_ACCESS", in: { access_fd } });
    lookAtRanges(c, access.fd);
    return true;
  },
};

export const replaceIoasAim: Aim = {
  name: "access-replace",
  family: "access",
  weight: 5,
  calls: ["ACCESS_REPLACE_IOAS"],
  make: (c, scene) => {
    const { draw } = c;
    const access = draw.pick(scene.accesses);
    if (access === undefined) return false;
    const { fd } = access;
    const ioas = draw.pick(scene.ioases.filter((one) => one.fd === fd));
    const args = {
      access_fd: draw.chance(5) ? NO_FILE : c.accessFile(access.file),
      ioas_id: ioas === undefined || draw.chance(18) ? otherIds(c, fd) : c.object(fd, ioas.id),
    };
    c.make({ call: "ACCESS_REPLACE_IOAS", fd: c.iommufd(fd), in: args });
    lookAtRanges(c, fd);
    return true;
  },
};

/** An in-kernel user, and a mapping of its IOAS. */
interface Use {
  readonly access: AccessView;
  readonly ioas: IoasView;
  readonly area: AreaView;
}

const use = (c: Composer, scene: SceneView, pinning: boolean): Use | undefined => {
  const { draw } = c;
  const fit = scene.accesses.filter(({ pinsPages }) => pinsPages || !pinning);
  const access = draw.chance(94) ? draw.pick(fit) : draw.pick(scene.accesses);
  const ioas = access && ioasOf(scene, access);
  const area = draw.pick(ioas?.areas ?? []);
  return access && ioas && area && { access, ioas, area };
};

const at = (c: Composer, { ioas, area }: Use, offset: bigint): Arg<Iova> =>
  c.inArea(ioas.fd, ioas.id, area.first, offset) as Arg<Iova>;

type PagesIn = StepOf<"ACCESS_PAGES">["in"];
const PAGES_TWISTS: readonly Twist<"ACCESS_PAGES", Use>[] = [
  ["ACC-10", (a) => ({ ...a, length: 0n as Bytes })],
  ["ACC-10", (a) => ({ ...a, iova: U64_MAX as Iova, length: PAGE as Bytes })],
  ["ACC-10", (a, c, { ioas }) => ({ ...a, iova: edge(c, ioas) as Iova })],
  ["ACC-10", (a, _, { area }) => ({ ...a, length: (size(area) + PAGE) as Bytes })],
  ["ACC-11", (a, c, u) => ({ ...a, iova: at(c, u, 1n), length: PAGE as Bytes })],
  // From one mapping into the next.
  ["ACC-11", (a, c, u) => ({ ...a, iova: at(c, u, size(u.area) - 1n), length: 2n as Bytes })],
  ["ACC-12", (a) => ({ ...a, flags: (a.flags as number) ^ ACCESS_PAGES_WRITE })],
  ["ACC-32", (a) => ({ ...a, flags: 2 })],
  ["ACC-32", (a) => ({ ...a, length: 0x100_1000n as Bytes })],
  ["ACC-32", (a) => ({ ...a, access_fd: NO_FILE })],
  ["ACC-32", (a, c) => ({ ...a, uptr: c.draw.of(BAD_VAS[0], LAST_PAGE) as UserVa })],
  ["ACC-32", (a, _, { area }) => ({ ...a, uptr: (userVaOf(area) + PAGE) as UserVa })],
  // Inside the page, or in its neighbour.
  [
    "ACC-32",
    (a, { draw }, { area }) => ({
      ...a,
      uptr: wrap64(userVaOf(area) + draw.of(1n, -1n, PAGE / 2n)) as UserVa,
    }),
  ],
];

export const accessPagesAim: Aim = {
  name: "access-pages",
  family: "access",
  weight: 14,
  calls: ["ACCESS_PAGES"],
  make: (c, scene) => {
    const { draw } = c;
    const found = use(c, scene, true);
    if (found === undefined) return false;
    const { access, area } = found;
    const pages = Number(size(area) / PAGE);
    const offset = PAGE * BigInt(draw.chance(60) ? 0 : draw.int(0, Math.max(0, pages - 1)));
    const left = size(area) - offset;
    const pinned = draw.chance(60) ? left : draw.chance(50) && left > PAGE ? PAGE : left;
    // ACC-11: it need not end where a page does. A piece of a copy may be less than a page.
    const less = draw.chance(15) ? draw.of(1n, PAGE / 2n, PAGE - 1n) : 0n;
    const length = less < pinned ? pinned - less : pinned;
    const args: PagesIn = {
      access_fd: c.accessFile(access.file),
      flags: area.pages.writeable && draw.chance(60) ? ACCESS_PAGES_WRITE : 0,
      iova: at(c, found, offset),
      length: length as Bytes,
      ...(draw.chance(40) && { uptr: (userVaOf(area) + offset) as UserVa }),
    };
    const step = { call: "ACCESS_PAGES" as const, fd: c.iommufd(access.fd), in: args };
    makeTwisted(c, step, found, PAGES_TWISTS);
    lookAtPins(c, found);
    return true;
  },
};

const lookAtPins = (c: Composer, { access, area }: Use): void => {
  const va = userVaOf(area);
  const first = va - (va % PAGE);
  const pages = (va + size(area) - 1n - first) / PAGE + 1n;
  if (pages <= 64n && c.draw.chance(60)) {
    probeRefs(c, access.fd, first, (pages * PAGE) as Bytes);
  }
};

export const letGoAim: Aim = {
  name: "access-let-go",
  family: "access",
  weight: 7,
  calls: ["DESTROY_ACCESS_PAGES"],
  make: (c, scene) => {
    const { draw } = c;
    const access =
      draw.pick(scene.accesses.filter(({ pinned }) => pinned.length > 0)) ??
      draw.pick(scene.accesses.filter(({ revoked }) => revoked.length > 0));
    if (access === undefined) return false;
    const { file, fd, pinned, revoked } = access;
    const item = draw.pick(draw.chance(80) && pinned.length > 0 ? pinned : [...revoked, 99]) ?? 99;
    const args = {
      access_fd: draw.chance(5) ? NO_FILE : c.accessFile(file),
      access_pages_id: c.pinned(file, item),
    };
    c.make({ call: "DESTROY_ACCESS_PAGES", fd: c.iommufd(fd), in: args });
    const ioas = ioasOf(scene, access);
    const area = draw.pick(ioas?.areas ?? []);
    if (ioas && area) lookAtPins(c, { access, ioas, area });
    return true;
  },
};

type RwIn = StepOf<"ACCESS_RW">["in"];
const RW_TWISTS: readonly Twist<"ACCESS_RW", Use>[] = [
  ["ACC-20", (a) => ({ ...a, length: 0n as Bytes })],
  ["ACC-20", (a) => ({ ...a, iova: U64_MAX as Iova, length: 2n as Bytes })],
  ["ACC-20", (a, c, { ioas }) => ({ ...a, iova: edge(c, ioas) as Iova })],
  ["ACC-20", (a) => ({ ...a, flags: (a.flags as number) ^ ACCESS_RW_WRITE })],
  ["ACC-32", (a) => ({ ...a, accessible_bytes: 1 })],
  ["ACC-32", (a) => ({ ...a, length: 0x100_0001n as Bytes })],
  ["ACC-32", (a) => ({ ...a, access_fd: NO_FILE })],
];

export const accessRwAim: Aim = {
  name: "access-rw",
  family: "access",
  weight: 12,
  calls: ["ACCESS_RW"],
  make: (c, scene) => {
    const { draw } = c;
    const found = use(c, scene, false);
    if (found === undefined) return false;
    const { access, area } = found;
    // Any byte: in the middle, across pages, up to the end and one beyond.
    const offset = draw.of(0n, 0n, 1n, PAGE - 2n, size(area) - 1n, PAGE);
    const writes = draw.chance(50);
    const length = draw.of(1, 4, 8, 16, 33, 4100, 8192);
    const args: RwIn = {
      access_fd: c.accessFile(access.file),
      iova: at(c, found, offset > size(area) ? 0n : offset),
      length: BigInt(length) as Bytes,
      uptr: SCRATCH.va,
      flags: (writes ? ACCESS_RW_WRITE : 0) | (draw.chance(45) ? ACCESS_RW_SLOW_PATH : 0),
      accessible_bytes: length,
      ...(writes && { data_repeat: draw.int(0, 0xffff_ffff).toString(16).padStart(8, "0") }),
    };
    const step = { call: "ACCESS_RW" as const, fd: c.iommufd(access.fd), in: args };
    makeTwisted(c, step, found, RW_TWISTS);
    if (draw.chance(50)) {
      const va = (userVaOf(area) + (offset > size(area) ? 0n : offset)) as UserVa;
      c.look({ call: "MEM_READ", in: { va, length: 16 } });
    }
    return true;
  },
};
