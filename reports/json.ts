import { inertJson } from "../spec/inert";
import type { Results } from "../spec/results";

/** A JSON document for a file or for stdout. */
export const renderJson = (document: unknown): string =>
  `${inertJson(JSON.stringify(document, null, 2))}\n`;

/** results.json, see results.schema.json. */
export const renderResultsJson = (results: Results): string => renderJson(results);
