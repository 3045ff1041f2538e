import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { Finding } from "../properties/oracle";
import { renderJson } from "../reports/json";
import type { Capsule } from "../spec/capsule";
import { encodeCapsule, encodeHistory, encodeTrace } from "../spec/json/trace";
import { MOCK_PLATFORM } from "../spec/platform";
import type { Ending, History, Trace } from "../spec/trace";
import type { Profile } from "../spec/verdict";
import { fakeIo } from "./fake-io";
import { main } from "./main";

/** What the oracle says next; the oracle itself is tested where it stands. */
let finding: Finding | undefined;
let judged: { history: History; profile: Profile } | undefined;
let ending: Ending | undefined;
let drawn: unknown;
let agreed: number;
jest.mock("../properties/oracle", () => ({
  judgeHistory: (history: History, profile: Profile) => {
    judged = { history, profile };
    return finding;
  },
}));
jest.mock("../properties/judge", () => ({
  judgeRecordings: (recordings: readonly { name: string }[]) => ({
    ...{ traces: recordings.length, steps: 6, agreed, disagreed: 0, unsupported: 6 - agreed },
    ...{ disagreements: [], notJudged: 0, needs: { hwpt: 6 - agreed } },
  }),
}));
jest.mock("../properties/replay", () => ({
  replayTrace: async (_: unknown, trace: Trace, profile: Profile) => {
    judged = { history: { trace, outcomes: [], ...(ending && { ending }) }, profile };
    const deviates = finding !== undefined;
    const row = { step: 0, call: "fd0 = OPEN()", expected: "ok", actual: "EPERM", deviates };
    return { history: judged.history, rows: [row], ...(finding !== undefined && { finding }) };
  },
}));
jest.mock("../properties/conclude", () => ({ statementOf: () => "OPEN works." }));
jest.mock("../properties/campaign", () => ({
  traceOfPath: ({ length }: { length: unknown }, seed: number, at: string) => {
    drawn = [length, seed, at];
    return at === "9" ? undefined : TRACE;
  },
}));

const TRACE: Trace = { platform: MOCK_PLATFORM, steps: [{ call: "OPEN", as: "fd0", in: {} }] };
const HISTORY: History = { trace: TRACE, outcomes: [{ errno: "EPERM" }] };
const DEVIATION = { clauses: ["GEN-20"], kind: "errno", expected: "ok", actual: "EPERM" } as const;
const CAPSULE: Capsule = {
  ...{ iut: "ts:./iut.ts", profile: "documented", deviation: DEVIATION, step: 0 },
  ...{ history: HISTORY, found: { version: "0.1.0", seed: 1, path: "7" } },
};

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-replay-"));
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));
const put = (name: string, text: string): void => fs.writeFileSync(path.join(cwd, name), text);
put("capsule.json", renderJson(encodeCapsule(CAPSULE)));
put("history.json", renderJson(encodeHistory(HISTORY)));
put("trace.json", renderJson(encodeTrace(TRACE)));
put(
  "iut.ts",
  `export default { info: { name: "toy", version: "1", capabilities: [] }, run: () => null };`,
);
const recording = fs
  .readFileSync(path.join(__dirname, "testdata/recording.jsonl"), "utf8")
  .trimEnd();
put("recordings.data", `${recording}\n\n${recording}\n`);

beforeEach(() => {
  [finding, ending, judged, drawn] = [undefined, undefined, undefined, undefined];
  agreed = 0;
});
const IUT = ["--iut", "ts:./iut.ts"];

