/**
 * Short lives of a machine, written down for tests: what was asked and what was answered, with
 * one answer that is right and one with a planted bug.
 */
import { type Call, type CallName, type Outcome, shapeOf } from "../../../spec/calls";
import { ABSENT, type FieldType } from "../../../spec/fields";
import type { Platform } from "../../../spec/platform";
import type { InvariantId } from "../../../spec/verdict";

export type Answered = readonly [call: Call, outcome: Outcome];

/** A life up to a call whose answer matters. */
export interface Life {
  /** Absent: the mock platform. */
  readonly platform?: Platform;
  readonly before: readonly Answered[];
  readonly call: Call;
}

export interface Story extends Life {
  readonly id: InvariantId;
  /** What the planted bug does. */
  readonly bug: string;
  readonly right: Outcome;
  readonly wrong: Outcome;
}

type Args = Readonly<Record<string, unknown>>;

export const FD = 3;
export const BUF0 = 0x2000_0000_0000n;
/** Two addresses of one memfd page: buf4 from 0x4000 on is buf5. */
export const BUF4 = BUF0 + 0x40_4000n;
export const BUF5 = BUF0 + 0x50_0000n;
export const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** What the mock driver's domains can translate. */
export const APERTURE = [[0x100_0000n, 0x7fff_ffffn]] as const;
export const EVERYTHING = [[0n, U64_MAX]] as const;

/** A call with the arguments given; the others are 0. */
export const ask = (name: CallName, args: Args = {}, fd = FD): Call => {
  const shape = shapeOf(name);
  const absent = Object.fromEntries(
    Object.entries(shape.in).map(([field, type]) => [field, ABSENT[type as FieldType]]),
  );
  const call = { call: name, proc: 0, thread: 0, fd: shape.on === "iommufd" ? fd : -1 };
  return { ...call, in: { ...absent, ...args } } as unknown as Call;
};
export const ok = (out?: Args): Outcome => ({ errno: 0, ...(out && { out }) }) as Outcome;
export const failed = (errno: string, out?: Args): Outcome =>
  ({ errno, ...(out && { out }) }) as unknown as Outcome;

export const open = (fd = FD): Answered => [ask("OPEN"), ok({ fd })];
export const close = (fd = FD): Answered => [ask("CLOSE", {}, fd), ok()];
export const ioas = (id: number, fd = FD): Answered => [
  ask("IOAS_ALLOC", {}, fd),
  ok({ out_ioas_id: id }),
];
export const destroy = (id: number): Answered => [ask("DESTROY", { id }), ok()];

/** FIXED, readable and writeable unless told otherwise. */
export const map = (
  ioas_id: number,
  iova: bigint,
  length: bigint,
  user_va: bigint = BUF0,
  flags = 7,
): Answered => [
  ask("IOAS_MAP", { ioas_id, flags, user_va, length, iova: flags & 1 ? iova : 0n }),
  ok({ iova }),
];
export const copy = (
  [src_ioas_id, src_iova]: readonly [number, bigint],
  [dst_ioas_id, dst_iova]: readonly [number, bigint],
  length: bigint,
): Answered => [
  ask("IOAS_COPY", { flags: 7, src_ioas_id, dst_ioas_id, length, dst_iova, src_iova }),
  ok({ dst_iova }),
];
export const unmap = (ioas_id: number, iova: bigint, length: bigint): Answered => [
  ask("IOAS_UNMAP", { ioas_id, iova, length }),
  ok({ length }),
];
export const askRanges = (ioas_id: number, num_iovas = 64, fd = FD): Call =>
  ask(
    "IOAS_IOVA_RANGES",
    { ioas_id, num_iovas, allowed_iovas: 0x1_0000_0000n, writable_elems: 64 },
    fd,
  );
type Ranges = readonly (readonly [bigint, bigint])[];
export const answerRanges = (array: Ranges, alignment: bigint): Outcome =>
  ok({ num_iovas: array.length, out_iova_alignment: alignment, array });
