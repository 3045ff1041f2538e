import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { renderJson } from "../reports/json";
import { Handle } from "../spec/handle";
import { encodeTrace } from "../spec/json/trace";
import { MOCK_PLATFORM } from "../spec/platform";

const root = path.join(__dirname, "..");
const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-process-"));
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));

/** The command line as a user starts it, in another folder than the checkout. */
const conform = (...argv: string[]) => conformInto("pipe", ...argv);

const conformInto = (stdout: "pipe" | number, ...argv: string[]) =>
  spawnSync(
    process.execPath,
    [
      "-r",
      path.join(root, "node_modules/ts-node/register"),
      path.join(root, "cli/main.ts"),
      ...argv,
    ],
    {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", stdout, "pipe"],
      env: { ...process.env, TS_NODE_PROJECT: path.join(root, "tsconfig.json") },
    },
  );

describe("as a process", () => {
  test("JSON on stdout, nothing on stderr, exit 0", () => {
    const { status, stdout, stderr } = conform("list", "campaigns", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual([{ campaign: "random", about: expect.any(String) }]);
  });

  test.each(["list campaigns", "replay 1:1"])("output of %s that cannot be written", (argv) => {
    const full = fs.openSync("/dev/full", "w");
    const { status, stderr } = conformInto(full, ...argv.split(" "));
    fs.closeSync(full);
    expect(stderr).toBe("iommufd-conformance: cannot write to stdout: the disk is full\n");
    expect(status).toBe(78);
  });

  test("a module that does not compile is an unavailable IUT, in one line", () => {
    fs.writeFileSync(path.join(cwd, "broken.ts"), "\nexport const iut: = 1;");
    const { status, stdout, stderr } = conform("run", "--iut", "ts:./broken.ts");
    expect([status, stdout]).toEqual([69, ""]);
    expect(stderr).toMatch(/^iommufd-conformance: IUT ts:.\/broken.ts is unavailable: [^\n]+\n$/);
    expect(stderr).toMatch(/Expected .*\(broken.ts:2\)\n$/);
  });

  test("a module that imports this package by name shares its handles", () => {
    const toy = `import { inProcess, Handle, type Call } from "iommufd-conformance";
      const fds: unknown[] = [];
      export default inProcess({ name: "toy", version: "1", capabilities: [] }, () => ({
        call: (call: Call) => {
          if (call.call === "OPEN") return { errno: 0, out: { fd: 3 } };
          // A handle that the harness did not resolve would show here.
          if (call.fd !== 3) throw new Error("not resolved: " + (call.fd instanceof Handle));
          return { errno: 0 };
        },
      }));`;
    fs.writeFileSync(path.join(cwd, "toy.ts"), toy);
    const steps = [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "CLOSE", fd: new Handle("fd0"), in: {} },
    ] as const;
    const trace = encodeTrace({ platform: MOCK_PLATFORM, steps });
    fs.writeFileSync(path.join(cwd, "trace.json"), renderJson(trace));
    const { status, stdout, stderr } = conform("replay", "trace.json", "--iut", "ts:./toy.ts");
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toContain("Conformant");
  });

  /** An IUT that answers nothing right; `boot` runs when its 40th machine is made. */
  const stray = (boot: string): string => `
    import { decodeTrace, inProcess } from "iommufd-conformance";
    let machines = 0;
    const boot = (): void => { ${boot} };
    export default inProcess({ name: "toy", version: "1", capabilities: ["mock"] }, () => {
      if (++machines === 40) boot();
      return { call: () => ({ errno: "ENOTTY" }) };
    });`;
  const REASON = "Error: later\\\\u001b\\[31m \\(stray.ts:\\d+\\)";
  const OUTSIDE = `^iommufd-conformance: the IUT threw outside of run\\(\\): ${REASON}; [^\\n]+\\n$`;
  test.each([
    ["a rejection", 'void Promise.reject(new Error("later\\u001b[31m"))', 69, OUTSIDE],
    ["a timer", 'setTimeout(() => { throw new Error("later\\u001b[31m"); })', 69, OUTSIDE],
    ["what is no error", "void Promise.reject({ toString: null })", 69, "outside of run"],
    ["an end", "process.exit(0)", 69, "^iommufd-conformance: the IUT ended the process"],
    ["the harness's own error", "setImmediate(decodeTrace)", 70, "internal error: [^\\n]+\\n$"],
  ])("%s outside of all calls ends the run in one line", (_, boot, exit, says) => {
    fs.writeFileSync(path.join(cwd, "stray.ts"), stray(boot));
    const db = fs.mkdtempSync(path.join(cwd, "db-"));
    const { status, stdout, stderr } = conform("run", "--iut", "ts:./stray.ts", "--db", db);
    expect(stderr).toMatch(new RegExp(says));
    expect(stderr.split("\n")).toHaveLength(2);
    expect(status).toBe(exit);
    expect(stdout).not.toMatch(/onformant:/);
    expect(fs.readdirSync(db)).toHaveLength(1);
  });

  test("what an IUT does when the exit code is decided changes nothing", () => {
    const late = `process.exitCode = 4;
      setTimeout(() => process.exit(3));
      throw new Error("late");`;
    const toy = `export default {
      info: { name: "toy", version: "1", capabilities: [] },
      run: () => { setTimeout(() => { ${late} }); return { outcomes: [{ errno: 0, out: { fd: 3 } }] }; },
    };`;
    fs.writeFileSync(path.join(cwd, "late.ts"), toy);
    const steps = [{ call: "OPEN", as: "fd0", in: {} }] as const;
    const trace = encodeTrace({ platform: MOCK_PLATFORM, steps });
    fs.writeFileSync(path.join(cwd, "open.json"), renderJson(trace));
    const { status, stdout, stderr } = conform("replay", "open.json", "--iut", "ts:./late.ts");
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toContain("Conformant");
  });
});
