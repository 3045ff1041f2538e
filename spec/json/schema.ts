/**
 * The JSON Schemas of traces, histories and capsules, made from the call table, so that they
 * cannot fall behind it. spec/json/*.schema.json are these, written out for other programs
 * (schema.test.ts holds them equal; `npm run schema` writes them).
 */
import Ajv, { type ErrorObject, type ValidateFunction } from "ajv";
import { CALL_NAMES, shapeOf } from "../calls";
import { DataError } from "../data-error";
import { ERRNO } from "../errno";
import type { FieldType } from "../fields";
import { IOCTLS } from "../uapi/ioctls";
import { PROFILES } from "../verdict";

type Schema = Readonly<Record<string, unknown>>;

const U64: Schema = { type: "string", pattern: "^0x(0|[1-9a-f][0-9a-f]{0,15})$" };
const HEX: Schema = { type: "string", pattern: "^([0-9a-f]{2})*$" };
const HANDLE: Schema = {
  type: "string",
  pattern: "^[a-z]+[0-9]+(\\.[A-Za-z_][A-Za-z0-9_]*)?( [+-] 0x[0-9a-f]{1,16})?$",
};
const unsigned = (maximum: number): Schema => ({ type: "integer", minimum: 0, maximum });
const U32 = unsigned(0xffff_ffff);
const SIGNED: Schema = { type: "integer", minimum: -0x8000_0000, maximum: 0x7fff_ffff };
const pair = (...items: readonly Schema[]): Schema => ({
  type: "array",
  items,
  minItems: items.length,
  additionalItems: false,
});
const list = (items: Schema): Schema => ({ type: "array", items });
const object = (required: Schema, optional: Schema = {}): Schema => ({
  type: "object",
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
});

const FIELD: { readonly [K in FieldType]: Schema } = {
  u8: unsigned(0xff),
  u16: unsigned(0xffff),
  u32: unsigned(0xffff_ffff),
  s32: SIGNED,
  id: unsigned(0xffff_ffff),
  item: unsigned(0xffff_ffff),
  fd: SIGNED,
  u64: U64,
  iova: U64,
  bytes: U64,
  va: U64,
  hex: HEX,
  prot: { enum: ["none", "r", "rw"] },
  backing: { enum: ["anon-shared", "anon-private", "memfd"] },
  direction: { enum: ["to_device", "from_device"] },
  ranges: list(pair(U64, U64)),
  pins: list(pair({ anyOf: [unsigned(0xffff_ffff), { const: "EFAULT" }] }, { type: "integer" })),
  translations: list(object({ iova: U64, length: U64, perm: unsigned(3), pa: U64 })),
  faults: list(
    object({
      flags: U32,
      dev_id: U32,
      pasid: U32,
      grpid: U32,
      perm: U32,
      reserved: U32,
      addr: U64,
      length: U32,
      cookie: U32,
    }),
  ),
  responses: list(object({ cookie: { anyOf: [U32, HANDLE] }, code: U32 })),
  caps: list(
    object(
      { id: U32, version: U32, at: U32, next: U32 },
      { avail: U32, ranges: list(pair(U64, U64)) },
    ),
  ),
};

const fields = (of: Readonly<Record<string, FieldType>>, handles: boolean): Schema => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(of).map(([name, type]) => [
      name,
      handles ? { anyOf: [FIELD[type], HANDLE] } : FIELD[type],
    ]),
  ),
  additionalProperties: false,
});

/** The edits that make a step a raw call; spec/raw.ts. */
const raw = object(
  {},
  {
    keep: unsigned(0xffff),
    tail: HEX,
    size: U32,
    put: list(pair(unsigned(0xffff), HEX)),
    nr: U32,
    memory: { enum: ["none", "r", "rw"] },
    arg: U64,
  },
);

/** One alternative per call, chosen by `call`, so that a message names the field at fault. */
const step: Schema = {
  type: "object",
  required: ["call"],
  properties: {
    call: { enum: CALL_NAMES },
    as: { type: "string", pattern: "^[a-z]+[0-9]+$" },
    proc: unsigned(0xffff),
    thread: unsigned(0xffff),
    fd: { anyOf: [SIGNED, HANDLE] },
    failNth: { ...unsigned(0xffff_ffff), minimum: 1 },
    in: { type: "object" },
    raw,
  },
  additionalProperties: false,
  allOf: CALL_NAMES.map((name) => ({
    if: { properties: { call: { const: name } } },
    // biome-ignore lint/suspicious/noThenProperty: "then" is JSON Schema's own keyword.
    then: {
      properties: { in: fields(shapeOf(name).in, true) },
      ...(shapeOf(name).on === "iommufd" && { required: ["fd"] }),
      ...(!Object.hasOwn(IOCTLS, name) && { not: { required: ["raw"] } }),
    },
  })),
};

const text: Schema = { type: "string" };

/** Either an outcome, or what somebody answered that was none (LIV-02). */
const outcome: Schema = {
  type: "object",
  properties: {
    errno: { enum: [0, ...Object.keys(ERRNO)] },
    out: { type: "object" },
    malformed: text,
  },
  additionalProperties: false,
  oneOf: [{ required: ["errno"] }, { required: ["malformed"] }],
};

