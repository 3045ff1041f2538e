/**
 * Simpler versions of one step, the simplest first.
 *
 * Each kind of argument has an order of preference that ends in a canonical value; only values
 * that come strictly before the present one are proposed, so simplifying always ends.
 */
import { type CallName, shapeOf } from "../spec/calls";
import { ABSENT, type FieldType } from "../spec/fields";
import { Handle } from "../spec/handle";
import { SCRATCH } from "../spec/platform";
import { LOST } from "../spec/resolve";
import type { Step } from "../spec/trace";
import { type IovaRange, U64_MAX } from "../spec/units";
import { handlesIn } from "./handles";

type Values = Readonly<Record<string, unknown>>;

const PAGE = 0x1000n;
/** Inside every aperture that there is, so that a domain can be added. */
const IN_APERTURE = 0x100_0000n;

const PREFERRED: { readonly [K in FieldType]?: readonly bigint[] } = {
  iova: [0n, IN_APERTURE, PAGE, IN_APERTURE + PAGE, 1n, IN_APERTURE + 1n, U64_MAX],
  bytes: [PAGE, 0n, 1n, 0x800n, 2n * PAGE, U64_MAX],
  va: [0n, LOST.u64],
  u64: [0n, 1n, U64_MAX],
};

/** A range step towards which large numbers are halved, so that remains stay round. */
const halved = (value: bigint): bigint[] => {
  const half = value >> 1n;
  return [half & ~(PAGE - 1n), value & ~(PAGE - 1n), half].filter((v) => v < value);
};

const simplerBigint = (type: FieldType, value: bigint): bigint[] => {
  const order = PREFERRED[type] ?? [0n];
  const at = order.indexOf(value);
  return at >= 0 ? order.slice(0, at) : [...order, ...halved(value)];
};

/** Named memory is plainer than any address; where arrays lie is not memory in this sense. */
const inMemory = (type: FieldType, value: bigint): Handle[] => {
  const isArray = SCRATCH.va <= value && value < SCRATCH.va + SCRATCH.length;
  return type === "va" && !isArray ? [new Handle("buf0")] : [];
};

const simplerNumber = (type: FieldType, value: number): number[] => {
  if (type === "id" || type === "fd") return value === ABSENT[type] ? [] : [0];
  if (value < 0) return [0];
  // Few enough to try them all: flags, operations, counts of ranges.
  if (value <= 8) return [...Array(value).keys()];
  const smaller = [0, 1, value & (value - 1), value >> 1, value - 1];
  return [...new Set(smaller)].filter((v) => v >= 0 && v < value);
};

const simplerRanges = (ranges: readonly IovaRange[]): (readonly IovaRange[])[] => {
  const dropped = ranges.map((_, i) => ranges.filter((__, j) => j !== i));
  const range = (first: bigint, bytes: bigint): readonly [bigint, bigint] => [
    first,
    first + bytes - 1n,
  ];
  const narrowed = ranges.flatMap(([start, last], i) => {
    const bytes = last - start + 1n;
    return [
      ...simplerBigint("iova", start).map((simple) => range(simple, bytes)),
      ...simplerBigint("bytes", bytes).map((simple) => range(start, simple)),
    ]
      .filter(([first, end]) => first <= end && end <= U64_MAX)
      .map((simple) => ranges.map((old, j) => (j === i ? (simple as IovaRange) : old)));
  });
  return [...dropped, ...narrowed];
};

/** Stands for no mapping: all are earlier. */
const NOTHING = new Handle("");

/** The same place in mappings that were made earlier than the one that the handle means. */
const mappingsBefore = ({ name, add }: Handle, made: ReadonlySet<string>): Handle[] => {
  const names = [...made];
  const earlier = made.has(name) ? names.slice(0, names.indexOf(name)) : names;
  return earlier
    .filter((other) => /^(map|copy)\d/.test(other))
    .map((other) => new Handle(other, "", add));
};

const simplerHandle = (handle: Handle, type: FieldType, made: ReadonlySet<string>): unknown[] => {
  const isRegion = handle.name.startsWith("buf");
  if (!isRegion && !made.has(handle.name)) {
    // What it resolves to anyway, said plainly.
    if (typeof ABSENT[type] === "bigint") return [LOST.u64];
    if (type === "item") return [LOST.item];
    return [type === "fd" || type === "s32" ? LOST.fd : LOST.id];
  }
  const simpler: Handle[] = [];
  if (type === "iova" && !isRegion) simpler.push(...mappingsBefore(handle, made));
  if (isRegion && handle.name !== "buf0") {
    simpler.push(new Handle("buf0"), new Handle("buf0", "", handle.add));
  }
  if (handle.add !== 0n) {
    const page = handle.add & ~(PAGE - 1n);
    for (const add of [0n, 1n, PAGE, page]) {
      if (add < handle.add && add >= 0n) simpler.push(new Handle(handle.name, handle.output, add));
    }
    if (handle.add < 0n) simpler.push(new Handle(handle.name, handle.output, 0n));
  }
  return simpler;
};

