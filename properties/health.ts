/** Whether a run was worth anything: what was called, what came back, how much was wasted. */
import { CALL_NAMES, type CallName, shapeOf } from "../spec/calls";
import { Handle } from "../spec/handle";
import { callMade } from "../spec/raw";
import type { CallResult } from "../spec/results";
import type { History } from "../spec/trace";

export class Health {
  readonly #outcomes = new Map<CallName, Map<string, number>>();
  /** Calls that may change something, and probes. */
  calls = 0;
  probes = 0;
  /** Calls, not probes, that succeeded; the rest broke a rule. */
  succeeded = 0;
  /** Calls and probes one of whose handles stood for nothing: nobody learns from these. */
  lost = 0;

  add({ trace, outcomes }: History): void {
    const made = new Set<string>();
    for (let i = 0; i < outcomes.length; i++) {
      const [step, outcome] = [trace.steps[i], outcomes[i]];
      if (step === undefined || outcome === undefined) return;
      const ok = outcome.errno === 0;
      if (shapeOf(step.call).probe) this.probes++;
      else {
        this.calls++;
        if (ok) this.succeeded++;
      }
      if (isLost(step.fd, made) || usesLost(step.in, made)) this.lost++;
      if (ok && step.as !== undefined) made.add(step.as);
      this.#count(callMade(step), ok ? "OK" : String(outcome.errno));
    }
  }

  #count(call: CallName, outcome: string): void {
    let outcomes = this.#outcomes.get(call);
    if (outcomes === undefined) {
      outcomes = new Map();
      this.#outcomes.set(call, outcomes);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** In the order of the call table; errnos by how often they came. */
  callResults(): CallResult[] {
    return CALL_NAMES.flatMap((call) => {
      const outcomes = [...(this.#outcomes.get(call) ?? [])].sort(
        ([nameA, a], [nameB, b]) => b - a || nameA.localeCompare(nameB),
      );
      const count = outcomes.reduce((sum, [, n]) => sum + n, 0);
      return count === 0 ? [] : [{ call, count, outcomes: Object.fromEntries(outcomes) }];
    });
  }
}

const usesLost = (args: object, made: ReadonlySet<string>): boolean => {
  for (const name in args) {
    if (isLost((args as Readonly<Record<string, unknown>>)[name], made)) return true;
  }
  return false;
};

/** Memory regions are always there; every other handle needs its call to have succeeded. */
const isLost = (arg: unknown, made: ReadonlySet<string>): boolean =>
  arg instanceof Handle && !made.has(arg.name) && !arg.name.startsWith("buf");
