import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { encodeCapsule, encodeHistory, encodeTrace } from "../spec/json/trace";
import { MOCK_PLATFORM } from "../spec/platform";
import { fakeIo } from "./fake-io";
import { main } from "./main";

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-cli-"));
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));

const put = (name: string, text: string): void => fs.writeFileSync(path.join(cwd, name), text);
put("not.json", "{");
put("other.json", '{"format": "\\u001b[31mevil"}');
put("empty.json", "");
put("trace.json", '{"format": "iommufd-trace/1"}');
put("bom.json", '\ufeff{"format": "iommufd-trace/1"}');
const trace = { platform: MOCK_PLATFORM, steps: [] };
const step = { call: "IOAS_MOP", fd: 0 };
put("odd-call.json", JSON.stringify({ ...encodeTrace(trace), steps: [step] }));
const capsule = encodeCapsule({
  iut: "rdix",
  profile: "documented",
  deviation: { clauses: ["LIV-01"], kind: "crash", expected: "", actual: "" },
  step: 0,
  history: { trace, outcomes: [] },
  found: { version: "", seed: 1, path: "0" },
});
put("odd-iut.json", JSON.stringify(capsule));
const odd = { ...MOCK_PLATFORM, pageSize: 3 };
const onOdd = { platform: odd, steps: [] };
put("odd-platform.json", JSON.stringify(encodeTrace(onOdd)));
put("odd-history.json", JSON.stringify(encodeHistory({ trace: onOdd, outcomes: [] })));
const exporting = (platforms: string): string =>
  `exports.iut = { info: { name: "n", version: "1", capabilities: [] }, run() {}, platforms: ${platforms} };`;
put("no-platforms.cjs", exporting("[]"));
put("half-platform.cjs", exporting('[{ name: "x" }]'));
const machine = 'name: "x", pageSize: 3, thpSize: 1n, frontEnd: "mock", devices: []';
const iommu = "{ ioPageSize: 1, aperture: [0n, 1n] }";
const process = "{ uid: 0, capabilities: [], memlock: null, memory: [] }";
const large = machine.replace("pageSize: 3, thpSize: 1n", "pageSize: 8192, thpSize: 8192n");
put("large-pages.cjs", exporting(`[{ ${large}, iommus: [${iommu}], processes: [${process}] }]`));
put("odd-platform.cjs", exporting(`[{ ${machine}, iommus: [${iommu}], processes: [${process}] }]`));
put("odd-profile.json", JSON.stringify({ ...capsule, profile: "linux" }));
put("known-object.json", "{}");
put("known-clause.json", '[{"clause": "MPA-01", "kind": "errno", "reason": "x"}]');
put("known-kind.json", '[{"clause": "MAP-01", "kind": "bad", "reason": "x"}]');
put("known-reason.json", '[{"clause": "MAP-01", "kind": "errno", "reason": " "}]');
put("known-extra.json", '[{"clause": "MAP-01", "kind": "errno", "reason": "x", "id": 1}]');
put("file", "");
put("no-iut.ts", "export const other = 1;");
put("syntax.cjs", "module.exports = {\n;");
put("throws.ts", 'throw new Error("first line\\nsecond line");');