describe("replay", () => {
  const cases = [
    ["the same", { step: 0, deviation: DEVIATION }, 1, /The same failure came back/],
    [
      "another one",
      { step: 0, deviation: { ...DEVIATION, kind: "output" } },
      1,
      /Another failure came instead \(it was GEN-20\)/,
    ],
    ["none", undefined, 0, /The failure did not come back \(it was GEN-20\)/],
  ] as const;
  test.each(cases)("of a capsule whose failure is %s", async (_, now, exit, says) => {
    finding = now;
    const io = fakeIo(cwd);
    expect(await main(["replay", "capsule.json", ...IUT], io)).toBe(exit);
    expect(io.out()).toMatch(says);
    expect(judged).toMatchObject({ history: { trace: TRACE }, profile: "documented" });
  });

  test("ends with clause and text, step table, replay command", async () => {
    finding = { step: 0, deviation: DEVIATION };
    const io = fakeIo(cwd);
    await main(["replay", "capsule.json", ...IUT], io);
    const [clause, table, command] = io.out().trimEnd().split("\n\n").slice(-3);
    expect(clause).toBe("GEN-20  OPEN works.");
    expect(table).toMatch(/▶ {2}0 {2}fd0 = OPEN\(\) {2}ok {8}EPERM$/);
    expect(command).toBe("replay: npm run conform -- replay --iut ts:./iut.ts capsule.json");
  });

  test("names in its command what decided", async () => {
    finding = { step: 0, deviation: DEVIATION };
    const io = fakeIo(cwd);
    const flags = [...IUT, "--profile", "documented", "--length", "3-5"];
    await main(["replay", "1:7", ...flags], io);
    expect(io.out()).toContain(`replay ${flags.join(" ")} 1:7\n`);
  });

  test("is inconclusive if the IUT did not get to the end", async () => {
    ending = { kind: "inconclusive", reason: "cannot make call 42" };
    const io = fakeIo(cwd);
    expect(await main(["replay", "trace.json", ...IUT], io)).toBe(2);
    expect(io.out()).toMatch(/Inconclusive: the IUT did not get to the end.*\ncannot make call 42/);
  });

  test("does not start a program that only the file names", async () => {
    const io = fakeIo(cwd);
    expect(await main(["replay", "capsule.json"], io)).toBe(64);
    expect(io.err()).toContain("to allow it: npm run conform -- replay capsule.json --iut ts:");
    expect(judged).toBeUndefined();
  });

  test.each(["history.json", "trace.json"])("takes %s too", async (file) => {
    const io = fakeIo(cwd);
    expect(await main(["replay", file, ...IUT, "--json"], io)).toBe(0);
    expect(JSON.parse(io.out())).toMatchObject({ came: "conformant", exitCode: 0, finding: null });
    expect(judged).toMatchObject({ history: { trace: TRACE }, profile: "linux-6.12" });
  });

  test("draws SEED:PATH again", async () => {
    expect(await main(["replay", "-3:12:0", ...IUT, "--length", "5"], fakeIo(cwd))).toBe(64);
    expect(await main(["replay", ...IUT, "--length", "5", "--", "-3:12:0"], fakeIo(cwd))).toBe(0);
    expect(drawn).toEqual([[5, 5], -3, "12:0"]);
    const io = fakeIo(cwd);
    expect(await main(["replay", "1:9", ...IUT], io)).toBe(66);
    expect(io.err()).toMatch(/1:9: there is no such run/);
  });
});

describe("judge", () => {
  test("a history that conforms: counts, exit 0", async () => {
    const io = fakeIo(cwd);
    expect(await main(["judge", "history.json", "capsule.json", "--json"], io)).toBe(0);
    expect(JSON.parse(io.out())).toEqual({
      ...{ traces: 2, steps: 2, agreed: 2, disagreed: 0, unsupported: 0, disagreements: [] },
      ...{ notJudged: 0, needs: {} },
    });
    expect(Object.keys(JSON.parse(io.out())).slice(0, 6)).toEqual([
      ...["traces", "steps", "agreed", "disagreed", "unsupported", "disagreements"],
    ]);
  });

  test("one that does not: where and why, exit 1", async () => {
    finding = { step: 0, deviation: DEVIATION };
    const io = fakeIo(cwd);
    expect(await main(["judge", "history.json", "--profile", "documented"], io)).toBe(1);
    expect(judged?.profile).toBe("documented");
    expect(io.out()).toMatch(/history.json +0 +OPEN +GEN-20 +ok +EPERM\n/);
    expect(io.out()).toContain("Not conformant");
  });

  test("an answer of thousands of bytes is told in part, and in full with --json", async () => {
    const actual = "c0".repeat(8192);
    finding = { step: 0, deviation: { ...DEVIATION, actual } };
    const io = fakeIo(cwd);
    expect(await main(["judge", "history.json", "--json"], io)).toBe(1);
    expect(io.err().length).toBeLessThan(10_000);
    expect(io.err().replace(/\s+/g, " ")).toContain("(16384 characters,");
    expect(JSON.parse(io.out()).disagreements).toMatchObject([{ actual }]);
  });

  test("one that can be judged in part: how much, and no word of conformance", async () => {
    agreed = 1;
    const io = fakeIo(cwd);
    expect(await main(["judge", "recordings.data"], io)).toBe(0);
    expect(io.out()).toContain("No disagreement, but only 1 of 6 steps could be judged");
    expect(io.out()).not.toContain("Conformant");
  });

  test("recordings are known by their content", async () => {
    const io = fakeIo(cwd);
    expect(await main(["judge", "recordings.data"], io)).toBe(2);
    expect(io.out()).toContain("2 traces, 6 steps: 0 agreed, 0 disagreed, 6 unsupported (hwpt 6)");
    expect(io.out()).toContain("Inconclusive: no step could be judged");
  });
});
