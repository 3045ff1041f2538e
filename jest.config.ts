import type { Config } from "jest";

const folders = "{spec,model,impl,properties,reports,cli}";

// Tests are transpiled, never type-checked: `npm run typecheck` does that once for the whole tree.
const config: Config = {
  testEnvironment: "node",
  // No test measures time: a busy machine must not make one red.
  testTimeout: 120_000,
  testMatch: [`<rootDir>/${folders}/**/*.test.ts`],
  transform: { "^.+\\.ts$": ["@swc/jest", { jsc: { target: "es2022" } }] },
  maxWorkers: 2,
  coverageProvider: "babel",
  collectCoverageFrom: [`${folders}/**/*.ts`, "!**/*.test.ts"],
  // A build leaves copies of every module in dist; haste must not see them twice.
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
};

export default config;
