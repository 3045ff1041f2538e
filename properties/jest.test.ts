/** The tests that another project's suite gets, run here by a runner of a few lines. */
import { expect, test } from "@jest/globals";
import { radix } from "../impl/radix";
import { modelMachine } from "../model/machine";
import { type Iut, inProcess } from "../spec/iut";
import { conformanceTests } from "./jest";

/** What each test said: "passed", "skipped" or the first line of its error. */
const told = async (
  iut: Iut,
  sequences: number,
  runs = (_name: string): boolean => true,
): Promise<Map<string, string>> => {
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
  for (const [name, body] of bodies.filter(([name]) => runs(name))) {
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

const AS_A_WHOLE = "the run as a whole says enough";

test("an IUT that answers differently the second time is no pass", async () => {
  let boots = 0;
  const moody = inProcess({ ...radix.info, name: "moody" }, (platform) => {
    const machine = modelMachine(platform);
    const isOdd = ++boots === 9;
    return {
      call: (call) => (isOdd && call.call === "OPEN" ? { errno: "ENOMEM" } : machine.call(call)),
    };
  });
  const said = await told(moody, 60);
  expect(said.get(AS_A_WHOLE)).toMatch(/^fail: 1:0 run twice gave two different histories/);
});

test("a failure that no other test tells of fails the last one", async () => {
  const deaf = inProcess({ ...radix.info, capabilities: ["mock"] }, () => ({
    call: () => ({ errno: "ENOTTY" }),
  }));
  const said = await told(deaf, 5, (name) => name === AS_A_WHOLE);
  expect(said.get(AS_A_WHOLE)).toMatch(/^GEN-22: /);
});