/** Simpler values for one argument. `made`: handles that it may use. */
export const simplerValues = (
  value: unknown,
  type: FieldType,
  made: ReadonlySet<string>,
): unknown[] => {
  if (value instanceof Handle) return simplerHandle(value, type, made);
  if (typeof value === "bigint") {
    const named = type === "iova" ? mappingsBefore(NOTHING, made) : inMemory(type, value);
    return [...named, ...simplerBigint(type, value)];
  }
  if (typeof value === "number") return simplerNumber(type, value);
  if (type === "ranges") return simplerRanges(value as readonly IovaRange[]);
  if (Array.isArray(value)) return value.map((_, i) => value.filter((__, j) => j !== i));
  if (type === "hex" && typeof value === "string" && value.length > 2) {
    return ["ff", value.slice(0, (value.length >> 2) << 1)].filter((v) => v.length > 0);
  }
  if (type === "prot") return value === "none" ? [] : value === "r" ? ["none"] : ["none", "r"];
  return [];
};

/** Plainer lengths of a range of IOVAs that goes on ending where it ends. */
const withTheSameEnd = function* (step: Step): Generator<Step> {
  const { length, iova } = step.in as Values;
  if (typeof length !== "bigint" || !(iova instanceof Handle)) return;
  for (const simpler of simplerBigint("bytes", length)) {
    if (simpler === 0n) continue;
    const start = new Handle(iova.name, iova.output, iova.add + (length - simpler));
    yield { ...step, in: { ...step.in, iova: start, length: simpler } } as Step;
  }
};

/** The typed call is plainer than its bytes, and bytes with one edit less are plainer as well. */
const withPlainerBytes = function* (step: Step): Generator<Step> {
  const { raw, ...typed } = step;
  if (raw === undefined) return;
  yield typed as Step;
  for (const edit of Object.keys(raw)) {
    const rest = Object.entries(raw).filter(([name]) => name !== edit);
    yield { ...typed, raw: Object.fromEntries(rest) } as Step;
  }
  if (raw.put !== undefined && raw.put.length > 1) {
    for (const one of raw.put) yield { ...typed, raw: { ...raw, put: [one] } } as Step;
  }
};

/** Calls that have a plainer sister, which ignores the surplus arguments. */
const PLAINER: Readonly<Partial<Record<CallName, CallName>>> = { MOCK_DOMAIN_FLAGS: "MOCK_DOMAIN" };

/** @param before the steps that come earlier in the trace, whose handles it may use */
export const simplerSteps = function* (step: Step, before: readonly Step[]): Generator<Step> {
  const plainer = PLAINER[step.call];
  if (plainer !== undefined) yield withCall(step, plainer);
  const whole = withEverything(step);
  if (whole !== undefined) yield whole;
  // The first process is the plainest.
  if (step.proc !== undefined) yield withoutProcess(step);
  yield* withPlainerBytes(step);
  yield* withTheSameEnd(step);
  const made = new Set(handlesIn(before));
  if (step.fd instanceof Handle && !made.has(step.fd.name)) yield { ...step, fd: LOST.fd };
  for (const [field, type] of Object.entries(shapeOf(step.call).in)) {
    const value = (step.in as Values)[field];
    if (value === undefined || isWhole(step, field)) continue;
    if (isAbsent(value, type) || (value instanceof Handle && type === "iova")) {
      yield without(step, field);
    }
    for (const simpler of simplerValues(value, type, made)) {
      yield { ...step, in: { ...step.in, [field]: simpler } } as Step;
    }
  }
};

/** Where a call can be made on all IOVAs: the argument that says so when it is 2^64-1. */
const UP_TO: Readonly<Partial<Record<CallName, string>>> = {
  TRANSLATE: "last",
  IOAS_UNMAP: "length",
};

const isWhole = (step: Step, field: string): boolean =>
  field === UP_TO[step.call] && (step.in as Values)[field] === U64_MAX;

/** A call on everything is as plain as one can be. */
const withEverything = (step: Step): Step | undefined => {
  const field = UP_TO[step.call];
  if (field === undefined || isWhole(step, field)) return undefined;
  const { iova: _, ...rest } = step.in as Values;
  return { ...step, in: { ...rest, [field]: U64_MAX } } as Step;
};

/** An argument that is left out means the same (ABSENT). */
const isAbsent = (value: unknown, type: FieldType): boolean =>
  value === ABSENT[type] || (Array.isArray(value) && value.length === 0);

const without = (step: Step, field: string): Step => {
  const args = Object.entries(step.in).filter(([name]) => name !== field);
  return { ...step, in: Object.fromEntries(args) } as Step;
};

export const withoutProcess = ({ proc: _, ...step }: Step): Step => step as Step;

const withCall = (step: Step, call: CallName): Step => {
  const known = shapeOf(call).in;
  const args = Object.fromEntries(Object.entries(step.in).filter(([k]) => Object.hasOwn(known, k)));
  return { ...step, call, in: args } as Step;
};
