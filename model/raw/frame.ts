/**
 * What raw bytes mean: which command they are for, how far they can be read, and which typed call
 * they come to (spec/raw.ts is the other direction).
 */
import type { Call, CallName, CallOf } from "../../spec/calls";
import { shapeOf } from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
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
  readonly family: Family;
  /** The low byte of the command word is an index of the native table. */
  readonly inTable: boolean;
  readonly layout: Layout | undefined;
  /** The leading word; undefined: it cannot be read. */
  readonly size: number | undefined;
  /** TEST_CMD has one struct for all its operations: this one is none of them. */
  readonly unknownOp: boolean;
  readonly name: IoctlName | keyof typeof NUMBER_IOCTLS | undefined;
}

const NATIVE_FIRST = 0x80;
/** The table ends with FAULT_QUEUE_ALLOC, or with TEST_CMD where there is the mock driver. */
const NATIVE_LAST = 0x8e;
const TEST_LAST = TEST_CMD & 0xff;

const COMMANDS = new Map<number, IoctlName>();
const TEST_OPS = new Map<number, IoctlName>();
for (const [name, { command, op }] of Object.entries(IOCTLS) as [IoctlName, Ioctl][]) {
  if (op === undefined) COMMANDS.set(command, name);
  else TEST_OPS.set(op, name);
}
const NUMBERS = new Map(
  Object.entries(NUMBER_IOCTLS).map(([name, word]) => [word, name as keyof typeof NUMBER_IOCTLS]),
);

const isOnDevice = (name: CallName): boolean => "devfd" in shapeOf(name).in;

export const readable = ({ call, bytes }: Pick<Frame, "call" | "bytes">, length: number) =>
  call.in.memory !== "none" && bytes.length >= length;

/** @param hasMock the machine has the mock driver, and with it TEST_CMD */
export const frameOf = (call: RawCall, hasMock: boolean): Frame => {
  const bytes = Buffer.from(call.in.bytes, "hex");
  const { nr } = call.in;
  const size = readable({ call, bytes }, 4) ? bytes.readUInt32LE(0) : undefined;
  const plain = { call, bytes, size, unknownOp: false };
  const name = COMMANDS.get(nr);
  const low = nr & 0xff;
  const last = hasMock ? TEST_LAST : NATIVE_LAST;
  const inTable = call.call === "RAW" && low >= NATIVE_FIRST && low <= last;
  if (name !== undefined && isOnDevice(name) === (call.call === "DEVICE_RAW")) {
    const family = inTable ? "native" : "vfio";
    return { ...plain, family, inTable, layout: LAYOUTS[name], name };
  }
  if (inTable && nr === TEST_CMD) {
    const op = TEST_OPS.get(readable(plain, 8) ? bytes.readUInt32LE(4) : 0);
    const layout = LAYOUTS[op ?? "ADD_RESERVED"];
    return { ...plain, family: "native", inTable, layout, name: op, unknownOp: op === undefined };
  }
  const number = call.call === "RAW" ? NUMBERS.get(nr) : undefined;
  const family = number === undefined ? "unknown" : "number";
  return { ...plain, family, inTable, layout: undefined, name: number };
};

/** How many bytes caller and kernel both know. */
export const sharedSize = ({ family, layout, size }: Frame): number => {
  if (layout === undefined) return 0;
  return family === "native" ? Math.min(size ?? 0, layout.size) : layout.size;
};

/** Where a number is wanted, the pointer is one that means nothing. */
const SOME_ADDRESS = 0x1_0010_0000n;

/** The call that the bytes come to. Arrays behind its pointers are not there. */
export const typedCall = (frame: Frame): Call | undefined => {
  const { call, bytes, layout, name } = frame;
  if (name === undefined) return undefined;
  const { proc, thread, fd } = call;
  const args: Record<string, unknown> = {};
  if (layout === undefined) {
    args["arg"] = call.in.memory === "none" ? call.in.arg : SOME_ADDRESS;
  } else {
    const values = decodeStruct(layout, bytes.subarray(0, sharedSize(frame)));
    for (const [field, type] of Object.entries(shapeOf(name).in)) {
      args[field] = values[field] ?? ABSENT[type];
    }
    if (args["size"] !== undefined && frame.family === "native") {
      if (layout.fields.some(isSize)) args["size"] = sharedSize(frame);
    }
    if (call.call === "DEVICE_RAW") args["devfd"] = call.in.devfd;
  }
  return { call: name, proc, thread, fd, in: args } as unknown as Call;
};

const isSize = ({ name, offset }: FieldLayout): boolean => name === "size" && offset === 0;

/** The outputs that are in the struct, as far as it reaches. */
const outputsOf = (frame: Frame): readonly FieldLayout[] => {
  const { layout, name } = frame;
  if (layout === undefined || name === undefined) return [];
  const { out } = shapeOf(name);
  return layout.fields.filter(
    (field) => Object.hasOwn(out, field.name) && field.offset < sharedSize(frame),
  );
};

/** True if the call answers in its struct at all. */
export const hasOutputs = (frame: Frame): boolean => outputsOf(frame).length > 0;

/** The bytes with these outputs in them. */
export const withOutputs = (frame: Frame, out: object): Buffer => {
  const after = Buffer.from(frame.bytes);
  const values = out as Readonly<Record<string, number | bigint | undefined>>;
  for (const { name, offset, type } of outputsOf(frame)) {
    const value = values[name];
    if (value === undefined) continue;
    const field = Buffer.alloc(8);
    field.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
    field.copy(after, offset, 0, Math.min(WIDTH[type], sharedSize(frame) - offset));
  }
  return after;
};

/** What the bytes say the outputs are. What the end of the struct cuts off of one counts as 0. */
export const readOutputs = (frame: Frame, after: Buffer): Readonly<Record<string, unknown>> => {
  if (frame.layout === undefined) return {};
  const values = decodeStruct(frame.layout, after.subarray(0, sharedSize(frame)));
  return Object.fromEntries(outputsOf(frame).map(({ name }) => [name, values[name]]));
};

/** VFIO_IOMMU_GET_INFO answers behind its struct as well, as far as argsz says there is room. */
export const answersBehind = ({ name }: Frame): boolean => name === "VFIO_IOMMU_GET_INFO";

/** Where the bytes differ from what was sent, other than in outputs: the first such place. */
export const strayWrite = (frame: Frame, after: Buffer): number | undefined => {
  const { bytes } = frame;
  if (after.length !== bytes.length) return Math.min(after.length, bytes.length);
  const mayChange = new Set<number>();
  for (const { offset, type } of outputsOf(frame)) {
    for (let i = offset; i < offset + WIDTH[type] && i < sharedSize(frame); i++) mayChange.add(i);
  }
  if (answersBehind(frame)) for (let i = 0; i < (frame.size ?? 0); i++) mayChange.add(i);
  const at = after.findIndex((byte, i) => byte !== bytes[i] && !mayChange.has(i));
  return at < 0 ? undefined : at;
};
