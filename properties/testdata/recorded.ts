/**
 * Histories of a real Linux 6.12.117 (docs/recordings.md). A few are chosen so that each kind of
 * answer is among them; of these every answer is also changed in every way (tightness). The many
 * others show what is seldom.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Recording, readRecordings } from "../../spec/recording";

const CORPUS = join(__dirname, "../corpus");

export const CHOSEN = join(CORPUS, "recordings");

/** The recordings of a folder, file by file. */
const filesIn = (folder: string): (readonly [file: string, recordings: Recording[]])[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => {
      const file = join(folder, name);
      return [file.slice(CORPUS.length + 1), readRecordings(readFileSync(file, "utf8"), file)];
    });

export const recordingsIn = (folder: string): Recording[] =>
  filesIn(folder).flatMap(([, recordings]) => recordings);

/** All of them, by file. */
export const recordedFiles = (): ReturnType<typeof filesIn> => [
  ...filesIn(CHOSEN),
  ...filesIn(join(CORPUS, "more-recordings")),
];
