import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, jest, test } from "@jest/globals";
import { filesIn, writeWhole } from "./files";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-files-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  jest.restoreAllMocks();
});

describe("writeWhole", () => {
  const file = path.join(folder, "results.json");

  test("replaces a file in one step", () => {
    writeWhole(file, "old");
    writeWhole(file, "new");
    expect(fs.readFileSync(file, "utf8")).toBe("new");
    expect(fs.readdirSync(folder)).toEqual(["results.json"]);
  });

  test("keeps the old file, and leaves no other, when the disk is full", () => {
    jest.spyOn(fs, "writeFileSync").mockImplementation(() => {
      throw Object.assign(new Error("x"), { code: "ENOSPC" });
    });
    expect(() => writeWhole(file, "half")).toThrow(/cannot write .*: the disk is full$/);
    expect(fs.readFileSync(file, "utf8")).toBe("new");
    expect(fs.readdirSync(folder)).toEqual(["results.json"]);
  });
});

test("filesIn sorts, filters and passes over temporary files", () => {
  for (const name of ["b.json", "a.json", ".a.json.1.tmp", ".hidden.json", "c.txt"]) {
    fs.writeFileSync(path.join(folder, name), "");
  }
  expect(filesIn(folder, ".json")).toEqual(["a.json", "b.json", "results.json"]);
  expect(filesIn(path.join(folder, "absent"), ".json")).toEqual([]);
});
