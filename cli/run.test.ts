import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { CampaignOptions } from "../properties/options";
import { sampleResults } from "../reports/testdata/sample";
import type { Capsule } from "../spec/capsule";
import { MOCK_PLATFORM } from "../spec/platform";
import type { Results } from "../spec/results";
import { fakeIo } from "./fake-io";
import { main } from "./main";

let campaign: (options: CampaignOptions) => Promise<Results>;
jest.mock("../properties/campaign", () => ({
  runCampaign: (options: CampaignOptions) => campaign(options),
}));

const root = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-run-"));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

let cwd: string;
let seen: CampaignOptions | undefined;
beforeEach(() => {
  cwd = fs.mkdtempSync(path.join(root, "run-"));
  fs.writeFileSync(path.join(cwd, "iut.ts"), IUT);
  seen = undefined;
  campaign = async (options) => {
    seen = options;
    return sampleResults();
  };
});

const IUT = `export const iut = {
  info: { name: "toy", version: "1", capabilities: ["mock"] },
  run: (trace) => ({ outcomes: [] }),
};`;
const RUN = ["run", "--iut", "ts:./iut.ts"];
const read = (file: string): string => fs.readFileSync(path.join(cwd, file), "utf8");

const CAPSULE: Capsule = {
  iut: "ts:./iut.ts",
  profile: "linux-6.12",
  deviation: { clauses: ["LIV-01"], kind: "crash", expected: "an outcome", actual: "died" },
  step: 0,
  history: {
    trace: { platform: MOCK_PLATFORM, steps: [{ call: "OPEN", as: "fd0", in: {} }] },
    outcomes: [],
    ending: { kind: "crash", reason: "died" },
  },
  found: { version: "0.1.0", seed: 1, path: "7" },
};

