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
import { type Bytes, type Iova, U64_MAX } from "../../spec/units";
import { AIMS } from "./aims/all";
import { availableCalls, Composer } from "./composer";
import { Draw } from "./draw";
import { PAGE } from "./values";

const ENDS = [0n, U64_MAX - PAGE + 1n];

const random = seedrandom("edges");
const draw = new Draw({
  nextInt: (min: number, max: number) => min + Math.floor(random() * (max - min + 1)),
} as Random);

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

test.each(["access-pages", "access-rw", "unmap", "copy"])(
  "%s draws no number that a u64 does not hold of what is cut inside a page",
  (name) => {
    const aim = AIMS.find((each) => each.name === name);
    const numbers = new Set<bigint>();
    for (let n = 0; n < 500; n++) {
      const c = cut();
      expect(c.scene.ioases[2]?.areas.map(({ first, last }) => last - first)).toEqual([
        0x7ffn,
        0x7ffn,
      ]);
      aim?.make(c, c.scene);
      for (const value of numbersOf(c)) numbers.add(value);
    }
    expect([...numbers].filter((value) => value < 0n || value > U64_MAX)).toEqual([]);
    expect(numbers.size).toBeGreaterThan(5);
  },
);

test.each(["map", "unmap", "copy", "vfio-map-dma", "vfio-unmap-dma"])(
  "%s draws no number that a u64 does not hold",
  (name) => {
    const aim = AIMS.find((each) => each.name === name);
    const numbers = new Set<bigint>();
    for (let n = 0; n < 2000; n++) {
      const c = composed();
      expect(c.scene.ioases[0]?.areas.map(({ first }) => first)).toEqual(ENDS);
      aim?.make(c, c.scene);
      for (const value of numbersOf(c)) numbers.add(value);
    }
    expect([...numbers].filter((value) => value < 0n || value > U64_MAX)).toEqual([]);
    expect(numbers.size).toBeGreaterThan(10);
  },
);
