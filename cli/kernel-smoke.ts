/** `kernel smoke`: boots the kernel and says what it can do, how fast, and what it survives. */
import { linux, Missing } from "../impl/linux/index";
import type { LinuxIut } from "../impl/linux/iut";
import { traceOfPath } from "../properties/campaign";
import { renderJson } from "../reports/json";
import { Handle } from "../spec/handle";
import type { Platform } from "../spec/platform";
import type { Step } from "../spec/trace";
import type { Bytes, UserVa } from "../spec/units";
import { EXIT, Stop } from "./exit";
import type { Io } from "./io";

export interface KernelSmokeFlags {
  readonly json?: true;
  readonly kernel?: string;
}

interface Smoke {
  readonly platform: string;
  readonly bootMs: number;
  readonly callsPerSecond: number;
  readonly tracesPerSecond: number;
  /** What a trace got one of whose processes took its own program away. */
  readonly died: string;
  /** What a range up to 2^64 got under a memory limit, and in the next trace; only with a mock. */
  readonly limits: readonly string[];
  /** What a trace got whose machine was ended under it, and whether the next one ran. */
  readonly killed: string;
  readonly recovered: boolean;
  /** Pages that lie behind their neighbour, of all: per layout that was asked for. */
  readonly layouts: Readonly<Record<string, string>>;
  /** The memory lies as it was asked to. */
  readonly arranged: boolean;
  /** What IOAS_ALLOC answers when its first allocation fails, and its ten thousandth. */
  readonly faults: readonly [string, string];
}

const PAIRS = 500;
/** Each rate is measured for so long, after as long again: what a run does, it does many times. */
const MEASURE_MS = 1500;
/** Traces that are drawn for it; then it begins from the start. */
const TRACES = 200;

export const kernelSmoke = async (flags: KernelSmokeFlags, io: Io): Promise<number> => {
  const found: Smoke[] = [];
  const failures: string[] = [];
  const kinds = openLinux(flags).platforms.filter(({ physical }) => physical === undefined);
  for (const platform of kinds) {
    const iut = openLinux(flags);
    try {
      const result = await smoke(iut, platform, io);
      if (typeof result === "string") failures.push(`${platform.name}: ${result}`);
      else found.push(result);
    } finally {
      await iut.close?.();
    }
  }
  const say = flags.json ? io.stderr : io.stdout;
  for (const one of found) {
    say.write(
      `${one.platform}: first call after ${one.bootMs} ms, ${one.callsPerSecond} calls/s, ` +
        `${one.tracesPerSecond} traces/s; ended under a trace: ${one.killed}; ` +
        `the next one ${one.recovered ? "ran" : "did not run"}\n`,
    );
    say.write(`${one.platform}: IOAS_ALLOC without memory: ${one.faults.join(", otherwise ")}\n`);
    say.write(`${one.platform}: a process without a program: ${one.died}\n`);
    if (one.limits.length > 0) {
      say.write(
        `${one.platform}: the end of memory, page by page: ${one.limits.join(", then ")}\n`,
      );
    }
    for (const [physical, found] of Object.entries(one.layouts)) {
      say.write(`${one.platform}: ${physical} memory: ${found} pages follow their neighbour\n`);
    }
  }
  for (const failure of failures) say.write(`${failure}\n`);
  if (flags.json) io.stdout.write(renderJson({ found, failures }));
  return failures.length === 0 && found.every(isFine) ? EXIT.conformant : EXIT.failed;
};

const isFine = ({ recovered, arranged, faults, died, limits }: Smoke): boolean =>
  recovered &&
  arranged &&
  faults.join() === "ENOMEM,ok" &&
  died === DIED &&
  (limits.length === 0 || limits.join() === LIMITS.join());

const openLinux = ({ kernel }: KernelSmokeFlags): LinuxIut => {
  try {
    return linux(kernel);
  } catch (error) {
    if (error instanceof Missing) throw new Stop(EXIT.unavailable, `kernel: ${error.message}`);
    throw error;
  }
};

const fd = new Handle("fd0");
const OPEN: Step = { call: "OPEN", as: "fd0", in: {} };
const PAGE = 4096n as Bytes;

/** One address space in which a page comes and goes. */
const pairs = (count: number): Step[] => {
  const ioas = new Handle("ioas0");
  const steps: Step[] = [OPEN, { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} }];
  for (let i = 0; i < count; i++) {
    const user_va = new Handle("buf0");
    const as = `map${i}`;
    steps.push(
      { call: "IOAS_MAP", as, fd, in: { flags: 6, ioas_id: ioas, user_va, length: PAGE } },
      { call: "IOAS_UNMAP", fd, in: { ioas_id: ioas, iova: new Handle(as), length: PAGE } },
    );
  }
  return steps;
};

