/** What README shows a newcomer is what works. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { fakeIo } from "./fake-io";
import { main } from "./main";
import { PACKAGE_ROOT } from "./package-root";

const EXAMPLE = path.join(PACKAGE_ROOT, "docs/examples/my-iut.ts");

test("its example is the file that `npm run typecheck` checks", () => {
  const readme = fs.readFileSync(path.join(PACKAGE_ROOT, "README.md"), "utf8");
  expect(readme).toContain(`\`\`\`ts\n${fs.readFileSync(EXAMPLE, "utf8")}\`\`\``);
});

test("a run of its example says which call is missing", async () => {
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-readme-"));
  try {
    const io = fakeIo(cwd);
    const run = ["run", "--iut", `ts:${EXAMPLE}`, "--profile", "documented", "--sequences", "20"];
    expect(await main(run, io)).toBe(1);
    expect(io.out()).toMatch(
      /Each \w+ of this run \([\d,]+ of them\) was answered ENOTTY: is it impl/,
    );
  } finally {
    fs.rmSync(cwd, { recursive: true, force: true });
  }
});
