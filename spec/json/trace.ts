/**
 * Traces, histories and capsules to and from JSON. Decoding validates against the published
 * JSON Schema first (json/schema.ts) and then turns hex strings and handles into values; what
 * is wrong is reported as a DataError with the path of the field.
 */
import { type CallName, type Outcome, shapeOf } from "../calls";
import type { Capsule } from "../capsule";
import { DataError } from "../data-error";
import { ABSENT, type FieldType } from "../fields";
import { parseHandle } from "../handle";
import { malformed } from "../outcome";
import type { Platform } from "../platform";
import { platformFlaw } from "../platform-flaw";
import { callMade } from "../raw";
import type { History, Step, Trace } from "../trace";
import { duplicateKey } from "./duplicate-key";
import { decodeField, encodeField, FIELD_HINT } from "./field";
import { type FormatName, validate } from "./schema";

type Json = Readonly<Record<string, unknown>>;

// -- to JSON ------------------------------------------------------------------------------------

const encodeStep = (step: Step): Json => {
  const args: Record<string, unknown> = {};
  for (const [field, type] of Object.entries(shapeOf(step.call).in)) {
    const value = (step.in as Json)[field];
    if (value !== undefined && value !== ABSENT[type]) args[field] = encodeField(value);
  }
  return {
    call: step.call,
    ...(step.as !== undefined && { as: step.as }),
    ...(step.proc !== undefined && step.proc !== 0 && { proc: step.proc }),
    ...(step.thread !== undefined && step.thread !== 0 && { thread: step.thread }),
    ...(step.fd !== undefined && { fd: encodeField(step.fd) }),
    ...(step.failNth !== undefined && { failNth: step.failNth }),
    ...(Object.keys(args).length > 0 && { in: args }),
    ...(step.raw !== undefined && { raw: encodeField(step.raw) }),
  };
};

const encodeOutcome = (outcome: Outcome, call: CallName): Json => {
  const wrong = malformed({ call }, outcome);
  // Whatever it was, it may have no form in JSON: it is kept as it was shown.
  if (wrong !== undefined) return { malformed: wrong.actual };
  const { errno, out } = outcome;
  return { errno, ...(out !== undefined && { out: encodeField(out) }) };
};

const body = (trace: Trace): Json => ({
  platform: encodePlatform(trace.platform),
  steps: trace.steps.map(encodeStep),
  ...(trace.twins !== undefined && { twins: trace.twins }),
});

const encodePlatform = (platform: Platform): unknown => encodeField(platform);

export const encodeTrace = (trace: Trace): Json => ({
  format: "iommufd-trace/1",
  ...body(trace),
});

export const encodeHistory = (history: History): Json => ({
  format: "iommufd-history/1",
  ...body(history.trace),
  outcomes: history.outcomes.flatMap((outcome, i) => {
    const step = history.trace.steps[i];
    return step === undefined ? [] : [encodeOutcome(outcome, callMade(step))];
  }),
  ...(history.ending !== undefined && { ending: history.ending }),
  ...(history.order !== undefined && { order: history.order }),
});

export const encodeCapsule = (capsule: Capsule): Json => ({
  format: "iommufd-capsule/1",
  iut: capsule.iut,
  profile: capsule.profile,
  found: capsule.found,
  deviation: capsule.deviation,
  step: capsule.step,
  history: encodeHistory(capsule.history),
});

// -- from JSON ----------------------------------------------------------------------------------

/** @throws DataError when the text is not JSON, or not of a known format and version */
export const parseDocument = (text: string, file: string): { format: FormatName; json: Json } => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new DataError(file, `line ${lineOf(what, text)}`, `not JSON (${what})`);
  }
  const twice = duplicateKey(text, json);
  if (twice !== undefined) throw new DataError(file, twice, "is there twice");
  return { format: validate(json, file), json: json as Json };
};

/** The line that JSON.parse complains about; if it does not say where, it missed the end. */
const lineOf = (complaint: string, text: string): number => {
  const start = text.search(/\S/);
  const isOther = !["{", "["].includes(text.charAt(start));
  const [, position = isOther ? start : undefined] = /at position (\d+)/.exec(complaint) ?? [];
  const before = position === undefined ? text.trimEnd() : text.slice(0, Number(position));
  return before.split("\n").length;
};

/** @throws DataError */
export const decodeTrace = (json: Json, file: string): Trace => {
  const steps = (json["steps"] as readonly Json[]).map((step, i) => decodeStep(step, i, file));
  const twins = json["twins"] as Trace["twins"];
  for (const { relation, given, same } of twins ?? []) {
    const rises = same.every((group) => group.every((step, i) => step > (group[i - 1] ?? -1)));
    if (!rises) throw new DataError(file, `twins (${relation}), same`, "steps must ascend");
    if ([...given, ...same.flat()].some((step) => step >= steps.length)) {
      throw new DataError(file, `twins (${relation})`, "there is no such step");
    }
  }
  const platform = decodePlatform(json["platform"] as Json, file);
  return { platform, steps, ...(twins !== undefined && { twins }) };
};

