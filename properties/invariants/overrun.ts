/**
 * I-103: what is stored in the caller's memory stays inside what the caller said is there.
 *
 * Nothing has to be known of the past for that: a typed call answers what its array or buffer
 * holds, a raw call all bytes of its memory, and those that the caller did not offer are the
 * canaries.
 */
import { frameOf, type RawCall } from "../../model/raw/frame";
import type { CallOf, Outcome, OutcomeOf } from "../../spec/calls";
import { PAGE_FAULT } from "../../spec/uapi/layouts";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import { byteOf } from "./ledger/memory";

const within = (stored: number, room: number, what: string): Finding =>
  stored <= room
    ? HELD
    : { expected: `${room} ${what} or fewer stored`, actual: `${stored} ${what}` };

/** Bytes that the caller says are there. A struct that has grown since 6.12 may fill them all. */
const offered = (call: RawCall): number => {
  const { layout, size = 0 } = frameOf(call, true);
  return layout === undefined ? 0 : size;
};

const inStruct = (call: RawCall, { out }: Outcome): Finding => {
  const { bytes: after } = (out ?? {}) as { readonly bytes?: string };
  const before = call.in.bytes;
  if (after === undefined || before.length !== after.length) return undefined;
  const end = offered(call);
  const count = after.length / 2;
  let at = end;
  while (at < count && byteOf(after, at) === byteOf(before, at)) at++;
  if (at >= count) return count > end ? HELD : undefined;
  const byte = byteOf(after, at);
  return { expected: `byte ${at} as it was: the struct ends at ${end}`, actual: `${byte}` };
};

/** The last byte of a bitmap can have bits that stand for no page of the range. */
const inBitmap = (
  { in: { iova, length, page_size, prefill } }: CallOf<"HWPT_GET_DIRTY_BITMAP">,
  { errno, out }: OutcomeOf<"HWPT_GET_DIRTY_BITMAP">,
): Finding => {
  if (errno !== 0 || out?.bitmap === undefined || prefill === "" || page_size === 0n) {
    return undefined;
  }
  if (iova % page_size !== 0n || length % page_size !== 0n) return undefined;
  const bits = length / page_size;
  const bytes = Buffer.from(out.bitmap, "hex");
  const spare = Number(bits % 8n);
  if (BigInt(bytes.length) !== (bits + 7n) / 8n || spare === 0) return undefined;
  const unused = 0xff & ~((1 << spare) - 1);
  const [before, after] = [Number.parseInt(prefill, 16), bytes.at(-1) ?? 0];
  // Bits that are lost are a matter of I-112.
  if ((after & ~before & unused) === 0) return HELD;
  return {
    expected: `no bit from ${bits} on set: the last byte held 0x${prefill}`,
    actual: `0x${after.toString(16)}`,
  };
};

const I_103: Invariant = {
  id: "I-103",
  statement:
    "Nothing is stored beyond what the caller offers: its size or argsz, the elements of an " +
    "array, the bytes of a buffer, the bits of a bitmap.",
  needs: [],
  clauses: ["GEN-13", "VCC-24", "RNG-07"],
  on: {
    RAW: inStruct,
    DEVICE_RAW: inStruct,
    IOAS_IOVA_RANGES: (call, { out }) =>
      out?.array && within(out.array.length, call.in.num_iovas, "ranges"),
    GET_HW_INFO: (call, { out }) =>
      out?.data === undefined
        ? undefined
        : within(out.data.length / 2, call.in.data_len, "bytes of data"),
    VFIO_IOMMU_GET_INFO: (call, { out }) =>
      out?.bytes === undefined
        ? undefined
        : within(out.bytes.length / 2, call.in.argsz, "bytes of the buffer"),
    FAULT_READ: (call, { out }) =>
      out?.records && within(out.records.length * PAGE_FAULT.size, call.in.count, "bytes"),
    HWPT_GET_DIRTY_BITMAP: inBitmap,
  },
};

export const OVERRUN: readonly Invariant[] = [I_103];
