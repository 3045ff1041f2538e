// Who may import whom; docs/architecture.md says why. Test files wire anything together, but still form no cycle.
const tests = "[.]test[.]ts$";
const npmOrNode = [
  "npm",
  "npm-dev",
  "npm-optional",
  "npm-peer",
  "npm-no-pkg",
  "npm-unknown",
  "core",
];

/** Source folders other than the named ones: an allow-list, so that a new folder starts forbidden. */
const outside = (...allowed) => ({
  path: `^(?!(${allowed.join("|")}|node_modules)/)[^/]+[./]`,
  dependencyTypesNot: npmOrNode,
});

const rule = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });

module.exports = {
  forbidden: [
    rule("no-circular", "A cycle hides which module owns what.", {}, { circular: true }),
    rule(
      "no-unresolvable",
      "An import must lead somewhere; examples name this package, which only tsc maps to sources.",
      { pathNot: "^docs/examples/" },
      { couldNotResolve: true },
    ),
    rule(
      "no-dev-dependencies",
      "What ships may use only what an installed package brings along.",
      {
        path: "^(spec|model|impl|properties|reports|cli|index[.]ts)",
        pathNot: [tests, "/testdata/"],
      },
      { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"], pathNot: "/@types/" },
    ),

    rule(
      "spec-is-leaf",
      "spec/ says what the documents say and needs nobody for it.",
      { path: "^spec/", pathNot: tests },
      outside("spec"),
    ),
    rule(
      "spec-no-packages",
      "spec/ uses no package and no Node module; only spec/json/ validates with ajv.",
      { path: "^spec/", pathNot: tests },
      { dependencyTypes: npmOrNode, pathNot: "node_modules/ajv/" },
    ),
    rule(
      "ajv-only-in-spec-json",
      "Schema validation of files stands in one folder.",
      { path: "^spec/", pathNot: ["^spec/json/", tests] },
      { path: "node_modules/ajv/" },
    ),

    rule(
      "model-only-spec",
      "The model shares nothing with an implementation but spec/.",
      { path: "^model/", pathNot: tests },
      outside("spec", "model"),
    ),
    rule(
      "model-no-packages",
      "The model is plain arithmetic on plain data.",
      { path: "^model/", pathNot: tests },
      { dependencyTypes: npmOrNode },
    ),

    rule(
      "radix-only-spec",
      "The radix implementation shares nothing with the model or with other implementations.",
      { path: "^impl/radix/", pathNot: tests },
      outside("spec", "impl/radix"),
    ),
    rule(
      "radix-no-packages",
      "The radix implementation is plain TypeScript.",
      { path: "^impl/radix/", pathNot: tests },
      { dependencyTypes: npmOrNode },
    ),
    rule(
      "impl-only-spec",
      "An implementation never sees its judge.",
      { path: "^impl/", pathNot: tests },
      outside("spec", "impl"),
    ),

    rule(
      "properties-never-impl",
      "An IUT reaches the properties through the port; the model is the only machine they know.",
      { path: "^properties/", pathNot: tests },
      outside("spec", "model", "properties"),
    ),
    rule(
      "properties-packages",
      "Properties use fast-check, seedrandom and node:crypto only.",
      { path: "^properties/", pathNot: [tests, "/testdata/"] },
      {
        dependencyTypes: npmOrNode,
        pathNot: ["node_modules/(@types/)?(fast-check|seedrandom)/", "^(node:)?crypto$"],
      },
    ),

    rule(
      "reports-only-results",
      "Reports turn results data (spec/results.ts) into files and know nothing else.",
      { path: "^reports/", pathNot: tests },
      outside("spec", "reports"),
    ),

    rule(
      "nothing-imports-cli",
      "The command line is the outermost layer; only index.ts and tests may reach in.",
      { pathNot: ["^cli/", "^index[.]ts$", tests] },
      { path: "^cli/" },
    ),
    rule(
      "nothing-imports-bench",
      "Benchmarks measure; nobody depends on them.",
      { pathNot: "^bench/" },
      { path: "^bench/" },
    ),
    rule(
      "nothing-imports-index",
      "index.ts is for users of the package.",
      { pathNot: tests },
      { path: "^index[.]ts$" },
    ),
    rule("nothing-imports-tests", "A test file is nobody's library.", {}, { path: tests }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|coverage|reports/out)/" },
  },
};
