/** What somebody probably meant: the known names within a few typing errors, nearest first. */
export const nearMisses = (given: string, known: readonly string[], most = 3): string[] => {
  const wanted = given.toUpperCase();
  return known
    .map((name) => ({ name, distance: distance(wanted, name.toUpperCase()) }))
    .filter(({ name, distance: d }) => d <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ name }) => name);
};

/** ". Did you mean MAP-01 or MAP-02?", or nothing. */
export const didYouMean = (given: string, known: readonly string[]): string => {
  const near = nearMisses(given, known);
  return near.length === 0 ? "" : `. Did you mean ${near.join(" or ")}?`;
};

/** Typing errors between two words: letters added, dropped, replaced, or two swapped. */
const distance = (a: string, b: string): number => {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(at(i - 1, j - 1) + (same ? 0 : 1), at(i - 1, j) + 1, at(i, j - 1) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.length, b.length);
};
