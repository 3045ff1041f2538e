/**
 * Taking times on a busy machine: contenders run in turns, so that all of them meet the same
 * disturbances, and the fastest turn counts.
 */

export interface Contender {
  readonly name: string;
  /** What is timed. */
  run(): void;
  /** Undoes it; not timed. */
  undo?(): void;
}

const nanoseconds = (): number => performance.now() * 1e6;

/**
 * Time of one run, over as many runs as make a turn long enough for the clock. A long run counts
 * by its CPU time if that is less: somebody else had the processor then.
 */
const turn = ({ run, undo }: Contender, runs: number): number => {
  let total = 0;
  for (let i = 0; i < runs; i += 1) {
    const cpu = runs < LONG_RUNS ? process.cpuUsage() : undefined;
    const from = nanoseconds();
    run();
    const elapsed = nanoseconds() - from;
    const used = cpu === undefined ? undefined : process.cpuUsage(cpu);
    total += used === undefined ? elapsed : Math.min(elapsed, (used.user + used.system) * 1000);
    undo?.();
  }
  return total / runs;
};

const TURN_NS = 2e6;

/** How long to look at a contender. */
export interface Effort {
  /** CPU time to run before anything counts, so that the compiler is done. */
  readonly warmUpNs: number;
  readonly turns: number;
}
/** A turn of fewer runs has runs of some 100 µs at least. */
const LONG_RUNS = 16;
const RUNS_MAX = 2 ** 14;

/** Nanoseconds of one run by name of the contender. */
export const race = (contenders: readonly Contender[], effort: Effort): Map<string, number> => {
  const least = new Map<string, number>();
  // Twice half the time: what the last one taught the compiler about code that they share makes it
  // start over with the first one.
  for (const contender of [...contenders, ...contenders]) {
    const from = process.cpuUsage();
    while (process.cpuUsage(from).user * 2000 < effort.warmUpNs) turn(contender, 1);
  }
  const runs = contenders.map((contender) => {
    let count = 1;
    while (count < RUNS_MAX && turn(contender, count) * count < TURN_NS) count *= 2;
    return count;
  });
  for (let i = 0; i < effort.turns; i += 1) {
    for (const [at, contender] of contenders.entries()) {
      const time = turn(contender, runs[at] ?? 1);
      least.set(contender.name, Math.min(time, least.get(contender.name) ?? time));
    }
  }
  return least;
};

/** Nanoseconds of one run of a single contender. */
export const timeOf = (contender: Omit<Contender, "name">, effort: Effort): number =>
  race([{ name: "it", ...contender }], effort).get("it") ?? Number.NaN;

/** Slope of log(time) over log(size), by least squares: the exponent of the growth. */
export const exponentOf = (points: readonly (readonly [size: number, time: number])[]): number => {
  const xs = points.map(([size]) => Math.log(size));
  const ys = points.map(([, time]) => Math.log(time));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(xs), mean(ys)];
  const products = xs.map((value, i) => (value - x) * ((ys[i] ?? 0) - y));
  return mean(products) / mean(xs.map((value) => (value - x) ** 2));
};

/** Bytes that `make` leaves on the heap and in typed arrays; undefined without --expose-gc. */
export const bytesOf = (make: () => unknown): number | undefined => {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  const used = (): number => {
    gc();
    gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  const made = make();
  const after = used();
  // Keeps what was made alive until it has been counted.
  return made === undefined ? 0 : after - before;
};
