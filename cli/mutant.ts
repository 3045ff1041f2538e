/**
 * Planted bugs: a copy of impl/radix with one small change, see impl/radix/mutants/README.md.
 * The shipped code has no switch for them, and the copy is gone as soon as it is loaded.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Iut, Run } from "../spec/iut";
import { EXIT, Stop } from "./exit";
import { filesIn } from "./files";
import { didYouMean } from "./near";
import { PACKAGE_ROOT } from "./package-root";
import { applyPatch, type MutantPatch, parsePatch } from "./patch";
import { loadModule } from "./ts-loader";

const ENDING = ".patch";
const RADIX = "impl/radix";
const folderOf = (root: string): string => path.join(root, RADIX, "mutants");

export const mutantNames = (root = PACKAGE_ROOT): string[] =>
  filesIn(folderOf(root), ENDING).map((file) => file.slice(0, -ENDING.length));

/** @throws DataError when the file does not have the form of a patch */
export const readMutant = (name: string, root = PACKAGE_ROOT): MutantPatch => {
  const file = path.join(folderOf(root), `${name}${ENDING}`);
  return parsePatch(fs.readFileSync(file, "utf8"), path.relative(root, file));
};

/** @throws Stop when there is no such mutant; DataError when its patch does not apply */
export const loadMutant = (name: string, root = PACKAGE_ROOT): Iut => {
  const names = mutantNames(root);
  if (!names.includes(name)) throw unavailable(name, names);
  const patch = readMutant(name, root);
  const copy = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-mutant-")));
  try {
    copyPatched(patch, root, copy);
    const { radix } = loadModule(path.join(copy, RADIX, "index.ts")) as { radix: Iut };
    return renamed(radix, `mutant:${name}`, copy);
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
};

const unavailable = (name: string, names: readonly string[]): Stop => {
  const what = `IUT mutant:${name} is unavailable`;
  if (names.length > 0) {
    const hint = didYouMean(name, names);
    return new Stop(EXIT.unavailable, `${what}: no such mutant; see: list mutants${hint}`);
  }
  return new Stop(EXIT.unavailable, `${what}: mutants exist in a checkout of the sources only`);
};

/** spec/ is linked and not copied: both sides must agree on what a Handle is. */
const copyPatched = (patch: MutantPatch, root: string, copy: string): void => {
  const [from, to] = [path.join(root, RADIX), path.join(copy, RADIX)];
  fs.mkdirSync(to, { recursive: true });
  fs.symlinkSync(path.join(root, "spec"), path.join(copy, "spec"));
  fs.cpSync(from, to, {
    recursive: true,
    filter: (file) => !file.endsWith(".test.ts") && file !== path.join(from, "mutants"),
  });
  const file = path.join(to, patch.file);
  const source = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  fs.writeFileSync(file, applyPatch(patch, source));
};

/** Reasons of crashes quote file names; the temporary folder's would differ in every run. */
const renamed = (iut: Iut, name: string, copy: string): Iut => {
  const clean = (run: Run): Run =>
    run.ending === undefined
      ? run
      : {
          ...run,
          ending: { ...run.ending, reason: run.ending.reason.replaceAll(`${copy}/`, "") },
        };
  return {
    ...(iut.close !== undefined && { close: () => iut.close?.() }),
    info: { ...iut.info, name },
    run: (trace) => {
      const run = iut.run(trace);
      return run instanceof Promise ? run.then(clean) : clean(run);
    },
  };
};
