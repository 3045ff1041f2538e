/** Errors that reach nobody: thrown by a timer, or rejections that no one waits for. */
import path from "node:path";

/** Implementations are left out: here they serve an IUT, which may use them as a library. */
const HARNESS = ["spec", "model", "properties", "reports", "cli"].map(
  (folder) => `${path.join(__dirname, "..", folder)}/`,
);
/** A thrown text can be of any length. */
const READ = 10_000;
const FRAME = /^ *at (?:async |.+ \()?(\/.+?):\d+:\d+\)?$/gm;

/**
 * True when only the harness can have thrown it: its stack leads through files of ours and none
 * of anybody else's. Whatever has no such stack came from the module of the user's.
 */
export const isOurs = (thrown: unknown): boolean => {
  const files = framesOf(thrown).filter((file) => !file.includes("/node_modules/"));
  return files.length > 0 && files.every((file) => HARNESS.some((ours) => file.startsWith(ours)));
};

const framesOf = (thrown: unknown): string[] => {
  try {
    if (!(thrown instanceof Error)) return [];
    return [...String(thrown.stack).slice(0, READ).matchAll(FRAME)].map(([, file = ""]) => file);
  } catch {
    // Looking at what somebody has thrown may throw again.
    return [];
  }
};
