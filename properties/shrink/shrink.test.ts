import { describe, expect, test } from "@jest/globals";
import { radix } from "../../impl/radix";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM, PLATFORMS, VFIO_PLATFORM } from "../../spec/platform";
import { Resolver } from "../../spec/resolve";
import type { Step, Trace } from "../../spec/trace";
import type { Bytes, Iova, UserVa } from "../../spec/units";
import { runTrace } from "../replay";
import { shrink } from "./shrink";

const fd = new Handle("fd0");
const trace = (steps: readonly Step[]): Trace => ({ platform: MOCK_PLATFORM, steps });
const map = (as: string, ioas: string, length: bigint, iova: bigint): Step => ({
  call: "IOAS_MAP",
  as,
  fd,
  in: {
    flags: 7,
    ioas_id: new Handle(ioas),
    user_va: new Handle("buf1", "", 0x3000n),
    length: length as Bytes,
    iova: iova as Iova,
  },
});

const LONG = trace([
  { call: "OPEN", as: "fd0", in: {} },
  { call: "OPEN", as: "fd1", in: {} },
  { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
  { call: "IOAS_ALLOC", as: "ioas1", fd, in: {} },
  { call: "PROC_STATUS", in: {} },
  map("map0", "ioas0", 0x3000n, 0x1234_5000n),
  map("map1", "ioas1", 0x5000n, 0x7777_0000n),
  { call: "MEM_WRITE", in: { va: 0x2000_0000_0000n as UserVa, bytes: "0011223344556677" } },
  map("map2", "ioas1", 0x2000n, 0x7777_1000n),
  { call: "PROC_STATUS", in: {} },
]);

/** Fails when an IOAS that exists gets two maps of more than one page. */
const twoBigMaps = async ({ steps }: Trace): Promise<boolean> => {
  const made = new Set(steps.flatMap((step) => step.as ?? []));
  const big = steps.filter(
    (step) => step.call === "IOAS_MAP" && ((step.in.length as bigint | undefined) ?? 0n) > 0x1000n,
  );
  const targets = big.map((step) => String((step.in as { ioas_id: unknown }).ioas_id));
  return targets.some((target, i) => made.has(target) && targets.indexOf(target) !== i);
};

describe("shrink", () => {
  test("keeps only the calls that matter, with the plainest arguments that still fail", async () => {
    const { trace: small } = await shrink(LONG, twoBigMaps, 10_000);
    expect(small.steps.map((step) => step.call)).toEqual(["IOAS_ALLOC", "IOAS_MAP", "IOAS_MAP"]);
    for (const step of small.steps.slice(1)) {
      expect(Object.keys(step.in)).toEqual(["flags", "ioas_id", "user_va", "length"]);
      expect(step.in).toMatchObject({ flags: 6, user_va: new Handle("buf0"), length: 0x2000n });
    }
  });

  test("lets what is made later stand for what is made before, where that alone will do", async () => {
    const open = (as: string, dev: number): Step => ({ call: "DEVICE_OPEN", as, in: { dev } });
    const bind = (devfd: string): Step => ({
      call: "VFIO_BIND",
      in: { devfd: new Handle(devfd), argsz: 16, iommufd: fd },
    });
    const both: Trace = {
      platform: VFIO_PLATFORM,
      steps: [open("cdev0", 2), open("cdev1", 3), bind("cdev0"), bind("cdev1"), bind("cdev0")],
    };
    // Three binds of files that are there, the second one that of device 3.
    const thrice = async ({ steps }: Trace): Promise<boolean> => {
      const devs = new Map(
        steps.flatMap((s) => (s.call === "DEVICE_OPEN" ? [[s.as ?? "", s.in.dev] as const] : [])),
      );
      const bound = steps.flatMap((s) =>
        s.call === "VFIO_BIND" && s.in.devfd instanceof Handle ? [devs.get(s.in.devfd.name)] : [],
      );
      return bound.filter((dev) => dev !== undefined).length === 3 && bound[1] === 3;
    };
    const { trace: small } = await shrink(both, thrice, 10_000);
    expect(small.steps.map(({ call }) => call)).toEqual([
      "DEVICE_OPEN",
      ...["VFIO_BIND", "VFIO_BIND", "VFIO_BIND"],
    ]);
  });

  test("needs no mapping to fill a limit that can be lower", async () => {
    const limit: Step = { call: "SETRLIMIT_MEMLOCK", in: { cur: 0x1000n as Bytes } };
    const filled = trace([
      limit,
      map("map0", "ioas0", 0x1000n, 0n),
      map("map1", "ioas0", 0x1000n, 0x2000n),
    ]);
    const lastIsRefused = async ({ steps }: Trace): Promise<boolean> => {
      const [first, ...maps] = steps;
      if (first?.call !== "SETRLIMIT_MEMLOCK" || maps.length === 0) return false;
      const pages = ((first.in.cur as bigint | undefined) ?? 0n) / 0x1000n;
      return BigInt(maps.length - 1) === pages;
    };
    const { trace: small } = await shrink(filled, lastIsRefused, 1000);
    expect(small.steps.map(({ call }) => call)).toEqual(["SETRLIMIT_MEMLOCK", "IOAS_MAP"]);
    expect(small.steps[0]?.in).toEqual({});
  });

  test("numbers handles from 0, whatever they were called before", async () => {
    const { trace: small } = await shrink(LONG, twoBigMaps, 10_000);
    expect(small.steps.map((step) => step.as)).toEqual(["ioas0", "map0", "map1"]);
  });

  test("gives the same trace when it starts from its own result", async () => {
    const once = await shrink(LONG, twoBigMaps, 10_000);
    const twice = await shrink(once.trace, twoBigMaps, 10_000);
    expect(twice.trace).toEqual(once.trace);
  });

  test("tries no more than it may, and answers the best trace so far", async () => {
    let asked = 0;
    const counting = (candidate: Trace): Promise<boolean> => {
      asked++;
      return twoBigMaps(candidate);
    };
    const { trace: small, tried } = await shrink(LONG, counting, 5);
    expect(tried).toBe(5);
    // One more question: whether the renumbered trace still fails.
    expect(asked).toBeLessThanOrEqual(6);
    expect(await twoBigMaps(small)).toBe(true);
    expect(small.steps.length).toBeLessThan(LONG.steps.length);
  });

  test("changes what belongs together at once", async () => {
    const moved = trace([
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      map("map0", "ioas0", 0x3000n, 0x1234_5000n),
      {
        call: "PAGE_REFS",
        fd,
        in: { uptr: 0x2000_0010_3000n as UserVa, length: 0x3000n as Bytes },
      },
    ]);
    /** Fails when it looks at the pins of exactly the memory that it has mapped. */
    const looks = async ({ platform, steps }: Trace): Promise<boolean> => {
      const resolver = new Resolver(platform);
      const calls = steps.map((step) => resolver.resolve(step));
      const mapped = calls.find((call) => call.call === "IOAS_MAP")?.in;
      const seen = calls.find((call) => call.call === "PAGE_REFS")?.in;
      return mapped !== undefined && mapped.user_va === seen?.uptr && mapped.length === seen.length;
    };
    const { steps } = (await shrink(moved, looks, 10_000)).trace;
    const memory = new Handle("buf0");
    expect(steps.map((step) => step.in)).toEqual([
      { flags: 6, user_va: memory, length: 0x1000n },
      { uptr: memory, length: 0x1000n },
    ]);
  });

  test("moves all calls of another process to the first one at once", async () => {
    const other = trace([
      { call: "OPEN", as: "fd0", proc: 1, in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", proc: 1, fd, in: {} },
    ]);
    const together = async ({ steps }: Trace): Promise<boolean> =>
      steps.length === 2 && steps[0]?.proc === steps[1]?.proc;
    const { steps } = (await shrink(other, together, 10_000)).trace;
    expect(steps.map(({ proc }) => proc)).toEqual([undefined, undefined]);
  });

  test("needs no second process where the first may do it all, though one of them ends", async () => {
    const forked = trace([
      { call: "FORK", in: { child: 1 } },
      { call: "OPEN", as: "fd0", proc: 1, in: {} },
      { call: "EXIT", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", proc: 1, fd, in: {} },
    ]);
    // Whoever makes the last call is there, and nobody else is any more.
    const allocates = async ({ steps }: Trace): Promise<boolean> => {
      const { proc, call } = steps.at(-1) ?? {};
      const isForked = steps.some((step) => step.call === "FORK");
      const hasEnded = steps.some((step) => step.call === "EXIT" && step.proc === undefined);
      const hasOpened = steps.some((step) => step.call === "OPEN" && step.proc === proc);
      const isAlone = proc === undefined ? !isForked && !hasEnded : isForked && hasEnded;
      return call === "IOAS_ALLOC" && hasOpened && isAlone;
    };
    const { steps } = (await shrink(forked, allocates, 10_000)).trace;
    expect(steps.map(({ call, proc }) => [call, proc])).toEqual([
      ["OPEN", undefined],
      ["IOAS_ALLOC", undefined],
    ]);
  });

  test("puts calls in one order, whatever order they were in", async () => {
    const calls: readonly Step[] = [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      { call: "IOAS_ALLOC", as: "ioas1", fd, in: {} },
      map("map0", "ioas0", 0x1000n, 0n),
      { call: "OPTION", fd, in: { object_id: new Handle("ioas1") } },
    ];
    const [open, first, second, mapping, option] = calls as [Step, Step, Step, Step, Step];
    const all = async ({ steps }: Trace): Promise<boolean> => steps.length === calls.length;
    const orders = [
      [open, first, second, mapping, option],
      [open, second, option, first, mapping],
      [open, first, mapping, second, option],
    ];
    const results = await Promise.all(orders.map((steps) => shrink(trace(steps), all, 10_000)));
    for (const { trace: small } of results) {
      const made = small.steps.map((step) => step.call);
      expect(made).toEqual(["OPEN", "IOAS_ALLOC", "IOAS_ALLOC", "IOAS_MAP", "OPTION"]);
    }
  });

  test("moves to the mock driver where that is enough, with one call for three", async () => {
    const cdev = new Handle("cdev0");
    const steps: readonly Step[] = [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      { call: "DEVICE_OPEN", as: "cdev0", in: { dev: 2 } },
      { call: "VFIO_BIND", as: "dev0", in: { devfd: cdev, argsz: 16, iommufd: fd } },
      {
        call: "VFIO_ATTACH",
        as: "pt0",
        in: { devfd: cdev, argsz: 12, pt_id: new Handle("ioas0") },
      },
      { call: "TRANSLATE", fd, in: { hwpt_id: new Handle("pt0"), last: 0x1000n as Iova } },
    ];
    const findsDomain = async (candidate: Trace): Promise<boolean> => {
      const { outcomes } = await runTrace(radix, candidate);
      return candidate.steps.some(
        ({ call }, i) => call === "TRANSLATE" && outcomes[i]?.errno === 0,
      );
    };
    const from = { platform: VFIO_PLATFORM, steps };
    const { trace: small } = await shrink(from, findsDomain, 10_000, PLATFORMS);
    expect(small.platform).toBe(MOCK_PLATFORM);
    expect(small.steps.map((step) => step.call)).toEqual([
      ...["OPEN", "IOAS_ALLOC", "MOCK_DOMAIN", "TRANSLATE"],
    ]);
    expect(small.steps[3]?.in).toMatchObject({ hwpt_id: new Handle("mock0", "out_hwpt_id") });
    const alone = await shrink(from, findsDomain, 10_000);
    expect(alone.trace.platform).toBe(VFIO_PLATFORM);
  });

  test("asks for no further device if the first one reserves something, too", async () => {
    const steps: readonly Step[] = [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      { call: "DEVICE_OPEN", as: "cdev0", in: { dev: 0 } },
      { call: "DEVICE_OPEN", as: "cdev1", in: { dev: 3 } },
      map("map0", "ioas0", 0x1000n, 0x200_0000n),
    ];
    // The first device must be there, and what is mapped must be what an open device reserves.
    const inReserved = async (candidate: Trace): Promise<boolean> => {
      const devs = candidate.steps.flatMap((step) =>
        step.call === "DEVICE_OPEN" ? [step.in.dev ?? 0] : [],
      );
      const reserved = devs.flatMap((dev) => VFIO_PLATFORM.devices[dev as number]?.reserved ?? []);
      return candidate.steps.some(
        ({ call, in: args }) =>
          call === "IOAS_MAP" &&
          devs.includes(0) &&
          reserved.some(([first, last]) => {
            const { iova } = args as { iova?: unknown };
            return typeof iova === "bigint" && first <= iova && iova <= last;
          }),
      );
    };
    const { trace: small } = await shrink({ platform: VFIO_PLATFORM, steps }, inReserved, 10_000);
    expect(small.steps.map(({ call }) => call)).toEqual(["DEVICE_OPEN", "IOAS_MAP"]);
  });

  test("moves to the mock driver with a table by hand, too", async () => {
    const cdev = new Handle("cdev0");
    const table = { dev_id: new Handle("dev0"), pt_id: new Handle("ioas0") };
    const steps: readonly Step[] = [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
      { call: "DEVICE_OPEN", as: "cdev0", in: { dev: 0 } },
      { call: "VFIO_BIND", as: "dev0", in: { devfd: cdev, argsz: 16, iommufd: fd } },
      { call: "HWPT_ALLOC", as: "hwpt0", fd, in: table },
      { call: "TRANSLATE", fd, in: { hwpt_id: new Handle("hwpt0"), last: 0x1000n as Iova } },
    ];
    const findsDomain = async (candidate: Trace): Promise<boolean> => {
      const { outcomes } = await runTrace(radix, candidate);
      const at = candidate.steps.findIndex(({ call }) => call === "TRANSLATE");
      return outcomes[at]?.errno === 0;
    };
    const from = { platform: VFIO_PLATFORM, steps };
    const { trace: small } = await shrink(from, findsDomain, 10_000, PLATFORMS);
    expect(small.steps.map(({ call }) => call)).toEqual([
      ...["OPEN", "IOAS_ALLOC", "MOCK_DOMAIN", "TRANSLATE"],
    ]);
    expect(small.steps[2]?.as).toBe("mock0");
  });

  test("leaves a trace alone of which nothing can be taken away", async () => {
    const whole = async (candidate: Trace): Promise<boolean> =>
      JSON.stringify(candidate, (_, v) => (typeof v === "bigint" ? `${v}` : v)) ===
      JSON.stringify(LONG, (_, v) => (typeof v === "bigint" ? `${v}` : v));
    expect((await shrink(LONG, whole, 10_000)).trace).toEqual(LONG);
  });
});
