/** The traces in docs/kernel-bugs say what they say: today's model still blames the same clause. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { InvariantTally } from "../properties/invariants/watch";
import { judgeHistory } from "../properties/oracle";
import { Coverage } from "../spec/coverage";
import { decodeCapsule, parseDocument } from "../spec/json/trace";

const FOLDER = path.join(__dirname, "../docs/kernel-bugs");
const namesOf = (ending: string): string[] =>
  fs
    .readdirSync(FOLDER)
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length));

test("every planted bug has its trace", () => {
  expect(namesOf(".json").sort()).toEqual(namesOf(".patch").sort());
});

test.each(namesOf(".json"))("%s", (name) => {
  const file = `${name}.json`;
  const { json } = parseDocument(fs.readFileSync(path.join(FOLDER, file), "utf8"), file);
  const { history, profile, step, deviation } = decodeCapsule(json, file);
  const found = judgeHistory(history, profile, new Coverage(), new InvariantTally());
  expect(found).toMatchObject({ step, deviation: { clauses: deviation.clauses } });
});
