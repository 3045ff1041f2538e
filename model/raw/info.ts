/**
 * VFIO_IOMMU_GET_INFO in a frame of bytes: it answers behind its struct as well, as far as argsz
 * says there is room, and there may be less memory than that.
 */
import { POISON } from "../../spec/uapi/codec";
import { LAYOUTS } from "../../spec/uapi/layouts";
import { type Flaw, firstBroken, type Judge } from "../judge";
import { answersBehind, type Frame } from "./frame";

/** What has to be known of a raw call. */
export interface Framed {
  readonly frame: Frame;
  readonly strict: boolean;
  /** The typed call's view, if the frame lets it through. */
  readonly inner: object | undefined;
  /** The bytes after the call; undefined: the answer has none. */
  readonly after: Buffer | undefined;
}

/** The chain may not fit into the memory that argsz promises. */
export const promisesTooMuch = ({ frame }: Framed): boolean =>
  answersBehind(frame) && (frame.size ?? 0) > frame.bytes.length;

/** What VFIO_IOMMU_GET_INFO would answer in a buffer that is large enough; none if it fails. */
export const infoOf = (inner: Judge, v: Framed): Buffer | undefined => {
  if (v.inner === undefined || !answersBehind(v.frame)) return undefined;
  if (firstBroken(inner.rules, v.inner) !== undefined) return undefined;
  const { bytes = "" } = (inner.answer?.(v.inner) ?? {}) as { bytes?: string };
  return Buffer.from(bytes, "hex");
};

/** The caller's memory ends before the answer does, so that 6.12 faults there. */
export const runsOut = (inner: Judge, v: Framed): boolean =>
  (infoOf(inner, v)?.length ?? 0) > v.frame.bytes.length;

/** The memory once `info` has been stored there, as far as it goes; what is poison is not. */
export const infoStored = ({ frame }: Framed, info: Buffer): Buffer =>
  Buffer.from(frame.bytes.map((sent, i) => (info[i] === POISON ? sent : (info[i] ?? sent))));

const PGSIZES = LAYOUTS.VFIO_IOMMU_GET_INFO.fields.find(({ name }) => name === "iova_pgsizes");

/** The field as far as the bytes go, as a number. */
const pgsizesIn = (bytes: Buffer, from: number): bigint =>
  [...bytes.subarray(from, from + 8)].reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);

/** `right`, with the larger pages of which only the IOMMU knows (VCC-22) as the answer has them. */
const withLargerPagesOf = (right: Buffer, answer: Buffer): Buffer => {
  const from = PGSIZES?.offset ?? 0;
  const [smallest, said] = [right, answer].map((bytes) => pgsizesIn(bytes, from));
  if (smallest === undefined || said === undefined) return right;
  if ((smallest & -smallest) !== (said & -said)) return right;
  const both = Buffer.from(right);
  answer.copy(both, from, from, from + 8);
  return both;
};

/**
 * The chain is stored before the struct. So the struct is as it was if the chain had no room, and
 * stored up to the end of the memory if it is the struct that had none.
 */
export const flawOfHalfInfo = (inner: Judge, v: Framed, isMock: boolean): Flaw | undefined => {
  const size = v.frame.layout?.size ?? 0;
  const info = infoOf(inner, v);
  const sent = v.frame.bytes.subarray(0, size);
  const got = (v.after ?? v.frame.bytes).subarray(0, size);
  const ends = info !== undefined && info.length <= size;
  const stored = ends ? infoStored(v, info).subarray(0, size) : sent;
  const half = ends && !isMock ? withLargerPagesOf(stored, got) : stored;
  if (got.equals(half) || (!v.strict && got.equals(sent))) return undefined;
  return { clause: "GEN-15", right: `a struct of ${half.toString("hex")}` };
};
