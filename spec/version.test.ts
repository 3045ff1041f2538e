import fs from "node:fs";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { VERSION } from "./version";

test("is the one of package.json", () => {
  const text = fs.readFileSync(path.join(__dirname, "../package.json"), "utf8");
  expect((JSON.parse(text) as { version: string }).version).toBe(VERSION);
});
