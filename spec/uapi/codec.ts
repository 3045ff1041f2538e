/**
 * Calls and structs as the bytes the uAPI exchanges, and back.
 *
 * Only packing: what a wrong `size` or a non-zero reserved field gets is behaviour, and stands in
 * model/ and in each implementation.
 */
import { type CallOf, type Out, shapeOf } from "../calls";
import type { InfoCap, PageFault, PageResponse } from "../fields";
import { type IovaRange, iova } from "../units";
import {
  ACCESS_RW_WRITE,
  INFO_CAP_ID_DMA_AVAIL,
  INFO_CAP_ID_IOVA_RANGE,
  VFIO_IOAS_GET,
} from "./flags";
import { IOCTLS, type Ioctl, type IoctlCall, type IoctlName } from "./ioctls";
import {
  type FieldLayout,
  INFO_CAP_DMA_AVAIL,
  INFO_CAP_HEADER,
  INFO_CAP_IOVA_RANGE,
  type IntType,
  IOVA_RANGE,
  LAYOUTS,
  type Layout,
  PAGE_FAULT,
  PAGE_RESPONSE,
} from "./layouts";

/** Field values by name: u64 as bigint, narrower integers as number. */
export type StructValues = Readonly<Record<string, number | bigint>>;

/** Least and greatest value of each type that is a `number`. */
const LIMITS: { readonly [T in Exclude<IntType, "u64">]: readonly [least: number, most: number] } =
  {
    u8: [0, 0xff],
    u16: [0, 0xffff],
    u32: [0, 0xffff_ffff],
    s32: [-0x8000_0000, 0x7fff_ffff],
  };

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Where a struct is put together, and one that may be incomplete is made whole: a view of its own
 * for each would take longer than its fields. None is larger than a page.
 */
const WHOLE = new Uint8Array(4096);
const WHOLE_VIEW = viewOf(WHOLE);

const put = (view: DataView, field: FieldLayout, value: number | bigint, of: Layout): void => {
  const { name, offset, type } = field;
  if (type === "u64") {
    if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) {
      throw new RangeError(
        `${of.name}.${name}: expected a bigint of 0..2^64-1, got ${shown(value)}`,
      );
    }
    view.setBigUint64(offset, value, true);
    return;
  }
  const [least, most] = LIMITS[type];
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `${of.name}.${name}: expected a whole number of ${least}..${most}, got ${shown(value)}`,
    );
  }
  if (type === "u8") view.setUint8(offset, value);
  else if (type === "u16") view.setUint16(offset, value, true);
  else if (type === "u32") view.setUint32(offset, value, true);
  else view.setInt32(offset, value, true);
};

/** The method of DataView that reads a field. */
const READ: { readonly [T in IntType]: string } = {
  u8: "getUint8",
  u16: "getUint16",
  u32: "getUint32",
  s32: "getInt32",
  u64: "getBigUint64",
};

type Decoder = (view: DataView) => StructValues;

/**
 * Reads all fields of a struct, which are written out: `{ size: view.getUint32(0, true), … }`. A
 * loop over the fields of whatever struct it is takes many times as long.
 */
const decoderOf = ({ fields }: Layout): Decoder => {
  const items = fields.map((f) => `${f.name}: view.${READ[f.type]}(${f.offset}, true)`);
  return new Function("view", `return { ${items.join(", ")} }`) as Decoder;
};

const DECODERS = new Map<Layout, Decoder>();

const shown = (value: number | bigint): string =>
  typeof value === "bigint" ? `${value}n` : String(value);

/**
 * The struct as `size` bytes, by default its full size. A field that `values` leaves out is 0,
 * and a leading `size` field that it leaves out holds the number of bytes. Bytes beyond the full
 * size are 0.
 * @throws RangeError for a value that its field cannot hold, for a name that is no field, and for
 * a value of which `size` would cut off non-zero bytes
 */
