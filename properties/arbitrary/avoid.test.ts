import { expect, test } from "@jest/globals";
import type { Random } from "fast-check";
import seedrandom from "seedrandom";
import { radix } from "../../impl/radix";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM } from "../../spec/platform";
import {
  ACCESS_NEEDS_PIN_PAGES,
  MAP_FIXED_IOVA,
  MAP_READABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
} from "../../spec/uapi/flags";
import type { Bytes, Iova } from "../../spec/units";
import { availableCalls, Composer, type Made } from "./composer";
import { Draw } from "./draw";

const random = seedrandom("avoid");
const draw = new Draw({
  nextInt: (min: number, max: number) => min + Math.floor(random() * (max - min + 1)),
} as Random);

const FD = 0;
const START = 0x100_0000n as Iova;

/** IOAS 1 has two pages in two areas, which meet after `cut` bytes; IOAS 2 has an in-kernel user. */
const composed = (cut: bigint): Composer => {
  const c = new Composer(
    MOCK_PLATFORM,
    availableCalls(MOCK_PLATFORM, radix.info.capabilities),
    draw,
  );
  c.make({ call: "OPEN", in: {} });
  for (const _ of [1, 2]) c.make({ call: "IOAS_ALLOC", fd: FD, in: {} });
  const map = { flags: MAP_READABLE | MAP_FIXED_IOVA, ioas_id: 1, user_va: new Handle("buf0") };
  c.make({ call: "IOAS_MAP", fd: FD, in: { ...map, iova: START, length: cut as Bytes } });
  const behind = { iova: (START + cut) as Iova, length: (0x2000n - cut) as Bytes };
  c.make({ call: "IOAS_MAP", fd: FD, in: { ...map, ...behind } });
  const user = { ioas_id: 2, flags: ACCESS_NEEDS_PIN_PAGES };
  c.make({ call: "CREATE_ACCESS", fd: FD, in: user });
  return c;
};

const copyAll = (c: Composer, fd = FD): Made => {
  const ids = { src_ioas_id: 1, dst_ioas_id: 2 };
  const range = { src_iova: START, length: 0x2000n as Bytes };
  return c.make({ call: "IOAS_COPY", fd, in: { ...ids, ...range, flags: MAP_READABLE } });
};

const noHugePages = (c: Composer, fd = FD, object_id = 2): Made => {
  const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id, val64: 0n };
  return c.make({ call: "OPTION", fd, in: option });
};

test("areas that meet inside a page are never copied to where huge pages are off", () => {
  for (const [cut, length, errno] of [[0x800n, 0n, "EINVAL"] as const, [0x1000n, 0x2000n, 0]]) {
    const c = composed(cut as bigint);
    expect(noHugePages(c).outcome.errno).toBe(0);
    expect(copyAll(c)).toMatchObject({ call: { in: { length } }, outcome: { errno } });
  }
});

test("huge pages are never switched off where areas meet inside a page", () => {
  for (const [cut, op] of [[0x800n, OPTION_OP_GET] as const, [0x1000n, OPTION_OP_SET]]) {
    const c = composed(cut as bigint);
    expect(copyAll(c).outcome.errno).toBe(0);
    expect(noHugePages(c)).toMatchObject({ call: { in: { op } }, outcome: { errno: 0 } });
  }
});

test("a piece that begins inside a page is one, too", () => {
  const c = composed(0x1800n);
  copyAll(c);
  const first = c.scene.ioases[1]?.areas[0]?.first as Iova;
  const piece = { ioas_id: 2, iova: first, length: 0x1800n as Bytes };
  expect(c.make({ call: "IOAS_UNMAP", fd: FD, in: piece }).outcome.errno).toBe(0);
  expect(noHugePages(c)).toMatchObject({ call: { in: { op: OPTION_OP_GET } } });
});

test("by whatever number the iommufd is named", () => {
  const duplicated = (): [Composer, number] => {
    const c = composed(0x800n);
    const { outcome } = c.make({ call: "DUP", fd: FD, in: {} });
    return [c, (outcome.out as { fd: number }).fd];
  };
  const [off, one] = duplicated();
  noHugePages(off);
  expect(copyAll(off, one)).toMatchObject({ call: { in: { length: 0n } } });
  const [on, other] = duplicated();
  copyAll(on);
  expect(noHugePages(on, other)).toMatchObject({ call: { in: { op: OPTION_OP_GET } } });
});

test("where pages would first have to be asked for, the refusal may be asked for", () => {
  const made = noHugePages(composed(0x800n), FD, 1);
  expect(made).toMatchObject({
    call: { in: { op: OPTION_OP_SET } },
    outcome: { errno: "EADDRINUSE" },
  });
});
