/** Which clauses and invariants --clause selects. */
import picomatch from "picomatch";
import { EXIT, Stop } from "./exit";
import { nearMisses } from "./near";

/**
 * @param globs of --clause, matched against ids without regard to case; none: everything
 * @throws Stop when a glob matches nothing, so that a misspelt one cannot pass for a green run
 */
export const selectClauses = (
  globs: readonly string[],
  ids: readonly string[],
): ReadonlySet<string> => {
  if (globs.length === 0) return new Set(ids);
  const selected = new Set<string>();
  for (const glob of globs) {
    const matches = picomatch(glob, { nocase: true, nonegate: true });
    const found = ids.filter((id) => matches(id));
    if (found.length === 0) throw nothingMatches(glob, ids);
    for (const id of found) selected.add(id);
  }
  return selected;
};

const nothingMatches = (glob: string, ids: readonly string[]): Stop => {
  const plain = glob.replace(/[*?[\]{}()!+@]/g, "").replace(/-$/, "");
  const families = [...new Set(ids.map((id) => id.split("-")[0] ?? id))];
  const near = [...nearMisses(plain, ids), ...nearMisses(plain, families).map((f) => `${f}-*`)];
  const hint = near.length > 0 ? `near it: ${near.join(", ")}` : `families: ${families.join(", ")}`;
  return new Stop(EXIT.noInput, `--clause ${JSON.stringify(glob)}: matches no clause; ${hint}`);
};
