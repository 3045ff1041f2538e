import { describe, expect, test } from "@jest/globals";
import pc from "picocolors";
import { sampleResults } from "../testdata/sample";
import { type Plan, renderHeader } from "./header";
import { renderSummary } from "./summary";
import { type Style, wrap } from "./text";

const plain: Style = { colors: pc.createColors(false), width: 100 };
const reproduce = {
  run: "conform run",
  replay: ({ capsule }: { capsule: string }) => `conform replay ${capsule}`,
};
const summary = (style = plain, change = {}): string =>
  renderSummary(
    { ...sampleResults(), ...change },
    { elapsedMs: 2000, files: ["out/results.json"] },
    reproduce,
    style,
  );

describe("the summary of a run", () => {
  test("says what was done, what was reached, what was not, and why", () => {
    const text = summary();
    expect(text).toContain("calls        134,512 in 3,000 sequences, and 512,345 probes");
    expect(text).toMatch(
      /clauses {6}\d+ of \d+ reachable exercised by success, \d+ of \d+ by viol/,
    );
    expect(text).toContain("unsupported  1  needs fault-injection: MAP-07");
    expect(text).toContain("1  never by violation: UNM-02");
    expect(text).toContain("quotas       1 of 2 missed: reachable clauses");
    expect(text).toContain("stale        no longer fails: MAP-07 errno");
    expect(text).toContain("2.0 s, 323,429 judged calls/s");
    expect(text).toContain("Not conformant: UNM-05 (exit 1)");
  });

  test("tells first what was cut short, because it says how far the rest can be trusted", () => {
    const cutShort = [{ reason: "QEMU was ended by SIGKILL", sequences: 2 }];
    const lines = summary(plain, { cutShort }).trimStart().split("\n");
    const at = (label: string): number => lines.findIndex((line) => line.trim().startsWith(label));
    expect(lines[at("cut short")]).toContain("2 sequences: QEMU was ended by SIGKILL");
    expect(at("cut short")).toBeLessThan(at("calls "));
  });

  test("ends with clause and text, the step table, and the replay command", () => {
    const [clause, steps, replay, ...rest] = summary().trimEnd().split("\n\n").slice(-3);
    expect(clause).toMatch(/^UNM-05 {2}The range must end/);
    expect(steps).toMatch(/^ +# {2}call +expected +actual\n/);
    expect(steps?.match(/^ {2}▶ {2}3 {2}IOAS_UNMAP/gm)).toHaveLength(1);
    expect(replay).toBe("replay: conform replay UNM-05-errno-0123456789.json");
    expect(rest).toEqual([]);
  });

  test("prints unexpected failures after known ones", () => {
    const [failure] = sampleResults().failures;
    if (failure === undefined) throw new Error("the sample has a failure");
    const known = { ...failure, clause: "MAP-01", known: true, capsule: "known.json" };
    const text = summary(plain, { failures: [failure, known] });
    expect(text.indexOf("known.json")).toBeLessThan(text.indexOf("UNM-05-errno"));
    expect(text).toContain("KNOWN FAILURE");
  });

  test("stays within 100 columns, and within 60 where there are only 60", () => {
    const widest = (text: string): number =>
      Math.max(...text.split("\n").map((line) => line.length));
    expect(widest(summary())).toBeLessThanOrEqual(100);
    expect(widest(summary({ ...plain, width: 60 }))).toBeLessThanOrEqual(64);
  });

  test("quotes an implementation without its terminal escapes", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point.
    expect(summary()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(summary()).toContain("\\u001b[2J");
  });

  test("says that nothing is missing where nothing is", () => {
    const health = { meaningfulPercent: 99, violatingPercent: 40, quotas: [] };
    const change = { verdict: "pass", exitCode: 0, reason: "", failures: [], health };
    expect(summary(plain, change)).toContain("\n\nConformant (exit 0)\n");
  });
});

describe("the header of a run", () => {
  const plan: Plan = {
    version: "0.1.0",
    iutSpec: "ts:./x.ts",
    info: { name: "x\u001b[31m", version: "1", capabilities: [] },
    profile: "linux-6.12",
    platforms: ["mock"],
    sequences: 5,
    length: [30, 60],
    timeMs: 90_000,
    shard: [2, 3],
    clauseGlobs: ["MAP-*"],
    selected: 34,
    seed: 7,
  };

  test("names everything that decides what will happen", () => {
    const text = renderHeader(plan, plain);
    expect(text).toContain("x\\u001b[31m (ts:./x.ts), version 1");
    expect(text).toContain("5 sequences of 30–60 calls, at most 90 s, shard 2 of 3");
    expect(text).toContain("MAP-* (34 selected)");
    expect(text).toMatch(/seed +7/);
  });
});

describe("wrap", () => {
  test.each([
    ["a b c", 3, ["a b", "c"]],
    ["abcdefgh", 3, ["abc", "def", "gh"]],
    ["a bcdefg", 3, ["a", "bcd", "efg"]],
    ["", 3, [""]],
  ])("%j in %d columns", (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines);
  });
});