describe("run", () => {
  test("with defaults: header first, both reports, summary, exit code of the results", async () => {
    const io = fakeIo(cwd);
    let header = "";
    campaign = async (options) => {
      seen = options;
      header = io.out();
      return sampleResults();
    };
    expect(await main(RUN, io)).toBe(1);
    expect(header).toContain("toy (ts:./iut.ts), version 1");
    expect(header).toContain("3,000 sequences of 30–60 calls");
    expect(header).toMatch(/seed +1\n/);
    expect(seen).toMatchObject({ seed: 1, sequences: 3000, length: [30, 60], shard: [1, 1] });
    expect(seen?.profile).toBe("linux-6.12");
    expect(seen?.platforms.map((platform) => platform.name)).toEqual(["mock", "vfio"]);
    expect(seen?.clauses.has("MAP-01")).toBe(true);
    expect(JSON.parse(read("reports/out/results.json"))).toEqual(sampleResults());
    expect(read("reports/out/index.html")).toContain("Not conformant");
    expect(io.out()).toContain("reports/out/results.json");
    const replay = "replay .iommufd-conformance/UNM-05-errno-0123456789.json --iut ts:./iut.ts";
    expect(io.out().trimEnd().endsWith(replay)).toBe(true);
    expect(io.err()).toBe("");
  });

  test("says how many capsules of --db it replayed, and with what result", async () => {
    for (const [capsules, failing, says] of [
      [0, 0, undefined],
      [1, 0, "1 capsule of .iommufd-conformance first: none fails any more"],
      [3, 2, "3 capsules of .iommufd-conformance first: 2 still failing"],
    ] as const) {
      campaign = async ({ onReplayed }) => {
        onReplayed(capsules, failing);
        return sampleResults();
      };
      const io = fakeIo(cwd);
      await main(RUN, io);
      if (says === undefined) expect(io.out()).not.toContain("replayed");
      else expect(io.out()).toContain(says);
    }
  });

  test("flags reach the campaign", async () => {
    const flags = "--seed -5 --sequences 9 --length 4 --shard 2/3 --profile documented";
    fs.writeFileSync(
      path.join(cwd, "known.json"),
      '[{"clause": "MAP-01", "kind": "errno", "reason": "ticket 12"}]',
    );
    const more = ["--clause", "map-0*", "--known-failing", "known.json", "--format", "json=a.json"];
    await main([...RUN, ...flags.split(" "), ...more], fakeIo(cwd));
    expect(seen).toMatchObject({ seed: -5, sequences: 9, length: [4, 4], shard: [2, 3] });
    expect(seen?.profile).toBe("documented");
    expect([...(seen?.clauses ?? [])].every((id) => id.startsWith("MAP-0"))).toBe(true);
    expect(seen?.knownFailing).toEqual([{ clause: "MAP-01", kind: "errno", reason: "ticket 12" }]);
    expect(fs.readdirSync(cwd).sort()).toEqual([
      ".iommufd-conformance",
      "a.json",
      "iut.ts",
      "known.json",
    ]);
  });

  test("--seed random draws a seed and says which", async () => {
    const io = fakeIo(cwd);
    await main([...RUN, "--seed", "random"], io);
    expect(io.out()).toMatch(new RegExp(`seed +${seen?.seed}\n`));
  });

  test("--json: one document on stdout, the same as the file; people read stderr", async () => {
    const io = fakeIo(cwd);
    await main(["--json", ...RUN], io);
    expect(io.out()).toBe(read("reports/out/results.json"));
    expect(io.err()).toContain("Not conformant");
  });

  test("the time cap stops the campaign with its reason", async () => {
    campaign = async ({ onProgress, signal }) => {
      for (let i = 0; i < 10 && !signal.aborted; i++) onProgress(i, 10, 0);
      expect(signal.reason).toBe("time");
      return { ...sampleResults(), exitCode: 2 };
    };
    // The clock of the fake world advances by one second per look.
    expect(await main([...RUN, "--time", "3s"], fakeIo(cwd))).toBe(2);
  });

  test("Ctrl-C: the partial report is written, exit 130 in the file too", async () => {
    const io = fakeIo(cwd);
    campaign = async ({ signal, saveCapsule }) => {
      saveCapsule(CAPSULE);
      io.interrupt();
      expect(signal.reason).toBe("interrupted");
      return sampleResults();
    };
    expect(await main(RUN, io)).toBe(130);
    expect(JSON.parse(read("reports/out/results.json"))).toMatchObject({ exitCode: 130 });
    expect(fs.readdirSync(path.join(cwd, ".iommufd-conformance"))).toHaveLength(1);
    expect(io.out()).toContain("Interrupted");
  });

  test("capsules: one file per failure, whole, and replayed first by the next run", async () => {
    const names: string[] = [];
    campaign = async (options) => {
      seen = options;
      names.push(options.saveCapsule(CAPSULE));
      const found = { ...CAPSULE.found, seed: 2 };
      names.push(options.saveCapsule({ ...CAPSULE, found }));
      return sampleResults();
    };
    await main(RUN, fakeIo(cwd));
    const db = path.join(cwd, ".iommufd-conformance");
    expect(names[0]).toMatch(/^LIV-01-crash-[0-9a-f]{10}\.json$/);
    expect(new Set([...names, ...fs.readdirSync(db)]).size).toBe(1);
    fs.writeFileSync(path.join(db, "broken.json"), "{");
    const whole = fs.readFileSync(path.join(db, names[0] ?? ""), "utf8");
    fs.writeFileSync(path.join(db, "odd.json"), whole.replace('"0x200000"', '"0x0"'));
    const io = fakeIo(cwd);
    await main(RUN, io);
    expect(seen?.corpus.map(({ name }) => name)).toEqual([names[0]]);
    expect(seen?.corpus[0]?.capsule.deviation).toEqual(CAPSULE.deviation);
    expect(io.err()).toMatch(/not replayed: .*broken.json: line 1: not JSON/);
    expect(io.err()).toMatch(/not replayed: .*odd.json: platform.thpSize: expected a power of two/);
  });

  test("a report that cannot be written is 78, after the summary", async () => {
    const io = fakeIo(cwd);
    campaign = async () => {
      fs.rmSync(path.join(cwd, "reports"), { recursive: true });
      return sampleResults();
    };
    expect(await main(RUN, io)).toBe(78);
    expect(io.out()).toContain("Not conformant");
    expect(io.err()).toMatch(/cannot write .*results.json: no such file or folder/);
  });

  test("a broken harness is 70 in one line, with the stack under DEBUG only", async () => {
    campaign = async () => {
      throw new Error("boom\u001b[31m");
    };
    const [quiet, loud] = [fakeIo(cwd), fakeIo(cwd, { DEBUG: "1" })];
    expect(await main(RUN, quiet)).toBe(70);
    expect(quiet.err()).toMatch(
      /^iommufd-conformance: internal error: boom\\u001b\[31m\. [^\n]+\n$/,
    );
    expect(await main(RUN, loud)).toBe(70);
    expect(loud.err()).toMatch(/\n {4}at /);
  });

  test("a foreign IUT that throws or says too little crashes, and not the harness", async () => {
    const trace = CAPSULE.history.trace;
    let run: unknown;
    campaign = async ({ iut }) => {
      run = await iut.run(trace);
      return sampleResults();
    };
    await main(RUN, fakeIo(cwd));
    const reason = "run() answered 0 of 1 calls and gave no ending";
    expect(run).toEqual({ outcomes: [], ending: { kind: "crash", reason } });
  });
});