const region = object(
  { name: { type: "string", pattern: "^[a-z]+[0-9]+$" }, va: U64, length: U64 },
  {
    prot: FIELD.prot,
    kind: FIELD.backing,
    memfd: unsigned(0xffff),
    offset: U64,
  },
);

const platform = object(
  {
    name: { type: "string" },
    pageSize: unsigned(0x4000_0000),
    thpSize: U64,
    frontEnd: { enum: ["mock", "vfio"] },
    iommus: {
      ...list(
        object(
          { ioPageSize: unsigned(0x4000_0000), aperture: pair(U64, U64) },
          {
            dirty: { type: "boolean" },
            nesting: { type: "boolean" },
            enforcesCoherency: { type: "boolean" },
            hwInfo: object({ type: U32, data: HEX }),
          },
        ),
      ),
      minItems: 1,
    },
    devices: list(
      object({
        iommu: unsigned(0xffff),
        group: { anyOf: [unsigned(0xffff_ffff), { type: "null" }] },
        reserved: list(pair(U64, U64)),
        coherent: { type: "boolean" },
        msiIsolated: { type: "boolean" },
        kernelDriverInGroup: { type: "boolean" },
      }),
    ),
    processes: {
      ...list(
        object({
          uid: unsigned(0xffff_ffff),
          capabilities: list({ enum: ["IPC_LOCK", "SYS_RESOURCE"] }),
          memlock: { anyOf: [U64, { type: "null" }] },
          memory: list(region),
        }),
      ),
      minItems: 1,
    },
  },
  { physical: { enum: ["contiguous", "scattered"] } },
);

const ending = object({ kind: { enum: ["crash", "complaint", "inconclusive"] }, reason: text });
const order = object({ invoked: list(unsigned(2 ** 31)), returned: list(unsigned(2 ** 31)) });
const trace = { platform, steps: list(step) };
const history = { ...trace, outcomes: list(outcome) };
const stepNumber = unsigned(0x7fff_ffff);
const twins = list(
  object({
    relation: { type: "string", pattern: "^I-[0-9]+$" },
    given: list(stepNumber),
    same: list({ ...list(stepNumber), minItems: 2 }),
  }),
);
const optional = { ending, order, twins };
const format = (name: string): Schema => ({ format: { const: name } });

const capsule = {
  iut: text,
  profile: { enum: PROFILES },
  found: object({ version: text, seed: SIGNED, path: text }),
  deviation: object({
    clauses: { ...list(text), minItems: 1 },
    kind: { enum: ["errno", "output", "crash", "invariant"] },
    expected: text,
    actual: text,
  }),
  step: unsigned(0x7fff_ffff),
  history: object({ ...format("iommufd-history/1"), ...history }, optional),
};

export const SCHEMAS = {
  "iommufd-trace/1": object({ ...format("iommufd-trace/1"), ...trace }, { twins }),
  "iommufd-history/1": object({ ...format("iommufd-history/1"), ...history }, optional),
  "iommufd-capsule/1": object({ ...format("iommufd-capsule/1"), ...capsule }),
} as const;

export type FormatName = keyof typeof SCHEMAS;
const FORMATS = Object.keys(SCHEMAS) as FormatName[];
const isFormat = (name: unknown): name is FormatName => FORMATS.some((known) => known === name);

const ajv = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  strictTuples: false,
});
const validators = new Map<FormatName, ValidateFunction>();

/**
 * The format of a document.
 * @throws DataError naming the first field that is wrong
 */
export const validate = (json: unknown, file: string): FormatName => {
  const name =
    typeof json === "object" && json !== null ? (json as { format?: unknown }).format : undefined;
  if (!isFormat(name)) {
    const got = name === undefined ? "has no format" : `unknown format ${JSON.stringify(name)}`;
    throw new DataError(file, "format", `${got}; expected one of ${FORMATS.join(", ")}`);
  }
  let check = validators.get(name);
  if (check === undefined) {
    check = ajv.compile(SCHEMAS[name]);
    validators.set(name, check);
  }
  if (check(json)) return name;
  // The deepest error is the telling one: the others only say that an alternative did not fit.
  const errors = [...(check.errors ?? [])].filter((e) => e.keyword !== "if");
  errors.sort((a, b) => b.instancePath.length - a.instancePath.length);
  const [error] = errors;
  throw new DataError(file, error?.instancePath ?? "", whatIsWrong(json, error));
};

/** Longer lists of what would have been right are of no help. */
const FEW = 12;

const whatIsWrong = (json: unknown, error: ErrorObject | undefined): string => {
  if (error === undefined) return "does not fit the schema";
  const { additionalProperty, allowedValues } = error.params as {
    readonly additionalProperty?: string;
    readonly allowedValues?: readonly unknown[];
  };
  if (additionalProperty !== undefined) return `unknown field ${additionalProperty}`;
  if (allowedValues === undefined) return error.message ?? "does not fit the schema";
  const given = JSON.stringify(valueAt(json, error.instancePath))?.slice(0, 80);
  const expected = allowedValues.length > FEW ? "" : `; expected ${allowedValues.join(", ")}`;
  return `${given} is not known here${expected}`;
};

/** Where a JSON pointer leads; none of the names in these documents needs its escapes. */
const valueAt = (json: unknown, pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .reduce((at, name) => (at as Readonly<Record<string, unknown>>)[name], json);
