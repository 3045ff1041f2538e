/** What an IUT has not got is unsupported, and keeps no run from a clear verdict. */
import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import { RadixMachine } from "../impl/radix/machine";
import { inProcess } from "../spec/iut";
import type { Need } from "../spec/needs";
import { runCampaign } from "./campaign";
import { QUICK, quickRun } from "./options";
import { WHOLE_HUNT } from "./testdata/whole-hunt";

const SETS: readonly (readonly Need[])[] = [["mock"], [], ["vfio"], ["mock", "vfio"]];
const SHOWN = WHOLE_HUNT ? SETS : SETS.slice(0, 1);

test.each(SHOWN.map((set) => [set.join(" and ") || "nothing", set] as const))(
  "an IUT that declares %s can pass",
  async (_, capabilities) => {
    const iut = inProcess(
      { ...radix.info, capabilities },
      (platform) => new RadixMachine(platform),
    );
    const results = await runCampaign(quickRun({ iut, sequences: QUICK.sequences, seed: 1 }));
    expect(results).toMatchObject({ exitCode: 0, reason: "" });
  },
  120_000,
);
