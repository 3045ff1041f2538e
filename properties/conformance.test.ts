/**
 * The property suites: whole campaigns in a small budget. The long ones are commands
 * (`npm run conform`); what must hold for every run is held here.
 */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { radix } from "../impl/radix";
import { modelMachine } from "../model/machine";
import type { Call, Outcome } from "../spec/calls";
import type { Capsule } from "../spec/capsule";
import { type Iut, inProcess, type Machine } from "../spec/iut";
import type { Results } from "../spec/results";
import { PROFILES } from "../spec/verdict";
import { runCampaign } from "./campaign";
import { AS_LINUX_6_12 } from "./expectation";
import { type CampaignOptions, QUICK, quickRun } from "./options";

const options = (iut: Iut, more: Partial<CampaignOptions> = {}): CampaignOptions =>
  quickRun({ iut, seed: 20, sequences: 150, saveCapsule: () => "capsule.json", ...more });

const model = inProcess({ ...radix.info, name: "model" }, modelMachine);

/** radix, with its answers changed on their way out. */
const altered = (name: string, change: (call: Call, outcome: Outcome) => Outcome): Iut =>
  inProcess({ ...radix.info, name }, (platform): Machine => {
    const machine = modelMachine(platform);
    return { call: (call) => change(call, machine.call(call)) };
  });

describe.each(PROFILES)("profile %s", (profile) => {
  test.each([radix, model])("$info.name conforms", async (iut) => {
    const knownFailing = iut === model && profile === "documented" ? AS_LINUX_6_12 : [];
    const results = await runCampaign(options(iut, { profile, knownFailing }));
    expect(results.failures.filter(({ known }) => !known)).toEqual([]);
    expect(results).toMatchObject({ sequences: 150, staleExpectations: [] });
  });
});

describe("a run", () => {
  test("exercises every reachable clause from every side within the default budget", async () => {
    const results = await runCampaign(options(radix, { sequences: QUICK.sequences, seed: 1 }));
    const missed = [...results.clauses, ...results.invariants].filter(
      ({ verdict }) => verdict === "inconclusive",
    );
    expect(missed.map(({ id, reason }) => `${id} ${reason}`)).toEqual([]);
    expect(results).toMatchObject({ verdict: "pass", exitCode: 0, reason: "" });
  }, 120_000);

  test("counts nothing for a clause that is out of reach", async () => {
    const { clauses } = await runCampaign(options(radix, { sequences: 20 }));
    const unsupported = clauses.filter(({ verdict }) => verdict === "unsupported");
    expect(unsupported.map(({ id }) => id)).toContain("LIV-03");
    for (const { success, violation } of unsupported) expect([success, violation]).toEqual([0, 0]);
  });

  test("gives the same bytes for the same seed, and others for another", async () => {
    const once = await runCampaign(options(radix, { sequences: 40 }));
    expect(await runCampaign(options(radix, { sequences: 40 }))).toEqual(once);
    const other = await runCampaign(options(radix, { sequences: 40, seed: 21 }));
    expect(other.historyHash).not.toBe(once.historyHash);
  });

  test("is the sum of its shards", async () => {
    const shards = await Promise.all(
      [1, 2, 3].map((i) => runCampaign(options(radix, { sequences: 30, shard: [i, 3] }))),
    );
    expect(shards.map(({ sequences }) => sequences)).toEqual([10, 10, 10]);
    const whole = await runCampaign(options(radix, { sequences: 30 }));
    expect(shards.reduce((sum, { calls }) => sum + calls, 0)).toBe(whole.calls);
  });

  test("stops after the present sequence when it is interrupted, and says so", async () => {
    const stop = new AbortController();
    const onProgress = (done: number): void => {
      if (done === 5) stop.abort("interrupted");
    };
    const results = await runCampaign(options(radix, { onProgress, signal: stop.signal }));
    expect(results).toMatchObject({ sequences: 5, verdict: "inconclusive", exitCode: 130 });
  });

  test("is inconclusive when a time cap ends it", async () => {
    const stop = new AbortController();
    stop.abort("time");
    const results = await runCampaign(options(radix, { signal: stop.signal }));
    expect(results).toMatchObject({ sequences: 0, verdict: "inconclusive", exitCode: 2 });
  });
});