/** IOAS_ALLOC with a failure that comes, or must not have come. */
const failing = async (iut: LinuxIut, platform: Platform, failNth: number): Promise<string> => {
  const alloc: Step = { call: "IOAS_ALLOC", fd, failNth, in: {} };
  const { outcomes, faults, ending } = await iut.run({ platform, steps: [OPEN, alloc] });
  const errno = outcomes[1]?.errno;
  if (errno === undefined) return ending?.reason ?? "no answer";
  if (errno === 0) return faults === 0 ? "ok" : "ok in spite of it";
  return faults === 1 ? errno : `${errno} of its own`;
};

/** Where the agent's program is: without it, the process gets a signal that nobody can take. */
const PROGRAM = { va: 0x40_0000n as UserVa, length: 0x10_0000n as Bytes };
const DIED = "the process of the trace died (wait status 11)";

/** Two processes, of which one ends itself; the other must not stay. */
const dying = async (iut: LinuxIut, platform: Platform): Promise<string> => {
  const steps: Step[] = [
    OPEN,
    { call: "FORK", in: { child: 1 } },
    { call: "MUNMAP", proc: 1, in: PROGRAM },
  ];
  return (await iut.run({ platform, steps })).ending?.reason ?? "nobody";
};

/** The last two pages of all: pinned one by one the first one faults, and both at once they wrap. */
const TOP = { flags: 6, user_va: (2n ** 64n - 0x2000n) as UserVa, length: 0x1800n as Bytes };

/** TST-06: what a trace makes of the limit is undone before the next. */
const limited = async (iut: LinuxIut, platform: Platform): Promise<string[]> => {
  if (platform.frontEnd !== "mock") return [];
  const found: string[] = [];
  for (const limit of [12, 65_536]) {
    const ioas_id = new Handle("ioas0");
    const steps: Step[] = [
      OPEN,
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      { call: "MOCK_DOMAIN", as: "mock0", fd, in: { pt_id: ioas_id } },
      ...(limit < 65_536 ? [{ call: "SET_TEMP_MEMORY_LIMIT" as const, fd, in: { limit } }] : []),
      { call: "IOAS_MAP", as: "map0", fd, in: { ioas_id, ...TOP } },
    ];
    found.push(String((await iut.run({ platform, steps })).outcomes.at(-1)?.errno));
  }
  return found;
};
const LIMITS = ["EFAULT", "EOVERFLOW"];

/** Most pages behind their neighbour, or hardly any. */
const MOST = 0.85;

const layoutsOf = async (
  iut: LinuxIut,
  platform: Platform,
): Promise<Pick<Smoke, "layouts" | "arranged">> => {
  const layouts: Record<string, string> = {};
  let arranged = true;
  for (const physical of ["contiguous", "scattered"] as const) {
    const layout = await iut.layout({ ...platform, physical });
    if (typeof layout === "string") return { layouts: { [physical]: layout }, arranged: false };
    const { neighbours, pairs } = layout;
    layouts[physical] = `${neighbours} of ${pairs}`;
    const share = neighbours / pairs;
    arranged &&= physical === "contiguous" ? share >= MOST : share <= 1 - MOST;
  }
  return { layouts, arranged };
};

const smoke = async (iut: LinuxIut, platform: Platform, io: Io): Promise<Smoke | string> => {
  const start = io.now();
  const first = await iut.run({ platform, steps: [OPEN] });
  if (first.ending !== undefined) return first.ending.reason;
  const bootMs = Math.round(io.now() - start);

  const batch = { platform, steps: pairs(PAIRS) };
  const batches = await rate(io, async () => await iut.run(batch));

  const space = { iut, platforms: [platform], length: [30, 60] as const };
  const traces = Array.from({ length: TRACES }, (_, i) => traceOfPath(space, 1, String(i)));
  const tracesPerSecond = await rate(io, async (i) => {
    const trace = traces[i % TRACES];
    if (trace !== undefined) await iut.run(trace);
  });

  const layouts = await layoutsOf(iut, platform);
  const faults = [await failing(iut, platform, 1), await failing(iut, platform, 10_000)] as const;
  const died = await dying(iut, platform);
  const limits = await limited(iut, platform);
  const long = iut.run({ platform, steps: pairs(10_000) });
  for (const pid of iut.machines()) process.kill(pid, "SIGKILL");
  const killed = (await long).ending;
  const next = await iut.run({ platform, steps: [OPEN] });
  return {
    platform: platform.name,
    bootMs,
    callsPerSecond: Math.round(batches * batch.steps.length),
    tracesPerSecond: Math.round(tracesPerSecond),
    died,
    limits,
    killed: killed === undefined ? "it went on" : `${killed.kind}, ${killed.reason}`,
    recovered: killed !== undefined && next.ending === undefined,
    ...layouts,
    faults,
  };
};

/** How often a second. */
const rate = async (io: Io, what: (i: number) => Promise<unknown>): Promise<number> => {
  let done = 0;
  const goOn = async (ms: number): Promise<number> => {
    const [start, before] = [io.now(), done];
    while (io.now() - start < ms) await what(done++);
    return (1000 * (done - before)) / (io.now() - start);
  };
  await goOn(MEASURE_MS);
  return goOn(MEASURE_MS);
};
