/**
 * The twins of a trace when the shrinker has changed it.
 *
 * A label stays as long as nothing but probes is missing of what it names, and nothing new has
 * come in between: what may change freely is the past, and steps that no label names may go.
 * So a relation that applied never becomes one that does not.
 */
import { shapeOf } from "../../spec/calls";
import type { Step, Trace, Twins } from "../../spec/trace";

/** Follows the labels of `trace` to a trace that is made of the same step objects and others. */
export const labelsOf =
  ({ steps: all, twins = [] }: Trace) =>
  (steps: readonly Step[]): { readonly twins?: readonly Twins[] } => {
    if (twins.length === 0) return {};
    const origins = new Map(all.map((step, i) => [step, i]));
    const from = steps.map((step) => origins.get(step));
    const left = twins.flatMap((label) => follow(label, all, from));
    return left.length === 0 ? {} : { twins: left };
  };

/** @param from where each step of the changed trace stood in the old one */
const follow = (
  { relation, given, same }: Twins,
  all: readonly Step[],
  from: readonly (number | undefined)[],
): readonly Twins[] => {
  const places = new Map(from.map((origin, i) => [origin, i]));
  const placeOf = (i: number): number => places.get(i) ?? -1;
  const isProbe = (i: number): boolean => {
    const step = all[i];
    return step !== undefined && shapeOf(step.call).probe === true;
  };
  const whole = same.filter((group) => group.every((i) => places.has(i)));
  // What comes after the last comparison has no part in it: a trace may end there.
  const end = Math.max(-1, ...whole.flat());
  const needed = [...given, ...same.flat().filter((i) => !isProbe(i))].filter((i) => i <= end);
  if (end < 0 || needed.some((i) => !places.has(i))) return [];
  const begin = Math.min(...needed, ...whole.flat());
  const between = from.slice(placeOf(begin), placeOf(end) + 1);
  const intact = between.every((origin, i) => origin !== undefined && origin >= begin + i);
  const inOrder = between.every((origin, i) => i === 0 || (origin ?? 0) > (between[i - 1] ?? 0));
  if (!intact || !inOrder) return [];
  return [
    {
      relation,
      given: given.filter((i) => i < end).map(placeOf),
      same: whole.map((group) => group.map(placeOf)),
    },
  ];
};
