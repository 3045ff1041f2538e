import fs from "node:fs";
import path from "node:path";
import type { Results } from "../../spec/results";

/** Hand-made results of a run with one failure, from an IUT with a hostile name. For tests. */
export const sampleResults = (): Results =>
  JSON.parse(fs.readFileSync(path.join(__dirname, "results.json"), "utf8")) as Results;
