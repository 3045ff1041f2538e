import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type FormatName, SCHEMAS, validate } from "./schema";

const fileOf = (format: FormatName): string =>
  join(__dirname, `${format.replace("iommufd-", "").replace("/1", "")}.schema.json`);

describe("published schemas", () => {
  test.each(Object.keys(SCHEMAS) as FormatName[])("%s is what the call table says", (format) => {
    const schema = { $schema: "http://json-schema.org/draft-07/schema#", ...SCHEMAS[format] };
    const text = `${JSON.stringify(schema)}\n`;
    if (process.env["UPDATE_SCHEMAS"] === "1") writeFileSync(fileOf(format), text);
    expect(readFileSync(fileOf(format), "utf8")).toBe(text);
  });
});

const TRACE = {
  format: "iommufd-trace/1",
  platform: {
    name: "mock",
    pageSize: 4096,
    thpSize: "0x200000",
    frontEnd: "mock",
    iommus: [{ ioPageSize: 2048, aperture: ["0x0", "0xffff"] }],
    devices: [],
    processes: [{ uid: 0, capabilities: [], memlock: null, memory: [] }],
  },
  steps: [{ call: "IOAS_UNMAP", fd: "fd0", in: { ioas_id: "ioas0", length: "0x1000" } }],
};

describe("validate", () => {
  test("answers the format of a good document", () => {
    expect(validate(TRACE, "t.json")).toBe("iommufd-trace/1");
  });

  test.each([
    ["no object", 7, "t.json: format: has no format"],
    [
      "another version",
      { ...TRACE, format: "iommufd-trace/2" },
      'unknown format "iommufd-trace/2"',
    ],
    [
      "a missing part",
      { ...TRACE, steps: undefined },
      "t.json: must have required property 'steps'",
    ],
    ["an unknown call", { ...TRACE, steps: [{ call: "IOAS_MOP", fd: 0 }] }, "/steps/0/call"],
    [
      "no fd",
      { ...TRACE, steps: [{ call: "IOAS_UNMAP" }] },
      "/steps/0: must have required property 'fd'",
    ],
    [
      "an unknown argument",
      { ...TRACE, steps: [{ call: "IOAS_UNMAP", fd: 0, in: { lenght: "0x1" } }] },
      "/steps/0/in: unknown field lenght",
    ],
    [
      "a number with a leading zero",
      { ...TRACE, steps: [{ call: "IOAS_UNMAP", fd: 0, in: { length: "0x01" } }] },
      "/steps/0/in/length",
    ],
  ])("names the place of %s", (_, json, message) => {
    expect(() => validate(json, "t.json")).toThrow(message);
  });
});