test("a known failure hides no other one of the same clause", async () => {
  // It stops at holes as Linux 6.12 does (DTY-21), which is known, and reports half of the bits.
  const half = altered("half", (call, outcome) => {
    if (call.call !== "HWPT_GET_DIRTY_BITMAP" || outcome.errno !== 0) return outcome;
    const { bitmap } = outcome.out as { readonly bitmap?: string };
    const { prefill } = call.in;
    const isPlain = prefill === "00" && bitmap !== undefined && /f/.test(bitmap);
    return isPlain ? { errno: 0, out: { bitmap: bitmap.replace("f", "5") } } : outcome;
  });
  const known = { profile: "documented", knownFailing: AS_LINUX_6_12 } as const;
  const [stop, saved] = [new AbortController(), [] as Capsule[]];
  const saveCapsule = (capsule: Capsule): string => {
    if (capsule.deviation.clauses[0] === "DTY-20") saved.push(capsule);
    if (saved.length === 2) stop.abort("interrupted");
    return "";
  };
  const mine = { sequences: 1000, seed: 5, saveCapsule, signal: stop.signal };
  const { failures, exitCode } = await runCampaign(options(half, { ...known, ...mine }));
  const ofBits = failures.filter(({ clause }) => clause === "DTY-20");
  expect(ofBits.map(({ known }) => known).sort()).toEqual([false, true]);
  expect(exitCode).toBe(1);
});

describe("an implementation that is no use", () => {
  test("always ENOMEM: not conformant in linux-6.12, inconclusive at best elsewhere", async () => {
    const useless = altered("enomem", () => ({ errno: "ENOMEM" }));
    expect((await runCampaign(options(useless, { sequences: 30 }))).exitCode).toBe(1);
    const results = await runCampaign(options(useless, { sequences: 30, profile: "documented" }));
    expect([1, 2]).toContain(results.exitCode);
  });

  test("ENOMEM wherever that is allowed: inconclusive, however long it is run", async () => {
    const poor = inProcess({ ...radix.info, name: "poor" }, (platform): Machine => {
      const machine = modelMachine(platform);
      const starved = new Set(["IOAS_UNMAP", "DESTROY", "OPTION", "VFIO_DETACH"]);
      return {
        call: (call) => (starved.has(call.call) ? { errno: "ENOMEM" } : machine.call(call)),
      };
    });
    const known = { knownFailing: AS_LINUX_6_12 };
    const results = await runCampaign(options(poor, { profile: "documented", ...known }));
    expect(results.failures.filter(({ known }) => !known)).toEqual([]);
    expect(results).toMatchObject({ verdict: "inconclusive", exitCode: 2 });
  });

  test("always success: not conformant", async () => {
    const lenient = altered("lenient", (_, outcome) =>
      outcome.errno === 0 ? outcome : ({ errno: 0, out: {} } as Outcome),
    );
    expect((await runCampaign(options(lenient, { sequences: 30 }))).exitCode).toBe(1);
  });

  test("throws on every call: unavailable", async () => {
    const broken = inProcess({ ...radix.info, name: "broken" }, () => ({
      call: () => {
        throw new Error("boom");
      },
    }));
    const results = await runCampaign(options(broken, { sequences: 30 }));
    expect(results).toMatchObject({ verdict: "error", exitCode: 69 });
    expect(results.reason).toContain("boom");
  });

  test("throws in one call: a failure of LIV-01, shrunk to that call", async () => {
    let saved: Capsule | undefined;
    const fragile = altered("fragile", (call, outcome) => {
      if (call.call === "IOAS_COPY") throw new Error("no copies today");
      return outcome;
    });
    const saveCapsule = (capsule: Capsule): string => {
      saved = capsule;
      return "capsule.json";
    };
    const results = await runCampaign(options(fragile, { sequences: 30, saveCapsule }));
    expect(results.exitCode).toBe(1);
    expect(results.failures.map(({ clause, kind }) => `${clause} ${kind}`)).toEqual([
      "LIV-01 crash",
    ]);
    expect(saved?.history.trace.steps.map(({ call }) => call)).toEqual(["IOAS_COPY"]);
  });

  test("answers differently each time: nondeterministic", async () => {
    let n = 0;
    // Right in profile documented either way, so that nothing but the repetition can show it.
    const moody = inProcess({ ...radix.info, name: "moody" }, (platform): Machine => {
      const machine = modelMachine(platform);
      let alone = true;
      return {
        call: (call) => {
          // Whoever has ended gets ESRCH, and nothing else (GEN-23).
          if (call.call === "FORK") alone = false;
          const isOut = alone && call.call === "IOAS_MAP" && ++n % 7 === 0;
          return isOut ? { errno: "ENOMEM" } : machine.call(call);
        },
      };
    });
    const known = { knownFailing: AS_LINUX_6_12 };
    const results = await runCampaign(options(moody, { profile: "documented", ...known }));
    expect(results).toMatchObject({ verdict: "fail", exitCode: 3 });
    expect(results.reason).toContain("two different histories");
  });
});

