/** What the agent of a machine tells at the end of a trace, and what that says of the kernel. */
import type { Run } from "../../spec/iut";
import type { Ending, Trace } from "../../spec/trace";
import { decodeAnswers } from "./decode";
import { type Done, type RawAnswer, STATUS } from "./protocol";
import { plain } from "./vm";

export interface Conclusion {
  readonly run: Run;
  /** What the machine says from now on counts for nothing. */
  readonly isSpent: boolean;
}

/** In place of a call that the agent cannot make. */
const FOR_MEMORY = 0xffff_ffff;

export const conclude = (trace: Trace, done: Done): Conclusion => {
  const { complaint, status, detail, answers } = done;
  const isHung = status === STATUS.hung;
  const reason = complaint && complaintOf(complaint.log);
  // After a mere warning the machine goes on.
  const isWarning = reason?.startsWith("WARNING") === true;
  const isSpent = isHung || (reason !== undefined && !isWarning);
  const end = (answered: readonly RawAnswer[], ending: Ending): Conclusion => ({
    run: ended(trace, answered, ending),
    isSpent,
  });
  // A call that warns and then does not come back has done worse than to warn.
  if (isHung && (reason === undefined || isWarning)) {
    return end(answers, { kind: "crash", reason: "the call does not come back" });
  }
  if (complaint !== undefined && reason !== undefined) {
    return end(answers.slice(0, complaint.call), { kind: "complaint", reason });
  }
  if (status === STATUS.workerDied) {
    const died = `the process of the trace died (wait status ${detail})`;
    return end(answers, { kind: "inconclusive", reason: died });
  }
  if (status === STATUS.cannot) {
    const what = detail === FOR_MEMORY ? "the memory" : `call ${detail}`;
    const cannot = `the agent cannot make ${what} of this trace`;
    return end(answers, { kind: "inconclusive", reason: cannot });
  }
  const asked = trace.steps.some(({ failNth }) => failNth !== undefined);
  const outcomes = decodeAnswers(trace, answers);
  return { run: { outcomes, ...(asked && { faults: done.faults }) }, isSpent };
};

export const inconclusive = (reason: string): Run => ({
  outcomes: [],
  ending: { kind: "inconclusive", reason },
});

export const ended = (trace: Trace, answers: readonly RawAnswer[], ending: Ending): Run => ({
  outcomes: decodeAnswers(trace, answers),
  ending,
});

/** How the kernel's complaints about itself begin; the agent knows them, too (agent/log.c). */
const COMPLAINT =
  /(?:WARNING: |\bBUG: |kernel BUG at |KASAN: |UBSAN: |Oops: |INFO: (?:task |rcu)|refcount_t: |general protection|soft lockup|list_(?:add|del) corruption).*/;

/** The first line of what the kernel said that tells more than a warning, or else the warning. */
const complaintOf = (log: string): string => {
  const lines = log.split("\n").map(plain);
  const telling = lines.flatMap((line) => COMPLAINT.exec(line)?.[0] ?? []);
  const [worst] = telling.filter((line) => !line.startsWith("WARNING"));
  return worst ?? telling[0] ?? (lines.join(" ").trim() || "the kernel complained");
};