export const encodeStruct = (
  layout: Layout,
  values: StructValues,
  size: number = layout.size,
): Uint8Array => {
  if (!Number.isInteger(size) || size < 0) {
    throw new RangeError(`${layout.name}: expected a size of whole bytes, got ${size}`);
  }
  const bytes = encodeFields(layout, values, size, values["size"] ?? size);
  for (const name in values) {
    if (layout.fields.some((field) => field.name === name)) continue;
    throw new RangeError(`${layout.name}: has no field ${name}`);
  }
  return bytes;
};

/**
 * The fields that `values` has, whatever else it holds.
 * @param leading what a leading `size` field holds
 * @param op what an `op` field holds that `values` leaves out
 */
const encodeFields = (
  layout: Layout,
  values: StructValues,
  size: number,
  leading: number | bigint,
  op?: number,
): Uint8Array => {
  const length = Math.max(size, layout.size);
  const isShort = length <= WHOLE.length;
  const bytes = isShort ? WHOLE.fill(0, 0, length) : new Uint8Array(length);
  const view = isShort ? WHOLE_VIEW : viewOf(bytes);
  for (const field of layout.fields) {
    const { name } = field;
    let value = values[name];
    if (name === "size" && field.offset === 0) value = leading;
    else if (name === "op") value ??= op;
    if (value !== undefined) put(view, field, value, layout);
  }
  for (let i = size; i < layout.size; i++) if (bytes[i] !== 0) refuseCut(layout, values, size, i);
  return bytes.slice(0, size);
};

/** @throws RangeError for the field whose non-zero byte `at` lies beyond `size` */
const refuseCut = (layout: Layout, values: StructValues, size: number, at: number): never => {
  const cut = layout.fields.findLast(({ offset }) => offset <= at);
  const value = shown(values[cut?.name ?? ""] ?? size);
  throw new RangeError(
    `${layout.name}.${cut?.name}: ${value} does not fit into a struct of ${size} bytes`,
  );
};

/**
 * Every field of the struct in `bytes`. Bytes that are absent count as 0, as the kernel reads a
 * struct of an older caller (GEN-08); bytes beyond the full size are not looked at.
 */
export const decodeStruct = (layout: Layout, bytes: Uint8Array): StructValues => {
  const there = Math.min(bytes.length, layout.size);
  for (let i = 0; i < there; i++) WHOLE[i] = bytes[i] as number;
  WHOLE.fill(0, there, layout.size);
  let decoder = DECODERS.get(layout);
  if (decoder === undefined) {
    decoder = decoderOf(layout);
    DECODERS.set(layout, decoder);
  }
  return decoder(WHOLE_VIEW);
};

/**
 * The array of iova_range elements, 16 bytes each. Order and overlap are the callee's business.
 * @throws RangeError for an end outside 0..2^64-1
 */
export const encodeRanges = (ranges: readonly IovaRange[]): Uint8Array => {
  const bytes = new Uint8Array(ranges.length * IOVA_RANGE.size);
  const view = viewOf(bytes);
  ranges.forEach(([start, last], index) => {
    view.setBigUint64(index * IOVA_RANGE.size, iova(start), true);
    view.setBigUint64(index * IOVA_RANGE.size + 8, iova(last), true);
  });
  return bytes;
};

/**
 * The first `count` elements of an array of iova_range, by default all of them.
 * @throws RangeError when `bytes` holds fewer, or, without `count`, ends within an element
 */
export const decodeRanges = (
  bytes: Uint8Array,
  count: number = bytes.length / IOVA_RANGE.size,
): IovaRange[] => {
  if (!Number.isInteger(count) || count < 0 || count * IOVA_RANGE.size > bytes.length) {
    const expected = Number.isInteger(count) ? String(count) : "whole";
    throw new RangeError(
      `iova ranges: expected ${expected} elements of 16 bytes, got ${bytes.length} bytes`,
    );
  }
  const view = viewOf(bytes);
  return Array.from({ length: count }, (_, index): IovaRange => {
    const at = index * IOVA_RANGE.size;
    return [iova(view.getBigUint64(at, true)), iova(view.getBigUint64(at + 8, true))];
  });
};

/** The page faults that a read of a fault file has brought. */
export const decodeFaults = (bytes: Uint8Array): PageFault[] =>
  chunks(bytes, PAGE_FAULT.size).map(
    (chunk) => decodeStruct(PAGE_FAULT, chunk) as unknown as PageFault,
  );

