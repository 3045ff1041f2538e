/**
 * VFIO_IOMMU_GET_INFO in a frame of bytes: it answers behind its struct as well, as far as argsz
 * says there is room, and there may be less memory than that.
 */
import { POISON } from "../../spec/uapi/codec";
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

/**
 * The chain is stored before the struct. So the struct is as it was if the chain had no room, and
 * stored up to the end of the memory if it is the struct that had none.
 */
export const flawOfHalfInfo = (inner: Judge, v: Framed): Flaw | undefined => {
  const size = v.frame.layout?.size ?? 0;
  const info = infoOf(inner, v);
  const sent = v.frame.bytes.subarray(0, size);
  const got = (v.after ?? v.frame.bytes).subarray(0, size);
  const half =
    info !== undefined && info.length <= size ? infoStored(v, info).subarray(0, size) : sent;
  if (got.equals(half) || (!v.strict && got.equals(sent))) return undefined;
  return { clause: "GEN-15", right: `a struct of ${half.toString("hex")}` };
};
