/** Histories in which everything is right, and that the harness once called wrong. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { Coverage } from "../spec/coverage";
import { decodeCapsule, parseDocument } from "../spec/json/trace";
import { InvariantTally } from "./invariants/watch";
import { judgeHistory } from "./oracle";

const FOLDER = join(__dirname, "testdata/false-alarms");

test.each(readdirSync(FOLDER))("%s is no failure", (file) => {
  const { json } = parseDocument(readFileSync(join(FOLDER, file), "utf8"), file);
  const { history, profile } = decodeCapsule(json, file);
  expect(history.outcomes).toHaveLength(history.trace.steps.length);
  expect(judgeHistory(history, profile, new Coverage(), new InvariantTally())).toBeUndefined();
});
