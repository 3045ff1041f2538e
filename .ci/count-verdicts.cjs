// Prints "PASSED FAILED" for a results file: the clauses with each verdict. Inconclusive and unsupported are neither.
const { readFileSync } = require("node:fs");

const totals = { pass: 0, fail: 0, error: 0, inconclusive: 0, unsupported: 0 };

/** Looks for lists called `clauses` at any depth, so that a new wrapper around them needs no change here. */
function visit(node, key) {
  if (node === null || typeof node !== "object") return;
  if (key === "clauses") {
    for (const clause of Object.values(node)) {
      if (clause !== null && typeof clause === "object" && clause.verdict in totals) {
        totals[clause.verdict] += 1;
      }
    }
    return;
  }
  for (const [name, child] of Object.entries(node)) visit(child, name);
}

try {
  visit(JSON.parse(readFileSync(process.argv[2], "utf8")), "");
} catch (error) {
  console.error(`count-verdicts: ${error.message}`);
}
console.error(`clauses: ${JSON.stringify(totals)}`);
console.log(`${totals.pass} ${totals.fail + totals.error}`);
