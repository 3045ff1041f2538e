/** When two probes ask the same, and whether they were answered the same. */
import type { Call, Outcome, OutcomeOf } from "../../../spec/calls";
import type { PinRun, Translation } from "../../../spec/fields";
import { type Contradiction, HELD } from "../finding";
import { hex, sameSet, showSet } from "./ranges";

export const sameQuestion = (a: Call, b: Call): boolean => {
  if (a.call !== b.call || a.fd !== b.fd || a.proc !== b.proc) return false;
  switch (b.call) {
    case "TRANSLATE":
    case "IOAS_IOVA_RANGES":
    case "PAGE_REFS":
    case "MEM_READ":
    case "MD_CHECK_MAP":
    case "MD_CHECK_REFS":
    case "PROC_STATUS":
      return sameFields(a.in as Fields, b.in as Fields);
    default:
      return false;
  }
};

type Fields = Readonly<Record<string, unknown>>;
const sameFields = (a: Fields, b: Fields): boolean => {
  for (const field in a) if (a[field] !== b[field]) return false;
  return true;
};

/**
 * undefined: nothing to compare. Memory may run out at any time (UNS-12), and which of several
 * errnos a call gets may be open (UNS-07).
 */
export const sameAnswer = (
  call: Call,
  before: Outcome,
  now: Outcome,
): Contradiction | typeof HELD | undefined => {
  if (before.errno === "ENOMEM" || now.errno === "ENOMEM") return undefined;
  if ((before.errno === 0) !== (now.errno === 0)) {
    return { expected: `${showOutcome(before)}, as before`, actual: showOutcome(now) };
  }
  if (before.errno !== now.errno) return undefined;
  if (now.errno !== 0 && now.errno !== "EMSGSIZE") return HELD;
  return sameOut(call, before, now)
    ? HELD
    : { expected: `${showOut(call, before)}, as before`, actual: showOut(call, now) };
};

type Ranges = OutcomeOf<"IOAS_IOVA_RANGES">["out"];

const sameOut = (call: Call, before: Outcome, now: Outcome): boolean => {
  const a = before.out as Fields | undefined;
  const b = now.out as Fields | undefined;
  if (a === undefined || b === undefined) return true;
  switch (call.call) {
    case "TRANSLATE":
      return sameRuns(a["runs"] as Translation[], b["runs"] as Translation[]);
    case "PAGE_REFS":
      return samePins(a["refs"] as PinRun[], b["refs"] as PinRun[]);
    case "IOAS_IOVA_RANGES": {
      const [was, is] = [a as Ranges, b as Ranges];
      return (
        was?.num_iovas === is?.num_iovas &&
        was?.out_iova_alignment === is?.out_iova_alignment &&
        sameSet(was?.array ?? [], is?.array ?? [])
      );
    }
    default:
      return sameFields(a, b);
  }
};

export const sameRuns = (a: readonly Translation[], b: readonly Translation[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i];
    const y = b[i];
    if (x?.iova !== y?.iova || x?.length !== y?.length) return false;
    if (x?.perm !== y?.perm || x?.pa !== y?.pa) return false;
  }
  return true;
};

export const samePins = (a: readonly PinRun[], b: readonly PinRun[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]?.[0] !== b[i]?.[0] || a[i]?.[1] !== b[i]?.[1]) return false;
  }
  return true;
};

const showOutcome = ({ errno }: Outcome): string => (errno === 0 ? "success" : errno);

export const showRuns = (runs: readonly Translation[]): string =>
  runs.length === 0
    ? "no translation"
    : runs
        .slice(0, 4)
        .map((run) => `${hex(run.iova)}+${hex(run.length)} -> ${hex(run.pa)} (${run.perm})`)
        .join(", ");

export const showPins = (runs: readonly PinRun[]): string =>
  `pins ${runs
    .slice(0, 8)
    .map(([pins, pages]) => `${pins} x ${pages}`)
    .join(", ")}`;

const showOut = (call: Call, { out }: Outcome): string => {
  const fields = (out ?? {}) as Fields;
  switch (call.call) {
    case "TRANSLATE":
      return showRuns(fields["runs"] as Translation[]);
    case "PAGE_REFS":
      return showPins(fields["refs"] as PinRun[]);
    case "IOAS_IOVA_RANGES": {
      const ranges = fields as Ranges;
      const alignment = ranges?.out_iova_alignment ?? 0n;
      return `${showSet(ranges?.array ?? [])}, alignment ${alignment}`;
    }
    default:
      return Object.entries(fields)
        .map(([field, value]) => `${field} ${String(value)}`)
        .join(", ");
  }
};