test("a replayed capsule counts as none of the run's sequences", async () => {
  const saved: Capsule[] = [];
  const noCopies = altered("no copies", (call, outcome) =>
    call.call === "IOAS_COPY" ? { errno: "EIO" } : outcome,
  );
  const saveCapsule = (capsule: Capsule): string => `capsule ${saved.push(capsule)}`;
  const once = await runCampaign(options(noCopies, { sequences: 30, saveCapsule }));
  // One capsule fails as it did, another one in a new way.
  const other = (capsule: Capsule): Capsule => ({
    ...capsule,
    deviation: { ...capsule.deviation, kind: "output" },
  });
  const corpus = saved.flatMap((capsule) => [
    { name: "other", capsule: other(capsule) },
    { name: "same", capsule },
  ]);
  const told: number[][] = [];
  const onReplayed = (...counts: number[]): void => void told.push(counts);
  const mine = { sequences: 30, corpus, onReplayed };
  const again = await runCampaign(options(noCopies, mine));
  expect(told).toEqual([[corpus.length, corpus.length]]);
  const occurrences = ({ failures }: Results) => failures.map((failure) => failure.occurrences);
  expect(occurrences(again)).toEqual(occurrences(once));
});

describe("known failures", () => {
  const bad = altered("bad", (call, outcome) =>
    call.call === "IOAS_UNMAP" && outcome.errno === 0
      ? { errno: 0, out: { length: 1n as never } }
      : outcome,
  );

  test("are told apart from new ones", async () => {
    const expectation = { clause: "UNM-20", kind: "output", reason: "test" } as const;
    const results = await runCampaign(options(bad, { sequences: 60, knownFailing: [expectation] }));
    expect(results.failures.filter(({ known }) => known).map(({ clause }) => clause)).toEqual([
      "UNM-20",
    ]);
  });

  test("that do not fail any more make the run fail", async () => {
    const expectation = { clause: "MAP-01", kind: "errno", reason: "mended" } as const;
    const results = await runCampaign(options(radix, { knownFailing: [expectation] }));
    expect(results).toMatchObject({ exitCode: 1, staleExpectations: ["MAP-01 errno"] });
  });

  test.each([
    ["is not selected", { clauses: new Set(["UNM-01"]) }],
    ["may be in another shard", { shard: [1, 8] }],
    ["was not reached in time", { signal: AbortSignal.abort("time") }],
  ] as const)("of which a run cannot know are not stale: what %s", async (_, budget) => {
    const expectation = { clause: "MAP-01", kind: "errno", reason: "mended" } as const;
    const run = { sequences: 16, knownFailing: [expectation], ...budget };
    const { exitCode, staleExpectations } = await runCampaign(options(radix, run));
    expect(staleExpectations).toEqual([]);
    expect(exitCode).not.toBe(1);
  });
});

test("a replayed capsule of a clause that is not selected fails nothing", async () => {
  const noCopies = altered("no copies", (call, outcome) =>
    call.call === "IOAS_COPY" ? { errno: "EIO" } : outcome,
  );
  const saved: Capsule[] = [];
  const saveCapsule = (capsule: Capsule): string => `capsule ${saved.push(capsule)}`;
  await runCampaign(options(noCopies, { sequences: 30, saveCapsule }));
  const corpus = saved.map((capsule) => ({ name: "copy", capsule }));
  expect(corpus.length).toBeGreaterThan(0);
  const clauses = new Set(["UNM-01"]);
  const again = await runCampaign(options(noCopies, { sequences: 30, corpus, clauses }));
  expect(again.failures).toEqual([]);
});

test("what is wrong is found behind a nondeterminism", async () => {
  let boots = 0;
  const late = inProcess({ ...radix.info, name: "late" }, (platform): Machine => {
    const machine = modelMachine(platform);
    // Eight are run together; then the first again, and differs. Much later no copy works.
    const isOdd = ++boots === 9;
    const isBad = boots > 60;
    return {
      call: (call) => {
        const outcome = machine.call(call);
        if (isOdd && call.call === "OPEN") return { errno: "ENOMEM" };
        return isBad && call.call === "IOAS_COPY" ? { errno: "EIO" } : outcome;
      },
    };
  });
  const results = await runCampaign(options(late));
  expect(results.exitCode).toBe(1);
  expect(results.reason).toMatch(/^not conformant: .*; and nondeterministic: 20:0 run twice/);
});

test("settings of fast-check for all runs of this process do not reach a campaign", async () => {
  const usual = await runCampaign(options(radix, { sequences: 20 }));
  const theirs = { numRuns: 3, path: "7", interruptAfterTimeLimit: 1, randomType: "mersenne" };
  fc.configureGlobal(theirs as fc.GlobalParameters);
  try {
    expect(await runCampaign(options(radix, { sequences: 20 }))).toEqual(usual);
    expect(fc.readConfigureGlobal()).toEqual(theirs);
  } finally {
    fc.resetConfigureGlobal();
  }
});
