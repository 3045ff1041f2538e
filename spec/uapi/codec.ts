/**
 * Calls and structs as the bytes the uAPI exchanges, and back.
 *
 * Only packing: what a wrong `size` or a non-zero reserved field gets is behaviour, and stands in
 * model/ and in each implementation.
 */
import { type CallOf, type Out, shapeOf } from "../calls";
import { type IovaRange, iova } from "../units";
import { VFIO_IOAS_GET } from "./flags";
import { IOCTLS, type Ioctl, type IoctlCall, type IoctlName } from "./ioctls";
import { type FieldLayout, type IntType, IOVA_RANGE, LAYOUTS, type Layout, WIDTH } from "./layouts";

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

const put = (view: DataView, field: FieldLayout, value: number | bigint, where: string): void => {
  const { offset, type } = field;
  if (type === "u64") {
    if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) {
      throw new RangeError(`${where}: expected a bigint of 0..2^64-1, got ${shown(value)}`);
    }
    view.setBigUint64(offset, value, true);
    return;
  }
  const [least, most] = LIMITS[type];
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `${where}: expected a whole number of ${least}..${most}, got ${shown(value)}`,
    );
  }
  if (type === "u8") view.setUint8(offset, value);
  else if (type === "u16") view.setUint16(offset, value, true);
  else if (type === "u32") view.setUint32(offset, value, true);
  else view.setInt32(offset, value, true);
};

const get = (view: DataView, { offset, type }: FieldLayout): number | bigint => {
  if (type === "u64") return view.getBigUint64(offset, true);
  if (type === "u8") return view.getUint8(offset);
  if (type === "u16") return view.getUint16(offset, true);
  if (type === "u32") return view.getUint32(offset, true);
  return view.getInt32(offset, true);
};

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
  for (const name of Object.keys(values)) {
    if (!layout.fields.some((field) => field.name === name)) {
      throw new RangeError(`${layout.name}: has no field ${name}`);
    }
  }
  const bytes = new Uint8Array(Math.max(size, layout.size));
  const view = viewOf(bytes);
  for (const field of layout.fields) {
    const where = `${layout.name}.${field.name}`;
    const value = values[field.name] ?? (field.name === "size" ? size : undefined);
    if (value === undefined) continue;
    put(view, field, value, where);
    const end = field.offset + WIDTH[field.type];
    if (bytes.subarray(Math.max(size, field.offset), Math.max(size, end)).some((b) => b !== 0)) {
      throw new RangeError(`${where}: ${shown(value)} does not fit into a struct of ${size} bytes`);
    }
  }
  return bytes.slice(0, size);
};

/**
 * Every field of the struct in `bytes`. Bytes that are absent count as 0, as the kernel reads a
 * struct of an older caller (GEN-08); bytes beyond the full size are not looked at.
 */
export const decodeStruct = (layout: Layout, bytes: Uint8Array): StructValues => {
  const whole = new Uint8Array(layout.size);
  whole.set(bytes.subarray(0, layout.size));
  const view = viewOf(whole);
  return Object.fromEntries(layout.fields.map((field) => [field.name, get(view, field)]));
};

/**
 * The array of iova_range elements, 16 bytes each. Order and overlap are the callee's business.
 * @throws RangeError for an end outside 0..2^64-1
 */
export const encodeRanges = (ranges: readonly IovaRange[]): Uint8Array => {
  const bytes = new Uint8Array(ranges.length * IOVA_RANGE.size);
  ranges.forEach(([start, last], index) => {
    bytes.set(encodeStruct(IOVA_RANGE, { start, last }), index * IOVA_RANGE.size);
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

/** What an adapter passes to ioctl(2). */
export interface EncodedCall {
  readonly command: number;
  /** The struct at full size, inputs filled in, outputs 0. */
  readonly bytes: Uint8Array;
  /**
   * What must be readable at the call's pointer, and nothing after it. Only IOAS_ALLOW_IOVAS has
   * it: IOAS_IOVA_RANGES needs room for `writable_elems` elements, which may be far too many to
   * make up here.
   */
  readonly array?: Uint8Array;
}

/**
 * The bytes of a call. `in` fields that the struct does not have say where to send it (`devfd`)
 * or describe memory (`array`, `writable_elems`); they are the adapter's. So is `iommufd` of
 * VFIO_BIND: it is encoded as it stands, as a number of the trace.
 * @throws RangeError for a value that its field cannot hold
 */
export const encodeCall = (call: IoctlCall): EncodedCall => {
  const layout = LAYOUTS[call.call];
  const { command, op }: Ioctl = IOCTLS[call.call];
  const given = call.in as Readonly<Record<string, unknown>>;
  const values: Record<string, number | bigint> = op === undefined ? {} : { op };
  for (const { name } of layout.fields) {
    const value = given[name];
    if (typeof value === "number" || typeof value === "bigint") values[name] = value;
  }
  const bytes = encodeStruct(layout, values);
  return call.call === "IOAS_ALLOW_IOVAS"
    ? { command, bytes, array: encodeRanges(call.in.array) }
    : { command, bytes };
};

/**
 * The outputs of `call` in the struct as the callee left it. The caller decides by the errno
 * whether there are any: a struct that was not written still holds the inputs.
 * @param array for IOAS_IOVA_RANGES: the memory at `allowed_iovas` after the call, as far as it
 * exists. Elements are taken as far as the call had room for them and was told of them.
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
  for (const output of Object.keys(shapeOf(made.call).out)) out[output] = values[output];
  if (made.call === "IOAS_IOVA_RANGES") {
    const { num_iovas: total } = values;
    const room = Math.floor(array.length / IOVA_RANGE.size);
    const count = Math.min(room, made.in.num_iovas, Number(total));
    return { ...out, array: decodeRanges(array, count) } as unknown as Partial<Out<K>>;
  }
  return out as Partial<Out<K>>;
};
