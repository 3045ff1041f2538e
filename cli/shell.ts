/** Command lines for people to copy. */
import type { Reproduce } from "../reports/reproduce";
import { PROGRAM } from "./package-root";

/** A word that a POSIX shell reads back unchanged. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

export const commandLine = (...words: readonly string[]): string =>
  [PROGRAM, ...words.map(quote)].join(" ");

/**
 * An IUT that runs code of the user's own. A capsule that names one does not start it: a file
 * from somebody else must not choose what runs here.
 */
export const runsForeignCode = (iutSpec: string): boolean => /^(ts|stdio|linux):/.test(iutSpec);

export interface RunIdentity {
  readonly iutSpec: string;
  readonly profile: string;
  readonly seed: number;
  readonly sequences: number;
  readonly length: readonly [min: number, max: number];
  readonly clauseGlobs: readonly string[];
  readonly shard: readonly [index: number, of: number];
  /** As the user named it. */
  readonly db: string;
}

export const reproduceOf = (run: RunIdentity): Reproduce => ({
  run: commandLine(
    "run",
    ...["--iut", run.iutSpec, "--profile", run.profile, "--seed", String(run.seed)],
    ...["--sequences", String(run.sequences), "--length", run.length.join("-")],
    ...run.clauseGlobs.flatMap((glob) => ["--clause", glob]),
    ...(run.shard[1] === 1 ? [] : ["--shard", run.shard.join("/")]),
  ),
  replay: (failure) =>
    commandLine(
      "replay",
      `${run.db.replace(/\/+$/, "")}/${failure.capsule}`,
      ...(runsForeignCode(run.iutSpec) ? ["--iut", run.iutSpec] : []),
    ),
});
