/** Simpler versions of one step, the simplest first. */
import { type CallName, shapeOf } from "../../spec/calls";
import { ABSENT, type FieldType } from "../../spec/fields";
import { Handle } from "../../spec/handle";
import { LOST } from "../../spec/resolve";
import type { Step } from "../../spec/trace";
import * as F from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { handlesIn } from "./handles";
import { earlierIn, simplerBigint, simplerValues } from "./values";

type Values = Readonly<Record<string, unknown>>;

/** Plainer lengths of a range of IOVAs that goes on ending where it ends. */
const withTheSameEnd = function* (step: Step): Generator<Step> {
  const { length, iova } = step.in as Values;
  if (typeof length !== "bigint") return;
  for (const simpler of simplerBigint("bytes", length)) {
    const by = length - simpler;
    if (simpler === 0n) continue;
    if (iova instanceof Handle) {
      // What is more cannot be written down (handle.ts).
      if (iova.add + by > U64_MAX) continue;
      const start = new Handle(iova.name, iova.output, iova.add + by);
      yield { ...step, in: { ...step.in, iova: start, length: simpler } } as Step;
    } else if (typeof iova === "bigint" && 0n <= iova + by && iova + by <= U64_MAX) {
      yield { ...step, in: { ...step.in, iova: iova + by, length: simpler } } as Step;
    }
  }
};

/** Lists whose elements are counted, with the number that one of them adds. */
const COUNTED = {
  IOAS_ALLOW_IOVAS: { list: "array", count: "num_iovas", each: 1 },
  FAULT_WRITE: { list: "responses", count: "count", each: 8 },
} as const;

/** An element less, and so counted. */
const withOneLess = function* (step: Step): Generator<Step> {
  if (step.call !== "IOAS_ALLOW_IOVAS" && step.call !== "FAULT_WRITE") return;
  const { list, count, each } = COUNTED[step.call];
  const { [list]: elements, [count]: counted } = step.in as Values;
  if (!Array.isArray(elements) || typeof counted !== "number" || counted < each) return;
  for (const [i] of elements.entries()) {
    const others = elements.filter((_, j) => j !== i);
    yield { ...step, in: { ...step.in, [list]: others, [count]: counted - each } } as Step;
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
const PLAINER: Readonly<Partial<Record<CallName, CallName>>> = {
  MOCK_DOMAIN_FLAGS: "MOCK_DOMAIN",
  ACCESS_REPLACE_IOAS: "CLOSE_ACCESS",
  DESTROY_ACCESS_PAGES: "CLOSE_ACCESS",
  MMAP: "MUNMAP",
  MPROTECT: "MUNMAP",
};

const BOTH_WAYS = F.MAP_READABLE | F.MAP_WRITEABLE;
/** The ordinary mapping is for reading and writing, where there is room. */
const ORDINARY_FIRST = [0, F.MAP_READABLE, F.MAP_WRITEABLE].flatMap((less) => [
  BOTH_WAYS - less,
  (BOTH_WAYS - less) | F.MAP_FIXED_IOVA,
]);

/** Fields with an order of their own. */
const ORDERS: {
  readonly [K in CallName]?: Readonly<Record<string, readonly unknown[]>>;
} = {
  IOAS_MAP: { flags: ORDINARY_FIRST },
  IOAS_COPY: { flags: ORDINARY_FIRST },
  SETRLIMIT_MEMLOCK: { cur: [0n], max: [0n] },
  VFIO_MAP_DMA: { flags: [F.DMA_MAP_READ | F.DMA_MAP_WRITE] },
  HWPT_GET_DIRTY_BITMAP: { prefill: ["00", "ff"] },
};

/** Arguments that are no part of what is asked for. */
const DISPENSABLE: Readonly<Partial<Record<CallName, string>>> = { ACCESS_PAGES: "uptr" };

/**
 * Handles that mean something to this argument: numbers are given anew by each file and by each
 * address space, so those of others may fit, and would be nonsense. But a mapping may be wished for
 * where another space has one.
 */
const nearTo = (step: Step, field: string, before: readonly Step[]): ReadonlySet<string> => {
  const args = step.in as Values;
  const space = String(args["src_ioas_id"] ?? args["ioas_id"]);
  const isPlace = step.call === "IOAS_UNMAP" || field === "src_iova";
  const made = before.filter(({ call, fd, in: others }) => {
    if (step.fd !== undefined && fd !== undefined && String(fd) !== String(step.fd)) return false;
    const isMapping = call === "IOAS_MAP" || call === "IOAS_COPY";
    const { ioas_id, dst_ioas_id = ioas_id } = others as Values;
    return !isPlace || !isMapping || String(dst_ioas_id) === space;
  });
  return new Set(handlesIn(made));
};

/** @param before the steps that come earlier in the trace, whose handles it may use */
export const simplerSteps = function* (step: Step, before: readonly Step[]): Generator<Step> {
  const plainer = PLAINER[step.call];
  // Bytes are edited of ioctls only, and what is left of an edit may mean something else.
  if (plainer !== undefined && step.raw === undefined) yield withCall(step, plainer);
  const whole = withEverything(step);
  if (whole !== undefined) yield whole;
  // The first process is the plainest.
  if (step.proc !== undefined) yield withoutProcess(step);
  yield* withPlainerBytes(step);
  yield* withTheSameEnd(step);
  yield* withOneLess(step);
  const made = new Set(handlesIn(before));
  if (step.fd instanceof Handle && !made.has(step.fd.name)) yield { ...step, fd: LOST.fd };
  for (const [field, type] of Object.entries(shapeOf(step.call).in)) {
    const value = (step.in as Values)[field];
    if (value === undefined || isWhole(step, field)) continue;
    const isIova = value instanceof Handle && type === "iova";
    const order = ORDERS[step.call]?.[field];
    const isPlainest = order === undefined || order[0] === ABSENT[type];
    if ((isAbsent(value, type) && isPlainest) || isIova || DISPENSABLE[step.call] === field) {
      yield without(step, field);
    }
    const simple = simplerValues(value, type, made, nearTo(step, field, before));
    for (const simpler of order === undefined ? simple : earlierIn(order, value, simple)) {
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

const withCall = ({ fd, ...step }: Step, call: CallName): Step => {
  const { in: known, on } = shapeOf(call);
  const args = Object.fromEntries(Object.entries(step.in).filter(([k]) => Object.hasOwn(known, k)));
  return { ...step, call, in: args, ...(on === "iommufd" && { fd }) } as Step;
};
