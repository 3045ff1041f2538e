import { describe, expect, test } from "@jest/globals";
import Ajv from "ajv";
import { PROFILES } from "../spec/verdict";
import { renderResultsJson } from "./json";
import schema from "./results.schema.json";
import { sampleResults } from "./testdata/sample";

const validate = new Ajv({ strict: true }).compile(schema);

describe("results.schema.json", () => {
  test("a rendered file is valid, and says what the results say", () => {
    const results = sampleResults();
    const json: unknown = JSON.parse(renderResultsJson(results));
    expect(validate(json)).toBe(true);
    expect(json).toEqual(results);
  });

  test.each([
    ["an unknown field", { more: 1 }],
    ["an unknown verdict", { verdict: "ok" }],
    ["another version of the format", { format: "iommufd-results/2" }],
    ["a missing list", { clauses: undefined }],
  ])("%s is refused", (_, change) => {
    const json: unknown = JSON.parse(JSON.stringify({ ...sampleResults(), ...change }));
    expect(validate(json)).toBe(false);
  });

  test("knows every profile", () => {
    expect(schema.properties.profile.enum).toEqual(PROFILES);
  });
});
