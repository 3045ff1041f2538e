/**
 * Simpler traces that take changes to more than one step at once. Changing the steps one by one
 * would lose the failure on the way, and so the same bug would end in many traces.
 */
import { CALL_NAMES, type CallName, shapeOf } from "../spec/calls";
import type { FieldType } from "../spec/fields";
import { Handle } from "../spec/handle";
import type { MemoryRegion, Platform } from "../spec/platform";
import type { Step } from "../spec/trace";
import { MAP_FIXED_IOVA } from "../spec/uapi/flags";
import { type Bytes, U64_MAX } from "../spec/units";
import { renumber } from "./handles";
import { simplerValues, withoutProcess } from "./simplify";

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

/** Everything about one page at the beginning of the first region, and mappings of one page. */
export const flattened = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  const inFirst = (value: unknown): unknown => (isInMemory(value) ? FIRST_BYTE : value);
  const atStart = (value: unknown): unknown =>
    value instanceof Handle && value.add !== 0n && !isInMemory(value)
      ? new Handle(value.name, value.output)
      : value;
  const onePage = (value: unknown, type: FieldType): unknown =>
    type === "bytes" && typeof value === "bigint" && value !== U64_MAX ? PAGE : value;
  yield changed(steps, (value, type) => onePage(inFirst(atStart(value)), type));
  yield changed(steps, (value) => inFirst(atStart(value)));
  yield changed(steps, inFirst);
};

const FIRST_BYTE = new Handle("buf0");
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

/** A fixed mapping where there is room instead, and addresses in it said with its handle. */
export const unfixed = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    if (step.call !== "IOAS_MAP" || step.as === undefined) continue;
    const { flags, iova = 0n, length, ...rest } = step.in;
    if (typeof flags !== "number" || typeof iova !== "bigint" || typeof length !== "bigint")
      continue;
    if ((flags & MAP_FIXED_IOVA) === 0) continue;
    const automatic: Step = { ...step, in: { ...rest, length, flags: flags & ~MAP_FIXED_IOVA } };
    const named = (value: unknown): unknown =>
      typeof value === "bigint" && iova <= value && value - iova < length
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

const LETTING_GO: readonly CallName[] = [
  "CLOSE",
  "DESTROY",
  "VFIO_DETACH",
  "DEVICE_CLOSE",
  "MOCK_DOMAIN_REPLACE",
];

/** Mappings that go because something else goes, unmapped instead: there are many ways to do it. */
export const unmapped = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, { call }] of steps.entries()) {
    if (!LETTING_GO.includes(call)) continue;
    for (const { call: made, as, fd } of steps.slice(0, i)) {
      if (made !== "IOAS_ALLOC" || as === undefined || fd === undefined) continue;
      const args = { ioas_id: new Handle(as), length: U64_MAX as Bytes };
      yield [...steps.slice(0, i), { call: "IOAS_UNMAP", fd, in: args }, ...steps.slice(i + 1)];
    }
  }
};

const FILLING: readonly CallName[] = ["IOAS_MAP", "IOAS_COPY", "VFIO_MAP_DMA", "ACCESS_PAGES"];

/** A limit of no page at all, and without a call that filled the one there was. */
export const tightened = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    if (step.call !== "SETRLIMIT_MEMLOCK" || step.in.cur === undefined) continue;
    const { max } = step.in;
    const none: Step = { ...step, in: max === undefined ? {} : { max } };
    const limited = [...steps.slice(0, i), none, ...steps.slice(i + 1)];
    for (const [j, { call }] of steps.entries()) {
      if (FILLING.includes(call)) yield limited.filter((_, k) => k !== j);
    }
  }
};

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

/** Neighbours swapped, where that is nearer to the one right order of these calls. */
export const reordered = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  const before = orderOf(steps);
  for (let i = 0; i + 1 < steps.length; i++) {
    const [a, b] = [steps[i], steps[i + 1]];
    if (a === undefined || b === undefined || uses(b, a.as)) continue;
    const swapped = renumber([...steps.slice(0, i), b, a, ...steps.slice(i + 2)]);
    if (orderOf(swapped) < before) yield swapped;
  }
};

const uses = (step: Step, handle: string | undefined): boolean =>
  handle !== undefined &&
  [step.fd, ...Object.values(step.in)].some(
    (value) => value instanceof Handle && value.name === handle,
  );

/** By the names of the calls first; calls of the same name by their arguments. */
const orderOf = (steps: readonly Step[]): string => {
  const names = steps.map(({ call }) => String.fromCharCode(ORDER.indexOf(call)));
  const all = steps.map(({ fd, in: args }) => [fd, args]);
  return names.join("") + JSON.stringify(all, (_, value: unknown) => plain(value));
};

const plain = (value: unknown): unknown => {
  if (value instanceof Handle) return value.toString();
  return typeof value === "bigint" ? value.toString(16).padStart(16, "0") : value;
};
