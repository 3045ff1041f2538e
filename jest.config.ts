import type { Config } from "jest";

const GLOBALS = [
  ...["Array", "BigInt", "Boolean", "Buffer", "Error", "JSON", "Map", "Math", "Number", "Object"],
  ...["Promise", "Reflect", "Set", "String", "Symbol", "WeakMap"],
  ...["BigUint64Array", "Float64Array", "Int32Array", "Uint8Array", "Uint32Array"],
] as NonNullable<Config["sandboxInjectedGlobals"]>;

const SWC = { jsc: { target: "es2022" } };

const folders = "{spec,model,impl,properties,reports,cli}";

// Tests are transpiled, never type-checked: `npm run typecheck` does that once for the whole tree.
const config: Config = {
  testEnvironment: "node",
  // No test measures time: a busy machine must not make one red.
  testTimeout: 120_000,
  testMatch: [`<rootDir>/${folders}/**/*.test.ts`],
  transform: {
    "/iommufd-mutant-.+\\.ts$": ["<rootDir>/cli/testdata/transform-mutant.cjs", SWC],
    "^.+\\.ts$": ["@swc/jest", SWC],
  },
  // Modules under test run in a vm, where every look at a global is slow; these are handed to each
  // module as if it had declared them. The harness takes half the time.
  sandboxInjectedGlobals: GLOBALS,
  maxWorkers: 2,
  coverageProvider: "babel",
  collectCoverageFrom: [`${folders}/**/*.ts`, "!**/*.test.ts"],
  // A build leaves copies of every module in dist; haste must not see them twice.
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
};

// Not `export`: Node 22 and newer read this file without a compiler, as CommonJS.
module.exports = config;
