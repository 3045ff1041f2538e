/** The one right order of a trace: calls that may come in any order always come in the same. */
import { CALL_NAMES, type CallName, shapeOf } from "../../spec/calls";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { handlesIn, renumber, usedBy } from "./handles";

/** What is set up, in this order, before anything is done with it. */
const SETUP: readonly CallName[] = [
  "OPEN",
  "IOAS_ALLOC",
  "DEVICE_OPEN",
  "VFIO_BIND",
  "VFIO_ATTACH",
  "MOCK_DOMAIN",
];
const ORDER: readonly CallName[] = [...new Set([...SETUP, ...CALL_NAMES])];

/** More calls than this have too many orders. */
const FEW = 20;

/**
 * Traces that are nearer to the right order: one call made earlier or two calls exchanged, and
 * handles that have changed their parts.
 */
export const reordered = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  if (steps.length > FEW) return;
  const best = orderOf(steps);
  for (let to = 1; to < steps.length; to++) {
    for (let from = to - 1; from >= 0; from--) {
      const nearer = [moved(steps, to, from), exchanged(steps, from, to)].map(renumber);
      for (const other of [...nearer, ...inOtherParts(steps, from, to)]) {
        if (isLegal(other) && orderOf(other) < best) yield other;
      }
    }
  }
};

const moved = (steps: readonly Step[], from: number, to: number): readonly Step[] => {
  const rest = steps.filter((_, i) => i !== from);
  return [...rest.slice(0, to), ...steps.slice(from, from + 1), ...rest.slice(to)];
};

const exchanged = (steps: readonly Step[], a: number, b: number): readonly Step[] =>
  steps.map((step, i) => (i === a ? steps[b] : i === b ? steps[a] : undefined) ?? step);

/** Nothing is used before it is made. */
const isLegal = (steps: readonly Step[]): boolean => {
  const notYet = new Set(handlesIn(steps));
  return steps.every((step) => {
    const isEarly = usedBy(step).some(({ name }) => notYet.has(name));
    if (step.as !== undefined) notYet.delete(step.as);
    return !isEarly;
  });
};

/**
 * The makers of two handles exchanged, and then neighbours of the same name put in order. Only of
 * what is set up: what others make has no parts that others play.
 */
const inOtherParts = (steps: readonly Step[], a: number, b: number): (readonly Step[])[] => {
  const [one, other] = [steps[a]?.call, steps[b]?.call];
  if (one === undefined || one !== other || !SETUP.includes(one)) return [];
  let best = renumber(exchanged(steps, a, b));
  for (let i = 0; i + 1 < best.length; ) {
    const swapped = renumber(exchanged(best, i, i + 1));
    const isBetter =
      best[i]?.call === best[i + 1]?.call && isLegal(swapped) && orderOf(swapped) < orderOf(best);
    if (isBetter) best = swapped;
    i = isBetter ? Math.max(0, i - 1) : i + 1;
  }
  return [best];
};

/** By the names of the calls first; calls of the same name by their arguments, few before many. */
const orderOf = (steps: readonly Step[]): string => {
  const names = steps.map(({ call }) => String.fromCharCode(ORDER.indexOf(call)));
  return [names.join(""), ...steps.map(textOf)].join("\n");
};

/** What a step says, in the order of the fields of its call. */
const textOf = ({ call, fd, in: args, proc, thread, raw }: Step): string => {
  const given = Object.keys(shapeOf(call).in).flatMap((field) => {
    const value = (args as Readonly<Record<string, unknown>>)[field];
    return value === undefined ? [] : [plain([field, value])];
  });
  const rest = JSON.stringify(raw, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v)) ?? "";
  return [plain(["fd", fd]), ...given, proc ?? "", thread ?? "", rest].join("\t");
};

const plain = ([field, value]: readonly unknown[]): string => {
  if (value instanceof Handle) return `${field} ${value.toString()}`;
  if (typeof value !== "bigint" && typeof value !== "number") return `${field} ${String(value)}`;
  return `${field} ${value.toString(16).padStart(16, "0")}`;
};
