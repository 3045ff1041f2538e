/**
 * The port: the one door between the harness and an implementation under test.
 *
 * An IUT runs whole traces. It may be in this process, behind a pipe or in a VM, so `run` may
 * return a promise; an in-process IUT returns a plain array and pays for no promise at all.
 * A uAPI failure is a value (`errno`); whatever an IUT throws counts as a crash of the call it
 * was in.
 */
import type { Call, Outcome } from "./calls";
import type { Need } from "./needs";
import { plainOutcome } from "./outcome";
import type { Platform } from "./platform";
import { Resolver } from "./resolve";
import { reasonOf } from "./thrown";
import type { Ending, Trace } from "./trace";

/** What a run of one trace gave; see History. */
export interface Run {
  readonly outcomes: readonly Outcome[];
  readonly ending?: Ending;
  /**
   * How many of the failures that steps asked for (`failNth`) came to pass: a call that has fewer
   * places where it can fail goes on as if nothing had been asked.
   */
  readonly faults?: number;
}

/** What an IUT says about itself. Capabilities are declared, not guessed. */
export interface IutInfo {
  /** For people and reports: "radix". */
  readonly name: string;
  readonly version: string;
  /** What it can do beyond the plain calls; clauses that need more are `unsupported`. */
  readonly capabilities: readonly Need[];
}

export interface Iut {
  readonly info: IutInfo;
  /** The machines it can be; absent: whatever a trace asks for. */
  readonly platforms?: readonly Platform[];
  /** Runs a trace on a fresh machine. Never throws for what the IUT does wrong: see `ending`. */
  run(trace: Trace): Run | Promise<Run>;
  /**
   * Sees to it that the next trace finds a machine that no earlier one can have damaged. Absent:
   * that is so for every trace. It may take its time, and is asked for only around failures.
   */
  fresh?(): void | Promise<void>;
  /** Lets go of processes and memory. */
  close?(): void | Promise<void>;
}

/** A machine inside this process: one platform, calls in order, then thrown away. */
export interface Machine {
  /** Carries out one call, synchronously. A uAPI failure is `{errno}`, never an exception. */
  call(call: Call): Outcome;
  /** Called once after the last call. */
  end?(): void;
}

/**
 * Makes an IUT of anything that can boot a `Machine`; this is what a `ts:` module exports.
 * A machine gets calls of its own and its answers are copied, so it shares nothing with the
 * judge but the platform. It is never cut short: a call that hangs, hangs the harness.
 */
export const inProcess = (info: IutInfo, boot: (platform: Platform) => Machine): Iut => {
  const iut: Iut = Object.freeze({ info, run: (trace: Trace) => runInProcess(trace, boot) });
  SEALED.add(iut);
  return iut;
};

const SEALED = new WeakSet<Iut>();

/** True for what `inProcess` made: its traces and outcomes are out of the machine's reach. */
export const isSealed = (iut: Iut): boolean => SEALED.has(iut);

const runInProcess = (trace: Trace, boot: (platform: Platform) => Machine): Run => {
  const outcomes: Outcome[] = [];
  try {
    const resolver = new Resolver(trace.platform);
    const machine = boot(trace.platform);
    for (const step of trace.steps) {
      const answer: unknown = machine.call(resolver.resolve(step));
      if (answer instanceof Promise) {
        throw new Error("call() answered a promise; a machine in this process answers at once");
      }
      const outcome = plainOutcome(answer);
      resolver.note(step, outcome);
      outcomes.push(outcome);
    }
    machine.end?.();
  } catch (error) {
    return { outcomes, ending: { kind: "crash", reason: reasonOf(error) } };
  }
  return { outcomes };
};
