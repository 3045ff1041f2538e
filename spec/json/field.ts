/**
 * One field of a call to and from JSON: u64 as "0x…" strings, smaller numbers as JSON numbers.
 * Decoding never trusts its input: it returns undefined for anything that is not of the type.
 */
import type {
  Backing,
  FieldType,
  FieldTypes,
  InfoCap,
  PageFault,
  PageResponse,
  PinRun,
  Prot,
  Translation,
} from "../fields";
import { Handle } from "../handle";
import type { Bytes, Iova, IovaRange } from "../units";

type Json = unknown;

const U64 = /^0x(?:0|[1-9a-f][0-9a-f]{0,15})$/;
const HEX = /^(?:[0-9a-f]{2})*$/;

/** A u64 as files write it: lower-case hex without leading zeros. */
export const encodeU64 = (value: bigint): string => `0x${value.toString(16)}`;

export const decodeU64 = (json: Json): bigint | undefined =>
  typeof json === "string" && U64.test(json) ? BigInt(json) : undefined;

const integer = (json: Json, min: number, max: number): number | undefined =>
  typeof json === "number" && Number.isInteger(json) && json >= min && json <= max
    ? json
    : undefined;

const oneOf =
  <T extends string>(...values: readonly T[]) =>
  (json: Json): T | undefined =>
    values.find((value) => value === json);

const listOf = <T>(json: Json, item: (json: Json) => T | undefined): readonly T[] | undefined => {
  if (!Array.isArray(json)) return undefined;
  const items: T[] = [];
  for (const element of json as Json[]) {
    const decoded = item(element);
    if (decoded === undefined) return undefined;
    items.push(decoded);
  }
  return items;
};

const decodeRange = (json: Json): IovaRange | undefined => {
  if (!Array.isArray(json) || json.length !== 2) return undefined;
  const [start, last] = [decodeU64(json[0]), decodeU64(json[1])];
  return start === undefined || last === undefined ? undefined : [start as Iova, last as Iova];
};

const decodePins = (json: Json): PinRun | undefined => {
  if (!Array.isArray(json) || json.length !== 2) return undefined;
  const pins = json[0] === "EFAULT" ? "EFAULT" : integer(json[0], 0, 0xffff_ffff);
  const pages = integer(json[1], 1, Number.MAX_SAFE_INTEGER);
  return pins === undefined || pages === undefined ? undefined : [pins, pages];
};

const decodeTranslation = (json: Json): Translation | undefined => {
  if (typeof json !== "object" || json === null) return undefined;
  const { iova, length, perm, pa } = json as Record<string, Json>;
  const run = [decodeU64(iova), decodeU64(length), decodeU64(pa)] as const;
  const bits = integer(perm, 0, 3);
  if (run[0] === undefined || run[1] === undefined || run[2] === undefined) return undefined;
  if (bits === undefined) return undefined;
  return { iova: run[0] as Iova, length: run[1] as Bytes, perm: bits, pa: run[2] };
};

const u32 = (json: Json) => integer(json, 0, 0xffff_ffff);

/** An object with exactly these fields; undefined if one is missing, wrong, or not among them. */
const record = (
  json: Json,
  types: Readonly<Record<string, (json: Json) => unknown>>,
): Record<string, unknown> | undefined => {
  if (typeof json !== "object" || json === null) return undefined;
  if (Object.keys(json).some((name) => !Object.hasOwn(types, name))) return undefined;
  const values: Record<string, unknown> = {};
  for (const [name, decode] of Object.entries(types)) {
    const value = decode((json as Record<string, Json>)[name]);
    if (value === undefined) return undefined;
    values[name] = value;
  }
  return values;
};

const PAGE_FAULT = {
  flags: u32,
  dev_id: u32,
  pasid: u32,
  grpid: u32,
  perm: u32,
  reserved: u32,
  addr: decodeU64,
  length: u32,
  cookie: u32,
};
const decodeFault = (json: Json) => record(json, PAGE_FAULT) as PageFault | undefined;
const decodeResponse = (json: Json) =>
  record(json, { cookie: u32, code: u32 }) as PageResponse | undefined;

const CAP_HEADER = { id: u32, version: u32, at: u32, next: u32 };
const decodeRanges = (json: Json) => listOf(json, decodeRange);
const decodeCap = (json: Json): InfoCap | undefined =>
  [{}, { avail: u32 }, { ranges: decodeRanges }]
    .map((rest) => record(json, { ...CAP_HEADER, ...rest }) as InfoCap | undefined)
    .find((cap) => cap !== undefined);

const s32 = (json: Json) => integer(json, -0x8000_0000, 0x7fff_ffff);

const DECODE: { readonly [K in FieldType]: (json: Json) => FieldTypes[K] | undefined } = {
  u8: (json) => integer(json, 0, 0xff),
  u16: (json) => integer(json, 0, 0xffff),
  u32,
  s32,
  id: u32,
  item: u32,
  fd: s32,
  u64: decodeU64,
  iova: decodeU64 as (json: Json) => Iova | undefined,
  bytes: decodeU64 as (json: Json) => Bytes | undefined,
  va: decodeU64 as (json: Json) => FieldTypes["va"] | undefined,
  hex: (json) => (typeof json === "string" && HEX.test(json) ? json : undefined),
  prot: oneOf<Prot>("none", "r", "rw"),
  backing: oneOf<Backing>("anon-shared", "anon-private", "memfd"),
  direction: oneOf("to_device", "from_device"),
  ranges: decodeRanges,
  pins: (json) => listOf(json, decodePins),
  translations: (json) => listOf(json, decodeTranslation),
  faults: (json) => listOf(json, decodeFault),
  responses: (json) => listOf(json, decodeResponse),
  caps: (json) => listOf(json, decodeCap),
};

/** The value of a field, or undefined when `json` is not one. */
export const decodeField = <K extends FieldType>(type: K, json: Json): FieldTypes[K] | undefined =>
  (DECODE[type] as (json: Json) => FieldTypes[K] | undefined)(json);

/** JSON of a field: every bigint in it becomes a hex string, every handle its text. */
export const encodeField = (value: unknown): Json => {
  if (typeof value === "bigint") return encodeU64(value);
  if (value instanceof Handle) return value.toString();
  if (Array.isArray(value)) return value.map(encodeField);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encodeField(item)]));
  }
  return value;
};

/** What a person should have written, for error messages. */
export const FIELD_HINT: Readonly<Record<FieldType, string>> = {
  u8: "a number 0..255",
  u16: "a number 0..65535",
  u32: "a number 0..2^32-1",
  s32: "a number -2^31..2^31-1",
  id: "an object id 0..2^32-1",
  item: "a number 0..2^32-1",
  fd: "a file descriptor",
  u64: 'a "0x…" string up to 64 bits',
  iova: 'a "0x…" string up to 64 bits',
  bytes: 'a "0x…" string up to 64 bits',
  va: 'a "0x…" string up to 64 bits',
  hex: "an even number of lower-case hex digits",
  prot: '"none", "r" or "rw"',
  backing: '"anon-shared", "anon-private" or "memfd"',
  direction: '"to_device" or "from_device"',
  ranges: 'a list of ["0x…", "0x…"] pairs',
  pins: 'a list of [pins or "EFAULT", pages] pairs',
  translations: "a list of {iova, length, perm, pa}",
  faults: "a list of {flags, dev_id, pasid, grpid, perm, reserved, addr, length, cookie}",
  responses: "a list of {cookie, code}",
  caps: "a list of {id, version, at, next} with avail, ranges or neither",
};
