/**
 * Histories of the real Linux 6.12.117 that show what its recordings do not: several processes,
 * batches made small. Each was a question once, and the kernel's answer corrected a clause.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import { Coverage } from "../spec/coverage";
import { decodeHistory, parseDocument } from "../spec/json/trace";
import type { History } from "../spec/trace";
import { PROFILES, type Profile } from "../spec/verdict";
import { InvariantTally } from "./invariants/watch";
import { type Finding, judgeHistory } from "./oracle";
import { runTrace } from "./replay";

const FOLDER = join(__dirname, "corpus/histories");
const FILES = readdirSync(FOLDER);

const read = (file: string): History =>
  decodeHistory(parseDocument(readFileSync(join(FOLDER, file), "utf8"), file).json, file);

const judge = (history: History, profile: Profile): Finding | undefined =>
  judgeHistory(history, profile, new Coverage(), new InvariantTally());

test.each(FILES)("%s agrees with the model, and so does radix there", async (file) => {
  const history = read(file);
  expect(history.outcomes).toHaveLength(history.trace.steps.length);
  for (const profile of PROFILES) expect(judge(history, profile)).toBeUndefined();
  expect(judge(await runTrace(radix, history.trace), "linux-6.12")).toBeUndefined();
});

test.each(FILES)("%s with another errno at its end does not agree", (file) => {
  const { trace, outcomes } = read(file);
  const corrupt = { trace, outcomes: [...outcomes.slice(0, -1), { errno: "EPERM" }] } as History;
  expect(judge(corrupt, "linux-6.12")?.step).toBe(trace.steps.length - 1);
});
