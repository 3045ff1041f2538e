/** Longer than the bytes of any usual call: in full it would swell every table and report. */
const TOLD_MAX = 2 ** 16;
const BEGINNING = 500;

/** A text, or the beginning of one that nobody would read. The history has it in full. */
export const inPart = (text: string): string =>
  text.length > TOLD_MAX ? `${text.slice(0, BEGINNING)}… (${text.length} characters in all)` : text;
