/** The mock front end: devices that come with a group, a binding and an attachment of their own. */
import { USUAL_MEMORY_LIMIT } from "../../../model/state/machine";
import type { Arg } from "../../../spec/handle";
import { MOCK_HUGE_IOVA, MOCK_NO_DIRTY } from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import { BOGUS_IDS } from "../nothing";
import { probeRanges, probeWholeDomains } from "../probes";
import { edge, PAGE, pinsAt, size } from "../values";
import { type IoasView, type SceneView, userVaOf } from "../view";

/** Something to attach to: mostly an IOAS, sometimes a domain, sometimes nothing fit. */
const target = (c: Composer, scene: SceneView, fd: number): Arg<number> => {
  const { draw } = c;
  const ioases = scene.ioases.filter((ioas) => ioas.fd === fd);
  const kind = draw.int(0, 99);
  if (kind < 8) return draw.pick(BOGUS_IDS) ?? 0;
  if (kind < 16) return otherIds(c, fd);
  const ioas = draw.pick(ioases);
  if (ioas === undefined) return 0;
  const hwpt = kind < 35 ? draw.pick(scene.hwpts.filter((one) => one.fd === fd)) : undefined;
  return c.object(fd, (hwpt ?? ioas).id);
};

const afterwards = (c: Composer, fd: number): void => {
  for (const ioas of c.scene.ioases) {
    if (ioas.fd !== fd || !c.draw.chance(50)) continue;
    probeRanges(c, ioas);
    probeWholeDomains(c, ioas);
  }
};

export const mockDomainAim: Aim = {
  name: "mock-domain",
  weight: 8,
  calls: ["MOCK_DOMAIN"],
  make: (c, scene) => {
    const { draw } = c;
    const fd = draw.pick(scene.fds);
    if (fd === undefined || scene.mocks.length >= 4) return false;
    const pt_id = target(c, scene, fd);
    if (draw.chance(30) && c.can("MOCK_DOMAIN_FLAGS")) {
      const dev_flags = draw.of(0, MOCK_NO_DIRTY, MOCK_HUGE_IOVA, 3, 4, 0x8000_0000);
      c.make({ call: "MOCK_DOMAIN_FLAGS", fd: c.iommufd(fd), in: { pt_id, dev_flags } });
    } else {
      c.make({ call: "MOCK_DOMAIN", fd: c.iommufd(fd), in: { pt_id } });
    }
    afterwards(c, fd);
    return true;
  },
};

export const mockReplaceAim: Aim = {
  name: "mock-replace",
  weight: 4,
  calls: ["MOCK_DOMAIN_REPLACE"],
  make: (c, scene) => {
    const mock = c.draw.pick(scene.mocks);
    if (mock === undefined) return false;
    const { fd } = mock;
    const stdev_id = c.draw.chance(12) ? otherIds(c, fd) : c.object(fd, mock.stdev);
    const args = { stdev_id, pt_id: target(c, scene, fd) };
    c.make({ call: "MOCK_DOMAIN_REPLACE", fd: c.iommufd(fd), in: args });
    afterwards(c, fd);
    return true;
  },
};

const RESERVED_TWISTS: readonly Twist<"ADD_RESERVED", IoasView>[] = [
  ["TST-01", (a) => ({ ...a, length: 0n as Bytes })],
  ["TST-01", (a) => ({ ...a, start: (U64_MAX - 1n) as Iova, length: PAGE as Bytes })],
  ["TST-01", (a, c, ioas) => ({ ...a, ioas_id: otherIds(c, ioas.fd) })],
  [
    "TST-01",
    (a, c, ioas) => {
      const area = c.draw.pick(ioas.areas);
      if (area === undefined) return undefined;
      const start = c.inArea(ioas.fd, ioas.id, area.first, c.draw.of(0n, size(area) - 1n));
      return { ...a, start: start as Arg<Iova>, length: 1n as Bytes };
    },
  ],
  [
    "ALW-12",
    (a, c, ioas) => {
      const allowed = c.draw.pick(ioas.allowed);
      return allowed === undefined
        ? undefined
        : { ...a, start: allowed.last as Iova, length: 1n as Bytes };
    },
  ],
];

