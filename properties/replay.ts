/** One trace again: what the IUT answers now, and where it stops being right. */
import { Coverage } from "../spec/coverage";
import type { Iut } from "../spec/iut";
import type { StepRow } from "../spec/results";
import type { History, Trace } from "../spec/trace";
import type { Profile } from "../spec/verdict";
import { InvariantTally } from "./invariants/watch";
import { type Finding, judgeHistory } from "./oracle";
import { stepRows } from "./step-table";

export interface Replayed {
  readonly history: History;
  /** undefined: conformant, as far as it could be judged. */
  readonly finding?: Finding;
  /** The model could not follow to the end: too much was left open. */
  readonly isLost: boolean;
  readonly rows: readonly StepRow[];
}

export const runTrace = async (iut: Iut, trace: Trace): Promise<History> => {
  const run = await iut.run(trace);
  return {
    trace,
    outcomes: run.outcomes,
    ...(run.ending !== undefined && { ending: run.ending }),
  };
};

export const replayTrace = async (iut: Iut, trace: Trace, profile: Profile): Promise<Replayed> => {
  const history = await runTrace(iut, trace);
  const coverage = new Coverage();
  const finding = judgeHistory(history, profile, coverage, new InvariantTally());
  const rows = stepRows(history, finding);
  const isLost = finding === undefined && coverage.lost > 0;
  return { history, rows, isLost, ...(finding !== undefined && { finding }) };
};
