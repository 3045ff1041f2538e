/** A history that leaves more states open than the model follows is no pass, and still judged. */
import { expect, test } from "@jest/globals";
import { buf, make } from "../model/fixture";
import type { Call, Outcome } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { Iut } from "../spec/iut";
import { MOCK_PLATFORM, SCRATCH } from "../spec/platform";
import type { Step, Trace } from "../spec/trace";
import { InvariantTally } from "./invariants/watch";
import { judgeRecordings } from "./judge";
import { replayTrace } from "./replay";

const U64 = 0xffff_ffff_ffff_ffffn;

type Answered = readonly [Call, Outcome];

const IDS = [1, 2, 3, 4, 5, 6, 7, 8];

/** Eight unmaps that failed and have taken a page with them, as is seen when 256 states are open. */
const LOST: readonly Answered[] = [
  [make("OPEN", {}), { errno: 0, out: { fd: 0 } }],
  ...IDS.flatMap((id): Answered[] => {
    const map = { ioas_id: id, flags: 7, user_va: buf(0) };
    const mapped = (iova: bigint, length: bigint): Answered => [
      make("IOAS_MAP", { ...map, iova, length }),
      { errno: 0, out: { iova } } as Outcome,
    ];
    return [
      [make("IOAS_ALLOC", {}), { errno: 0, out: { out_ioas_id: id } }],
      mapped(0x1000n, 0x1000n),
      mapped(0x2000n, 0x2000n),
      [make("IOAS_UNMAP", { ioas_id: id, iova: 0x1000n, length: 0x2000n }), { errno: "ENOENT" }],
    ];
  }),
  ...IDS.map((ioas_id): Answered => {
    const all = make("IOAS_UNMAP", { ioas_id, iova: 0n, length: U64 });
    return [all, { errno: 0, out: { length: 0x2000n } } as Outcome];
  }),
];

const ranges = (last: bigint): Answered => {
  const room = { ioas_id: 1, num_iovas: 4, allowed_iovas: SCRATCH.va, writable_elems: 4 };
  const out = { num_iovas: 1, out_iova_alignment: 1n, array: [[0n, last]] };
  return [make("IOAS_IOVA_RANGES", room), { errno: 0, out } as unknown as Outcome];
};

const judged = (answered: readonly Answered[]) => {
  const steps = answered.map(([call, outcome]) => ({ call, outcome }));
  const recording = { name: "lost", platform: MOCK_PLATFORM, steps };
  return judgeRecordings([recording], "documented", new Coverage(), new InvariantTally());
};

test("a recording is not judged from there on", () => {
  const { agreed, disagreed, notJudged } = judged(LOST);
  expect(disagreed).toBe(0);
  expect(notJudged).toBeGreaterThan(0);
  expect(agreed + notJudged).toBe(LOST.length);
});

test("answers that contradict one another are found even so", () => {
  expect(judged([...LOST, ranges(U64), ranges(U64)]).disagreed).toBe(0);
  expect(judged([...LOST, ranges(U64), ranges(U64 - 1n)]).disagreed).toBe(1);
});

test("a replay says so", async () => {
  const steps = LOST.map(([call]) => ({ call: call.call, fd: call.fd, in: call.in }) as Step);
  const trace: Trace = { platform: MOCK_PLATFORM, steps };
  const outcomes = LOST.map(([, outcome]) => outcome);
  const iut: Iut = {
    info: { name: "x", version: "", capabilities: [] },
    run: () => ({ outcomes }),
  };
  const { finding, isLost } = await replayTrace(iut, trace, "documented");
  expect(finding).toBeUndefined();
  expect(isLost).toBe(true);
});
