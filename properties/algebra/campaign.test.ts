import { expect, test } from "@jest/globals";
import { radix } from "../../impl/radix";
import { RadixMachine } from "../../impl/radix/machine";
import type { Capsule } from "../../spec/capsule";
import { inProcess } from "../../spec/iut";
import { validate } from "../../spec/json/schema";
import { decodeCapsule, encodeCapsule } from "../../spec/json/trace";
import { MOCK_PLATFORM } from "../../spec/platform";
import { runCampaign } from "../campaign";
import { quickRun } from "../options";
import { replayTrace } from "../replay";
import { BUGS } from "./testdata/bugs";
import { spoilt } from "./testdata/spoil";

/**
 * In profile documented nothing says that a write must be refused (CPY-10 is 6.12's own), so the
 * model takes either answer; what is wrong is that the same right is refused and then granted.
 */
test("a campaign finds, shrinks and saves what only two runs show, and it replays", async () => {
  const bug = BUGS["I-81"];
  if (bug === undefined) throw new Error("no bug");
  const { capabilities } = radix.info;
  const iut = inProcess({ name: "grants", version: "1", capabilities }, (platform) =>
    spoilt(new RadixMachine(platform), bug),
  );
  const capsules: Capsule[] = [];
  const results = await runCampaign(
    quickRun({
      iut,
      profile: "documented",
      sequences: 500,
      length: [4, 8],
      platforms: [MOCK_PLATFORM],
      saveCapsule: (capsule) => {
        capsules.push(capsule);
        return "";
      },
    }),
  );
  const failure = results.failures.find(({ clause }) => clause === "I-81");
  expect(failure?.kind).toBe("invariant");
  expect(failure?.statement).toMatch("chain of copies");
  const capsule = capsules.find(({ deviation }) => deviation.clauses[0] === "I-81");
  if (capsule === undefined) throw new Error("no capsule");

  const json: unknown = JSON.parse(JSON.stringify(encodeCapsule(capsule)));
  expect(validate(json, "capsule")).toBe("iommufd-capsule/1");
  const { trace } = decodeCapsule(json as Readonly<Record<string, unknown>>, "capsule").history;
  expect(trace.twins).toHaveLength(1);
  expect(trace.steps.length).toBeLessThan(20);
  const { finding } = await replayTrace(iut, trace, "documented");
  expect(finding).toEqual({ step: capsule.step, deviation: capsule.deviation });
  expect((await replayTrace(radix, trace, "documented")).finding).toBeUndefined();
});
