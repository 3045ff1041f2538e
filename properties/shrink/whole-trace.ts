/**
 * Simpler traces that take changes to more than one step at once. Changing the steps one by one
 * would lose the failure on the way, and so the same bug would end in many traces.
 */
import { shapeOf } from "../../spec/calls";
import type { FieldType } from "../../spec/fields";
import { Handle } from "../../spec/handle";
import type { MemoryRegion, Platform } from "../../spec/platform";
import type { Step } from "../../spec/trace";
import { MAP_FIXED_IOVA } from "../../spec/uapi/flags";
import { type Bytes, U64_MAX } from "../../spec/units";
import { withoutProcess } from "./simpler-steps";
import { simplerBigint, simplerValues } from "./values";

type Change = (value: unknown, type: FieldType) => unknown;

const changed = (steps: readonly Step[], change: Change): readonly Step[] =>
  steps.map((step) => {
    const types = shapeOf(step.call).in;
    const args = Object.entries(step.in).map(([field, value]) => {
      const type = types[field];
      return [field, type === undefined ? value : change(value, type)] as const;
    });
    if (args.every(([field, value]) => value === (step.in as Values)[field])) return step;
    return { ...step, in: Object.fromEntries(args) } as Step;
  });

type Values = Readonly<Record<string, unknown>>;

/** Literal addresses inside a memory region, said with its name: the same numbers (resolve.ts). */
export const nameMemory = (steps: readonly Step[], platform: Platform): readonly Step[] => {
  const regions = platform.processes.flatMap(({ memory }) => memory);
  return changed(steps, (value, type) => {
    if (type !== "va" || typeof value !== "bigint") return value;
    const region = regions.find(({ va, length }) => va <= value && value < va + length);
    return region === undefined ? value : new Handle(region.name, "", value - region.va);
  });
};

/** IOVAs that a device reserves become the first device's: then the others are not needed. */
export const inFirstReserved = (steps: readonly Step[], platform: Platform): readonly Step[] => {
  const [first, ...others] = platform.devices.flatMap(({ reserved }) => reserved);
  if (first === undefined) return steps;
  return changed(steps, (value, type) => {
    if (type !== "iova" || typeof value !== "bigint") return value;
    const isIn = ([start, last]: readonly [bigint, bigint]) => start <= value && value <= last;
    return !isIn(first) && others.some(isIn) ? first[0] : value;
  });
};

/**
 * All calls made by the first process: at once, for one by one each would lose the failure. Or
 * without those that make and end the others, for to end the first one would lose it, too.
 */
export const inFirstProcess = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  if (steps.every(({ proc }) => proc === undefined)) return;
  const moved = steps.map(withoutProcess);
  yield moved;
  yield moved.filter(({ call }) => call !== "FORK" && call !== "EXIT");
};

/** Further processes numbered as they are born, from 1. */
export const inOrderOfBirth = (steps: readonly Step[]): readonly Step[] => {
  const forks = steps.flatMap(({ call, in: args }) => (call === "FORK" ? [args.child] : []));
  // 0 is the first process, which nobody makes.
  const children = [...new Set(forks)].filter((child) => typeof child === "number" && child > 0);
  const numberOf = (proc: unknown): number => children.indexOf(proc as number) + 1;
  if (children.every((child) => numberOf(child) === child)) return steps;
  return steps.map((step): Step => {
    const by = numberOf(step.proc) === 0 ? step : { ...step, proc: numberOf(step.proc) };
    if (by.call !== "FORK" || numberOf(by.in.child) === 0) return by;
    return { ...by, in: { ...by.in, child: numberOf(by.in.child) } };
  });
};

/** Everything about one page at the beginning of the first region, and mappings of one page. */
export const flattened = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  const inFirst = (value: unknown): unknown => (isInMemory(value) ? FIRST_BYTE : value);
  const atStart = (value: unknown, add = 0n): unknown =>
    value instanceof Handle && (value.add > add || value.add < 0n) && !isInMemory(value)
      ? new Handle(value.name, value.output, add)
      : value;
  const onePage = (value: unknown, type: FieldType): unknown =>
    type === "bytes" && typeof value === "bigint" && value !== U64_MAX ? PAGE : value;
  yield changed(steps, (value, type) => onePage(inFirst(atStart(value)), type));
  yield changed(steps, (value, type) => onePage(inFirst(atStart(value, 1n)), type));
  yield changed(steps, (value) => inFirst(atStart(value)));
  yield changed(steps, inFirst);
};

