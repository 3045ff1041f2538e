/**
 * Where areas lie at both ends of all addresses, a range may have one byte more than 2^64-1, and
 * where one is cut inside a page, less than none may be left.
 */
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
  VFIO_IOAS_SET,
} from "../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { AIMS } from "./aims/all";
import { availableCalls, Composer } from "./composer";
import { Draw } from "./draw";
import { PAGE } from "./values";

const ENDS = [0n, U64_MAX - PAGE + 1n];

const random = seedrandom("edges");
const draw = new Draw({
  nextInt: (min: number, max: number) => min + Math.floor(random() * (max - min + 1)),
} as Random);

/** Aims that compute with the ends of areas. */
const LOOKED_AT: ReadonlySet<string> = new Set([
  ...["map", "unmap", "copy", "vfio-map-dma", "vfio-unmap-dma", "access-pages", "access-rw"],
]);

const numbersOf = ({ steps }: Composer): bigint[] =>
  steps.flatMap((step) => Object.values(step.in).filter((value) => typeof value === "bigint"));

/** An IOAS, a container's too, with nothing but a page at either end. */
const composed = (): Composer => {
  const available = availableCalls(MOCK_PLATFORM, radix.info.capabilities);
  const c = new Composer(MOCK_PLATFORM, available, draw);
  c.make({ call: "OPEN", in: {} });
  const fd = new Handle("fd0", "");
  c.make({ call: "IOAS_ALLOC", fd, in: {} });
  const ioas_id = new Handle("ioas0", "");
  const map = { ioas_id, flags: MAP_FIXED_IOVA | MAP_READABLE, user_va: new Handle("buf0", "") };
  for (const iova of ENDS) {
    c.make({ call: "IOAS_MAP", fd, in: { ...map, iova: iova as Iova, length: PAGE as Bytes } });
  }
  c.make({ call: "VFIO_IOAS", fd, in: { op: VFIO_IOAS_SET, ioas_id } });
  return c;
};

/** Less than a page of an IOAS that an in-kernel user pins. */
const cut = (): Composer => {
  const c = composed();
  const fd = new Handle("fd0", "");
  c.make({ call: "IOAS_ALLOC", fd, in: {} });
  const from = { ioas_id: new Handle("ioas1", ""), flags: MAP_FIXED_IOVA | MAP_READABLE };
  for (const [at, length] of [
    [0x1000n, 0x800n],
    [0x1800n, 0x800n],
  ] as const) {
    const range = { iova: at as Iova, length: length as Bytes, user_va: new Handle("buf0", "") };
    c.make({ call: "IOAS_MAP", fd, in: { ...from, ...range } });
  }
  c.make({ call: "IOAS_ALLOC", fd, in: {} });
  const ioas_id = new Handle("ioas2", "");
  c.make({ call: "CREATE_ACCESS", fd, in: { ioas_id, flags: ACCESS_NEEDS_PIN_PAGES } });
  const range = { src_iova: 0x1000n as Iova, length: 0x1000n as Bytes, flags: MAP_READABLE };
  const ids = { src_ioas_id: new Handle("ioas1", ""), dst_ioas_id: ioas_id };
  c.make({ call: "IOAS_COPY", fd, in: { ...ids, ...range } });
  return c;
};

/** All addresses, in two mappings. */
const halves = (): Composer => {
  const c = composed();
  const fd = new Handle("fd0", "");
  const ioas_id = new Handle("ioas0", "");
  c.make({ call: "IOAS_UNMAP", fd, in: { ioas_id, iova: 0n as Iova, length: U64_MAX as Bytes } });
  const half = { ioas_id, flags: MAP_FIXED_IOVA | MAP_READABLE, length: (1n << 63n) as Bytes };
  for (const iova of [0n, 1n << 63n]) {
    c.make({ call: "IOAS_MAP", fd, in: { ...half, user_va: 0n as UserVa, iova: iova as Iova } });
  }
  const args = { ioas_id, flags: ACCESS_NEEDS_PIN_PAGES };
  c.make({ call: "CREATE_ACCESS", fd, in: args });
  return c;
};

const GROUNDS = [
  ["a page at either end", composed, 0, [0xfffn, 0xfffn]],
  ["two halves", halves, 0, [(1n << 63n) - 1n, (1n << 63n) - 1n]],
  ["cuts inside a page", cut, 2, [0x7ffn, 0x7ffn]],
] as const;

test.each(GROUNDS)("of %s no number is drawn that a u64 does not hold", (_, ground, at, sizes) => {
  expect(ground().scene.ioases[at]?.areas.map(({ first, last }) => last - first)).toEqual(sizes);
  const wrong = new Set<string>();
  let drawn = 0;
  for (const { name, make } of AIMS) {
    for (let n = LOOKED_AT.has(name) ? 1500 : 30; n > 0; n--) {
      const c = ground();
      make(c, c.scene);
      for (const value of numbersOf(c)) {
        drawn++;
        if (value < 0n || value > U64_MAX) wrong.add(`${name}: ${value}`);
      }
    }
  }
  expect([...wrong]).toEqual([]);
  expect(drawn).toBeGreaterThan(10_000);
});
