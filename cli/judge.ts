/** `judge`: recordings, histories and capsules against today's model; no IUT runs. */
import { InvariantTally } from "../properties/invariants/watch";
import { type Disagreement, type JudgedRecordings, judgeRecordings } from "../properties/judge";
import { judgeHistory } from "../properties/oracle";
import { cell } from "../reports/console/steps";
import { table, wrap } from "../reports/console/text";
import { renderJson } from "../reports/json";
import { count, plural } from "../reports/summary";
import type { KnownDeviation } from "../spec/clauses/deviations";
import { Coverage } from "../spec/coverage";
import { DataError } from "../spec/data-error";
import { decodeCapsule, decodeHistory, parseDocument } from "../spec/json/trace";
import { type Recording, readRecordings } from "../spec/recording";
import type { History } from "../spec/trace";
import type { Profile } from "../spec/verdict";
import { EXIT } from "./exit";
import { readInput } from "./files";
import { type Io, styleFor } from "./io";

export interface JudgeFlags {
  readonly json?: true;
  readonly profile: Profile;
}

export const judge = async (
  files: readonly string[],
  flags: JudgeFlags,
  io: Io,
): Promise<number> => {
  const inputs = files.map((file) => readHistories(readInput(io.cwd, file), file));
  const judged = inputs.map((input) => judgeInput(input, flags.profile)).reduce(add);
  const exit = exitOf(judged);
  const say = flags.json ? io.stderr : io.stdout;
  say.write(render(judged, styleFor(say, io.env)));
  if (flags.json) io.stdout.write(renderJson(judged));
  return exit;
};

/** A file as what it holds, by its content and not by its name. */
type Input =
  | { readonly recordings: readonly Recording[] }
  | { readonly history: History; readonly name: string };

/** @throws DataError */
export const readHistories = (text: string, file: string): Input => {
  if (text.trim() === "") throw new DataError(file, "", "is empty; there is nothing to judge");
  if (isRecording(text)) return { recordings: readRecordings(text, file) };
  const { format, json } = parseDocument(text, file);
  if (format === "iommufd-trace/1") {
    throw new DataError(file, "format", "a trace has no outcomes to judge; use replay");
  }
  const history =
    format === "iommufd-capsule/1" ? decodeCapsule(json, file).history : decodeHistory(json, file);
  return { history, name: file };
};

/** Recordings are one JSON object per line, with a trace name and no format. */
const isRecording = (text: string): boolean => {
  const first = text.split("\n").find((line) => line.trim() !== "") ?? "";
  try {
    const json: unknown = JSON.parse(first);
    return typeof json === "object" && json !== null && "trace" in json && !("format" in json);
  } catch {
    return false;
  }
};

const judgeInput = (input: Input, profile: Profile): JudgedRecordings => {
  const [coverage, tally] = [new Coverage(), new InvariantTally()];
  if ("recordings" in input) {
    return judgeRecordings(input.recordings, profile, coverage, tally);
  }
  const { history, name } = input;
  const finding = judgeHistory(history, profile, coverage, tally);
  // A crash or a complaint is an answer too, the last one: that of the call without an outcome.
  const kind = history.ending?.kind ?? "inconclusive";
  const steps = history.outcomes.length + (kind === "inconclusive" ? 0 : 1);
  const counts = { traces: 1, steps, unsupported: 0, needs: {} };
  if (finding === undefined) {
    // How far the model could follow, nobody has noted.
    const notJudged = coverage.lost > 0 ? steps : 0;
    return { ...counts, agreed: steps - notJudged, disagreed: 0, disagreements: [], notJudged };
  }
  const { step, deviation } = finding;
  const call = history.trace.steps[step]?.call ?? "";
  return {
    ...counts,
    agreed: step,
    disagreed: 1,
    disagreements: [{ trace: name, step, call, ...deviation }],
    notJudged: steps - step - 1,
  };
};

const add = (a: JudgedRecordings, b: JudgedRecordings): JudgedRecordings => {
  const needs: Record<string, number> = { ...a.needs };
  for (const [need, n] of Object.entries(b.needs)) needs[need] = (needs[need] ?? 0) + n;
  return {
    traces: a.traces + b.traces,
    steps: a.steps + b.steps,
    agreed: a.agreed + b.agreed,
    disagreed: a.disagreed + b.disagreed,
    unsupported: a.unsupported + b.unsupported,
    disagreements: [...a.disagreements, ...b.disagreements],
    notJudged: a.notJudged + b.notJudged,
    needs,
  };
};

/** A file of which no step could be judged shows nothing, and that is not a pass. */
const exitOf = ({ disagreed, agreed }: JudgedRecordings): number => {
  if (disagreed > 0) return EXIT.failed;
  return agreed > 0 ? EXIT.conformant : EXIT.inconclusive;
};

/** Disagreements printed in full; --json has them all. */
const SHOWN = 50;

const render = (judged: JudgedRecordings, style: ReturnType<typeof styleFor>): string => {
  const { colors } = style;
  const { traces, steps, agreed, disagreed, unsupported, disagreements, notJudged } = judged;
  const needs = Object.entries(judged.needs).map(([need, n]) => `${need} ${count(n ?? 0)}`);
  const needed = needs.length === 0 ? "" : ` (${needs.join(", ")})`;
  const lines = wrap(
    `${plural(traces, "trace")}, ${plural(steps, "step")}: ${count(agreed)} agreed, ` +
      `${count(disagreed)} disagreed, ${count(unsupported)} unsupported${needed}, ` +
      `${count(notJudged)} not judged`,
    style.width,
  );
  if (disagreed > 0) {
    const more = disagreed - SHOWN;
    const rows = disagreements.slice(0, SHOWN).map(row);
    const columns = ["trace", "step", "call", "clauses", "expected", "actual"];
    lines.push(
      "",
      table(
        columns.map((head) => ({ head })),
        rows,
        style,
      ),
    );
    if (more > 0) lines.push(colors.dim(`  and ${count(more)} more, see --json`));
    lines.push("", ...knownIn(disagreements, style.width));
    lines.push(colors.red(colors.bold("Not conformant")), "");
  } else if (agreed === steps && agreed > 0)
    lines.push(colors.green(colors.bold("Conformant")), "");
  else if (agreed > 0) {
    const said = colors.green(colors.bold("No disagreement"));
    const unjudged = `only ${count(agreed)} of ${plural(steps, "step")} could be judged`;
    lines.push(`${said}, but ${unjudged}; that is no verdict on the rest`, "");
  } else lines.push(colors.yellow(colors.bold("Inconclusive: no step could be judged")), "");
  return lines.join("\n");
};

/** Which of it is a known deviation of Linux 6.12, and how much is not. */
const knownIn = (disagreements: readonly Disagreement[], width: number): string[] => {
  const counts = new Map<KnownDeviation, number>();
  for (const { known } of disagreements) {
    if (known !== undefined) counts.set(known, (counts.get(known) ?? 0) + 1);
  }
  const lines = [...counts].flatMap(([{ clause, what, instead }, n]) =>
    wrap(`${count(n)} known of Linux 6.12: ${clause}, ${what} (${instead})`, width),
  );
  return lines.length === 0 ? [] : [...lines, ""];
};

const row = ({ trace, step, call, clauses, expected, actual }: Disagreement) => ({
  cells: [trace, String(step), call, clauses.join(" "), expected, actual].map(cell),
});