export const FIRST_BYTE = new Handle("buf0");
const PAGE = 0x1000n;
const isInMemory = (value: unknown): boolean =>
  value instanceof Handle && value.name.startsWith("buf");

/** One region in place of another, and all places in a region moved down to its beginning. */
export const movedMemory = function* (
  steps: readonly Step[],
  platform: Platform,
): Generator<readonly Step[]> {
  const regions = platform.processes.flatMap(({ memory }) => memory);
  const [first] = regions;
  for (const region of regions) {
    const [low] = addsOf(steps, region).sort((a, b) => (a < b ? -1 : 1));
    if (first === undefined || low === undefined) continue;
    const shift = low & ~(BigInt(platform.pageSize) - 1n);
    for (const by of new Set([shift, 0n])) {
      for (const name of new Set([first.name, region.name])) {
        if (name === region.name && by === 0n) continue;
        yield changed(steps, (value) =>
          value instanceof Handle && value.name === region.name
            ? new Handle(name, "", value.add - by)
            : value,
        );
      }
    }
  }
};

const addsOf = (steps: readonly Step[], { name }: MemoryRegion): bigint[] =>
  steps.flatMap((step) =>
    Object.values(step.in).flatMap((value) =>
      value instanceof Handle && value.name === name ? [value.add] : [],
    ),
  );

/** A number that stands in several places, made simpler in all of them. */
export const simplerTogether = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  const places = new Map<string, { value: bigint; type: FieldType; count: number }>();
  changed(steps, (value, type) => {
    if (typeof value !== "bigint") return value;
    const key = `${type} ${value}`;
    const count = (places.get(key)?.count ?? 0) + 1;
    places.set(key, { value, type, count });
    return value;
  });
  for (const { value, type, count } of places.values()) {
    if (count < 2) continue;
    for (const simpler of simplerValues(value, type, new Set())) {
      yield changed(steps, (old, at) => (old === value && at === type ? simpler : old));
    }
  }
};

/** Shorter mappings, and places in them as far from their ends as before. */
export const shortened = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    if (step.call !== "IOAS_MAP" || step.as === undefined) continue;
    const { length } = step.in;
    if (typeof length !== "bigint") continue;
    for (const simpler of simplerBigint("bytes", length)) {
      const by = length - simpler;
      if (by <= 0n) continue;
      const nearer = changed(steps, (value) =>
        value instanceof Handle && value.name === step.as && value.add >= by
          ? new Handle(value.name, value.output, value.add - by)
          : value,
      );
      const shorter = { ...step, in: { ...step.in, length: simpler as Bytes } };
      yield [...nearer.slice(0, i), shorter, ...nearer.slice(i + 1)];
    }
  }
};

/** A fixed mapping where there is room instead, and addresses in it or beside it said with its handle. */
export const unfixed = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    if (step.call !== "IOAS_MAP" || step.as === undefined) continue;
    const { flags, iova = 0n, length, ...rest } = step.in;
    if (typeof flags !== "number" || typeof iova !== "bigint" || typeof length !== "bigint")
      continue;
    if ((flags & MAP_FIXED_IOVA) === 0) continue;
    const automatic: Step = { ...step, in: { ...rest, length, flags: flags & ~MAP_FIXED_IOVA } };
    const isNear = (value: bigint): boolean => iova <= value + PAGE && value < iova + length + PAGE;
    const named = (value: unknown): unknown =>
      typeof value === "bigint" && isNear(value)
        ? new Handle(step.as ?? "", "", value - iova)
        : value;
    const later = steps.slice(i + 1).map((other) => withIovas(other, named));
    yield [...steps.slice(0, i), automatic, ...later];
  }
};

/** Changes arguments that are IOVAs, left out ones as well. */
const withIovas = (step: Step, change: (value: unknown) => unknown): Step => {
  const args: Record<string, unknown> = { ...step.in };
  for (const [field, type] of Object.entries(shapeOf(step.call).in)) {
    if (type !== "iova") continue;
    const value = args[field] ?? 0n;
    const other = change(value);
    if (other !== value) args[field] = other;
  }
  return { ...step, in: args } as Step;
};