export const allow = (ioas_id: number, array: Ranges): Answered => [
  ask("IOAS_ALLOW_IOVAS", { ioas_id, num_iovas: array.length, array }),
  ok(),
];
/** A mock device attached to `pt`, with ids that follow `stdev`. */
export const mock = (pt: number, stdev: number, hwpt = stdev + 2): Answered => [
  ask("MOCK_DOMAIN", { pt_id: pt }),
  ok({ out_stdev_id: stdev, out_idev_id: stdev + 1, out_hwpt_id: hwpt }),
];
export const addReserved = (ioas_id: number, start: bigint, length: bigint): Answered => [
  ask("ADD_RESERVED", { ioas_id, start, length }),
  ok(),
];
export const mmap = (va: bigint, length: bigint): Answered => [
  ask("MMAP", { va, length, prot: "rw" }),
  ok(),
];
export const translate = (hwpt_id: number, iova: bigint, last: bigint): Call =>
  ask("TRANSLATE", { hwpt_id, iova, last });
export type Run = readonly [iova: bigint, length: bigint, pa: bigint, perm: number];
export const runs = (...list: readonly Run[]): Outcome =>
  ok({ runs: list.map(([iova, length, pa, perm]) => ({ iova, length, pa, perm })) });
export const pageRefs = (uptr: bigint, length = 0x1000n): Call =>
  ask("PAGE_REFS", { uptr, length });
export const pins = (...refs: readonly (readonly [number | string, number])[]): Outcome =>
  ok({ refs });
export const status = (pin: number, lck = 0): Outcome => ok({ VmPin_pages: pin, VmLck_pages: lck });

/** A device of the VFIO platform, opened as file 100 + dev and bound. */
export const bind = (dev: number, out_devid: number, iommufd = FD): readonly Answered[] => [
  [ask("DEVICE_OPEN", { dev }), ok({ devfd: 100 + dev })],
  [ask("VFIO_BIND", { devfd: 100 + dev, argsz: 16, iommufd }), ok({ out_devid })],
];
export const askAttach = (dev: number, pt_id: number): Call =>
  ask("VFIO_ATTACH", { devfd: 100 + dev, argsz: 12, pt_id });
export const attach = (dev: number, pt_id: number, hwpt: number): Answered => [
  askAttach(dev, pt_id),
  ok({ pt_id: hwpt }),
];
export const askDetach = (dev: number): Call => ask("VFIO_DETACH", { devfd: 100 + dev, argsz: 8 });
export const detach = (dev: number): Answered => [askDetach(dev), ok()];
export const dma = (dev: number, dir: string, iova: bigint, length = 8): Call =>
  ask("DMA", { devfd: 100 + dev, dir, iova, length });

export const memWrite = (va: bigint, bytes: string): Answered => [
  ask("MEM_WRITE", { va, bytes }),
  ok(),
];
export const memRead = (va: bigint, length: number): Call => ask("MEM_READ", { va, length });

/** File of the in-kernel user of a story. */
export const USER = 50;
/** An in-kernel user that pins pages, or not. */
export const access = (ioas_id: number, flags = 1): Answered => [
  ask("CREATE_ACCESS", { ioas_id, flags }),
  ok({ out_access_fd: USER }),
];
/** It reads into scratch memory. */
export const askRead = (iova: bigint, length: bigint): Call =>
  ask("ACCESS_RW", { access_fd: USER, iova, length, accessible_bytes: 64, uptr: 0x1_0000_0000n });

/** A MAP as raw bytes that cannot be written: whatever it does, it answers EFAULT. */
export const unanswered = (
  ioas_id: number,
  iova: bigint | undefined,
  length: bigint,
  va = BUF0,
): Answered => {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt32LE(40, 0);
  bytes.writeUInt32LE(iova === undefined ? 6 : 7, 4);
  bytes.writeUInt32LE(ioas_id, 8);
  bytes.writeBigUInt64LE(va, 16);
  bytes.writeBigUInt64LE(length, 24);
  bytes.writeBigUInt64LE(iova ?? 0n, 32);
  return [ask("RAW", { nr: 0x3b85, bytes: bytes.toString("hex"), memory: "r" }), failed("EFAULT")];
};
