import { inertDeep } from "../../spec/inert";
import type { Failure } from "../../spec/results";
import { plural } from "../summary";
import { renderSteps } from "./steps";
import { type Style, wrap } from "./text";

const KINDS: Readonly<Record<string, string>> = {
  errno: "wrong errno",
  output: "wrong output",
  crash: "no answer",
  invariant: "answers contradict one another",
};

/**
 * One failure. It ends in a fixed form, which people and scripts rely on: the clause with its
 * statement, the step table, and last the command that replays it.
 */
export const renderFailure = (given: Failure, replay: string, style: Style): string => {
  const { colors, width } = style;
  const failure = inertDeep(given);
  const tag = failure.known ? colors.yellow("KNOWN FAILURE") : colors.red(colors.bold("FAILURE"));
  const seen = `${plural(failure.occurrences, "sequence")}, first at ${failure.seedPath}`;
  const others = failure.clauses.filter((id) => id !== failure.clause);
  return [
    `${tag}  ${KINDS[failure.kind] ?? failure.kind}; ${seen}; shown on ${failure.platform}`,
    ...(others.length > 0 ? [colors.dim(`also named: ${others.join(", ")}`)] : []),
    ...(failure.notes ?? []).flatMap((note) => wrap(note, width)).map(colors.yellow),
    "",
    ...wrap(`${failure.clause}  ${failure.statement}`, width).map((line, i) =>
      i === 0 ? line.replace(failure.clause, colors.bold(failure.clause)) : line,
    ),
    "",
    renderSteps(failure.steps, style),
    "",
    `replay: ${colors.cyan(replay)}`,
  ].join("\n");
};
