import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../spec/platform";
import { loadMutant, mutantNames, readMutant } from "./mutant";
import { applyPatch, parsePatch } from "./patch";

const patch = (search: string, replace: string, file = "index.ts"): string =>
  [
    "# a comment",
    "clause: MAP-01, I-30",
    "about: says moo",
    `file: ${file}`,
    ...["", "--- search", search, "--- replace"],
    ...(replace === "" ? [] : [replace]),
    ...["--- end", ""],
  ].join("\n");

describe("the patch format", () => {
  test("is read line by line", () => {
    expect(parsePatch(patch("  a\n  b", "  c"), "x.patch")).toEqual({
      ...{ clauses: ["MAP-01", "I-30"], about: "says moo", file: "index.ts" },
      ...{ search: "  a\n  b", replace: "  c", origin: "x.patch" },
    });
  });

  test.each([
    [patch("a", "b").replace("--- end", ""), /exactly one line "--- end"/],
    [patch("a", "--- search"), /exactly one line "--- search"/],
    [patch("a", "b").replace("about: says moo\n", ""), /needs a line "about: …"/],
    [patch("a", "b").replace("about", "abuot"), /line 3: expected one each of/],
    [patch("a", "b", "../x.ts"), /must be a path inside impl\/radix/],
  ])("a malformed one is refused", (text, says) => {
    expect(() => parsePatch(text, "x.patch")).toThrow(says);
  });

  test.each([
    ["first line", "a\nb\nc\n", "a", "x", "x\nb\nc\n"],
    ["several lines", "a\nb\nc\n", "b\nc", "x\ny", "a\nx\ny\n"],
    ["removal", "a\nb\nc\n", "b", "", "a\nc\n"],
    ["$ is no pattern", "a\n", "a", "$&$1", "$&$1\n"],
  ])("%s", (_, source, search, replace, result) => {
    expect(applyPatch(parsePatch(patch(search, replace), "x.patch"), source)).toBe(result);
  });

  test.each([
    ["z", "x", /does not stand in impl\/radix\/index.ts/],
    ["a", "x", /stands more than once/],
    ["b", "b", /changes nothing/],
    ["ab", "x", /does not stand/],
  ])("replacing %j by %j is refused", (search, replace, says) => {
    const parsed = parsePatch(patch(search, replace), "x.patch");
    expect(() => applyPatch(parsed, "a\nb\na\n")).toThrow(says);
  });
});

describe("a mutant", () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-root-"));
  afterAll(() => fs.rmSync(root, { recursive: true, force: true }));
  fs.mkdirSync(path.join(root, "impl/radix/mutants"), { recursive: true });
  fs.symlinkSync(path.join(__dirname, "../spec"), path.join(root, "spec"));
  fs.writeFileSync(
    path.join(root, "impl/radix/index.ts"),
    [
      'import { Handle } from "../../spec/handle";',
      "const info = { name: 'radix', version: '1', capabilities: [] };",
      "const reason = __filename + ' moo';",
      "export const radix = {",
      "  info, Handle,",
      "  run: () => ({ outcomes: [], ending: { kind: 'crash', reason } }),",
      "};",
    ].join("\n"),
  );
  const moo = patch("const reason = __filename + ' moo';", "const reason = __filename + ' mu';");
  fs.writeFileSync(path.join(root, "impl/radix/mutants/moo.patch"), moo);
  fs.writeFileSync(path.join(root, "impl/radix/mutants/stale.patch"), patch("gone", "x"));

  test("is listed with what it should break", () => {
    expect(mutantNames(root)).toEqual(["moo", "stale"]);
    expect(readMutant("moo", root).clauses).toEqual(["MAP-01", "I-30"]);
  });

  test("runs the patched copy, under its own name, and leaves no trace of the copy", async () => {
    const before = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("iommufd-mutant"));
    const iut = loadMutant("moo", root);
    expect(iut.info.name).toBe("mutant:moo");
    const { ending } = await iut.run({ platform: MOCK_PLATFORM, steps: [] });
    expect(ending?.reason).toBe("impl/radix/index.ts mu");
    const after = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("iommufd-mutant"));
    expect(after).toEqual(before);
    expect(fs.existsSync(path.join(root, "spec/handle.ts"))).toBe(true);
  });

  test("whose patch no longer applies is bad data, and an unknown one is unavailable", () => {
    expect(() => loadMutant("stale", root)).toThrow(/stale.patch: search: does not stand/);
    expect(() => loadMutant("mooo", root)).toThrow(/no such mutant; .*Did you mean moo\?/);
  });
});
