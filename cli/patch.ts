/** The file format of a mutant, described in impl/radix/mutants/README.md. */
import { DataError } from "../spec/data-error";

export interface MutantPatch {
  /** Clauses and invariants that should catch it. */
  readonly clauses: readonly string[];
  /** What the bug is, in one line. */
  readonly about: string;
  /** Path inside impl/radix. */
  readonly file: string;
  readonly search: string;
  readonly replace: string;
  /** The patch file itself, for messages. */
  readonly origin: string;
}

const SEARCH = "--- search";
const REPLACE = "--- replace";
const END = "--- end";

/** @throws DataError naming what is missing */
export const parsePatch = (text: string, origin: string): MutantPatch => {
  const lines = text.split(/\r?\n/);
  const at = (marker: string): number => {
    const found = lines.indexOf(marker);
    if (found === -1 || lines.indexOf(marker, found + 1) !== -1) {
      throw new DataError(origin, "", `needs exactly one line "${marker}"`);
    }
    return found;
  };
  const [search, replace, end] = [at(SEARCH), at(REPLACE), at(END)];
  if (search > replace || replace > end) {
    throw new DataError(origin, "", `needs ${SEARCH}, ${REPLACE} and ${END} in this order`);
  }
  const heads = headsOf(lines.slice(0, search), origin);
  const head = (name: string): string => {
    const value = heads.get(name) ?? "";
    if (value === "") throw new DataError(origin, "", `needs a line "${name}: …"`);
    return value;
  };
  const file = head("file");
  if (file.startsWith("/") || file.split("/").includes("..")) {
    throw new DataError(origin, "file", "must be a path inside impl/radix");
  }
  return {
    clauses: head("clause").split(/[\s,]+/),
    about: head("about"),
    file,
    search: lines.slice(search + 1, replace).join("\n"),
    replace: lines.slice(replace + 1, end).join("\n"),
    origin,
  };
};

const HEADS = ["clause", "about", "file"];

const headsOf = (lines: readonly string[], origin: string): Map<string, string> => {
  const heads = new Map<string, string>();
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name = "", value = ""] = /^(\w+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (!HEADS.includes(name) || heads.has(name)) {
      throw new DataError(origin, `line ${i + 1}`, `expected one each of ${HEADS.join(", ")}`);
    }
    heads.set(name, value);
  }
  return heads;
};

/** @throws DataError unless the searched lines stand in the source exactly once */
export const applyPatch = (patch: MutantPatch, source: string): string => {
  const { search, replace, file, origin } = patch;
  const [haystack, needle] = [`\n${source}`, `\n${search}\n`];
  const first = haystack.indexOf(needle);
  const times =
    search === "" || first === -1 ? 0 : haystack.indexOf(needle, first + 1) === -1 ? 1 : 2;
  if (times !== 1) {
    const how = times === 0 ? "does not stand" : "stands more than once";
    throw new DataError(origin, "search", `${how} in impl/radix/${file}; it must match once`);
  }
  if (search === replace) throw new DataError(origin, "replace", "changes nothing");
  const inserted = replace === "" ? "\n" : `\n${replace}\n`;
  return (haystack.slice(0, first) + inserted + haystack.slice(first + needle.length)).slice(1);
};
