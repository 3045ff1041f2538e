/**
 * What raw bytes mean: which command they are for, how far they can be read, and which typed call
 * they come to (spec/raw.ts is the other direction).
 */
import type { Call, CallName, CallOf } from "../../spec/calls";
import { shapeOf } from "../../spec/calls";
import { argumentsFrom } from "../../spec/resolve";
import { decodeStruct } from "../../spec/uapi/codec";
import {
  IOCTLS,
  type Ioctl,
  type IoctlName,
  NUMBER_IOCTLS,
  TEST_CMD,
} from "../../spec/uapi/ioctls";
import { type FieldLayout, LAYOUTS, type Layout, WIDTH } from "../../spec/uapi/layouts";

export type RawCall = CallOf<"RAW"> | CallOf<"DEVICE_RAW">;

/**
 * Whose command it is. Native ones begin with their size; VFIO's with an argsz that is an
 * argument like any other; three of VFIO's take a number in place of a pointer.
 */
export type Family = "native" | "vfio" | "number" | "unknown";

export interface Frame {
  readonly call: RawCall;
  readonly bytes: Buffer;
  /** The leading word; undefined: it cannot be read. */
  readonly size: number | undefined;
  readonly family: Family;
  /** The low byte of the command word is an index of the native table. */
  readonly inTable: boolean;
  readonly layout: Layout | undefined;
  readonly name: Name;
  /** TEST_CMD has one struct for all its operations: this one is none of them. */
  readonly unknownOp: boolean;
  /** How many bytes of the struct both caller and kernel know. */
  readonly shared: number;
  /** The outputs that are in the struct, as far as it reaches; in ascending order of offsets. */
  readonly outputs: readonly FieldLayout[];
}

type Name = IoctlName | keyof typeof NUMBER_IOCTLS | undefined;

const NATIVE_FIRST = 0x80;
/** The table ends with FAULT_QUEUE_ALLOC, or with TEST_CMD where there is the mock driver. */
const NATIVE_LAST = 0x8e;
const TEST_LAST = TEST_CMD & 0xff;

const isOnDevice = (name: CallName): boolean => "devfd" in shapeOf(name).in;

/** By command word: those of an iommufd, and those of a device's file. */
const ON_IOMMUFD = new Map<number, IoctlName>();
const ON_DEVICE = new Map<number, IoctlName>();
const TEST_OPS = new Map<number, IoctlName>();
for (const [name, { command, op }] of Object.entries(IOCTLS) as [IoctlName, Ioctl][]) {
  if (op !== undefined) TEST_OPS.set(op, name);
  else if (isOnDevice(name)) ON_DEVICE.set(command, name);
  else ON_IOMMUFD.set(command, name);
}
const NUMBERS = new Map(
  Object.entries(NUMBER_IOCTLS).map(([name, word]) => [word, name as keyof typeof NUMBER_IOCTLS]),
);

export const readable = ({ call, bytes }: Pick<Frame, "call" | "bytes">, length: number) =>
  call.in.memory !== "none" && bytes.length >= length;

/** The word that begins at a byte; undefined: it cannot be read. */
const wordAt = ({ in: { bytes, memory } }: RawCall, at: number): number | undefined =>
  memory === "none" || bytes.length < 2 * at + 8
    ? undefined
    : swapped(Number.parseInt(bytes.slice(2 * at, 2 * at + 8), 16));

/** The digits begin with the lowest byte. */
const swapped = (word: number): number =>
  ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word & 0xff00) << 8) | (word << 24)) >>> 0;

/** The typed call that a command word is for; TEST_CMD has an operation behind its size. */
export const nameOf = (call: RawCall): Name => {
  const { nr } = call.in;
  if (call.call === "DEVICE_RAW") return ON_DEVICE.get(nr);
  if (nr === TEST_CMD) return TEST_OPS.get(wordAt(call, 4) ?? 0);
  return ON_IOMMUFD.get(nr) ?? NUMBERS.get(nr);
};

/** The one that was made last: of each call it is asked for several times on end. */
let latest: { readonly frame: Frame; readonly hasMock: boolean } | undefined;

/** @param hasMock the machine has the mock driver, and with it TEST_CMD */
export const frameOf = (call: RawCall, hasMock: boolean): Frame => {
  if (latest?.frame.call !== call || latest.hasMock !== hasMock) {
    latest = { frame: makeFrame(call, hasMock), hasMock };
  }
  return latest.frame;
};

const makeFrame = (call: RawCall, hasMock: boolean): Frame => {
  const { nr } = call.in;
  const isRaw = call.call === "RAW";
  const low = nr & 0xff;
  const inTable = isRaw && low >= NATIVE_FIRST && low <= (hasMock ? TEST_LAST : NATIVE_LAST);
  const isTest = isRaw && nr === TEST_CMD;
  const name = isTest && !inTable ? undefined : nameOf(call);
  const layout =
    isTest && inTable ? LAYOUTS[(name ?? "ADD_RESERVED") as IoctlName] : layoutOf(name);
  const family = familyOf(name, layout, inTable);
  const size = wordAt(call, 0);
  const shared = sharedSize(name, family, layout, size);
  const all = OUTPUTS.get(name) ?? NO_OUTPUTS;
  const isWhole = all.every(({ offset }) => offset < shared);
  // Always in this form: the rules ask for its fields a dozen times per call.
  return {
    call,
    bytes: Buffer.from(call.in.bytes, "hex"),
    size,
    family,
    inTable,
    layout,
    name,
    unknownOp: isTest && inTable && name === undefined,
    shared,
    outputs: isWhole ? all : all.filter(({ offset }) => offset < shared),
  };
};

