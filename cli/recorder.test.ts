import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { fakeIo } from "./fake-io";
import { main } from "./main";

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-record-"));
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));

const conform = async (...args: string[]): Promise<{ exit: number; out: string }> => {
  const io = fakeIo(cwd);
  const exit = await main(args, io);
  return { exit, out: io.out() };
};

const record = async (iut: string, sequences: number): Promise<string> =>
  (
    await conform(
      ...["run", "--iut", iut, "--sequences", String(sequences), "--record", "new/all.jsonl"],
      ...["--format", "json=r.json"],
    )
  ).out;

const lines = (): string[] =>
  fs.readFileSync(path.join(cwd, "new/all.jsonl"), "utf8").trimEnd().split("\n");

test("what a run records, judge agrees with, and what has no word in the format is counted", async () => {
  const out = await record("radix", 40);
  const recorded = Number(/(\d+) traces recorded in/.exec(out)?.[1]);
  const inPart = [...out.matchAll(/(\d+) traces? recorded up to/g)].reduce(
    (n, m) => n + Number(m[1]),
    0,
  );
  expect(recorded).toBeGreaterThan(5);
  const left = 40 - recorded - inPart;
  expect(out).toContain(`${left} traces not recorded: a platform with several IOMMUs`);
  expect(lines()).toHaveLength(recorded + inPart);
  const { exit, out: judged } = await conform("judge", "new/all.jsonl");
  expect(judged).toMatch(/, 0 disagreed, 0 unsupported, 0 not judged/);
  expect(exit).toBe(0);
});

test("a mistake of the implementation is in its recordings too", async () => {
  await record("mutant:ranges-miss-last-iova", 20);
  const { exit, out } = await conform("judge", "new/all.jsonl");
  expect(out).toMatch(/RNG-/);
  expect(exit).toBe(1);
});
