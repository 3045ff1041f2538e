/** How the time of each workload grows with its size: ×1, ×4, ×16, ×64, and the fitted exponent. */
import { withAreas } from "./areas";
import type { Growth } from "./figures";
import type { GrowthInC, InC } from "./in-c";
import { BenchMachine, BUFFER, GiB, PAGE } from "./machine";
import { type Effort, exponentOf, race } from "./measure";
import { shuffled } from "./shuffled";

const HUGE = 512n * PAGE;
const IOVA = 2n ** 40n;

interface Workload {
  readonly name: string;
  readonly of: "pages" | "areas";
  /** The smallest size. */
  readonly from: number;
  /** What of growth.c touches memory the same way. */
  readonly inC?: GrowthInC;
  make(size: number): { run(): void; undo?(): void; end(): void };
}

const scattered = (pages: number): BenchMachine => {
  const machine = new BenchMachine(BigInt(pages) * PAGE, PAGE);
  machine.touch(shuffled(pages, "frames"));
  machine.attach(0);
  return machine;
};

const WORKLOADS: readonly Workload[] = [
  {
    name: "IOAS_MAP + IOAS_UNMAP, scattered",
    of: "pages",
    from: 1024,
    inC: "scattered",
    make: (pages) => {
      const machine = scattered(pages);
      const length = BigInt(pages) * PAGE;
      const run = (): void => {
        machine.map(BUFFER, length, IOVA);
        machine.unmap(IOVA, length);
      };
      return { run, end: () => machine.end() };
    },
  },
  {
    name: "IOAS_MAP + IOAS_UNMAP, contiguous",
    of: "pages",
    from: 2 ** 18,
    make: (pages) => {
      const length = BigInt(pages) * PAGE;
      const machine = new BenchMachine(length, GiB);
      machine.attach(0);
      const run = (): void => {
        machine.map(BUFFER, length, IOVA);
        machine.unmap(IOVA, length);
      };
      return { run, end: () => machine.end() };
    },
  },
  {
    name: "attach of a second domain to a full IOAS, scattered",
    of: "pages",
    from: 1024,
    make: (pages) => {
      const machine = scattered(pages);
      machine.map(BUFFER, BigInt(pages) * PAGE, IOVA);
      machine.attach(1);
      machine.detach(1);
      const run = (): void => machine.attachAgain(1);
      return { run, undo: () => machine.detach(1), end: () => machine.end() };
    },
  },
  {
    name: "DMA to every page",
    of: "pages",
    from: 256,
    make: (pages) => {
      const machine = scattered(pages);
      machine.map(BUFFER, BigInt(pages) * PAGE, IOVA);
      const run = (): void => {
        for (let i = 0; i < pages; i += 1) machine.dma(IOVA + BigInt(i) * PAGE);
      };
      return { run, end: () => machine.end() };
    },
  },
  {
    name: "a guest: 3 huge areas, and a storm of 4 KiB maps and unmaps",
    of: "areas",
    from: 256,
    make: (pages) => {
      const machine = new BenchMachine(16n * GiB, GiB);
      machine.attach(0);
      machine.map(BUFFER, 2n * GiB, GiB);
      machine.map(BUFFER + 3n * GiB, GiB, 4n * GiB);
      machine.map(BUFFER + 4n * GiB, 12n * GiB, 6n * GiB);
      const order = shuffled(pages, "storm");
      const run = (): void => {
        for (const i of order)
          machine.map(BUFFER + BigInt(i) * PAGE, PAGE, IOVA + BigInt(i) * PAGE);
        for (const i of order) machine.unmap(IOVA + BigInt(i) * PAGE, PAGE);
      };
      return { run, end: () => machine.end() };
    },
  },
  {
    name: "areas of 4 KiB mapped and unmapped in random order",
    of: "areas",
    from: 1024,
    inC: "areas",
    make: (areas) => {
      const machine = new BenchMachine(16n * PAGE, HUGE);
      const order = shuffled(areas, "areas");
      const run = (): void => {
        for (const i of order) machine.map(BUFFER, PAGE, IOVA + BigInt(i) * PAGE);
        for (const i of order) machine.unmap(IOVA + BigInt(i) * PAGE, PAGE);
      };
      return { run, end: () => machine.end() };
    },
  },
  {
    name: "areas of 4 KiB at automatic IOVAs",
    of: "areas",
    from: 1024,
    make: (areas) => {
      const machine = new BenchMachine(16n * PAGE, HUGE);
      const run = (): void => {
        for (let i = 0; i < areas; i += 1) machine.mapAnywhere(BUFFER, PAGE);
      };
      const undo = (): void => machine.unmap(0n, 2n ** 64n - 1n);
      return { run, undo, end: () => machine.end() };
    },
  },
  {
    name: "first attach to an IOAS of 4 KiB areas",
    of: "areas",
    from: 1024,
    make: (areas) => {
      const machine = withAreas(areas, 1n);
      machine.attach(0);
      machine.detach(0);
      const run = (): void => machine.attachAgain(0);
      return { run, undo: () => machine.detach(0), end: () => machine.end() };
    },
  },
  {
    name: "a chain of copies of 64 KiB, with a domain",
    of: "areas",
    from: 256,
    make: (areas) => {
      const length = 16n * PAGE;
      const machine = new BenchMachine(length, HUGE);
      machine.attach(0);
      machine.map(BUFFER, length, IOVA);
      const run = (): void => {
        for (let i = 1n; i <= areas; i += 1n) {
          machine.copy(IOVA + (i - 1n) * length, length, IOVA + i * length);
        }
      };
      const undo = (): void => machine.unmap(IOVA + length, BigInt(areas) * length);
      return { run, undo, end: () => machine.end() };
    },
  },
  {
    name: "copies of every page of an area by itself, with a domain",
    of: "areas",
    from: 256,
    make: (areas) => {
      const machine = new BenchMachine(BigInt(areas) * PAGE, HUGE);
      const source = machine.ioas;
      machine.map(BUFFER, BigInt(areas) * PAGE, IOVA);
      const target = machine.allocIoas();
      machine.attach(0, target);
      const run = (): void => {
        for (let i = 0n; i < areas; i += 1n) {
          machine.copy(IOVA + i * PAGE, PAGE, IOVA + i * PAGE, source, target);
        }
      };
      const undo = (): void => machine.unmap(IOVA, BigInt(areas) * PAGE, target);
      return { run, undo, end: () => machine.end() };
    },
  },
];

