/**
 * Commands on an iommufd as bytes (GEN-01..16): what is checked before a command sees its
 * arguments, and how its answer gets back.
 *
 * A native command is found by the index in its number. The first word of the struct says how
 * much of it the caller knows: what is missing acts as zero, and surplus has to be zero. The
 * answer is the struct as it came, with the outputs in it, as far as the caller knows it. Any
 * other number is one of the VFIO container's commands, which have no such rules.
 *
 * Behind the frame a command is the typed call, carried out as such.
 */
import type { Call, CallName, In, Outcome, OutcomeOf } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { argumentsFrom } from "../../spec/resolve";
import { decodeStruct, encodeStruct, type StructValues } from "../../spec/uapi/codec";
import {
  IOCTLS,
  type Ioctl,
  type IoctlName,
  NUMBER_IOCTLS,
  TEST_CMD,
} from "../../spec/uapi/ioctls";
import { LAYOUTS, type Layout, WIDTH } from "../../spec/uapi/layouts";
import type { IommufdCtx } from "./ctx";
import type { Kernel } from "./kernel";
import { UserBuffer } from "./user-buffer";
import { getInfoInto, unmapDmaOf } from "./vfio-compat";

type RawCall = Extract<Call, { call: "RAW" }>;
/** Carries out a typed call. */
export type CarryOut = (call: Call) => Outcome;

export const raw = (
  kernel: Kernel,
  ctx: IommufdCtx,
  call: RawCall,
  carryOut: CarryOut,
): OutcomeOf<"RAW"> => {
  const buffer = new UserBuffer(call.in);
  const { nr } = call.in;
  const make = (name: CallName, values: StructValues): Outcome =>
    carryOut(typedCall(name, values, call));
  const errno = isNative(nr, kernel) ? native(nr, buffer, make) : container(ctx, nr, buffer, make);
  return rawOutcome(errno, call.in.bytes, buffer);
};

/** A failure tells what is in memory only if it has changed. */
export const rawOutcome = (
  errno: 0 | Errno,
  before: string,
  buffer: UserBuffer,
): OutcomeOf<"RAW"> => {
  const bytes = buffer.toHex();
  return errno !== 0 && bytes === before ? { errno } : { errno, out: { bytes } };
};

/**
 * A typed call that is made where the raw one was. Pointers in a struct of a raw call lead
 * nowhere, so there is nothing at any of them.
 */
export const typedCall = (
  name: CallName,
  values: StructValues,
  { proc, thread, fd }: Pick<Call, "proc" | "thread" | "fd">,
): Call => ({ call: name, proc, thread, fd, in: argumentsFrom(name, values) }) as unknown as Call;

type Make = (name: CallName, values: StructValues) => Outcome;

const FIRST_INDEX = 0x80;
const indexOf = (nr: number): number => nr % 0x100;

/** By command word; those of the mock driver share one, and so does their struct. */
const NATIVE = new Map<number, Layout>();
/** By the `op` of the mock driver's command. */
const TEST_OPS = new Map<number, IoctlName>();
const NAMES = new Map<number, IoctlName>();
for (const [key, { command, op }] of Object.entries(IOCTLS) as [IoctlName, Ioctl][]) {
  if (indexOf(command) < FIRST_INDEX) continue;
  NATIVE.set(command, LAYOUTS[key]);
  if (op === undefined) NAMES.set(command, key);
  else TEST_OPS.set(op, key);
}

/** GEN-03, GEN-04: a machine without the mock driver has a shorter table. */
const isNative = (nr: number, { platform }: Kernel): boolean => {
  const last = platform.frontEnd === "mock" ? TEST_CMD : IOCTLS.FAULT_QUEUE_ALLOC.command;
  return indexOf(nr) >= FIRST_INDEX && indexOf(nr) <= indexOf(last);
};

const native = (nr: number, buffer: UserBuffer, make: Make): 0 | Errno => {
  const size = buffer.loadWord();
  if (size === undefined) return "EFAULT";
  const layout = NATIVE.get(nr);
  if (layout === undefined) return "ENOTTY";
  if (size < layout.min) return "EINVAL";
  if (size > layout.size) {
    const surplus = buffer.hasNonZero(layout.size, size);
    if (surplus !== false) return surplus ? "E2BIG" : "EFAULT";
  }
  const known = buffer.load(Math.min(size, layout.size));
  if (known === undefined) return "EFAULT";
  const name =
    NAMES.get(nr) ?? TEST_OPS.get(Number(decodeStruct(LAYOUTS.ADD_RESERVED, known)["op"]));
  if (name === undefined) return "EOPNOTSUPP";
  const values: Record<string, number | bigint> = decodeStruct(LAYOUTS[name], known);
  values["size"] = known.length;
  const { errno, out } = make(name, values);
  // HWPT_INVALIDATE stores the struct in any case (INV-06).
  const answer = name === "HWPT_INVALIDATE" ? (out ?? { entry_num: values["entry_num"] }) : out;
  // An object that could not be made leaves no outputs, whatever its handler may say.
  if (answer === undefined || (errno !== 0 && UNDO[name] !== undefined)) return errno;
  if (!putOutputs(known, LAYOUTS[name], answer) || buffer.store(0, known)) return errno;
  for (const [undo, args] of UNDO[name]?.(answer as StructValues, values) ?? []) make(undo, args);
  return "EFAULT";
};

