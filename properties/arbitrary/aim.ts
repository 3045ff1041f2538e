import type { Broken } from "../../model/judge";
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
  change: (args: StepOf<K>["in"], c: Composer, subject: S) => StepOf<K>["in"] | undefined,
];

/** Share of calls that are twisted; calls that fail by themselves come on top. */
const TWISTED = 90;
/** A twist may have no place in the present state; another one may. */
const TRIES = 4;
/** Share of the twisted calls that break several rules, for these show the order of the rules. */
const SEVERAL = 25;
/** Twists tried on top of the first one until two errnos would be right. */
const MORE_TRIES = 8;

/** Makes a call, mostly twisted, sometimes so that it breaks several rules with different errnos. */
export const makeTwisted = <K extends CallName, S>(
  c: Composer,
  step: StepOf<K>,
  subject: S,
  twists: readonly Twist<K, S>[],
): Made => {
  const { draw } = c;
  const twist = (from: StepOf<K>["in"]) => draw.pick(twists)?.[1](from, c, subject);
  if (!draw.chance(TWISTED)) return c.make(step);
  let args: StepOf<K>["in"] | undefined;
  for (let tries = 0; args === undefined && tries < TRIES; tries++) args = twist(step.in);
  args ??= step.in;
  if (!draw.chance(SEVERAL)) return c.make(step, args);
  let errnos = errnosOf(c.breaks(step, args));
  for (let tries = 0; errnos < 2 && tries < MORE_TRIES; tries++) {
    const more = twist(args);
    if (more === undefined) continue;
    // A twist may undo another one.
    const right = errnosOf(c.breaks(step, more));
    if (right < errnos) continue;
    args = more;
    errnos = right;
  }
  return c.make(step, args);
};

/** How many errnos would be right where the order of the rules is open: none, one, or several. */
const errnosOf = ([first, ...others]: readonly Broken[]): 0 | 1 | 2 => {
  if (first === undefined) return 0;
  return others.every(({ errno }) => errno === first.errno) ? 1 : 2;
};
