/** The tests that another project's suite gets, run here by a runner of a few lines. */
import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import { type Iut, inProcess } from "../spec/iut";
import { conformanceTests } from "./jest";

/** What each test said: "passed", "skipped" or the first line of its error. */
const told = async (iut: Iut, sequences: number): Promise<Map<string, string>> => {
  const said = new Map<string, string>();
  const bodies: [name: string, body: () => void][] = [];
  let prepare = async (): Promise<void> => {};
  const skip = (name: string): void => void said.set(name, "skipped");
  const runner = {
    describe: (_: string, body: () => void): void => body(),
    beforeAll: (body: () => Promise<void>): void => {
      prepare = body;
    },
    test: Object.assign((...one: [string, () => void]): void => void bodies.push(one), { skip }),
  };
  conformanceTests(iut, { sequences }, runner);
  await prepare();
  for (const [name, body] of bodies) {
    try {
      body();
      said.set(name, "passed");
    } catch (error) {
      said.set(name, (error as Error).message.split("\n")[0] ?? "");
    }
  }
  return said;
};

const ofFamily = (said: ReadonlyMap<string, string>, family: string): string | undefined =>
  [...said].find(([name]) => name.startsWith(`${family}:`))?.[1];

test("families pass that were exercised, and those out of reach are skipped", async () => {
  const info = { ...radix.info, capabilities: ["mock", "page-refs"] } as const;
  const said = await told({ ...radix, info }, 60);
  expect(ofFamily(said, "MAP")).toBe("passed");
  expect(ofFamily(said, "VFD")).toBe("skipped");
  expect(said.get("invariants over all answers")).toBe("passed");
  expect(said.get("the run as a whole says enough")).toMatch(/^inconclusive: /);
});

test("what nothing exercised is no pass", async () => {
  const deaf = inProcess({ ...radix.info, capabilities: ["mock"] }, () => ({
    call: () => ({ errno: "ENOTTY" }),
  }));
  const said = await told(deaf, 5);
  expect(ofFamily(said, "MAP")).toMatch(/^inconclusive: .* nothing exercised a clause of MAP$/);
  expect([...said.values()]).not.toContain("passed");
  expect(ofFamily(said, "GEN")).toMatch(/^GEN-22: /);
});
