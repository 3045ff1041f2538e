/** One trace again: what the IUT answers now, and where it stops being right. */
import { type Call, type Outcome, shapeOf } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { Iut } from "../spec/iut";
import { encodeField, encodeU64 } from "../spec/json/field";
import { Resolver } from "../spec/resolve";
import type { StepRow } from "../spec/results";
import type { History, Trace } from "../spec/trace";
import type { Profile } from "../spec/verdict";
import { isName } from "./algebra/agree";
import { InvariantTally } from "./invariants/watch";
import { type Finding, judgeHistory } from "./oracle";

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

/** The step table of a history: what was called, what would have been right, what came. */
export const stepRows = (history: History, finding: Finding | undefined): StepRow[] => {
  const { trace, outcomes, ending } = history;
  const resolver = new Resolver(trace.platform);
  const rows = trace.steps.map((step, i): StepRow => {
    const outcome = outcomes[i];
    const deviates = finding?.step === i;
    const row = { step: i, call: showStep(resolver.resolve(step), step.as), deviates };
    if (outcome === undefined) {
      const actual = i === outcomes.length && ending !== undefined ? ending.reason : "not reached";
      return { ...row, expected: deviates ? (finding?.deviation.expected ?? "") : "", actual };
    }
    resolver.note(step, outcome);
    const answered = showOutcome(outcome);
    if (deviates) {
      const { expected, actual } = finding.deviation;
      return { ...row, expected, actual: actual === "" ? answered : actual };
    }
    const judged = finding === undefined || i < finding.step;
    return { ...row, expected: judged ? answered : "not judged", actual: answered };
  });
  // What breaks when the machine is booted or put away belongs to no call.
  const end = { step: rows.length, call: "(end of the trace)" };
  if (finding !== undefined && finding.step >= rows.length) {
    const { expected, actual } = finding.deviation;
    rows.push({ ...end, step: finding.step, expected, actual, deviates: true });
  } else if (ending !== undefined && outcomes.length >= rows.length) {
    rows.push({ ...end, expected: "", actual: ending.reason, deviates: false });
  }
  return rows;
};

const showStep = (call: Call, as: string | undefined): string => {
  const args = Object.entries(shapeOf(call.call).in).flatMap(([field, type]) => {
    const value = (call.in as Readonly<Record<string, unknown>>)[field];
    const isDefault = value === 0 || value === 0n || value === "";
    // 0 is as good a name as any other.
    const isNamed = isName(type) || field === "dev";
    return isDefault && !isNamed ? [] : [`${field}=${show(value)}`];
  });
  const on = call.fd >= 0 ? [`fd=${call.fd}`] : [];
  return `${as === undefined ? "" : `${as} = `}${call.call}(${[...on, ...args].join(", ")})`;
};

export const showOutcome = (outcome: Outcome): string => {
  const outs = Object.entries(outcome.out ?? {}).map(([name, value]) => `${name}=${show(value)}`);
  return [outcome.errno === 0 ? "ok" : outcome.errno, ...outs].join(" ");
};

const show = (value: unknown): string => {
  if (typeof value === "bigint") return encodeU64(value);
  return typeof value === "string" ? value : JSON.stringify(encodeField(value));
};
