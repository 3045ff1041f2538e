/** The agent's answers as outcomes. */
import { type Call, type Outcome, shapeOf } from "../../spec/calls";
import { ERRNO, type Errno } from "../../spec/errno";
import type { PinRun } from "../../spec/fields";
import { Resolver } from "../../spec/resolve";
import type { Trace } from "../../spec/trace";
import { decodeFaults, decodeOutputs, decodeRanges } from "../../spec/uapi/codec";
import { type IoctlCall, isIoctlCall } from "../../spec/uapi/ioctls";
import { IOVA_RANGE, LAYOUTS } from "../../spec/uapi/layouts";
import { arrayAfter, structSize } from "./ioctl";
import type { RawAnswer } from "./protocol";

const ERRNO_NAMES = new Map<number, Errno>(
  Object.entries(ERRNO).map(([name, number]) => [number, name as Errno]),
);

/** An errno that the uAPI does not have keeps its number: the oracle objects to it (LIV-02). */
const nameOf = (error: number): 0 | Errno =>
  error === 0 ? 0 : (ERRNO_NAMES.get(error) ?? (`E#${error}` as Errno));

export const decodeAnswers = (trace: Trace, answers: readonly RawAnswer[]): Outcome[] => {
  const resolver = new Resolver(trace.platform);
  const outcomes: Outcome[] = [];
  for (const [i, answer] of answers.entries()) {
    const step = trace.steps[i];
    if (step === undefined) throw new RangeError(`${answers.length} answers to ${i} calls`);
    const outcome = decodeAnswer(resolver.resolve(step), answer);
    resolver.note(step, outcome);
    outcomes.push(outcome);
  }
  return outcomes;
};

export const decodeAnswer = (call: Call, { error, bytes }: RawAnswer): Outcome => {
  const errno = nameOf(error);
  const out = errno === 0 ? outputsOf(call, bytes) : leftovers(call, errno, bytes);
  return { errno, ...(out !== undefined && Object.keys(out).length > 0 && { out }) } as Outcome;
};

const NOTHING = new Uint8Array(0);

type Outputs = Readonly<Record<string, unknown>>;

const outputsOf = (call: Call, bytes: Buffer): Outputs => {
  if (isIoctlCall(call)) {
    const size = structSize(call);
    const written = bytes.subarray(size);
    const array = arrayAfter(call, written);
    return { ...decodeOutputs(call, bytes.subarray(0, size), array), ...overrun(call, written) };
  }
  switch (call.call) {
    case "OPEN":
    case "DUP":
      return { fd: bytes.readInt32LE(0) };
    case "DEVICE_OPEN":
      return { devfd: bytes.readInt32LE(0) };
    case "MEM_READ":
      return { bytes: bytes.toString("hex") };
    case "PAGE_REFS":
      return { refs: decodeRuns(bytes) };
    case "VFIO_GET_API_VERSION":
    case "VFIO_CHECK_EXTENSION":
    case "VFIO_SET_IOMMU":
    case "FAULT_WRITE":
      return { rc: bytes.readUInt32LE(0) };
    case "FAULT_READ":
      return { records: decodeFaults(bytes) };
    case "FAULT_POLL":
      return { revents: bytes.readUInt32LE(0) };
    case "RAW":
    case "DEVICE_RAW":
      return { bytes: bytes.toString("hex") };
    case "PROC_STATUS":
      return { VmPin_pages: bytes.readUInt32LE(0), VmLck_pages: bytes.readUInt32LE(4) };
    default:
      // The fault log of an IOMMU tells nothing reliable, so DMA says nothing either.
      return {};
  }
};

/** What was stored behind what the caller has room for is shown, too: it never should be (I-103). */
const overrun = (call: IoctlCall, written: Buffer): Outputs => {
  if (call.call === "IOAS_IOVA_RANGES") {
    const elements = Math.ceil(written.length / IOVA_RANGE.size);
    if (elements <= call.in.num_iovas) return {};
    return { array: decodeRanges(arrayAfter(call, written), elements) };
  }
  if (call.call !== "GET_HW_INFO" || written.length <= call.in.data_len) return {};
  return { data: written.toString("hex") };
};

const decodeRuns = (bytes: Buffer): PinRun[] => {
  const runs: PinRun[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const pins = bytes.readInt32LE(at);
    runs.push([pins < 0 ? "EFAULT" : pins, bytes.readUInt32LE(at + 4)]);
  }
  return runs;
};

/** What a call that failed has written nevertheless; the agent sends bytes only if any differ. */
const leftovers = (call: Call, errno: Errno | 0, bytes: Buffer): Outputs | undefined => {
  if (bytes.length === 0) return undefined;
  if (!isIoctlCall(call)) return outputsOf(call, bytes);
  const size = structSize(call);
  const struct = bytes.subarray(0, size);
  const array = bytes.length > size ? arrayAfter(call, bytes.subarray(size)) : NOTHING;
  // EMSGSIZE promises them all (RNG-07), also where one happens to be what was sent.
  if (call.call === "IOAS_IOVA_RANGES" && errno === "EMSGSIZE") {
    return { ...decodeOutputs(call, struct, array), ...overrun(call, bytes.subarray(size)) };
  }
  const sent = call.in as Outputs;
  const all: Outputs = decodeOutputs(call, struct);
  const changed = Object.keys(shapeOf(call.call).out).filter(
    (name) => isInStruct(call, name) && name in all && !isSame(all[name], sent[name]),
  );
  const out: Record<string, unknown> = {};
  for (const name of changed) out[name] = all[name];
  const elements = Math.ceil((bytes.length - size) / IOVA_RANGE.size);
  if (call.call === "IOAS_IOVA_RANGES" && elements > 0) {
    out["array"] = decodeRanges(array, elements);
  }
  return out;
};

const isInStruct = ({ call }: IoctlCall, name: string): boolean =>
  LAYOUTS[call].fields.some((field) => field.name === name);

/** A field that only goes out was sent as 0. */
const isSame = (now: unknown, sent: unknown): boolean =>
  now === sent || (sent === undefined && (now === 0 || now === 0n));
