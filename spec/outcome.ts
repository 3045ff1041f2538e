/** Checks that an answer is an outcome at all, before anything is concluded from it. */
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "./calls";
import { isErrno } from "./errno";
import type { FieldType } from "./fields";
import { inert } from "./inert";
import { U64_MAX } from "./units";

/** Elements of a list, and of what stands in a list; no right answer comes near. */
const LIST_MAX = 2 ** 16;
const DEPTH_MAX = 8;
/** A page fault has nine fields, and the capability chain room for sixteen ranges. */
const ITEM_MAX = 16;
/** Hex digits of 16 MiB, the most that one call can read (ACC-32). */
const TEXT_MAX = 2 ** 25;
/** No errno is as long. */
const ERRNO_MAX = 64;
/** Numbers of more bits may take hours to be written down. */
const WIDE = 2n ** 128n;

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
  const { errno: said, out } = answer as Outcome;
  const errno = plainErrno(said) as Outcome["errno"];
  if (out === undefined) return { errno };
  try {
    return { errno, out: plain(out, 0) } as Outcome;
  } catch (error) {
    if (error !== TOO_LARGE) throw error;
    return { errno, out: TOO_LARGE } as unknown as Outcome;
  }
};

const plainErrno = (said: unknown): unknown => {
  if (typeof said === "string") {
    return said.length > ERRNO_MAX ? `${said.slice(0, ERRNO_MAX)}…` : said;
  }
  return isOdd(said) ? opaque(said) : said;
};

/** What could run code of the machine, cannot be written down, or is without end. */
const isOdd = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
      return value.length > TEXT_MAX;
    case "bigint":
      return value > WIDE || value < -WIDE;
    case "object":
      return value !== null;
    default:
      return typeof value === "function" || typeof value === "symbol";
  }
};
const opaque = (value: unknown): string => {
  if (typeof value === "string") return `more than ${TEXT_MAX} characters`;
  return typeof value === "bigint"
    ? "a number of more than 128 bits"
    : `a value of type ${typeof value}`;
};

const TOO_LARGE = `more than ${LIST_MAX} elements`;

/** @param depth 0: the outputs, 1: a list, from 2: its elements */
const plain = (value: unknown, depth: number): unknown => {
  if (typeof value !== "object" || value === null) {
    return isOdd(value) ? opaque(value) : value;
  }
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
    if (isOdd(item)) copy[key] = plain(item, depth + 1);
  }
  return copy;
};

export interface Malformed {
  readonly expected: string;
  readonly actual: string;
}

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
  if (out === undefined) return errno === 0 ? misshapen(call.call, {}, true) : undefined;
  if (typeof out !== "object" || out === null) {
    return { expected: "outputs by name", actual: `out ${show(out)}` };
  }
  return misshapen(call.call, out as Outputs, errno === 0);
};

type Outputs = Readonly<Record<string, unknown>>;

const misshapen = (call: CallName, out: Outputs, success: boolean): Malformed | undefined => {
  const outputs = OUTPUTS.get(call) as readonly Output[];
  let found = 0;
  for (let i = 0; i < outputs.length; i++) {
    const { name, type, optional, isOfType } = outputs[i] as Output;
    const value = out[name];
    if (value === undefined && !Object.hasOwn(out, name)) {
      if (!success || optional) continue;
      return { expected: `output ${name} of a successful ${call}`, actual: "no such output" };
    }
    found++;
    if (isOfType(value)) continue;
    return { expected: `${name} of type ${type}`, actual: `${name} = ${show(value)}` };
  }
  const names = Object.keys(out);
  if (names.length === found) return undefined;
  const other = names.find((name) => !outputs.some((output) => output.name === name));
  return { expected: `only outputs of ${call}`, actual: `output ${show(other)}` };
};

const isUpTo =
  (max: number) =>
  (value: unknown): boolean =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
const isS32 = (value: unknown): boolean => typeof value === "number" && (value | 0) === value;
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
/** Every element, holes included. */
const isListOf =
  (isElement: (value: unknown) => boolean) =>
  (value: unknown): boolean => {
    if (!Array.isArray(value)) return false;
    for (let i = 0; i < value.length; i++) if (!isElement(value[i])) return false;
    return true;
  };
const isOneOf =
  (...values: readonly string[]) =>
  (value: unknown): boolean =>
    values.includes(value as string);

const isU32 = isUpTo(0xffff_ffff);
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
  return ranges === undefined || isListOf(isU64Pair)(ranges);
};

const CHECKS: { readonly [K in FieldType]: (value: unknown) => boolean } = {
  u8: isUpTo(0xff),
  u16: isUpTo(0xffff),
  u32: isUpTo(0xffff_ffff),
  s32: isS32,
  id: isUpTo(0xffff_ffff),
  item: isUpTo(0xffff_ffff),
  fd: isS32,
  u64: isU64,
  iova: isU64,
  bytes: isU64,
  va: isU64,
  hex: (value) => typeof value === "string" && value.length % 2 === 0 && !/[^0-9a-f]/.test(value),
  prot: isOneOf("none", "r", "rw"),
  backing: isOneOf("anon-shared", "anon-private", "memfd"),
  direction: isOneOf("to_device", "from_device"),
  ranges: isListOf(isU64Pair),
  pins: isListOf(isPinRun),
  translations: isListOf(isTranslation),
  faults: isListOf(isPageFault),
  responses: isListOf(isPageResponse),
  caps: isListOf(isInfoCap),
};

/** One output of a call; looked up once. */
interface Output {
  readonly name: string;
  readonly type: FieldType;
  /** A success may leave it out; on failure every output may be absent. */
  readonly optional: boolean;
  readonly isOfType: (value: unknown) => boolean;
}

const outputsOf = (call: CallName): readonly Output[] =>
  Object.entries(shapeOf(call).out).map(([name, type]) => ({
    name,
    type,
    optional: shapeOf(call).optional?.includes(name) === true,
    isOfType: CHECKS[type],
  }));

const OUTPUTS = new Map(CALL_NAMES.map((call) => [call, outputsOf(call)]));

const decimal = (value: bigint): string => `${value}n`;
const inJson = (_: string, value: unknown): unknown =>
  typeof value === "bigint" ? decimal(value) : value;

const SHOWN = 80;

/** A short, inert rendering of whatever an IUT sent: no control characters, no endless text. */
const show = (value: unknown): string => {
  if (typeof value === "string" && value.length > SHOWN) return show(value.slice(0, SHOWN));
  if (isOdd(value) && typeof value === "bigint") return opaque(value);
  let text: string;
  try {
    const isBig = typeof value === "bigint";
    text = isBig ? decimal(value) : (JSON.stringify(value, inJson) ?? String(value));
  } catch {
    text = `a value of type ${typeof value}`;
  }
  return inert(text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}…` : text);
};
