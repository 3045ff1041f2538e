/** The whole path of IOAS_MAP and IOAS_UNMAP, through the port, against its parts and rivals. */
import { AreaWindow } from "../impl/radix/area-window";
import { Iommu } from "../impl/radix/iommu";
import { PhysicalMemory } from "../impl/radix/physical-memory";
import type { Iova } from "../spec/units";
import type { Figure } from "./figures";
import { BenchMachine, BUFFER, GiB, PAGE } from "./machine";
import { type Effort, race, timeOf } from "./measure";
import { BTreeRival, IntervalRival, NaiveRival, type Rival } from "./rivals";
import { shuffled } from "./shuffled";

const MiB2 = 2n ** 21n;
const IOVA = 0x8123_c000_0000n;

/** The frame of each page: of all that were touched in this order, the first one has frame 1. */
const framesOf = (order: Uint32Array): Float64Array => {
  const frames = new Float64Array(order.length);
  for (const [i, page] of order.entries()) frames[page] = i + 1;
  return frames;
};

/**
 * The parts of mapping and unmapping `frames`: IOPTEs, and pins. What is pinned is stored in the
 * domain, so pin storage is counting pins, and reading the frames back to unpin them.
 */
const parts = (frames: Float64Array) => {
  const { length } = frames;
  const iommu = new Iommu({
    ioPageSize: Number(PAGE),
    aperture: [0n as Iova, 0xffff_ffff_ffffn as Iova],
  });
  const area = { iova: IOVA, last: IOVA + MiB2 - 1n, perm: 3, firstIndex: 0, pageOffset: 0 };
  const [empty, full] = [0, 1].map(() => new AreaWindow(area, iommu.allocDomain(), Number(PAGE)));
  if (empty === undefined || full === undefined) throw new Error("two domains");
  full.mapEach(0, length, frames, 0);
  const physical = new PhysicalMemory(Number(PAGE));
  for (let i = 0; i < length; i += 1) physical.allocate(1);
  const unpin = {
    run: (_index: number, count: number, pfn: number) => physical.unpin(pfn, count),
    each: (_index: number, count: number, pfns: Float64Array, from: number) =>
      physical.unpinEach(count, pfns, from),
  };
  return {
    table: (): void => {
      empty.mapEach(0, length, frames, 0);
      empty.unmap(0, length);
    },
    pins: (): void => {
      physical.pinEach(length, frames, 0);
      full.feed(0, length - 1, unpin);
    },
  };
};

const benchScattered = (effort: Effort): Figure[] => {
  const pages = Number(MiB2 / PAGE);
  const order = shuffled(pages, "frames");
  const machine = new BenchMachine(MiB2, PAGE);
  machine.touch(order);
  machine.attach(0);
  const frames = framesOf(order);
  const frameOf = (page: number): number => frames[page] ?? 0;
  const rivals: Rival[] = [
    new NaiveRival(frameOf, pages),
    new BTreeRival(frameOf),
    new IntervalRival(frameOf, pages + 1),
  ];
  const { table, pins } = parts(frames);
  const times = race(
    [
      { name: "table", run: table },
      { name: "pins", run: pins },
      {
        name: "here",
        run: () => {
          machine.map(BUFFER, MiB2, IOVA);
          machine.unmap(IOVA, MiB2);
        },
      },
      ...rivals.map((rival) => ({
        name: rival.name,
        run: () => {
          rival.map(BUFFER, MiB2, IOVA);
          rival.unmap(IOVA, MiB2);
        },
      })),
    ],
    effort,
  );
  machine.end();
  const time = (name: string): number => times.get(name) ?? Number.NaN;
  const title = "IOAS_MAP + IOAS_UNMAP of 2 MiB, scattered";
  return [
    { name: title, value: time("here") / 1000, unit: "µs" },
    {
      name: `${title}, against its table and pin storage`,
      value: time("here") / (time("table") + time("pins")),
      unit: "x",
      atMost: 2,
    },
    ...rivals.map(
      ({ name }, i): Figure => ({
        name: `${title}: how many times slower is ${name}`,
        value: time(name) / time("here"),
        unit: "x",
        atLeast: i === 0 ? 20 : 1,
      }),
    ),
  ];
};

const SIZES = { "4 KiB": PAGE, "64 KiB": 16n * PAGE, "2 MiB": MiB2, "1 GiB": GiB };

/** Times of mapping and of unmapping areas of some sizes. */
const benchSizes = (
  machine: BenchMachine,
  memory: string,
  sizes: Readonly<Record<string, bigint>>,
  effort: Effort,
): Figure[] =>
  Object.entries(sizes).flatMap(([size, length]): Figure[] => {
    const map = (): void => machine.map(BUFFER, length, GiB);
    const unmap = (): void => machine.unmap(GiB, length);
    const mapped = timeOf({ run: map, undo: unmap }, effort) / 1000;
    map();
    const unmapped = timeOf({ run: unmap, undo: map }, effort) / 1000;
    unmap();
    const limit = size === "64 GiB" ? { atMost: 1000 } : {};
    return [
      { name: `IOAS_MAP of ${size}, ${memory}`, value: mapped, unit: "µs", ...limit },
      { name: `IOAS_UNMAP of ${size}, ${memory}`, value: unmapped, unit: "µs" },
    ];
  });

/** Contiguous as the platform's huge pages make it. */
const benchContiguous = (effort: Effort): Figure[] => {
  const machine = new BenchMachine(64n * GiB, GiB);
  machine.touch(Array.from({ length: 64 }, (_, i) => i * Number(GiB / PAGE)));
  machine.attach(0);
  const sizes = { ...SIZES, "64 GiB": 64n * GiB };
  const figures = benchSizes(machine, "contiguous", sizes, effort);
  machine.end();
  return figures;
};

/** Every page has its frame anywhere in 1 GiB. 64 GiB of them would take 340 MB of entries. */
const benchScatteredSizes = (effort: Effort): Figure[] => {
  const machine = new BenchMachine(GiB, PAGE);
  machine.touch(shuffled(Number(GiB / PAGE), "frames"));
  machine.attach(0);
  const figures = benchSizes(machine, "scattered", SIZES, effort);
  machine.end();
  return figures;
};

export const benchPath = (effort: Effort): Figure[] => [
  ...benchScattered(effort),
  ...benchContiguous(effort),
  ...benchScatteredSizes(effort),
];
