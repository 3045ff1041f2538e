/** Many areas: choosing IOVAs among them, and what they weigh. */
import type { Figure } from "./figures";
import { BenchMachine, BUFFER, PAGE } from "./machine";
import { bytesOf, type Effort, race, timeOf } from "./measure";

const IOVA = 2n ** 40n;

/** An IOAS without a domain and with `count` areas of a page, `stride` pages apart. */
export const withAreas = (count: number, stride: bigint): BenchMachine => {
  const machine = new BenchMachine(16n * PAGE, 512n * PAGE);
  for (let i = 0; i < count; i += 1) machine.map(BUFFER, PAGE, IOVA + BigInt(i) * stride * PAGE);
  return machine;
};

/** Fills the space below the areas, so that a search has to go through them. */
const closeBelow = (machine: BenchMachine): void => machine.map(BUFFER, IOVA - PAGE, PAGE);

const auto = (machine: BenchMachine, va: bigint, length: bigint) => {
  let at = 0n;
  return {
    run: (): void => {
      at = machine.mapAnywhere(va, length);
    },
    undo: (): void => machine.unmap(at, length),
  };
};

interface Request {
  readonly name: string;
  readonly stride: bigint;
  readonly va: bigint;
  readonly length: bigint;
}

/** Common requests: what a guest maps, among areas packed tightly, with holes, or with one hole. */
const REQUESTS: readonly Request[] = [
  { name: "4 KiB among packed areas", stride: 1n, va: BUFFER, length: PAGE },
  { name: "64 KiB among holes of 4 KiB", stride: 2n, va: BUFFER, length: 16n * PAGE },
  { name: "4 KiB among holes of 4 KiB", stride: 2n, va: BUFFER, length: PAGE },
  { name: "16 KiB among holes of 60 KiB", stride: 16n, va: BUFFER, length: 4n * PAGE },
];

const benchAuto = (many: number, effort: Effort): Figure[] => {
  let leastMs = Number.POSITIVE_INFINITY;
  const figures = REQUESTS.map(({ name, stride, va, length }) => {
    const [small, large] = [1000, many].map((count) => {
      const from = process.cpuUsage();
      const machine = withAreas(count, stride);
      const { user, system } = process.cpuUsage(from);
      if (count === many) leastMs = Math.min(leastMs, (user + system) / 1000);
      closeBelow(machine);
      return { name: `${count}`, ...auto(machine, va, length) };
    });
    if (small === undefined || large === undefined) throw new Error("two sizes");
    const times = race([small, large], effort);
    const value = (times.get(large.name) ?? Number.NaN) / (times.get(small.name) ?? Number.NaN);
    const sizes = `${many} areas against 1000`;
    return { name: `Automatic IOVA: ${name}, ${sizes}`, value, unit: "x", atMost: 3 };
  });
  const value = (leastMs * 1e6) / many;
  return [{ name: `IOAS_MAP of ${many} areas of 4 KiB, each`, value, unit: "ns" }, ...figures];
};

/**
 * The worst case of first fit with alignment: 3 pages are aligned to 4, every 4 pages an area has
 * the aligned one, and the 3 pages behind it are a hole that is large enough and does not fit.
 */
const benchWorst = (count: number, effort: Effort): Figure => {
  const machine = withAreas(count, 4n);
  closeBelow(machine);
  const { run, undo } = auto(machine, BUFFER, 3n * PAGE);
  const value = timeOf({ run, undo }, effort) / count;
  return {
    name: `Automatic IOVA, worst case: ${count} holes large enough, none at an aligned address`,
    value,
    unit: "ns/hole",
  };
};

const benchBytes = (count: number): Figure[] => {
  const machine = new BenchMachine(16n * PAGE, 512n * PAGE);
  const bytes = bytesOf(() => {
    for (let i = 0; i < count; i += 1) machine.map(BUFFER, PAGE, IOVA + BigInt(i) * PAGE);
    return machine;
  });
  if (bytes === undefined) return [];
  const copies = bytesOf(() => {
    for (let i = 0; i < count; i += 1) machine.copy(IOVA, PAGE, 2n * IOVA + BigInt(i) * PAGE);
    return machine;
  });
  return [
    {
      name: "Memory of an area (IOAS_COPY)",
      value: (copies ?? 0) / count,
      unit: "bytes",
      atMost: 200,
    },
    {
      name: "Memory of an area with its iopt_pages (IOAS_MAP)",
      value: bytes / count,
      unit: "bytes",
    },
  ];
};

export const benchAreas = (many: number, effort: Effort): Figure[] => [
  ...benchAuto(many, effort),
  benchWorst(1000, effort),
  benchWorst(many / 10, effort),
  ...benchBytes(100_000),
];
