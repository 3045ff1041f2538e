import type { CallName } from "../../spec/calls";
import type { StepOf } from "../../spec/trace";
import type { Composer, Made } from "./composer";
import type { SceneView } from "./view";

/**
 * A part of the uAPI that most sequences leave alone, so that those that do not can dwell on it:
 * HW page tables by hand, in-kernel users, processes and their limits, the VFIO container, and
 * calls as bytes (which has no aims: any call can be made so).
 */
export type Family = "hwpt" | "access" | "process" | "compat" | "framing";

/** One kind of call the generator can make, or a short sequence that has a purpose together. */
export interface Aim {
  readonly name: string;
  /** Absent: of every sequence. */
  readonly family?: Family;
  /** How often it is wanted, relative to the others; in tenths. */
  readonly weight: number;
  /** Calls it needs; an aim whose calls the IUT or the platform lacks is left out. */
  readonly calls: readonly [CallName, ...CallName[]];
  /** Appends steps. False when the present state has no place for it. */
  make(c: Composer, scene: SceneView): boolean;
}

/**
 * A way to break one rule on purpose, named by its clause. It changes the arguments of a call
 * that would have worked; undefined when the present state does not permit it.
 */
export type Twist<K extends CallName, S> = readonly [
  clause: string,
  change: (step: StepOf<K>, c: Composer, subject: S) => StepOf<K>["in"] | undefined,
];

/** Share of calls that are twisted; calls that fail by themselves come on top. */
const TWISTED = 90;
/** A twist may have no place in the present state; another one may. */
const TRIES = 4;

/**
 * Makes a call, sometimes twisted, rarely twice: calls that break several rules at once are
 * what shows the precedence of the rules.
 */
export const makeTwisted = <K extends CallName, S>(
  c: Composer,
  step: StepOf<K>,
  subject: S,
  twists: readonly Twist<K, S>[],
): Made => {
  let twisted = step;
  const times = c.draw.chance(TWISTED) ? (c.draw.chance(12) ? 2 : 1) : 0;
  let done = 0;
  for (let tries = 0; tries < TRIES * times && done < times; tries++) {
    const args = c.draw.pick(twists)?.[1](twisted, c, subject);
    if (args === undefined) continue;
    twisted = { ...twisted, in: args };
    done++;
  }
  return c.make(twisted);
};