/** @throws DataError */
export const decodeHistory = (json: Json, file: string): History => {
  const trace = decodeTrace(json, file);
  const outcomes = (json["outcomes"] as readonly Json[]).map((outcome, i) => {
    const step = trace.steps[i];
    if (step === undefined) throw new DataError(file, `outcome ${i}`, "there is no such step");
    return decodeOutcome(outcome, callMade(step), `outcome ${i} (${step.call})`, file);
  });
  const ending = json["ending"] as History["ending"];
  const order = json["order"] as History["order"];
  if (outcomes.length < trace.steps.length && ending === undefined) {
    throw new DataError(file, "outcomes", `${trace.steps.length} steps need as many outcomes`);
  }
  return {
    trace,
    outcomes,
    ...(ending !== undefined && { ending }),
    ...(order !== undefined && { order }),
  };
};

/** @throws DataError */
export const decodeCapsule = (json: Json, file: string): Capsule => {
  const history = decodeHistory(json["history"] as Json, file);
  const step = json["step"] as number;
  if (step > history.outcomes.length) throw new DataError(file, "step", "there is no such step");
  return {
    iut: json["iut"] as string,
    profile: json["profile"] as Capsule["profile"],
    found: json["found"] as Capsule["found"],
    deviation: json["deviation"] as Capsule["deviation"],
    step,
    history,
  };
};

const decodeStep = (json: Json, index: number, file: string): Step => {
  const call = json["call"] as CallName;
  const where = `step ${index} (${call})`;
  const shape = shapeOf(call);
  const given = (json["in"] ?? {}) as Json;
  const args: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    const type = Object.hasOwn(shape.in, field) ? shape.in[field] : undefined;
    if (type === undefined) throw new DataError(file, `${where}, in.${field}`, "unknown field");
    args[field] = decodeArg(value, type, `${where}, in.${field}`, file);
  }
  if (shape.on === "iommufd" && json["fd"] === undefined) {
    throw new DataError(file, where, "is made on an iommufd and has no fd");
  }
  return {
    call,
    ...(json["as"] !== undefined && { as: json["as"] as string }),
    ...(json["proc"] !== undefined && { proc: json["proc"] as number }),
    ...(json["thread"] !== undefined && { thread: json["thread"] as number }),
    ...(json["fd"] !== undefined && { fd: decodeArg(json["fd"], "fd", `${where}, fd`, file) }),
    ...(json["failNth"] !== undefined && { failNth: json["failNth"] as number }),
    in: args,
    ...(json["raw"] !== undefined && { raw: widen(json["raw"], false) }),
  } as Step;
};

const decodeArg = (json: unknown, type: FieldType, where: string, file: string): unknown => {
  if (type === "responses" && Array.isArray(json)) {
    return json.map(({ cookie, code }: Json) => ({
      cookie: decodeArg(cookie, "u32", where, file),
      code: decodeArg(code, "u32", where, file),
    }));
  }
  const value = decodeField(type, json);
  if (value !== undefined) return value;
  const handle = typeof json === "string" ? parseHandle(json) : undefined;
  if (handle === undefined) {
    throw new DataError(file, where, `expected ${FIELD_HINT[type]}, or a handle such as "map0"`);
  }
  return handle;
};

const decodeOutcome = (json: Json, call: CallName, where: string, file: string): Outcome => {
  const shape = shapeOf(call);
  if (json["malformed"] !== undefined) return { errno: `malformed: ${json["malformed"]}` } as never;
  const given = json["out"] as Json | undefined;
  if (given === undefined) return { errno: json["errno"] } as Outcome;
  const out: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(given)) {
    const type = Object.hasOwn(shape.out, field) ? shape.out[field] : undefined;
    const decoded = type === undefined ? undefined : decodeField(type, value);
    if (type === undefined) throw new DataError(file, `${where}, out.${field}`, "unknown field");
    if (decoded === undefined) {
      throw new DataError(file, `${where}, out.${field}`, `expected ${FIELD_HINT[type]}`);
    }
    out[field] = decoded;
  }
  return { errno: json["errno"], out } as Outcome;
};

/** Keys of a platform, and of raw edits, whose values are 64-bit; the schema has checked them to be hex strings. */
const WIDE = new Set([
  "thpSize",
  "aperture",
  "reserved",
  "memlock",
  "va",
  "length",
  "offset",
  "arg",
]);

const decodePlatform = (json: Json, file: string): Platform => {
  const platform = widen(json, false) as Platform;
  const flaw = platformFlaw(platform);
  if (flaw !== undefined) throw new DataError(file, `platform.${flaw.where}`, flaw.what);
  return platform;
};

const widen = (json: unknown, wide: boolean): unknown => {
  if (typeof json === "string") return wide ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map((item) => widen(item, wide));
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, widen(value, WIDE.has(key))]),
  );
};
