/** Longer reasons are cut: a reason is one line of a table. */
const LONGEST = 500;
/** How far is looked for a place: a thrown text can be of any length. */
const READ = 10_000;

/**
 * What was thrown and where, in one line. Without folders, so that every machine says the same.
 * Anything can be thrown, and looking at it may throw again.
 */
export const reasonOf = (thrown: unknown): string => {
  try {
    const line = String(thrown).slice(0, READ).replace(/\s+/g, " ").trim().slice(0, LONGEST);
    if (!(thrown instanceof Error)) return line;
    const at = /at (?:.*[\\/(])?([^\\/()]+:\d+):\d+\)?$/m.exec(
      (thrown.stack ?? "").slice(0, READ),
    )?.[1];
    return at === undefined ? line : `${line} (${at})`;
  } catch {
    return "something was thrown that cannot be shown";
  }
};
