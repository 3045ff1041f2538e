/**
 * An ioctl in memory: its struct, what is at its pointer, and which words of it are numbers of
 * files, which a guest has its own of.
 */
import { shapeOf } from "../../spec/calls";
import { encodeCall, encodeRanges, POISON } from "../../spec/uapi/codec";
import { ACCESS_RW_WRITE } from "../../spec/uapi/flags";
import { IOCTLS, type Ioctl, type IoctlCall, type IoctlName } from "../../spec/uapi/ioctls";
import { IOVA_RANGE, LAYOUTS } from "../../spec/uapi/layouts";
import type { ARRAY } from "./protocol";

/** What VFIO_IOMMU_GET_INFO gives to the call (calls/compat.ts). */
const INFO_BUFFER = 320;

/** The most that the agent has room for. */
const MAX_STRUCT = 512;

/**
 * The struct, or the larger buffer that takes its place. What lies beyond the size that a caller
 * tells is there all the same, and nobody looks at it.
 * @throws RangeError when the machines have no room for it
 */
export const structOf = (call: IoctlCall): Uint8Array => {
  if (call.call === "VFIO_IOMMU_GET_INFO") {
    const buffer = Buffer.alloc(INFO_BUFFER, POISON);
    buffer.writeUInt32LE(call.in.argsz);
    return buffer;
  }
  // Of VFIO's structs, `size` is an argument of 64 bits.
  const size = "size" in call.in && typeof call.in.size === "number" ? call.in.size : 0;
  if (size === 0) return encodeCall(call).bytes;
  if (size > MAX_STRUCT) throw new RangeError(`a struct of ${size} bytes`);
  const whole = encodeCall({ ...call, in: { ...call.in, size: 0 } } as IoctlCall).bytes;
  const bytes = Buffer.alloc(Math.max(size, whole.length));
  bytes.set(whole);
  bytes.writeUInt32LE(size);
  return bytes;
};

/** How large that is, without making it again. */
export const structSize = (call: IoctlCall): number => {
  if (call.call === "VFIO_IOMMU_GET_INFO") return INFO_BUFFER;
  const size = "size" in call.in && typeof call.in.size === "number" ? call.in.size : 0;
  return Math.max(size, LAYOUTS[call.call].size);
};

interface Memory {
  readonly kind: keyof typeof ARRAY;
  /** How much of it is accessible. */
  readonly length: number;
  /** What it holds; absent: nothing yet, the call is to write it. */
  readonly given?: Uint8Array;
}

/** Of scratch memory, and of what the agent can add to it. */
const MAX_ARRAY = 0x1_0000;
const MAX_BUFFER = 0x10_0000;

/** @throws RangeError when it is more than a machine of ours has */
export const arrayOf = (call: IoctlCall): Memory => {
  switch (call.call) {
    case "IOAS_IOVA_RANGES":
      return out(call.in.writable_elems * IOVA_RANGE.size);
    case "GET_HW_INFO":
      return out(call.in.writable_bytes);
    case "ACCESS_RW":
      return bufferOf(call.in);
    // Whether the pointer is NULL counts by itself.
    case "HWPT_INVALIDATE":
      return call.in.data_uptr === 0n ? NOTHING : inputOf(Buffer.from(call.in.data, "hex"));
    case "DIRTY":
      return call.in.uptr === 0n ? NOTHING : inputOf(Buffer.from(call.in.bitmap, "hex"));
    case "HWPT_GET_DIRTY_BITMAP": {
      const given = encodeCall(call).array ?? new Uint8Array(0);
      return { kind: "inOut", length: given.length, given };
    }
    case "HWPT_ALLOC":
      return inputOf(Buffer.from(call.in.data, "hex"));
    case "IOAS_ALLOW_IOVAS":
      return inputOf(encodeRanges(call.in.array));
    default:
      return NOTHING;
  }
};

const NOTHING: Memory = { kind: "none", length: 0 };
const inputOf = (given: Uint8Array): Memory => ({ kind: "in", length: given.length, given });

const out = (bytes: number): Memory => ({ kind: "out", length: Math.min(bytes, MAX_ARRAY) });

const bufferOf = (args: Extract<IoctlCall, { call: "ACCESS_RW" }>["in"]): Memory => {
  const length = Math.min(args.accessible_bytes, Number(args.length));
  if (length > MAX_BUFFER) throw new RangeError(`a buffer of ${length} bytes`);
  if ((args.flags & ACCESS_RW_WRITE) === 0) return { kind: "out", length };
  const { data_repeat: data } = args;
  const given = data === "" ? new Uint8Array(length) : Buffer.alloc(length, data, "hex");
  return { kind: "in", length, given };
};

/** What is at the pointer after a call that has written as far as `written` goes. */
export const arrayAfter = (call: IoctlCall, written: Uint8Array): Uint8Array => {
  const { kind, length, given } = arrayOf(call);
  if (kind === "none" || kind === "in") return written;
  const array = given === undefined ? Buffer.alloc(length, POISON) : Buffer.from(given);
  array.set(written);
  return array;
};

/** Words of a struct that a guest has its own values for: offsets, 0 where there is none. */
interface Words {
  /** The number of a file that the struct brings, or gets. */
  readonly fileIn: number;
  readonly fileOut: number;
  readonly pointer: number;
}

export const NO_WORDS: Words = { fileIn: 0, fileOut: 0, pointer: 0 };

/** By command, and by operation where one command has several. */
const WORDS = new Map<number, Words>();
const OPS = new Set<number>();
/** All commands that are known have 16 bits; a raw call may make any. */
const COMMANDS = 0x1_0000;
const keyOf = (command: number, op: number): number => command + COMMANDS * op;
for (const [name, { command, op }] of Object.entries(IOCTLS) as [IoctlName, Ioctl][]) {
  const { fields } = LAYOUTS[name];
  // Nothing but numbers of files is signed.
  const file = fields.find(({ type }) => type === "s32");
  const isOut = file !== undefined && Object.hasOwn(shapeOf(name).out, file.name);
  if (op !== undefined) OPS.add(command);
  WORDS.set(keyOf(command, op ?? 0), {
    fileIn: isOut ? 0 : (file?.offset ?? 0),
    fileOut: isOut ? file.offset : 0,
    pointer: fields.find(({ pointer }) => pointer)?.offset ?? 0,
  });
}

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>>
  0;

/** Those of them that are there. */
export const wordsIn = (command: number, struct: Uint8Array): Words => {
  const op = OPS.has(command) && struct.length >= 8 ? word(struct, 4) : 0;
  const words = (command < COMMANDS ? WORDS.get(keyOf(command, op)) : undefined) ?? NO_WORDS;
  const { fileIn, fileOut, pointer } = words;
  const { length } = struct;
  if (fileIn + 4 <= length && fileOut + 4 <= length && pointer + 8 <= length) return words;
  const ifThere = (offset: number, width: number): number =>
    offset + width <= length ? offset : 0;
  return {
    fileIn: ifThere(fileIn, 4),
    fileOut: ifThere(fileOut, 4),
    pointer: ifThere(pointer, 8),
  };
};