/** What is written to a fault file. */
export const encodeResponses = (responses: readonly PageResponse[]): Uint8Array =>
  Buffer.concat(responses.map(({ cookie, code }) => encodeStruct(PAGE_RESPONSE, { cookie, code })));

const chunks = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.floor(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );

/**
 * The capability chain of VFIO_IOMMU_GET_INFO.
 * @param bytes the whole buffer
 * @param first offset of the first capability; 0: there is none
 */
export const decodeCaps = (bytes: Uint8Array, first: number): InfoCap[] => {
  const caps: InfoCap[] = [];
  // A chain that goes round in circles ends where it has been before.
  const seen = new Set<number>();
  let at = first;
  while (at !== 0 && at + INFO_CAP_HEADER.size <= bytes.length && !seen.has(at)) {
    seen.add(at);
    const cap = decodeCap(bytes.subarray(at), at);
    caps.push(cap);
    at = cap.next;
  }
  return caps;
};

const decodeCap = (bytes: Uint8Array, at: number): InfoCap => {
  const header = decodeStruct(INFO_CAP_HEADER, bytes);
  const { id, version, next } = header as unknown as Omit<InfoCap, "at">;
  if (id === INFO_CAP_ID_DMA_AVAIL) {
    const { avail } = decodeStruct(INFO_CAP_DMA_AVAIL, bytes);
    return { id, version, next, at, avail: Number(avail) };
  }
  if (id !== INFO_CAP_ID_IOVA_RANGE) return { id, version, next, at };
  const { nr_iovas } = decodeStruct(INFO_CAP_IOVA_RANGE, bytes);
  const array = bytes.subarray(INFO_CAP_IOVA_RANGE.size);
  const count = Math.min(Number(nr_iovas), Math.floor(array.length / IOVA_RANGE.size));
  return { id, version, next, at, ranges: decodeRanges(array, count) };
};

/** What an adapter passes to ioctl(2). */
export interface EncodedCall {
  readonly command: number;
  /** The struct, inputs filled in, outputs 0; at full size, unless the call gives another. */
  readonly bytes: Uint8Array;
  /**
   * What must be at the call's pointer, and nothing after it. Calls that only store there have
   * none: how much room they need, their arguments say, and it may be too much to make up here.
   */
  readonly array?: Uint8Array;
}

/**
 * The bytes of a call. `in` fields that the struct does not have say where to send it (`devfd`)
 * or describe memory (`array`, `writable_elems`); they are the adapter's. So is `iommufd` of
 * VFIO_BIND: it is encoded as it stands, as a number of the trace.
 * @throws RangeError for a value that its field cannot hold, or that lies beyond the call's size
 */
export const encodeCall = (call: IoctlCall): EncodedCall => {
  const { command } = IOCTLS[call.call];
  const bytes = structOf(call);
  const array = arrayOf(call);
  return array === undefined ? { command, bytes } : { command, bytes, array };
};

/** The struct of a call; see encodeCall. */
export const structOf = (call: IoctlCall): Uint8Array => {
  const layout = LAYOUTS[call.call];
  const { op }: Ioctl = IOCTLS[call.call];
  // Calls whose struct has grown say its size; 0 is the full one.
  const given = "size" in call.in && typeof call.in.size === "number" ? call.in.size : 0;
  const size = given === 0 ? layout.size : given;
  return encodeFields(layout, call.in as unknown as StructValues, size, size, op);
};

/** Room for arrays whose length follows from numbers that may be absurd. */
const ARRAY_MAX = 0x1_0000;

const arrayOf = (call: IoctlCall): Uint8Array | undefined => {
  switch (call.call) {
    case "IOAS_ALLOW_IOVAS":
      return encodeRanges(call.in.array);
    case "HWPT_ALLOC":
    case "HWPT_INVALIDATE":
      return Buffer.from(call.in.data, "hex");
    case "DIRTY":
      return Buffer.from(call.in.bitmap, "hex");
    case "HWPT_GET_DIRTY_BITMAP":
      return repeated(call.in.prefill, bitmapBytes(call.in.length, call.in.page_size));
    case "ACCESS_RW":
      return (call.in.flags & ACCESS_RW_WRITE) === 0
        ? undefined
        : repeated(call.in.data_repeat, Math.min(call.in.accessible_bytes, Number(call.in.length)));
    default:
      return undefined;
  }
};