const layoutOf = (name: Name): Layout | undefined => name && LAYOUTS[name as IoctlName];

const familyOf = (name: Name, layout: Layout | undefined, inTable: boolean): Family => {
  if (layout !== undefined) return inTable ? "native" : "vfio";
  return name === undefined ? "unknown" : "number";
};

/**
 * An index between the last native command and TEST_CMD. It lies in the table if the kernel has the
 * mock driver, which one whose devices are real ones may have as well (GEN-05).
 */
export const isNearTable = ({ call, inTable }: Frame): boolean => {
  const low = call.in.nr & 0xff;
  return call.call === "RAW" && !inTable && low > NATIVE_LAST && low <= TEST_LAST;
};

/**
 * VFIO_GET_INFO has grown: it tells as much of its struct as argsz says there is room for, in one
 * piece, with the word that pads it.
 */
const tellsOfDevice = (name: Name): boolean => name === "VFIO_GET_INFO";

const sharedSize = (
  name: Name,
  family: Family,
  layout: Layout | undefined,
  size: number | undefined,
): number => {
  if (layout === undefined) return 0;
  const isAsLongAsTold = family === "native" || tellsOfDevice(name);
  return isAsLongAsTold ? Math.min(size ?? 0, layout.size) : layout.size;
};

/** The struct of the answer ends behind the memory, which may be written up to there. */
export const endsBehindMemory = ({ name, bytes, shared }: Frame): boolean =>
  tellsOfDevice(name) && bytes.length < shared;

/** Where a number is wanted, the pointer is one that means nothing. */
const SOME_ADDRESS = 0x1_0010_0000n;

/** The call that the bytes come to. Arrays behind its pointers are not there. */
export const typedCall = (frame: Frame): Call | undefined => {
  const { call, layout, name } = frame;
  if (name === undefined) return undefined;
  const { proc, thread, fd } = call;
  const args = argumentsFrom(name, valuesOf(frame)) as Record<string, unknown>;
  if (frame.family === "native" && layout?.fields.some(isSize) && args["size"] !== undefined) {
    args["size"] = frame.shared;
  }
  return { call: name, proc, thread, fd, in: args } as unknown as Call;
};

/** What stands in the struct; or the number in its place. */
const valuesOf = (frame: Frame): Record<string, unknown> => {
  const { call, bytes, layout, shared } = frame;
  if (layout === undefined) {
    return { arg: call.in.memory === "none" ? call.in.arg : SOME_ADDRESS };
  }
  const values: Record<string, unknown> = decodeStruct(layout, bytes.subarray(0, shared));
  if (call.call === "DEVICE_RAW") values["devfd"] = call.in.devfd;
  return values;
};

const isSize = ({ name, offset }: FieldLayout): boolean => name === "size" && offset === 0;

/** By call: the fields of its struct that are outputs, in ascending order of offsets. */
const OUTPUTS = new Map<CallName | undefined, readonly FieldLayout[]>(
  (Object.keys(IOCTLS) as IoctlName[]).map((name) => [
    name,
    LAYOUTS[name].fields.filter((field) => Object.hasOwn(shapeOf(name).out, field.name)),
  ]),
);
const NO_OUTPUTS: readonly FieldLayout[] = [];

/** The bytes with these outputs in them. */
export const withOutputs = (frame: Frame, out: object): Buffer => {
  const after = Buffer.from(frame.bytes);
  const values = out as Readonly<Record<string, number | bigint | undefined>>;
  for (const { name, offset, type } of frame.outputs) {
    const value = values[name];
    if (value === undefined) continue;
    const field = Buffer.alloc(8);
    field.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    field.copy(after, offset, 0, Math.min(WIDTH[type], frame.shared - offset));
  }
  return after;
};

/** What the bytes say the outputs are. What the end of the struct cuts off of one counts as 0. */
export const readOutputs = (frame: Frame, after: Buffer): Readonly<Record<string, unknown>> => {
  if (frame.layout === undefined) return {};
  const out: Record<string, unknown> = {};
  if (frame.outputs.length === 0) return out;
  const values = decodeStruct(frame.layout, after.subarray(0, frame.shared));
  for (const { name } of frame.outputs) out[name] = values[name];
  return out;
};

/** VFIO_IOMMU_GET_INFO answers behind its struct as well, as far as argsz says there is room. */
export const answersBehind = ({ name }: Frame): boolean => name === "VFIO_IOMMU_GET_INFO";

/** Where the bytes differ from what was sent, other than in outputs: the first such place. */
export const strayWrite = (frame: Frame, after: Buffer): number | undefined => {
  const { bytes, outputs, shared: end } = frame;
  if (after.length !== bytes.length) return Math.min(after.length, bytes.length);
  const told = tellsOfDevice(frame.name) ? end : 0;
  const behind = answersBehind(frame) ? (frame.size ?? 0) : told;
  for (let i = 0; i < after.length; i++) {
    if (after[i] === bytes[i] || i < behind) continue;
    const isOutput = outputs.some(({ offset, type }) => i >= offset && i < offset + WIDTH[type]);
    if (!isOutput || i >= end) return i;
  }
  return undefined;
};