const FACTORS = [1, 4, 16, 64];
/** Time per page does not grow; time per area may grow as a logarithm does. */
const LIMIT = { pages: 1.05, areas: 1.15 };

/** @param scale divides all sizes */
export const benchGrowth = (c: InC | undefined, effort: Effort, scale: number): Growth[] =>
  WORKLOADS.map(({ name, of, from, inC, make }) => {
    const sizes = FACTORS.map((factor) => (from * factor) / scale);
    const runInC = (): number[] =>
      inC === undefined || c === undefined ? [] : c.growth(inC, effort.turns, sizes);
    const before = runInC();
    const made = sizes.map((size) => ({ name: `${size}`, ...make(size) }));
    const times = race(made, effort);
    for (const { end } of made) end();
    const after = runInC();
    const points = sizes.map((size): [number, number] => [
      size,
      times.get(`${size}`) ?? Number.NaN,
    ]);
    const pointsInC = sizes.map((size, i): [number, number] => [
      size,
      Math.min(before[i] ?? Number.NaN, after[i] ?? Number.NaN),
    ]);
    return {
      name,
      of,
      points,
      exponent: exponentOf(points),
      atMost: LIMIT[of],
      ...(before.length === 0 ? {} : { exponentInC: exponentOf(pointsInC) }),
    };
  });