/** Every refusal: the command line, its exit code, and what its one line must say. */
const REFUSALS: readonly (readonly [argv: string, exit: number, says: RegExp])[] = [
  ["rnu", 64, /unknown subcommand rnu: expected one of run, .*Did you mean run\?/],
  ["--json rnu", 64, /unknown subcommand rnu/],
  ["run extra", 64, /too many arguments/],
  ["--sed 3", 64, /unknown option '--sed' \(Did you mean --seed\?\); see: .*--help/],
  ["run --jobs 2", 64, /unknown option '--jobs'/],
  ["run --seed", 64, /--seed <n>' argument missing/],
  ["run --seed 1.5", 64, /--seed "1.5": expected a whole number .* or "random"/],
  ["run --seed 2147483648", 64, /--seed/],
  ["run --sequences 0", 64, /--sequences "0": expected a whole number from 1/],
  ["run --length 60-30", 64, /--length "60-30": expected .*N or MIN-MAX/],
  ["run --length 0", 64, /--length/],
  ["run --time soon", 64, /--time "soon": expected a duration such as 90s/],
  ["run --time 0", 64, /--time/],
  ["run --shard 3/2", 64, /--shard "3\/2": expected i\/n/],
  ["run --shard 0/2", 64, /--shard/],
  ["run --campaign soak", 64, /--campaign "soak": expected one of random/],
  ["run --profile linux-6.1", 64, /--profile .*Did you mean linux-6.12\?/],
  ["run --format json", 64, /--format "json": expected F=FILE with F one of json, html/],
  ["run --format pdf=x", 64, /--format "pdf=x"/],
  ["run --format json=x --format html=x", 64, /a file of its own/],
  ["run --iut rdix", 64, /--iut "rdix": expected radix, .*Did you mean radix\?/],
  ["run --iut mutant:", 64, /--iut "mutant:"/],
  ["list", 64, /list: say what, one of clauses, calls/],
  ["kernel", 64, /kernel: say what, one of build, status, smoke;/],
  ["kernel bild", 64, /unknown subcommand of kernel bild: .*Did you mean build\?/],
  ["run --db=", 64, /--db "": expected a folder/],
  ["run --known-failing=", 64, /--known-failing "": expected a file/],
  ["help rnu", 64, /unknown subcommand rnu: expected one of run, .*Did you mean run\?/],
  ["run --sequences 9999999999", 64, /expected a whole number from 1 to 1000000000/],
  ["replay 1:99999999999999", 64, /replay 1:99999999999999: no run is that long/],
  ["replay 9999999999:1", 64, /--seed "9999999999"/],
  ["list cluses", 64, /unknown listing cluses: .*Did you mean clauses\?/],
  ["list clauses extra", 64, /too many arguments/],
  ["judge", 64, /missing required argument 'file'/],
  ["replay", 64, /missing required argument/],
  ["judge not.json", 65, /not.json: line 1: not JSON/],
  ["judge empty.json", 65, /empty.json: is empty/],
  ["judge other.json", 65, /other.json: format: unknown format/],
  ["judge trace.json", 65, /trace.json/],
  ["replay not.json", 65, /not.json: line 1: not JSON/],
  ["replay bom.json", 65, /bom.json: must have required property/],
  ["replay odd-call.json", 65, /odd-call.json: .steps.0.call: "IOAS_MOP" is not known here$/],
  ["replay odd-platform.json", 65, /odd-platform.json: platform.pageSize: expected a power of two/],
  ["judge odd-history.json", 65, /odd-history.json: platform.pageSize: expected a power of two/],
  ["replay odd-profile.json", 65, /profile: "linux" is not known here; expected documented, linux/],
  ["replay odd-iut.json", 65, /odd-iut.json: iut: no IUT is called "rdix"; name .* with --iut/],
  ["run --clause MPA-12", 66, /--clause "MPA-12": matches no clause; near it: .*MAP-1/],
  ["run --clause MAP-*x", 66, /matches no clause; near it: .*MAP/],
  ["run --clause ZZZZ-9", 66, /matches no clause; families: LIV, GEN/],
  ["judge absent.jsonl", 66, /cannot read absent.jsonl: no such file or folder \(looked in/],
  ["judge .", 66, /cannot read .: is a folder/],
  ["replay 1:2:3:4", 66, /1:2:3:4: there is no such run$/],
  ["judge ", 66, /cannot read "": no file is named/],
  ["replay absent.json", 66, /cannot read absent.json/],
  ["run --known-failing absent.json", 66, /cannot read absent.json/],
  ["kernel build --config-fragment absent", 66, /cannot read absent: no such file/],
  ["kernel build --config-fragment ", 66, /cannot read "": no file is named/],
  ["run --iut ts:./absent.ts", 69, /IUT ts:.\/absent.ts is unavailable: there is no file/],
  ["run --iut ts:.", 69, /is a folder; name the module in it$/],
  ["run --iut ts:./no-iut.ts", 69, /must export an Iut/],
  ["run --iut ts:./no-platforms.cjs", 69, /its platforms cannot be used: expected a list of at/],
  ["run --iut ts:./half-platform.cjs", 69, /platforms\[0\]: \/platform: must have required prop/],
  ["run --iut ts:./large-pages.cjs", 69, /platforms\[0\]: pageSize: a run needs 4096/],
  ["run --iut ts:./odd-platform.cjs", 69, /platforms\[0\]: platform.pageSize: expected a power/],
  ["run --iut ts:./throws.ts", 69, /loading it failed: first line \(throws.ts:1:7\)$/],
  ["run --iut ts:./syntax.cjs", 69, /Unexpected token ';' \(syntax.cjs:2\)$/],
  ["run --iut mutant:no-such-mutant", 69, /mutant:no-such-mutant is unavailable/],
  ["run --known-failing not.json", 78, /--known-failing not.json: not JSON/],
  ["run --known-failing known-object.json", 78, /expected a list of \{clause, kind, reason\}/],
  ["run --known-failing known-clause.json", 78, /entry 0: no clause .*Did you mean MAP-01/],
  ["run --known-failing known-kind.json", 78, /entry 0: kind must be one of errno/],
  ["run --known-failing known-reason.json", 78, /entry 0: reason must say why/],
  ["run --known-failing known-extra.json", 78, /entry 0: unknown field id/],
  ["run --db /proc/x", 78, /cannot write into the folder \/proc\/x: no such file .* --db/],
  ["run --db file/x", 78, /cannot write into the folder .*not a folder; .* --db/],
  ["run --format json=file/x.json", 78, /cannot write into the folder .*--format/],
  ["run --format json=.", 78, /is a folder; add a file name in --format/],
];

describe("refusals", () => {
  test.each(REFUSALS)("%s: exit %d", async (argv, exit, says) => {
    const io = fakeIo(cwd);
    expect(await main(argv.split(" "), io)).toBe(exit);
    expect(io.out()).toBe("");
    expect(io.err()).toMatch(/^iommufd-conformance: [^\n]+\n$/);
    expect(io.err().slice("iommufd-conformance: ".length).trimEnd()).toMatch(says);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point.
    expect(io.err().trimEnd()).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe("help, version and lists", () => {
  test.each(["--help", "run --help", "help", "--version"])("%s: stdout, exit 0", async (argv) => {
    const io = fakeIo(cwd);
    expect(await main(argv.split(" "), io)).toBe(0);
    expect(io.out()).not.toBe("");
    expect(io.err()).toBe("");
  });

  test("help names every exit code", async () => {
    const io = fakeIo(cwd);
    await main(["--help"], io);
    for (const code of [0, 1, 2, 3, 64, 65, 66, 69, 70, 78, 130]) {
      expect(io.out()).toMatch(new RegExp(` ${code}  `));
    }
  });

  test("lists say what their letters and names stand for", async () => {
    const [clauses, help] = [fakeIo(cwd), fakeIo(cwd)];
    await main(["list", "clauses"], clauses);
    expect(clauses.out()).toMatch(/basis: D documented, .* I binds in profile linux-6.12 only/);
    await main(["list", "--help"], help);
    expect(help.out()).toMatch(/iuts +what --iut takes/);
  });

  test.each(["clauses", "calls", "iuts", "mutants", "campaigns", "invariants"])(
    "list %s, for people and as JSON",
    async (what) => {
      const [text, before, after] = [fakeIo(cwd), fakeIo(cwd), fakeIo(cwd)];
      expect(await main(["list", what], text)).toBe(0);
      expect(text.out()).not.toBe("");
      expect(await main(["--json", "list", what], before)).toBe(0);
      expect(await main(["list", what, "--json"], after)).toBe(0);
      expect(Array.isArray(JSON.parse(before.out()))).toBe(true);
      expect(after.out()).toBe(before.out());
    },
  );
});
