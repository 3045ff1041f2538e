/**
 * A raw call: a typed call plus edits of its bytes. Leaving the edits out gives the typed call.
 *
 * Only packing. What a wrong size or an unreadable byte gets is behaviour.
 */
import { type Call, type CallName, shapeOf } from "./calls";
import type { FieldTypes } from "./fields";
import { structOf } from "./uapi/codec";
import { IOCTLS, type IoctlCall, isIoctlCall } from "./uapi/ioctls";
import { LAYOUTS, type Layout, WIDTH } from "./uapi/layouts";
import type { UserVa } from "./units";

/** What is done to the bytes of a typed call, in this order. */
export interface RawEdits {
  /** How many of the struct's bytes there are; absent: all. */
  readonly keep?: number;
  /** Bytes behind them, as hex digits. */
  readonly tail?: string;
  /** What the leading size (or argsz) word says; absent: what the typed call says. */
  readonly size?: number;
  /** Bytes that are put at an offset; what lies beyond the end is dropped. */
  readonly put?: readonly (readonly [offset: number, bytes: string])[];
  /** The command word; absent: the call's own. */
  readonly nr?: number;
  /** What may be done with the memory that holds the bytes; absent: "rw". See calls/raw.ts. */
  readonly memory?: FieldTypes["prot"];
  /** The pointer, where memory is "none"; absent: NULL. */
  readonly arg?: UserVa;
}

/** The call as bytes. @throws RangeError when it is no ioctl, or a field cannot hold its value */
export const rawCall = (call: Call, edits: RawEdits): Call => {
  if (!isIoctlCall(call)) throw new RangeError(`${call.call} has no bytes to edit`);
  const bytes = structOf(call);
  leadNowhere(LAYOUTS[call.call], bytes);
  const args = {
    nr: edits.nr ?? IOCTLS[call.call].command,
    bytes: Buffer.from(edited(bytes, edits)).toString("hex"),
    memory: edits.memory ?? "rw",
    arg: edits.arg ?? (0n as UserVa),
  };
  const { proc, thread } = call;
  return isOnDevice(call)
    ? { call: "DEVICE_RAW", proc, thread, fd: -1, in: { devfd: call.in.devfd, ...args } }
    : { call: "RAW", proc, thread, fd: call.fd, in: args };
};

/** The call that a step makes, and so the one whose outcome it gets. */
export const callMade = (step: { readonly call: CallName; readonly raw?: RawEdits }): CallName => {
  if (step.raw === undefined) return step.call;
  return shapeOf(step.call).on === "iommufd" ? "RAW" : "DEVICE_RAW";
};

const isOnDevice = (call: IoctlCall): call is Extract<IoctlCall, { in: { devfd: number } }> =>
  "devfd" in call.in;

const edited = (struct: Uint8Array, { keep, tail = "", size, put = [] }: RawEdits): Uint8Array => {
  const kept = struct.subarray(0, keep);
  const bytes = tail === "" ? kept : Buffer.concat([kept, Buffer.from(tail, "hex")]);
  if (size !== undefined) {
    WORD.writeUInt32LE(size);
    WORD.copy(bytes, 0);
  }
  for (const [offset, value] of put) Buffer.from(value, "hex").copy(bytes, offset);
  return bytes;
};

const WORD = Buffer.alloc(4);

/** A raw call says nothing about memory behind the pointers of its struct, so they are NULL. */
const leadNowhere = (layout: Layout, bytes: Uint8Array): void => {
  for (const { pointer, offset, type } of layout.fields) {
    if (pointer) bytes.fill(0, offset, offset + WIDTH[type]);
  }
};
