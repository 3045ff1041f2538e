import type { CallName } from "../../spec/calls";
import type { InvariantId } from "../../spec/verdict";
import type { IoasView, SceneView } from "../arbitrary/view";
import type { Tail } from "./tail";

/** One relation: how to compose a trace that tries it. */
export interface Relation {
  readonly id: InvariantId;
  /** Calls without which there is nothing to try. */
  readonly calls: readonly CallName[];
  /** Appends the steps of the relation, and labels them. */
  compose(tail: Tail, scene: SceneView): void;
}

export const relation = (
  id: InvariantId,
  compose: Relation["compose"],
  calls: readonly CallName[] = [],
): Relation => ({ id, calls, compose });

/** Looks at the same things twice: pairs the answers of before and after. */
export const beforeAndAfter = (
  tail: Tail,
  look: () => readonly number[],
  between: () => void,
): void => {
  const before = look();
  between();
  const after = look();
  for (const [i, step] of before.entries()) {
    const again = after[i];
    if (again !== undefined) tail.same(step, again);
  }
};

/** An IOAS that is there already, in whatever state; one with domains if possible. */
export const live = ({ c }: Tail, { ioases }: SceneView): IoasView | undefined => {
  const attached = ioases.filter((ioas) => ioas.hwpts.length > 0);
  return c.draw.chance(70) && attached.length > 0 ? c.draw.pick(attached) : c.draw.pick(ioases);
};
