/** Checks that an answer is an outcome at all, before anything is concluded from it. */
import { type Call, type Outcome, shapeOf } from "./calls";
import { isErrno } from "./errno";
import { ABSENT, type FieldType } from "./fields";
import { inert } from "./inert";
import { U64_MAX } from "./units";

/** Elements of a list, and of what stands in a list; no right answer comes near. */
const LIST_MAX = 2 ** 16;
const DEPTH_MAX = 8;
/** A page fault has nine fields, and the capability chain room for sixteen ranges. */
const ITEM_MAX = 16;

/**
 * The answer as plain data of the harness's own. A machine may use one object for all its
 * answers, or answer with getters: what it said is what they held when it said it. Nothing that
 * belongs to the machine is called, but what throws when it is read throws here. What is too
 * large to be an answer is not read to its end; `malformed` finds what stands in its place.
 */
export const plainOutcome = (answer: unknown): Outcome => {
  if (typeof answer !== "object" || answer === null) {
    return { errno: `${show(answer)} instead of {errno, out}` } as unknown as Outcome;
  }
  const { errno, out } = answer as Outcome;
  if (out === undefined) return { errno };
  try {
    return { errno, out: plain(out, 0) } as Outcome;
  } catch (error) {
    if (error !== TOO_LARGE) throw error;
    return { errno, out: TOO_LARGE } as unknown as Outcome;
  }
};

const TOO_LARGE = `more than ${LIST_MAX} elements`;

/** @param depth 0: the outputs, 1: a list, from 2: its elements */
const plain = (value: unknown, depth: number): unknown => {
  if (typeof value !== "object" || value === null) return value;
  const most = depth < 2 ? LIST_MAX : ITEM_MAX;
  if (depth > DEPTH_MAX) throw TOO_LARGE;
  if (Array.isArray(value)) {
    const { length } = value;
    if (length > most) throw TOO_LARGE;
    const copy: unknown[] = [];
    for (let i = 0; i < length; i++) copy.push(plain(value[i], depth + 1));
    return copy;
  }
  const copy: Record<string, unknown> = { ...value };
  let fields = 0;
  for (const key in copy) {
    if (++fields > most) throw TOO_LARGE;
    const item = copy[key];
    if (typeof item === "object") copy[key] = plain(item, depth + 1);
  }
  return copy;
};

export interface Malformed {
  readonly expected: string;
  readonly actual: string;
}

const UNSIGNED_MAX: { readonly [K in FieldType]?: number } = {
  u8: 0xff,
  u16: 0xffff,
  u32: 0xffff_ffff,
  id: 0xffff_ffff,
  item: 0xffff_ffff,
};

/** What is wrong with the form of an answer; undefined: nothing. The IUT may be hostile. */
export const malformed = (call: Pick<Call, "call">, outcome: Outcome): Malformed | undefined => {
  const answer: unknown = outcome;
  if (typeof answer !== "object" || answer === null) {
    return { expected: "an outcome {errno, out}", actual: show(answer) };
  }
  const { errno, out } = answer as { errno?: unknown; out?: unknown };
  if (errno !== 0 && (typeof errno !== "string" || !isErrno(errno))) {
    return { expected: "errno 0 or the name of an errno", actual: `errno ${show(errno)}` };
  }
  if (out === undefined) return errno === 0 ? missing(call, {}) : undefined;
  if (typeof out !== "object" || out === null) {
    return { expected: "outputs by name", actual: `out ${show(out)}` };
  }
  return (errno === 0 ? missing(call, out) : undefined) ?? mistyped(call, out);
};

const missing = (call: Pick<Call, "call">, out: object): Malformed | undefined => {
  const { out: outputs, optional } = shapeOf(call.call);
  for (const name in outputs) {
    if (!Object.hasOwn(out, name) && !optional?.includes(name)) {
      return { expected: `output ${name} of a successful ${call.call}`, actual: "no such output" };
    }
  }
  return undefined;
};

const mistyped = (call: Pick<Call, "call">, out: object): Malformed | undefined => {
  const types = shapeOf(call.call).out;
  for (const [name, value] of Object.entries(out)) {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) {
      return { expected: `only outputs of ${call.call}`, actual: `output ${show(name)}` };
    }
    if (!isOfType(type, value)) {
      return { expected: `${name} of type ${type}`, actual: `${name} = ${show(value)}` };
    }
  }
  return undefined;
};

const isOfType = (type: FieldType, value: unknown): boolean => {
  switch (type) {
    case "hex":
      return typeof value === "string" && /^(?:[0-9a-f]{2})*$/.test(value);
    case "ranges":
      return Array.isArray(value) && value.every((pair) => isU64Pair(pair));
    case "pins":
      return Array.isArray(value) && value.every((run) => isPinRun(run));
    case "translations":
      return Array.isArray(value) && value.every((run) => isTranslation(run));
    case "faults":
      return Array.isArray(value) && value.every((fault) => isPageFault(fault));
    case "responses":
      return Array.isArray(value) && value.every((response) => isPageResponse(response));
    case "caps":
      return Array.isArray(value) && value.every((cap) => isInfoCap(cap));
    case "fd":
    case "s32":
      return typeof value === "number" && (value | 0) === value;
    default:
      if (typeof ABSENT[type] === "bigint") return isU64(value);
      return (
        typeof value === "number" &&
        Number.isInteger(value) &&
        value >= 0 &&
        value <= (UNSIGNED_MAX[type] ?? -1)
      );
  }
};

const isU64 = (value: unknown): boolean =>
  typeof value === "bigint" && value >= 0n && value <= U64_MAX;
const isU64Pair = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && isU64(value[0]) && isU64(value[1]);
const isPinRun = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length === 2 &&
  (value[0] === "EFAULT" || (Number.isSafeInteger(value[0]) && value[0] >= 0)) &&
  Number.isSafeInteger(value[1]) &&
  value[1] > 0;
const isTranslation = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false;
  const { iova, length, perm, pa } = value as Record<string, unknown>;
  const wide = isU64(iova) && isU64(length) && isU64(pa);
  return wide && (perm === 0 || perm === 1 || perm === 2 || perm === 3);
};

const isU32 = (value: unknown): boolean => typeof value === "number" && value >>> 0 === value;
const isPageFault = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false;
  const { addr, ...rest } = value as Record<string, unknown>;
  const { flags, dev_id, pasid, grpid, perm, reserved, length, cookie } = rest;
  return isU64(addr) && [flags, dev_id, pasid, grpid, perm, reserved, length, cookie].every(isU32);
};
const isPageResponse = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false;
  const { cookie, code } = value as Record<string, unknown>;
  return isU32(cookie) && isU32(code);
};
const isInfoCap = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false;
  const { id, version, at, next, avail, ranges } = value as Record<string, unknown>;
  if (![id, version, at, next].every(isU32) || !(avail === undefined || isU32(avail))) return false;
  return ranges === undefined || (Array.isArray(ranges) && ranges.every((pair) => isU64Pair(pair)));
};

const decimal = (value: bigint): string => `${value}n`;
const inJson = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? decimal(value) : value;

/** A short, inert rendering of whatever an IUT sent: no control characters, no endless text. */
const show = (value: unknown): string => {
  let text: string;
  try {
    const isBig = typeof value === "bigint";
    text = isBig ? decimal(value) : (JSON.stringify(value, inJson) ?? String(value));
  } catch {
    text = `a value of type ${typeof value}`;
  }
  return inert(text.length > 80 ? `${text.slice(0, 77)}…` : text);
};
