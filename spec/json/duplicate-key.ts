/** JSON.parse takes the last of two values with the same key and says nothing: this does. */

/** An object or a list that is still open, and where in it the text is. */
interface Open {
  /** Of an object; undefined: it is a list. */
  readonly keys: Set<string> | undefined;
  at: string | number;
  expectsKey: boolean;
}

/** Plain characters in one go: a choice at each of them needs more stack than there is. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g;

/**
 * The path of the first key that an object has twice, as "steps.3.errno"; undefined: there is none.
 * @param json what the text means
 */
export const duplicateKey = (text: string, json: unknown): string | undefined => {
  // What comes back as it was has no key twice: so it is with all that a program wrote.
  if (JSON.stringify(json) === text) return undefined;
  const open: Open[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === "{") open.push({ keys: new Set(), at: "", expectsKey: true });
    else if (token === "[") open.push({ keys: undefined, at: 0, expectsKey: false });
    else if (token === "}" || token === "]") open.pop();
    else if (inside === undefined) continue;
    else if (token === ",") {
      if (typeof inside.at === "number") inside.at++;
      else inside.expectsKey = true;
    } else if (inside.expectsKey) {
      inside.expectsKey = false;
      const key = JSON.parse(token) as string;
      inside.at = key;
      if (inside.keys?.has(key)) return open.map(({ at }) => at).join(".");
      inside.keys?.add(key);
    }
  }
  return undefined;
};