export const reservedAim: Aim = {
  name: "add-reserved",
  weight: 3,
  calls: ["ADD_RESERVED"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = draw.pick(scene.ioases);
    if (ioas === undefined) return false;
    const start = draw.chance(50) ? edge(c, ioas) : 0x7000_0000n + PAGE * BigInt(draw.int(0, 8));
    const length = draw.of(1n, PAGE, 16n * PAGE);
    const args = {
      ioas_id: c.object(ioas.fd, ioas.id),
      start: start as Iova,
      length: (start + length - 1n > U64_MAX ? 1n : length) as Bytes,
    };
    const step = { call: "ADD_RESERVED" as const, fd: c.iommufd(ioas.fd), in: args };
    makeTwisted(c, step, ioas, RESERVED_TWISTS);
    probeRanges(c, ioas);
    return true;
  },
};

/**
 * TST-06: from then on pages are worked on one by one, a few at a time, or as many as usual. The
 * latter mostly, or long sequences would work on pages one by one from somewhere to their end.
 */
export const memoryLimitAim: Aim = {
  name: "memory-limit",
  weight: 3,
  calls: ["SET_TEMP_MEMORY_LIMIT"],
  make: (c, scene) => {
    const { draw } = c;
    const fd = draw.pick(scene.fds);
    if (fd === undefined) return false;
    const few = draw.of(12, 12, 16, 24, 40, 64);
    const limit = draw.chance(55) ? USUAL_MEMORY_LIMIT : draw.chance(75) ? few : draw.of(0, 11);
    c.make({ call: "SET_TEMP_MEMORY_LIMIT", fd: c.iommufd(fd), in: { limit } });
    return true;
  },
};

/** Does a domain translate what it should? Asked with the mock driver's own check. */
export const checkMapAim: Aim = {
  name: "check-map",
  weight: 4,
  calls: ["MD_CHECK_MAP"],
  make: (c, scene) => {
    const { draw } = c;
    const ioas = draw.pick(scene.ioases.filter((i) => i.hwpts.length > 0 && i.areas.length > 0));
    const area = draw.pick(ioas?.areas ?? []);
    if (ioas === undefined || area === undefined) return false;
    const unit = BigInt(c.platform.iommus[0]?.ioPageSize ?? 4096);
    const bytes = (size(area) / unit) * unit;
    const by = draw.chance(70) ? 0n : draw.of(unit, -unit, 1n, PAGE);
    const hwpt = draw.chance(92)
      ? c.object(ioas.fd, draw.pick(ioas.hwpts) ?? 0)
      : otherIds(c, ioas.fd);
    c.make({
      call: "MD_CHECK_MAP",
      fd: c.iommufd(ioas.fd),
      in: {
        hwpt_id: hwpt,
        iova: c.inArea(ioas.fd, ioas.id, area.first, by) as Arg<Iova>,
        length: (draw.chance(85) ? bytes : draw.of(unit, bytes + unit, 1n, 0n)) as Bytes,
        uptr: (userVaOf(area) + (draw.chance(80) ? by : 0n)) as UserVa,
      },
    });
    return true;
  },
};

export const checkRefsAim: Aim = {
  name: "check-refs",
  weight: 3,
  calls: ["MD_CHECK_REFS"],
  make: (c, scene) => {
    const { draw } = c;
    const fd = draw.pick(scene.fds);
    const region = draw.pick(c.platform.processes[0]?.memory ?? []);
    if (fd === undefined || region === undefined) return false;
    const pages = draw.int(1, 3);
    const first = region.va + PAGE * BigInt(draw.int(0, 4));
    const pins = pinsAt(c, first);
    // A failure of this keeps all of them: no shrinker can take one away.
    if (pins > 3) return false;
    const args = {
      uptr: (first + (draw.chance(8) ? 1n : 0n)) as UserVa,
      length: (PAGE * BigInt(pages) + (draw.chance(8) ? 1n : 0n)) as Bytes,
      refs: draw.chance(70) ? pins : draw.of(0, 1, 2, 3),
    };
    c.look({ call: "MD_CHECK_REFS", fd: c.iommufd(fd), in: args });
    return true;
  },
};
