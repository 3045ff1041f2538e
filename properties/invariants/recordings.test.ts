/** What the real Linux 6.12.117 answered contradicts nothing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { hasJudge } from "../../model/judges";
import { mayHaveEffect, readRecordings } from "../../spec/recording";
import { InvariantTally, InvariantWatch } from "./watch";

const folder = join(__dirname, "../corpus/recordings");
const recordings = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((file) => file.endsWith(".jsonl"))
  .flatMap((file) => readRecordings(readFileSync(join(folder, file), "utf8"), file));

it("has recordings to look at", () => {
  expect(recordings.length).toBeGreaterThan(0);
});

it.each(recordings.map((recording) => [recording.name, recording] as const))(
  "%s",
  (_name, { platform, steps }) => {
    const watch = new InvariantWatch(platform, new InvariantTally());
    for (const [i, step] of steps.entries()) {
      if (!hasJudge(step.call)) {
        // What the ledger does not know, it cannot follow.
        if (mayHaveEffect(step)) return;
        continue;
      }
      expect([i, watch.step(step.call, step.outcome)]).toEqual([i, undefined]);
    }
  },
);
