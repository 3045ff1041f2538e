/** `npm run bench`: figures as ratios, or per page, area or call; never asserted in a test. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { program } from "commander";
import { benchAreas } from "./areas";
import { checked, type Document } from "./document";
import { benchGrowth } from "./growth";
import { benchHarness } from "./harness";
import { programsInC } from "./in-c";
import type { Effort } from "./measure";
import { benchPath } from "./path";
import { plotGrowth } from "./plot";
import { benchTable } from "./table";
import { asMarkdown, asText } from "./tables";

const DOCS = path.join(__dirname, "../docs");
const [BEGIN, END] = ["<!-- figures: npm run bench -- --write -->", "<!-- end of figures -->"];

interface Flags {
  readonly quick?: true;
  readonly json?: true;
  readonly write?: true;
}

const { quick, json, write } = program
  .name("npm run bench --")
  .description("measures impl/radix and the harness")
  .option("--quick", "with less patience")
  .option("--json", "one document on stdout (bench/document.schema.json)")
  .option("--write", "put the figures and the plot into docs/")
  .allowExcessArguments(false)
  .parse()
  .opts<Flags>();

const effort: Effort = quick ? { warmUpNs: 80e6, turns: 5 } : { warmUpNs: 250e6, turns: 12 };

const measure = async (): Promise<Document> => {
  const c = programsInC();
  if (c === undefined) {
    process.stderr.write(
      "bench: NO gcc: nothing is compared with C. Install gcc, or add it to PATH.\n",
    );
  }
  const progress = (what: string): void => {
    const seconds = Math.round(process.uptime());
    process.stderr.write(`bench: ${what} (after ${seconds} s)\n`);
  };
  progress("the IOPTE table");
  const table = benchTable(c, effort);
  progress("the whole path");
  const whole = benchPath(effort);
  progress("areas");
  const areas = benchAreas(1_000_000, effort);
  progress("growth");
  const growth = benchGrowth(c, quick ? { warmUpNs: 40e6, turns: 2 } : effort, quick ? 4 : 1);
  progress("the harness");
  const harness = await benchHarness(quick ? 300 : 2000);
  c?.end();
  const [cpu] = os.cpus();
  return checked({
    format: "iommufd-conformance-bench/1",
    machine: {
      date: new Date().toISOString().slice(0, 10),
      cpu: cpu?.model ?? "unknown",
      cpus: os.cpus().length,
      node: process.versions.node,
      compiler: c?.compiler ?? null,
    },
    figures: [...table, ...whole, ...areas],
    growth,
    harness,
  });
};

const writeDocs = (document: Document): void => {
  const file = path.join(DOCS, "performance.md");
  const text = fs.readFileSync(file, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(
      `bench: ${file}: there is no place for figures; put in "${BEGIN}" and "${END}"`,
    );
  }
  fs.writeFileSync(file, `${before}${BEGIN}\n\n${asMarkdown(document)}\n\n${END}${after}`);
  fs.writeFileSync(path.join(DOCS, "performance.svg"), plotGrowth(document.growth));
};

const main = async (): Promise<void> => {
  const document = await measure();
  if (write) writeDocs(document);
  process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : asText(document));
};

void main();
