/**
 * Simpler versions of one step, the simplest first.
 *
 * Each kind of argument has an order of preference that ends in a canonical value; only values
 * that come strictly before the present one are proposed, so simplifying always ends.
 */
import { type CallName, shapeOf } from "../spec/calls";
import { ABSENT, type FieldType } from "../spec/fields";
import { Handle } from "../spec/handle";
import { LOST } from "../spec/resolve";
import type { Step } from "../spec/trace";
import { type IovaRange, U64_MAX } from "../spec/units";
import { handlesIn } from "./handles";

const PAGE = 0x1000n;
/** Inside every aperture that there is, so that a domain can be added. */
const IN_APERTURE = 0x100_0000n;

const PREFERRED: { readonly [K in FieldType]?: readonly bigint[] } = {
  iova: [IN_APERTURE, 0n, PAGE, IN_APERTURE + PAGE, U64_MAX],
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

const simplerNumber = (type: FieldType, value: number): number[] => {
  if (type === "id" || type === "fd") return value === ABSENT[type] ? [] : [0];
  const smaller = [0, 1, value & (value - 1), value >> 1, value - 1];
  return [...new Set(smaller)].filter((v) => v >= 0 && v < value);
};

const simplerRanges = (ranges: readonly IovaRange[]): (readonly IovaRange[])[] => {
  const dropped = ranges.map((_, i) => ranges.filter((__, j) => j !== i));
  const narrowed = ranges.flatMap(([start, last], i) =>
    simplerBigint("iova", start)
      .map(
        (simple): IovaRange => [simple as IovaRange[0], (simple + (last - start)) as IovaRange[1]],
      )
      .filter(([, end]) => end <= U64_MAX)
      .map((range) => ranges.map((old, j) => (j === i ? range : old))),
  );
  return [...dropped, ...narrowed];
};

const simplerHandle = (handle: Handle, type: FieldType, made: ReadonlySet<string>): unknown[] => {
  const isRegion = handle.name.startsWith("buf");
  if (!isRegion && !made.has(handle.name)) {
    // What it resolves to anyway, said plainly.
    if (typeof ABSENT[type] === "bigint") return [LOST.u64];
    return [type === "fd" || type === "s32" ? LOST.fd : LOST.id];
  }
  const simpler: Handle[] = [];
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

const simplerValues = (value: unknown, type: FieldType, made: ReadonlySet<string>): unknown[] => {
  if (value instanceof Handle) return simplerHandle(value, type, made);
  if (typeof value === "bigint") return simplerBigint(type, value);
  if (typeof value === "number") return simplerNumber(type, value);
  if (Array.isArray(value)) return simplerRanges(value as readonly IovaRange[]);
  if (type === "hex" && typeof value === "string" && value.length > 2) {
    return ["ff", value.slice(0, (value.length >> 2) << 1)].filter((v) => v.length > 0);
  }
  if (type === "prot") return value === "none" ? [] : value === "r" ? ["none"] : ["none", "r"];
  return [];
};

/** Calls that have a plainer sister, which ignores the surplus arguments. */
const PLAINER: Readonly<Partial<Record<CallName, CallName>>> = { MOCK_DOMAIN_FLAGS: "MOCK_DOMAIN" };

/** @param before the steps that come earlier in the trace, whose handles it may use */
export const simplerSteps = function* (step: Step, before: readonly Step[]): Generator<Step> {
  const plainer = PLAINER[step.call];
  if (plainer !== undefined) yield withCall(step, plainer);
  const made = new Set(handlesIn(before));
  if (step.fd instanceof Handle && !made.has(step.fd.name)) yield { ...step, fd: LOST.fd };
  for (const [field, type] of Object.entries(shapeOf(step.call).in)) {
    const value = (step.in as Readonly<Record<string, unknown>>)[field];
    if (value === undefined) continue;
    for (const simpler of simplerValues(value, type, made)) {
      yield { ...step, in: { ...step.in, [field]: simpler } } as Step;
    }
  }
};

const withCall = (step: Step, call: CallName): Step => {
  const known = shapeOf(call).in;
  const args = Object.fromEntries(Object.entries(step.in).filter(([k]) => Object.hasOwn(known, k)));
  return { ...step, call, in: args } as Step;
};
