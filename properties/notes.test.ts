import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import { RadixMachine } from "../impl/radix/machine";
import type { Call, Outcome } from "../spec/calls";
import { type Iut, inProcess } from "../spec/iut";
import type { Results } from "../spec/results";
import { runCampaign } from "./campaign";
import { quickRun } from "./options";

const altered = (change: (call: Call, outcome: Outcome) => Outcome): Iut =>
  inProcess({ ...radix.info, name: "altered" }, (platform) => {
    const machine = new RadixMachine(platform);
    return { call: (call) => change(call, machine.call(call)) };
  });

const notesOf = ({ failures }: Results): string[] => failures.flatMap(({ notes = [] }) => notes);

test("a call that is never carried out is said to be missing, whatever clause it breaks", async () => {
  const iut = altered((call, outcome) =>
    call.call === "OPEN" ? ({ errno: "ENOTTY" } as const) : outcome,
  );
  const [note] = notesOf(await runCampaign(quickRun({ iut, sequences: 20 })));
  expect(note).toMatch(/^Each OPEN of this run \([\d,]+ of them\) was answered ENOTTY: is it impl/);
});

test("a failure that did not come back is still one, and is said to come and go", async () => {
  let calls = 0;
  const iut = altered((_, outcome) => (++calls % 23 === 0 ? { errno: "EIO" } : outcome));
  const results = await runCampaign(quickRun({ iut, sequences: 5 }));
  // DESIGN §6: of several reasons, exit 1 comes before 3.
  expect(results).toMatchObject({ verdict: "fail", exitCode: 1 });
  expect(results.reason).toMatch(/^not conformant: .*; and nondeterministic: 1:\d+ run twice gave/);
  expect(notesOf(results)).toEqual([expect.stringContaining("this failure may come and go")]);
});

test("a clause that fails in several ways is named once", async () => {
  // In turn a wrong output and a wrong errno of the same clause.
  const iut = altered((call, outcome) => {
    if (call.call !== "IOAS_UNMAP" || outcome.errno !== 0) return outcome;
    const { length } = call.in as { readonly length: bigint };
    return length > 0x2000n ? { errno: "EIO" } : ({ errno: 0, out: { length: 1n } } as never);
  });
  const { failures, reason } = await runCampaign(quickRun({ iut, sequences: 200 }));
  const clauses = failures.map(({ clause }) => clause);
  expect(new Set(clauses).size).toBeLessThan(clauses.length);
  expect(reason).toBe(`not conformant: ${[...new Set(clauses)].join(", ")}`);
});

test("a call that is only sometimes wrong needs no note", async () => {
  const iut = altered((call, outcome) =>
    call.call === "IOAS_COPY" && outcome.errno === 0 ? { errno: "EIO" } : outcome,
  );
  const results = await runCampaign(quickRun({ iut, sequences: 20 }));
  expect(results.exitCode).toBe(1);
  expect(notesOf(results)).toEqual([]);
});
