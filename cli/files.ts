/** Files: whole or not at all, and every refusal of the system in one line. */
import { isUtf8 } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { DataError } from "../spec/data-error";
import { EXIT, Stop } from "./exit";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "is a folder",
  // Of a file where a folder was to be: in Node 22 and newer also further up in the path.
  EEXIST: "there is a file, and not a folder",
  ENOSPC: "the disk is full",
};

/** What the system said, in words. */
export const systemReason = (error: unknown): string => {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return REASONS[code] ?? `${code || String(error)}`;
};

/**
 * Writes to a temporary name in the same folder and renames, so that a reader, and a run that
 * is killed, never leaves half a file.
 */
export const writeWhole = (given: string, text: string): void => {
  const file = realTarget(given);
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  try {
    fs.writeFileSync(temporary, text);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw new Stop(EXIT.badConfig, `cannot write ${file}: ${systemReason(error)}`);
  }
};

/** Where a write goes: behind a link, and never onto a device, a pipe or a folder. */
const realTarget = (file: string): string => {
  if (!fs.existsSync(file)) return file;
  const target = fs.realpathSync(file);
  if (!fs.statSync(target).isFile()) {
    throw new Stop(EXIT.badConfig, `cannot write ${file}: is no regular file; name another one`);
  }
  return target;
};

/** Node's own recursive mkdir never comes back from /proc/x. */
const makeFolder = (folder: string): void => {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  makeFolder(path.dirname(folder));
  fs.mkdirSync(folder);
};

/** Makes sure, before a long run, that files can be written there afterwards. */
export const mustBeWritable = (folder: string, flag: string): void => {
  const probe = path.join(folder, `.probe.${process.pid}.tmp`);
  try {
    makeFolder(folder);
    fs.writeFileSync(probe, "");
    fs.rmSync(probe);
  } catch (error) {
    const what = `cannot write into the folder ${folder}: ${systemReason(error)}`;
    throw new Stop(EXIT.badConfig, `${what}; choose another one with ${flag}`);
  }
};

/** The same for a single file, which must not be a folder either. */
export const mustBeWritableFile = (file: string, flag: string): void => {
  mustBeWritable(path.dirname(file), flag);
  if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new Stop(EXIT.badConfig, `cannot write ${file}: is a folder; add a file name in ${flag}`);
  }
  realTarget(file);
};

/**
 * The text of an input file. `given` is what the user wrote, for the message.
 * @throws DataError
 */
export const readInput = (cwd: string, given: string): string => {
  if (given === "") throw new Stop(EXIT.noInput, 'cannot read "": no file is named');
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(path.resolve(cwd, given));
  } catch (error) {
    throw new Stop(EXIT.noInput, `cannot read ${given}: ${systemReason(error)} (looked in ${cwd})`);
  }
  // The byte order mark that some editors begin a file with goes.
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf("\n", from);
    if (!isUtf8(bytes.subarray(from, end < 0 ? undefined : end))) break;
    from = end + 1;
  }
  throw new DataError(given, `line ${line}`, "not UTF-8");
};

/** Names of the files of a folder that end so, sorted; a folder that is not there has none. */
export const filesIn = (folder: string, ending: string): string[] => {
  try {
    return fs
      .readdirSync(folder)
      .filter((name) => name.endsWith(ending) && !name.startsWith("."))
      .sort();
  } catch {
    return [];
  }
};
