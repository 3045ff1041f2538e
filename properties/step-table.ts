/** The step table of a history: what was called, what would have been right, what came. */
import { type Call, type CallName, type Outcome, shapeOf } from "../spec/calls";
import { encodeU64 } from "../spec/json/field";
import type { RawEdits } from "../spec/raw";
import { Resolver } from "../spec/resolve";
import type { StepRow } from "../spec/results";
import type { History, Step } from "../spec/trace";
import { isIoctlCall } from "../spec/uapi/ioctls";
import { LAYOUTS } from "../spec/uapi/layouts";
import { nameOfCommand, nameOfValue } from "../spec/uapi/names";
import { isName } from "./algebra/agree";
import { inPart } from "./in-part";
import type { Finding } from "./oracle";

export const stepRows = (history: History, finding: Finding | undefined): StepRow[] => {
  const { trace, outcomes, ending } = history;
  const resolver = new Resolver(trace.platform);
  const rows = trace.steps.map((step, i): StepRow => {
    const outcome = outcomes[i];
    const deviates = finding?.step === i;
    const row = { step: i, call: showStep(step, resolver), deviates };
    if (outcome === undefined) {
      const actual = i === outcomes.length && ending !== undefined ? ending.reason : "not reached";
      return { ...row, expected: deviates ? (finding?.deviation.expected ?? "") : "", actual };
    }
    resolver.note(step, outcome);
    const answered = showOutcome(outcome, step.raw === undefined ? step.call : undefined);
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

/** `map0 = IOAS_MAP(fd=3, flags=FIXED_IOVA, …)`; of a raw call also what is done to its bytes. */
const showStep = (step: Step, resolver: Resolver): string => {
  const call = resolver.typed(step);
  const edits = step.raw === undefined ? "" : ` as bytes with ${showEdits(step.raw)}`;
  const isShown = step.raw === undefined ? () => true : isInBytes(call);
  return `${step.as === undefined ? "" : `${step.as} = `}${showCall(call, isShown)}${edits}`;
};

/** Of a raw call what its struct holds; pointers to arrays and buffers lead nowhere (spec/raw.ts). */
const isInBytes = (call: Call): ((field: string) => boolean) => {
  if (!isIoctlCall(call)) return () => true;
  const { fields } = LAYOUTS[call.call];
  return (field) => fields.some(({ name, pointer }) => name === field && pointer !== true);
};

const showCall = (made: Call, isShown: (field: string) => boolean): string => {
  const { call, proc, fd, in: args } = made;
  const shown = Object.entries(shapeOf(call).in).flatMap(([field, type]) => {
    if (!isShown(field)) return [];
    const value = (args as Readonly<Record<string, unknown>>)[field];
    const name = nameOfValue(call, field, value);
    if (name !== undefined) return [`${field}=${name}`];
    const isDefault = value === 0 || value === 0n || value === "";
    // 0 is as good an id, or a number of a device, as any other.
    return isDefault && !isName(type) && field !== "dev" ? [] : [`${field}=${show(value)}`];
  });
  const by = [...(proc === 0 ? [] : [`proc=${proc}`]), ...(fd >= 0 ? [`fd=${fd}`] : [])];
  return `${call}(${[...by, ...shown].join(", ")})`;
};

const showEdits = ({ keep, tail, size, put = [], nr, memory, arg }: RawEdits): string =>
  [
    ...(keep === undefined ? [] : [`only the first ${keep} of them`]),
    ...(tail === undefined ? [] : [`${tail} behind them`]),
    ...(size === undefined ? [] : [`size=${size}`]),
    ...put.map(([offset, bytes]) => `${bytes} at ${offset}`),
    ...(nr === undefined ? [] : [`nr=${nameOfCommand(nr)}`]),
    ...(memory === undefined ? [] : [`memory=${memory}`]),
    ...(arg === undefined ? [] : [`arg=${show(arg)}`]),
  ].join(", ") || "nothing changed";

/** @param call whose outcome it is, if its values have names */
const showOutcome = (outcome: Outcome, call?: CallName): string => {
  const outs = Object.entries(outcome.out ?? {}).map(([field, value]) => {
    const name = call === undefined ? undefined : nameOfValue(call, field, value);
    return `${field}=${name ?? show(value)}`;
  });
  return [outcome.errno === 0 ? "ok" : outcome.errno, ...outs].join(" ");
};

/** Without quotes and with room to break lines at: `[{flags=2, addr=0x0, cookie=1}]`. */
const show = (value: unknown): string => {
  if (typeof value === "bigint") return encodeU64(value);
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value !== "object" || value === null) return inPart(String(value));
  const fields = Object.entries(value).map(([name, field]) => `${name}=${show(field)}`);
  return `{${fields.join(", ")}}`;
};
