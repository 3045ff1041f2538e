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
});