const repeated = (hex: string, length: number): Uint8Array =>
  hex === "" ? new Uint8Array(0) : Buffer.alloc(Math.min(length, ARRAY_MAX), hex, "hex");

/** Bytes of the bitmap that has one bit per page of the range. */
const bitmapBytes = (length: bigint, pageSize: bigint): number =>
  pageSize === 0n ? 0 : Number((length / pageSize + 7n) / 8n);

/**
 * The outputs of `call` in the struct as the callee left it. The caller decides by the errno
 * whether there are any: a struct that was not written still holds the inputs.
 * @param bytes the struct; for VFIO_IOMMU_GET_INFO the whole buffer of 320 bytes
 * @param array the memory at the call's pointer after the call, as far as it exists. Elements of
 * IOAS_IOVA_RANGES are taken as far as the call had room for them and was told of them.
 */
export const decodeOutputs = <K extends IoctlName>(
  call: CallOf<K>,
  bytes: Uint8Array,
  array: Uint8Array = new Uint8Array(0),
): Partial<Out<K>> => {
  const made = call as IoctlCall;
  // GET is the only operation of VFIO_IOAS that answers anything.
  if (made.call === "VFIO_IOAS" && made.in.op !== VFIO_IOAS_GET) return {};
  const values = decodeStruct(LAYOUTS[made.call], bytes);
  const out: Record<string, unknown> = {};
  for (const output of Object.keys(shapeOf(made.call).out)) {
    if (Object.hasOwn(values, output)) out[output] = values[output];
  }
  // A struct that is too short for an output has none; of one that it ends in, the rest is 0.
  const { size = 0 } = made.in as { readonly size?: number };
  if (made.call === "GET_HW_INFO" && size !== 0 && size <= LAYOUTS.GET_HW_INFO.min) {
    delete out["out_capabilities"];
  }
  if (made.call === "VFIO_IOMMU_GET_INFO" && made.in.argsz < 24) delete out["cap_offset"];
  return Object.assign(out, outputsBehind(made, values, bytes, array)) as Partial<Out<K>>;
};

/** Outputs that are not in the struct. */
const outputsBehind = (
  call: IoctlCall,
  values: StructValues,
  bytes: Uint8Array,
  array: Uint8Array,
): Readonly<Record<string, unknown>> => {
  switch (call.call) {
    case "IOAS_IOVA_RANGES": {
      const room = Math.floor(array.length / IOVA_RANGE.size);
      const count = Math.min(room, call.in.num_iovas, Number(values["num_iovas"]));
      return { array: decodeRanges(array, count) };
    }
    case "GET_HW_INFO":
      return { data: toHex(array.subarray(0, call.in.data_len)) };
    case "HWPT_GET_DIRTY_BITMAP": {
      const bitmap = toHex(array);
      return bitmap === toHex(arrayOf(call) ?? array) ? {} : { bitmap };
    }
    case "ACCESS_RW":
      return (call.in.flags & ACCESS_RW_WRITE) === 0 ? { data: toHex(array) } : {};
    case "VFIO_IOMMU_GET_INFO": {
      const { cap_offset } = values;
      const first = call.in.argsz < 24 ? 0 : Number(cap_offset);
      const caps = first === 0 ? {} : { caps: decodeCaps(bytes, first) };
      return { ...caps, bytes: toHex(writtenPart(bytes)) };
    }
    default:
      return {};
  }
};

/** What fills the buffer of VFIO_IOMMU_GET_INFO before the call. */
export const POISON = 0xa5;

/** All of that buffer up to the last byte that was written. */
export const writtenPart = (buffer: Uint8Array): Uint8Array => {
  let end = buffer.length;
  while (end > 0 && buffer[end - 1] === POISON) end--;
  return buffer.subarray(0, end);
};

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
