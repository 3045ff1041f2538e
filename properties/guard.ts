/**
 * Holds a foreign IUT to the port. A module that throws, or answers fewer calls than it was
 * given without saying why, must fail as an implementation and not look like a broken harness,
 * nor like a clean run. What it gets is frozen and what it gives is copied, so that it cannot
 * change, now or later, what it is judged by.
 */
import { deepFreeze } from "../spec/frozen";
import { type Iut, isSealed, type Run } from "../spec/iut";
import { plainOutcome } from "../spec/outcome";
import { reasonOf } from "../spec/thrown";
import type { Ending, Trace } from "../spec/trace";
import { inPart } from "./in-part";

const GUARDED = new WeakSet<Iut>();

export const guarded = (iut: Iut): Iut => {
  if (GUARDED.has(iut)) return iut;
  const { name, version, capabilities } = iut.info;
  const guard: Iut = {
    info: deepFreeze({ name, version, capabilities: [...capabilities] }),
    ...(iut.platforms !== undefined && { platforms: deepFreeze(iut.platforms) }),
    run: isSealed(iut) ? (trace) => runSealed(iut, trace) : (trace) => runOpen(iut, trace),
    ...(iut.fresh !== undefined && {
      fresh: async () => {
        try {
          await iut.fresh?.();
        } catch {
          // Then the next trace meets the old machine, and what it answers is judged.
        }
      },
    }),
    close: async () => {
      try {
        await iut.close?.();
      } catch {
        // Whatever it failed to let go of ends with this process.
      }
    },
  };
  GUARDED.add(guard);
  return guard;
};

/** A machine of `inProcess` sees nothing of the trace but its platform. */
const runSealed = (iut: Iut, trace: Trace): Run | Promise<Run> => {
  deepFreeze(trace.platform);
  return iut.run(trace);
};

const runOpen = async (iut: Iut, trace: Trace): Promise<Run> => {
  try {
    return checked(await iut.run(deepFreeze(trace)), trace.steps.length);
  } catch (error) {
    return crash([], `run() threw: ${reasonOf(error)}`);
  }
};

const checked = (answer: unknown, wanted: number): Run => {
  const given = (answer ?? {}) as { outcomes?: unknown; ending?: unknown; faults?: unknown };
  if (!Array.isArray(given.outcomes)) return crash([], "run() answered no {outcomes}");
  const { length } = given.outcomes;
  if (length > wanted) return crash([], `run() answered ${length} outcomes to ${wanted} calls`);
  const outcomes = [];
  for (let i = 0; i < length; i++) outcomes.push(plainOutcome(given.outcomes[i]));
  if (given.ending === undefined) {
    const { faults } = given;
    return length === wanted
      ? { outcomes, ...(typeof faults === "number" && { faults }) }
      : crash(outcomes, `run() answered ${length} of ${wanted} calls and gave no ending`);
  }
  const { kind, reason } = (given.ending ?? {}) as { kind?: unknown; reason?: unknown };
  return isKind(kind) && typeof reason === "string"
    ? { outcomes, ending: { kind, reason: inPart(reason) } }
    : crash(outcomes, "run() gave an ending that is no {kind, reason}");
};

const isKind = (kind: unknown): kind is Ending["kind"] =>
  kind === "crash" || kind === "complaint" || kind === "inconclusive";

const crash = (outcomes: Run["outcomes"], reason: string): Run => ({
  outcomes,
  ending: { kind: "crash", reason },
});
