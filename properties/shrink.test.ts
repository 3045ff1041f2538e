import { describe, expect, test } from "@jest/globals";
import { Handle } from "../spec/handle";
import { MOCK_PLATFORM } from "../spec/platform";
import type { Step, Trace } from "../spec/trace";
import type { Bytes, Iova, UserVa } from "../spec/units";
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
      expect(step.in).toMatchObject({ flags: 0, length: 0x2000n, iova: 0x100_0000n });
      expect(String((step.in as { user_va: unknown }).user_va)).toBe("buf0");
    }
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

  test("leaves a trace alone of which nothing can be taken away", async () => {
    const whole = async (candidate: Trace): Promise<boolean> =>
      JSON.stringify(candidate, (_, v) => (typeof v === "bigint" ? `${v}` : v)) ===
      JSON.stringify(LONG, (_, v) => (typeof v === "bigint" ? `${v}` : v));
    expect((await shrink(LONG, whole, 10_000)).trace).toEqual(LONG);
  });
});
