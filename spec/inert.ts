/**
 * Makes text from an implementation under test harmless before it reaches a terminal or a page.
 *
 * An IUT chooses its own name, and its answers are quoted in failures: control characters could
 * move the cursor, hide a verdict or forge one; direction marks could reorder a line.
 */

/** C0, DEL and C1 controls, line separators, zero-width and direction-changing marks, BOM. */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose.
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escapeUnit = (unit: string): string =>
  `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** One line of text in which every unsafe character stands as its \uXXXX escape. */
export const inert = (text: string): string => text.replace(UNSAFE, escapeUnit);

/** The same for every string in a value, keys included, so that no field can be forgotten. */
export const inertDeep = <T>(value: T): T => deep(value) as T;

const deep = (value: unknown): unknown => {
  if (typeof value === "string") return inert(value);
  if (Array.isArray(value)) return value.map(deep);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [inert(key), deep(item)]));
};

/**
 * JSON text that a terminal may print: JSON.stringify escapes only C0, and the rest of the
 * unsafe characters can stand nowhere but inside strings.
 */
export const inertJson = (json: string): string =>
  json.replace(UNSAFE, (unit) => (unit === "\n" ? unit : escapeUnit(unit)));
