/** Handles of a trace as the shrinker sees them: who makes them, renaming, merging. */
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";

/** Handles in the order in which they are made. */
export const handlesIn = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => (step.as === undefined ? [] : [step.as]));

/** "map" of "map3". */
export const kindOf = (handle: string): string => handle.replace(/\d+$/, "");

/** The handles in an argument: itself, or in its elements. */
const handlesOf = (value: unknown): Handle[] => {
  if (value instanceof Handle) return [value];
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: object) => Object.values(item).flatMap(handlesOf));
};

/** The handles of all arguments of a step, of the file it is made on as well. */
export const usedBy = ({ fd, in: args }: Step): Handle[] =>
  [fd, ...Object.values(args)].flatMap(handlesOf);

export const uses = (step: Step, handle: string): boolean =>
  usedBy(step).some(({ name }) => name === handle);

/**
 * The same step object where nothing changes: labels of a trace follow step objects.
 * @param output the output that a renamed handle means; absent: that of the old one
 */
const mapHandles = (step: Step, rename: (name: string) => string, output?: string): Step => {
  const used = usedBy(step).map(({ name }) => name);
  if ([...used, step.as ?? ""].every((name) => rename(name) === name)) return step;
  const arg = (value: unknown): unknown => {
    if (handlesOf(value).length === 0) return value;
    if (!(value instanceof Handle)) {
      return (value as readonly object[]).map((item) =>
        Object.fromEntries(Object.entries(item).map(([k, v]) => [k, arg(v)])),
      );
    }
    const name = rename(value.name);
    return name === value.name ? value : new Handle(name, output ?? value.output, value.add);
  };
  const args = Object.fromEntries(Object.entries(step.in).map(([k, v]) => [k, arg(v)]));
  return {
    ...step,
    ...(step.as !== undefined && { as: rename(step.as) }),
    ...(step.fd !== undefined && { fd: arg(step.fd) }),
    in: args,
  } as Step;
};

export const renamed = (
  steps: readonly Step[],
  from: string,
  to: string,
  output?: string,
): readonly Step[] =>
  steps.map((step) => mapHandles(step, (name) => (name === from ? to : name), output));

/**
 * The trace in which `to` stands for `from`, whose own call is dropped; undefined when they are
 * of different kinds. A mock device can stand for an HWPT, by the one that it is on.
 */
export const mergeHandle = (
  steps: readonly Step[],
  from: string,
  to: string,
): readonly Step[] | undefined => {
  const isItsHwpt = kindOf(from) === "hwpt" && kindOf(to) === "mock";
  if (kindOf(from) !== kindOf(to) && !isItsHwpt) return undefined;
  const others = steps.filter((step) => step.as !== from);
  return renamed(others, from, to, isItsHwpt ? "out_hwpt_id" : undefined);
};

/** Numbers handles 0, 1, 2… per kind in the order in which they are made. */
export const renumber = (steps: readonly Step[]): readonly Step[] => {
  const names = new Map<string, string>();
  const next = new Map<string, number>();
  for (const handle of handlesIn(steps)) {
    const kind = kindOf(handle);
    const n = next.get(kind) ?? 0;
    next.set(kind, n + 1);
    names.set(handle, `${kind}${n}`);
  }
  return steps.map((step) => mapHandles(step, (name) => names.get(name) ?? name));
};
