/**
 * Calls that break several rules at once are made on purpose: only they show which rule an
 * implementation looks at first. In profile linux-6.12 that order is part of what it must do;
 * the documents leave it open (UNS-07).
 */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { MODEL_CAPABILITIES } from "../model/machine";
import { Model } from "../model/model";
import type { Call, CallName, Outcome } from "../spec/calls";
import type { ClauseId } from "../spec/clauses/registry";
import { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import { type Iut, inProcess } from "../spec/iut";
import { PLATFORMS, type Platform } from "../spec/platform";
import { Resolver } from "../spec/resolve";
import type { Trace } from "../spec/trace";
import { traceArbitrary } from "./arbitrary/trace-arbitrary";
import { runCampaign } from "./campaign";
import { AS_LINUX_6_12 } from "./expectation";
import { type CampaignOptions, QUICK, quickRun } from "./options";
import { WHOLE_HUNT } from "./testdata/whole-hunt";

type Rung = readonly [ClauseId, Errno];

/** Rungs of the ladders of 6.12, the upper one first. */
const SWAPS: readonly (readonly [CallName, Rung, Rung])[] = [
  ["IOAS_IOVA_RANGES", ["RNG-01", "EOPNOTSUPP"], ["RNG-02", "ENOENT"]],
  ["IOAS_ALLOW_IOVAS", ["ALW-04", "EINVAL"], ["ALW-06", "EADDRINUSE"]],
  ["IOAS_ALLOW_IOVAS", ["ALW-02", "ENOENT"], ["ALW-03", "EFAULT"]],
  ["IOAS_MAP", ["MAP-02", "EOVERFLOW"], ["MAP-05", "EINVAL"]],
  ["IOAS_MAP", ["MAP-06", "EOVERFLOW"], ["MAP-14", "EFAULT"]],
  ["IOAS_COPY", ["CPY-02", "EOVERFLOW"], ["CPY-09", "EEXIST"]],
  ["IOAS_COPY", ["CPY-05", "EINVAL"], ["CPY-08", "ENOENT"]],
  ["IOAS_UNMAP", ["UNM-01", "ENOENT"], ["UNM-03", "EOVERFLOW"]],
  ["OPTION", ["OPT-06", "EBUSY"], ["OPT-07", "EINVAL"]],
  ["VFIO_IOAS", ["VFI-01", "EOPNOTSUPP"], ["VFI-03", "ENOENT"]],
  ["HWPT_ALLOC", ["HWP-02", "EINVAL"], ["HWP-09", "EOPNOTSUPP"]],
  ["GET_HW_INFO", ["HWI-01", "EOPNOTSUPP"], ["HWI-05", "EFAULT"]],
  ["HWPT_INVALIDATE", ["INV-02", "EINVAL"], ["INV-03", "ENOENT"]],
  ["VFIO_BIND", ["VFD-01", "EINVAL"], ["VFD-05", "EBADF"]],
  ["VFIO_ATTACH", ["VFD-10", "EINVAL"], ["DEV-10", "ENOENT"]],
  ["VFIO_MAP_DMA", ["VCC-10", "EINVAL"], ["VCC-10", "EEXIST"]],
  ["VFIO_UNMAP_DMA", ["VCC-11", "EINVAL"], ["VCC-13", "EOVERFLOW"]],
  ["MOCK_DOMAIN_FLAGS", ["TST-02", "EINVAL"], ["ALN-03", "EADDRINUSE"]],
  ["ADD_RESERVED", ["TST-01", "EINVAL"], ["TST-01", "ENOENT"]],
  ["ACCESS_PAGES", ["ACC-11", "EINVAL"], ["ACC-10", "ENOENT"]],
  ["ACCESS_RW", ["ACC-20", "EOVERFLOW"], ["ACC-20", "ENOENT"]],
];

type Swap = (typeof SWAPS)[number];

/** So seldom does a call break both that the whole hunt alone waits for it. */
const isRare = ([, [upper], [lower]]: Swap): boolean =>
  (upper === "HWI-01" && lower === "HWI-05") || (upper === "TST-02" && lower === "ALN-03");
const SHOWN = WHOLE_HUNT ? SWAPS : SWAPS.filter((swap) => !isRare(swap));

/** The model, which looks at the lower rung first wherever a call breaks both. */
const swapped = (swaps: readonly Swap[], onSwap: (swap: Swap) => void = () => {}): Iut => {
  const info = { name: "swapped", version: "1", capabilities: MODEL_CAPABILITIES };
  return inProcess(info, (platform) => {
    const model = predicting(platform);
    return {
      call: (call) => {
        const swap = swaps.find((one) => breaksBoth(model, call, one));
        const outcome = model.predict(call);
        if (swap === undefined) return outcome;
        onSwap(swap);
        return { ...outcome, errno: swap[2][1] } as Outcome;
      },
    };
  });
};

const breaksBoth = (model: Model, call: Call, [name, upper, lower]: Swap): boolean => {
  if (call.call !== name) return false;
  const [first, ...others] = model.foreseeAll(call);
  return first !== undefined && is(upper, first) && others.some((other) => is(lower, other));
};

const is = ([clause, errno]: Rung, rule: { clause: ClauseId; errno: Errno }): boolean =>
  rule.clause === clause && rule.errno === errno;

describe("an implementation that looks at the lower of two rungs first", () => {
  test.each(SHOWN)("%s, %j and %j: is not Linux 6.12", async (...swap) => {
    const untilFound = stopOnce((failures) => failures > 0);
    const { failures } = await runCampaign(quickRun({ iut: swapped([swap]), ...untilFound }));
    const [, upper, lower] = swap;
    expect(failures).toMatchObject([{ clause: upper[0], kind: "errno", actual: lower[1] }]);
  });

  test("does what is documented, wherever it does so", async () => {
    const made = new Set<Swap>();
    const iut = swapped(SHOWN, (swap) => made.add(swap));
    // Each swap once at least; the whole hunt makes most of them hundreds of times.
    const until = WHOLE_HUNT ? {} : stopOnce(() => made.size === SHOWN.length);
    const documented = { profile: "documented", knownFailing: AS_LINUX_6_12 } as const;
    const results = await runCampaign(quickRun({ iut, ...documented, ...until }));
    expect(results.failures.filter(({ known }) => !known)).toEqual([]);
    expect(SHOWN.filter((swap) => !made.has(swap))).toEqual([]);
  }, 240_000);
});

/** Options that end a campaign as soon as enough is known. */
const stopOnce = (
  enough: (failures: number) => boolean,
): Pick<CampaignOptions, "onProgress" | "signal"> => {
  const stop = new AbortController();
  const onProgress = (_done: number, _total: number, failures: number): void => {
    if (enough(failures)) stop.abort("interrupted");
  };
  return { onProgress, signal: stop.signal };
};

/** Different pairs of errnos, the decider's and another that would be right, by call. */
const pairsMet = (traces: readonly Trace[]): Map<CallName, Set<string>> => {
  const met = new Map<CallName, Set<string>>();
  for (const { platform, steps } of traces) {
    const [model, resolver] = [predicting(platform), new Resolver(platform)];
    for (const step of steps) {
      const call = resolver.resolve(step);
      const [first, ...others] = model.foreseeAll(call);
      const pairs = met.get(call.call) ?? new Set();
      met.set(call.call, pairs);
      for (const other of others) {
        if (first === undefined || other.errno === first.errno) continue;
        pairs.add(`${first.clause} ${first.errno} before ${other.clause} ${other.errno}`);
      }
      resolver.note(step, model.predict(call));
    }
  }
  return met;
};

const predicting = (platform: Platform): Model => new Model(platform, "linux-6.12", new Coverage());

test("the generator breaks many pairs of rules of each call", () => {
  const space = { platforms: PLATFORMS, capabilities: MODEL_CAPABILITIES, length: QUICK.length };
  const met = pairsMet(fc.sample(traceArbitrary(space), { seed: 1, numRuns: 2000 }));
  const count = (call: CallName): number => met.get(call)?.size ?? 0;
  const few = Object.entries(AT_LEAST).filter(([call, least]) => count(call as CallName) < least);
  expect(few.map(([call]) => `${call}: ${count(call as CallName)}`)).toEqual([]);
});

/** About half of what so many sequences meet. */
const AT_LEAST: { readonly [K in CallName]?: number } = {
  RAW: 48,
  IOAS_MAP: 55,
  IOAS_COPY: 38,
  IOAS_UNMAP: 6,
  IOAS_ALLOW_IOVAS: 9,
  IOAS_IOVA_RANGES: 3,
  OPTION: 10,
  VFIO_IOAS: 2,
  HWPT_ALLOC: 29,
  HWPT_GET_DIRTY_BITMAP: 5,
  HWPT_INVALIDATE: 3,
  GET_HW_INFO: 2,
  VFIO_BIND: 13,
  VFIO_ATTACH: 10,
  VFIO_MAP_DMA: 7,
  VFIO_UNMAP_DMA: 4,
  DEVICE_RAW: 7,
  ACCESS_PAGES: 7,
  ACCESS_RW: 7,
  MOCK_DOMAIN: 3,
  MOCK_DOMAIN_FLAGS: 5,
  MOCK_DOMAIN_REPLACE: 3,
  ADD_RESERVED: 2,
};
