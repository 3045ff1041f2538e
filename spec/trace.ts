import type { CallName, In, Outcome } from "./calls";
import type { Arg } from "./handle";
import type { Platform } from "./platform";
import type { RawEdits } from "./raw";
import type { InvariantId } from "./verdict";

/** One step of a trace: a call whose arguments may be handles. Absent arguments are 0. */
export interface StepOf<K extends CallName> {
  readonly call: K;
  /** The handle this call creates, `map3`. */
  readonly as?: string;
  /** Process and thread that make the call; absent: 0. */
  readonly proc?: number;
  readonly thread?: number;
  /** The iommufd, for calls that are made on one. */
  readonly fd?: Arg<number>;
  /**
   * The n-th place of this call where it can run out of memory, from 1, is to do so; absent:
   * nothing is made to fail. For IUTs with `fault-injection` only.
   */
  readonly failNth?: number;
  readonly in: { readonly [F in keyof In<K>]?: Arg<In<K>[F]> };
  /** Makes it a raw call (RAW, DEVICE_RAW) whose bytes are those of `call`, edited. */
  readonly raw?: RawEdits;
}
export type Step = { [K in CallName]: StepOf<K> }[CallName];

/**
 * A relation between two runs that are both in the trace, and which of its steps belong together.
 * It is a claim of whoever composed the trace, who must have seen to it that the relation applies.
 */
export interface Twins {
  readonly relation: InvariantId;
  /** Steps that must have succeeded; where one before a comparison has not, there is none. */
  readonly given: readonly number[];
  /** Groups of steps in ascending order: the last must answer as the ones before it imply. */
  readonly same: readonly (readonly number[])[];
}

/** Calls to be made one after the other, and the machine to make them on. Data only. */
export interface Trace {
  readonly platform: Platform;
  readonly steps: readonly Step[];
  /** Absent: none. */
  readonly twins?: readonly Twins[];
}

/** Why a history stops before the end of its trace. */
export type Ending =
  /** The IUT threw, died or hung in the call that follows the last outcome. */
  | { readonly kind: "crash"; readonly reason: string }
  /** The IUT reported an error of its own in that call (LIV-03): what it answered counts for nothing. */
  | { readonly kind: "complaint"; readonly reason: string }
  /** The run could not go on, and nothing is known about the IUT. */
  | { readonly kind: "inconclusive"; readonly reason: string };

/**
 * A trace and what the IUT answered: outcomes[i] belongs to trace.steps[i]. There are fewer
 * outcomes than steps only when `ending` is there; with as many, it is about the end of the trace,
 * where everything is put away.
 */
export interface History {
  readonly trace: Trace;
  readonly outcomes: readonly Outcome[];
  readonly ending?: Ending;
  /**
   * For concurrent histories: the order of events. invoked[i] and returned[i] are positions in
   * one sequence. Absent: each call returned before the next one was made.
   */
  readonly order?: { readonly invoked: readonly number[]; readonly returned: readonly number[] };
}
