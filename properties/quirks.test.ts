import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { Coverage } from "../spec/coverage";
import { Handle } from "../spec/handle";
import { decodeHistory, parseDocument } from "../spec/json/trace";
import type { History, Step } from "../spec/trace";
import { InvariantTally } from "./invariants/watch";
import { type Finding, judgeHistory } from "./oracle";
import { QUIRKS } from "./quirks";

const FOLDER = path.join(__dirname, "../docs/kernel-quirks");

const traceOf = (name: string): History => {
  const file = `${name}.json`;
  const text = fs.readFileSync(path.join(FOLDER, file), "utf8");
  return decodeHistory(parseDocument(text, file).json, file);
};

interface Judged {
  readonly finding: Finding | undefined;
  readonly quirks: readonly string[];
}

const judged = (history: History): Judged => {
  const coverage = new Coverage();
  const finding = judgeHistory(history, "linux-6.12", coverage, new InvariantTally());
  return { finding, quirks: [...coverage.quirks.keys()] };
};

test.each(QUIRKS.map(({ name }) => name))("%s: its trace is explained by it alone", (name) => {
  const history = traceOf(name);
  expect(judged(history)).toEqual({ finding: undefined, quirks: [name] });
  const other = { kind: "complaint", reason: "WARNING: at drivers/iommu/x.c:1 y" } as const;
  expect(judged({ ...history, ending: other }).finding?.deviation.clauses).toEqual(["LIV-03"]);
  // The same words of a machine that died of them.
  const crash = { kind: "crash", reason: history.ending?.reason ?? "" } as const;
  expect(judged({ ...history, ending: crash }).finding?.deviation.clauses).toEqual(["LIV-01"]);
});

const READS = traceOf("reads-what-it-unmapped");

/** The trace with its copies taken from elsewhere in the area. */
const copying = (pages: readonly bigint[]): History => {
  const copies = READS.trace.steps.filter(({ call }) => call === "IOAS_COPY");
  const rest = READS.trace.steps.slice(0, -copies.length);
  const steps = copies.flatMap((step, i): Step[] => {
    const at = pages[i];
    if (at === undefined) return [];
    const src_iova = new Handle("map0", "", at * 0x1000n);
    return [{ ...step, in: { ...step.in, src_iova } } as Step];
  });
  const outcomes = READS.outcomes.slice(0, rest.length + steps.length);
  return { ...READS, trace: { ...READS.trace, steps: [...rest, ...steps] }, outcomes };
};

// As seen on Linux 6.12 with memory in one piece: which of these make it complain.
test.each([
  ["a page before, between and behind them", [1n, 0x17n], true],
  ["the second at the end", [1n, 0x1en], true],
  ["one alone", [0x17n], false],
  ["nothing before the first", [0n, 5n], false],
  ["nothing between them", [5n, 6n], false],
] as const)("the report is a quirk with two copies out of an area: %s", (_, pages, isQuirk) => {
  const { finding, quirks } = judged(copying(pages));
  expect(quirks).toHaveLength(isQuirk ? 1 : 0);
  expect(finding?.deviation.clauses).toEqual(isQuirk ? undefined : ["LIV-03"]);
});

test("the report comes where an area leaves a domain, and from memory with neighbours", () => {
  const [steps, { outcomes }] = [READS.trace.steps.slice(0, READS.outcomes.length), READS];
  const before = { ...READS, trace: { ...READS.trace, steps }, outcomes };
  const during = (step: Step): History => ({
    ...before,
    trace: { ...before.trace, steps: [...steps, step] },
  });
  const clauses = (history: History) => judged(history).finding?.deviation.clauses;
  expect(clauses(before)).toBeUndefined();
  expect(clauses(during({ call: "CLOSE", fd: new Handle("fd0"), in: {} }))).toBeUndefined();
  expect(clauses(during({ call: "PROC_STATUS", in: {} }))).toEqual(["LIV-03"]);
  const alloc: Step = { call: "IOAS_ALLOC", fd: new Handle("fd0"), in: {} };
  expect(clauses(during(alloc))).toEqual(["LIV-03"]);
  const platform = { ...READS.trace.platform, physical: "scattered" } as const;
  const scattered = { ...before, trace: { ...before.trace, platform } };
  expect(clauses(scattered)).toEqual(["LIV-03"]);
});

test("an area that no domain has is unmapped nowhere", () => {
  const steps = READS.trace.steps.filter(({ call }) => call !== "MOCK_DOMAIN");
  const gone = READS.trace.steps.findIndex(({ call }) => call === "MOCK_DOMAIN");
  const outcomes = READS.outcomes.filter((_, i) => i !== gone);
  const history = { ...READS, trace: { ...READS.trace, steps }, outcomes };
  expect(judged(history).finding?.deviation.clauses).toEqual(["LIV-03"]);
});

const DEAD = traceOf("loses-count-of-the-dead");

test.each(["EXIT", "OPTION"])("a count is lost with a process, and not without %s", (call) => {
  const without = <T>(list: readonly T[]): T[] =>
    list.filter((_, i) => DEAD.trace.steps[i]?.call !== call);
  const steps = without(DEAD.trace.steps);
  const history = { ...DEAD, trace: { ...DEAD.trace, steps }, outcomes: without(DEAD.outcomes) };
  expect(judged(history).finding?.deviation.clauses).toEqual(["LIV-03"]);
  expect(judged(history).quirks).toEqual([]);
});

test.each([
  ["hangs-after-the-dead", "LIV-01"],
  ["hangs-on-a-cut-page", "LIV-01"],
  ["warns-of-nearly-all-memory", "LIV-03"],
])("%s is no quirk", (name, clause) => {
  const { finding, quirks } = judged(traceOf(name));
  expect(finding?.deviation.clauses).toEqual([clause]);
  expect(quirks).toEqual([]);
});
