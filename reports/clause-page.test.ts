import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { renderClausePage } from "./clause-page";

test("docs/clauses.md is what the registry says", () => {
  const file = join(__dirname, "../docs/clauses.md");
  const page = renderClausePage();
  if (process.env["UPDATE_CLAUSES"] === "1") writeFileSync(file, page);
  expect(readFileSync(file, "utf8")).toBe(page);
});
