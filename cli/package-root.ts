import fs from "node:fs";
import path from "node:path";

const find = (from: string): string => {
  if (fs.existsSync(path.join(from, "package.json"))) return from;
  const parent = path.dirname(from);
  if (parent === from) throw new Error(`no package.json above ${__dirname}`);
  return find(parent);
};

/** The folder of package.json: one level up in a checkout, two in the built package. */
export const PACKAGE_ROOT = find(__dirname);

/** True when this is source run by ts-node, and so the whole repository is there. */
export const IN_CHECKOUT = __filename.endsWith(".ts");

/** What a user types to get here again. */
export const PROGRAM = IN_CHECKOUT ? "npm run conform --" : "npx iommufd-conformance";
