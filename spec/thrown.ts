/** Longer reasons are cut: a reason is one line of a table. */
const LONGEST = 500;

/**
 * What was thrown and where, in one line. Without folders, so that every machine says the same.
 * Anything can be thrown, and looking at it may throw again.
 */
export const reasonOf = (thrown: unknown): string => {
  try {
    const line = String(thrown).replace(/\s+/g, " ").trim().slice(0, LONGEST);
    if (!(thrown instanceof Error)) return line;
    const at = /at (?:.*[\\/(])?([^\\/()]+:\d+):\d+\)?$/m.exec(thrown.stack ?? "")?.[1];
    return at === undefined ? line : `${line} (${at})`;
  } catch {
    return "something was thrown that cannot be shown";
  }
};
