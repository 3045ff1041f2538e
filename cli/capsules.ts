/** The --db folder: one file per failure. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { renderJson } from "../reports/json";
import type { Capsule } from "../spec/capsule";
import { DataError } from "../spec/data-error";
import { decodeCapsule, encodeCapsule, parseDocument } from "../spec/json/trace";
import { messageOf } from "./exit";
import { filesIn, readInput, writeWhole } from "./files";

/** The same failure of the same IUT gets the same name, from whichever seed it came. */
const nameOf = (capsule: Capsule): string => {
  const { found: _, ...lasting } = encodeCapsule(capsule) as Record<string, unknown>;
  const hash = createHash("sha256").update(JSON.stringify(lasting)).digest("hex").slice(0, 10);
  return `${capsule.deviation.clauses[0]}-${capsule.deviation.kind}-${hash}.json`;
};

/** Writes a capsule at once, so that an interrupted run keeps it; answers the file's name. */
export const saveCapsule = (folder: string, capsule: Capsule): string => {
  const name = nameOf(capsule);
  writeWhole(path.join(folder, name), renderJson(encodeCapsule(capsule)));
  return name;
};

/** The same before it is shrunk. A run that ends too soon leaves it behind; answers how it goes. */
export const saveUnshrunk = (folder: string, capsule: Capsule): (() => void) => {
  const file = path.join(folder, `unshrunk-${nameOf(capsule)}`);
  writeWhole(file, renderJson(encodeCapsule(capsule)));
  return () => fs.rmSync(file, { force: true });
};

/** @throws DataError unless the text is a capsule */
export const parseCapsule = (text: string, file: string): Capsule => {
  const { format, json } = parseDocument(text, file);
  if (format !== "iommufd-capsule/1") {
    throw new DataError(file, "format", `is ${format}; expected a capsule`);
  }
  return decodeCapsule(json, file);
};

export interface Corpus {
  readonly capsules: readonly { readonly name: string; readonly capsule: Capsule }[];
  /** Why files of the folder were passed over, one line each. */
  readonly notes: readonly string[];
}

/** Every capsule of the folder. One that cannot be read must not keep a run from starting. */
export const readCorpus = (folder: string): Corpus => {
  const capsules: { name: string; capsule: Capsule }[] = [];
  const notes: string[] = [];
  for (const name of filesIn(folder, ".json")) {
    const file = path.join(folder, name);
    try {
      capsules.push({ name, capsule: parseCapsule(readInput(folder, name), file) });
    } catch (error) {
      notes.push(`not replayed: ${messageOf(error)}`);
    }
  }
  return { capsules, notes };
};
