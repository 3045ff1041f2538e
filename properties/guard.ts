/**
 * Holds a foreign IUT to the port. A module that throws, or answers fewer calls than it was
 * given without saying why, must fail as an implementation and not look like a broken harness,
 * nor like a clean run.
 */
import type { Iut, Run } from "../spec/iut";
import type { Trace } from "../spec/trace";

export const guarded = (iut: Iut): Iut => ({
  info: iut.info,
  run: async (trace) => {
    try {
      return checked(await iut.run(trace), trace);
    } catch (error) {
      return crash([], `run() threw: ${firstLine(error)}`);
    }
  },
  close: async () => {
    try {
      await iut.close?.();
    } catch {
      // Whatever it failed to let go of ends with this process.
    }
  },
});

const checked = (answer: unknown, trace: Trace): Run => {
  const { outcomes, ending } = (answer ?? {}) as Partial<Run>;
  if (!Array.isArray(outcomes)) return crash([], "run() answered no {outcomes}");
  const wanted = trace.steps.length;
  if (outcomes.length > wanted) {
    return crash([], `run() answered ${outcomes.length} outcomes to ${wanted} calls`);
  }
  if (ending === undefined) {
    return outcomes.length === wanted
      ? { outcomes }
      : crash(outcomes, `run() answered ${outcomes.length} of ${wanted} calls and gave no ending`);
  }
  const { kind, reason } = (ending ?? {}) as { kind?: unknown; reason?: unknown };
  const known = kind === "crash" || kind === "complaint" || kind === "inconclusive";
  return known && typeof reason === "string"
    ? { outcomes, ending: { kind, reason } }
    : crash(outcomes, "run() gave an ending that is no {kind, reason}");
};

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trim().split("\n", 1)[0] ?? "";

const crash = (outcomes: Run["outcomes"], reason: string): Run => ({
  outcomes,
  ending: { kind: "crash", reason },
});