const WORD = new Uint8Array(8);
const WORD_VIEW = new DataView(WORD.buffer);

/** Puts those fields of the answer into the struct that it has room for; false: there are none. */
const putOutputs = (
  struct: Uint8Array,
  { fields }: Layout,
  answer: Readonly<Record<string, unknown>>,
): boolean => {
  let found = false;
  for (const { name, offset, type } of fields) {
    const value = answer[name];
    if (typeof value !== "number" && typeof value !== "bigint") continue;
    found = true;
    WORD_VIEW.setBigUint64(0, BigInt(value), true);
    const end = Math.min(offset + WIDTH[type], struct.length);
    for (let at = offset; at < end; at += 1) struct[at] = WORD[at - offset]!;
  }
  return found;
};

type Undo = (
  out: StructValues,
  values: StructValues,
) => readonly (readonly [CallName, StructValues])[];

const destroyed =
  (output: string): Undo =>
  (out) => [["DESTROY", { id: out[output] ?? 0 }]];

/** GEN-16: what is made is gone again when its id cannot be told; all else has taken effect. */
const UNDO: { readonly [K in IoctlName]?: Undo } = {
  IOAS_ALLOC: destroyed("out_ioas_id"),
  HWPT_ALLOC: destroyed("out_hwpt_id"),
  MOCK_DOMAIN: destroyed("out_stdev_id"),
  MOCK_DOMAIN_FLAGS: destroyed("out_stdev_id"),
  FAULT_QUEUE_ALLOC: ({ out_fault_id = 0, out_fault_fd = 0 }) => [
    ["CLOSE_FAULT", { fault_fd: out_fault_fd }],
    ["DESTROY", { id: out_fault_id }],
  ],
  CREATE_ACCESS: ({ out_access_fd = 0 }) => [["CLOSE_ACCESS", { access_fd: out_access_fd }]],
  ACCESS_PAGES: ({ out_access_pages_id = 0 }, { access_fd = 0 }) => [
    ["DESTROY_ACCESS_PAGES", { access_fd, access_pages_id: out_access_pages_id }],
  ],
};

const isNumberCommand = (nr: number): keyof typeof NUMBER_IOCTLS | undefined =>
  (Object.keys(NUMBER_IOCTLS) as (keyof typeof NUMBER_IOCTLS)[]).find(
    (name) => NUMBER_IOCTLS[name] === nr,
  );

/** The whole number counts, and an unknown one touches nothing (GEN-03, VCC-26). */
const container = (ctx: IommufdCtx, nr: number, buffer: UserBuffer, make: Make): 0 | Errno => {
  const name = isNumberCommand(nr);
  if (name !== undefined) return make(name, { arg: buffer.pointer }).errno;
  switch (nr) {
    case IOCTLS.VFIO_IOMMU_GET_INFO.command: {
      const head = buffer.load(LAYOUTS.VFIO_IOMMU_GET_INFO.min);
      if (head === undefined) return "EFAULT";
      const { argsz } = decodeStruct(LAYOUTS.VFIO_IOMMU_GET_INFO, head);
      return getInfoInto(ctx, Number(argsz), buffer);
    }
    case IOCTLS.VFIO_MAP_DMA.command: {
      const struct = buffer.load(LAYOUTS.VFIO_MAP_DMA.size);
      if (struct === undefined) return "EFAULT";
      return make("VFIO_MAP_DMA", decodeStruct(LAYOUTS.VFIO_MAP_DMA, struct)).errno;
    }
    case IOCTLS.VFIO_UNMAP_DMA.command: {
      const layout = LAYOUTS.VFIO_UNMAP_DMA;
      const struct = buffer.load(layout.size);
      if (struct === undefined) return "EFAULT";
      const values = decodeStruct(layout, struct);
      const { errno, size } = unmapDmaOf(ctx, values as unknown as In<"VFIO_UNMAP_DMA">);
      if (size === undefined) return errno;
      return buffer.store(0, encodeStruct(layout, { ...values, size })) ? errno : "EFAULT";
    }
    default:
      return "ENOTTY";
  }
};
