/**
 * VFIO_IOMMU_GET_INFO: page sizes of the compat IOAS, and behind the struct a chain of two
 * capabilities (VCC-23). Whatever of it the caller's argsz has room for is written, one struct
 * after the other; cap_offset leads to the chain only if all of it fits (VCC-24).
 */
import type { InfoCap } from "../../spec/fields";
import { decodeCaps, encodeRanges, encodeStruct, POISON, writtenPart } from "../../spec/uapi/codec";
import {
  INFO_CAP_ID_DMA_AVAIL,
  INFO_CAP_ID_IOVA_RANGE,
  IOMMU_INFO_CAPS,
  IOMMU_INFO_PGSIZES,
} from "../../spec/uapi/flags";
import {
  INFO_CAP_DMA_AVAIL,
  INFO_CAP_IOVA_RANGE,
  IOVA_RANGE,
  LAYOUTS,
} from "../../spec/uapi/layouts";
import type { IovaRange } from "../../spec/units";
import { type Fact, fact, judge, rule } from "../judge";
import type { MachineState } from "../state/machine";
import type { Ioas } from "../state/objects";
import { fdIsOpen } from "./common";
import { noContainer, type OnContainer, onContainer } from "./vfio-container";

interface View extends OnContainer {
  readonly strict: boolean;
  readonly argsz: number;
  /** Worked out at most once. */
  answer: Out | undefined;
}

interface Out {
  readonly argsz?: number;
  readonly flags?: number;
  readonly iova_pgsizes?: bigint;
  readonly cap_offset?: number;
  readonly caps?: readonly InfoCap[];
  readonly bytes?: string;
}

const INFO = LAYOUTS.VFIO_IOMMU_GET_INFO;
const AVAIL_AT = INFO.size;
/** A capability starts at a multiple of 8. */
const RANGES_AT = AVAIL_AT + 16;
/** What the harness's buffer holds; ranges behind its end are seen by nobody. */
const BUFFER_BYTES = 320;
const RANGES_SEEN = (BUFFER_BYTES - RANGES_AT - INFO_CAP_IOVA_RANGE.size) / IOVA_RANGE.size;
const UNLIMITED = 0xffff_ffff;

const ALL_SIZES = 0xffff_ffff_ffff_ffffn;

/** VCC-22: what all domains have, but nothing below a CPU page. */
const pgsizesOf = (machine: MachineState, ioas: Ioas | undefined): bigint => {
  let sizes = ALL_SIZES;
  for (const hwpt of ioas?.hwpts ?? []) sizes &= hwpt.pageSizes;
  const below = machine.page - 1n;
  return (sizes & below) === 0n ? sizes : (sizes & ~below) | machine.page;
};

const rangesOf = (v: View): readonly IovaRange[] => v.ioas?.usable ?? [];
const totalOf = (v: View): number =>
  RANGES_AT + INFO_CAP_IOVA_RANGE.size + IOVA_RANGE.size * rangesOf(v).length;
const offsetOf = (v: View): number => (v.argsz >= totalOf(v) ? AVAIL_AT : 0);

/** The buffer after the call. */
const bufferOf = (v: View, iova_pgsizes: bigint): Buffer => {
  const ranges = rangesOf(v);
  const { argsz } = v;
  const buffer = Buffer.alloc(Math.max(BUFFER_BYTES, totalOf(v)), POISON);
  const info = encodeStruct(INFO, {
    argsz: totalOf(v),
    flags: IOMMU_INFO_PGSIZES | IOMMU_INFO_CAPS,
    iova_pgsizes,
    cap_offset: offsetOf(v),
  });
  buffer.set(info.subarray(0, Math.min(argsz, INFO.size)));
  if (argsz >= AVAIL_AT + INFO_CAP_DMA_AVAIL.size) {
    const next = argsz >= RANGES_AT ? RANGES_AT : 0;
    const header = { id: INFO_CAP_ID_DMA_AVAIL, version: 1, next };
    buffer.set(encodeStruct(INFO_CAP_DMA_AVAIL, { ...header, avail: UNLIMITED }), AVAIL_AT);
  }
  const array = RANGES_AT + INFO_CAP_IOVA_RANGE.size;
  const room = Math.min(ranges.length, Math.floor((argsz - array) / IOVA_RANGE.size));
  if (room > 0) buffer.set(encodeRanges(ranges.slice(0, room)), array);
  if (argsz >= totalOf(v)) {
    const header = { id: INFO_CAP_ID_IOVA_RANGE, version: 1, next: 0 };
    buffer.set(
      encodeStruct(INFO_CAP_IOVA_RANGE, { ...header, nr_iovas: ranges.length }),
      RANGES_AT,
    );
  }
  return buffer.subarray(0, BUFFER_BYTES);
};

/** What the answer shows of a buffer. */
const shown = (buffer: Buffer): string => Buffer.from(writtenPart(buffer)).toString("hex");

const answerOf = (v: View): Out => {
  v.answer ??= makeAnswer(v);
  return v.answer;
};

const makeAnswer = (v: View): Out => {
  const pgsizes = pgsizesOf(v.machine, v.ioas);
  const buffer = bufferOf(v, pgsizes);
  const offset = offsetOf(v);
  return {
    argsz: totalOf(v),
    flags: IOMMU_INFO_PGSIZES | IOMMU_INFO_CAPS,
    iova_pgsizes: pgsizes,
    ...(v.argsz >= INFO.size && { cap_offset: offset }),
    ...(offset > 0 && { caps: decodeCaps(buffer, offset) }),
    bytes: shown(buffer),
  };
};

/** The capability of that id is there once, and as it should be. */
const hasCap = (out: Out, id: number, isRight: (cap: InfoCap) => boolean): boolean => {
  const [cap, second] = out.caps?.filter((each) => each.id === id) ?? [];
  return cap !== undefined && second === undefined && cap.version === 1 && isRight(cap);
};

const sameRanges = (a: readonly IovaRange[], b: readonly IovaRange[]): boolean =>
  a.length === b.length && a.every(([first, last], i) => b[i]?.[0] === first && b[i]?.[1] === last);

/** The capabilities are those that the bytes hold, each at a multiple of 8. */
const areInBytes = (v: View, out: Out): boolean => {
  const { caps = [] } = out;
  const there = capsIn(v, out);
  return caps.length === there.length && caps.every((cap, i) => isSameCap(cap, there[i]));
};

const capsIn = (v: View, { cap_offset = 0, bytes = "" }: Out): readonly InfoCap[] => {
  if (cap_offset === 0) return [];
  // What is as it should be has been decoded already.
  const own = answerOf(v);
  if (own.caps !== undefined && bytes === own.bytes && cap_offset === own.cap_offset)
    return own.caps;
  const buffer = Buffer.alloc(BUFFER_BYTES, POISON);
  buffer.set(Buffer.from(bytes, "hex").subarray(0, BUFFER_BYTES));
  return decodeCaps(buffer, cap_offset);
};

const isSameCap = (a: InfoCap, b: InfoCap | undefined): boolean =>
  a.at % 8 === 0 &&
  a.id === b?.id &&
  a.version === b.version &&
  a.at === b.at &&
  a.next === b.next &&
  a.avail === b.avail &&
  sameRanges(a.ranges ?? [], b.ranges ?? []);

const fits = (v: View): boolean => v.argsz >= totalOf(v);

const inWords = (value: bigint | number | string | undefined): string =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : String(value);

const capInWords = ({ id, at, avail, ranges = [] }: InfoCap): string => {
  const pairs = ranges.map(([first, last]) => `[${inWords(first)}, ${inWords(last)}]`).join(" ");
  return `${id} at ${at}: ${avail ?? pairs}`;
};

const output = (
  clause: Fact<View, Out>["clause"],
  field: keyof Out,
  holds: (v: View, out: Out) => boolean = (v, out) => out[field] === answerOf(v)[field],
  when?: (v: View) => boolean,
): Fact<View, Out> =>
  fact(clause, {
    ...(when && { when }),
    holds,
    right: (v) => {
      const value = answerOf(v)[field];
      return `${field} ${typeof value === "object" ? value.map(capInWords).join(", then ") : inWords(value)}`;
    },
  });

const facts: readonly Fact<View, Out>[] = [
  output("VCC-21", "flags"),
  // Which larger pages an IOMMU has beside its smallest is for the mock driver alone to say here.
  output("VCC-22", "iova_pgsizes", (v, { iova_pgsizes = 0n }) => {
    const right = answerOf(v).iova_pgsizes ?? 0n;
    const known = v.machine.platform.frontEnd === "mock" || v.ioas?.hwpts.length === 0;
    return known ? iova_pgsizes === right : (iova_pgsizes & -iova_pgsizes) === (right & -right);
  }),
  output("VCC-24", "argsz"),
  output("VCC-24", "cap_offset", (v, { cap_offset }) =>
    fits(v) && !v.strict ? (cap_offset ?? 0) >= INFO.size : cap_offset === answerOf(v).cap_offset,
  ),
  output("VCC-24", "bytes", (v, out) => (out.bytes ?? "").length <= 2 * Math.max(4, v.argsz)),
  output("VCC-23", "caps", (v, out) => (out.caps !== undefined) === fits(v)),
  output(
    "VCC-23",
    "caps",
    (_v, out) =>
      out.caps?.length === 2 &&
      out.caps[0]?.next === out.caps[1]?.at &&
      out.caps[1]?.next === 0 &&
      hasCap(out, INFO_CAP_ID_DMA_AVAIL, ({ avail }) => avail === UNLIMITED),
    fits,
  ),
  output(
    "VCC-25",
    "caps",
    (v, out) =>
      hasCap(out, INFO_CAP_ID_IOVA_RANGE, ({ ranges }) =>
        sameRanges(ranges ?? [], rangesOf(v).slice(0, RANGES_SEEN)),
      ),
    fits,
  ),
  output("VCC-23", "caps", areInBytes),
  // Only 6.12 has its capabilities in this order, and writes those that fit (UNS-08).
  output("VCC-23", "bytes", (v, { bytes, iova_pgsizes }) => {
    if (!v.strict) return true;
    const own = answerOf(v);
    if (iova_pgsizes === own.iova_pgsizes) return bytes === own.bytes;
    return bytes === shown(bufferOf(v, iova_pgsizes ?? 0n));
  }),
];

export const VFIO_IOMMU_GET_INFO = judge<"VFIO_IOMMU_GET_INFO", View>("VFIO_IOMMU_GET_INFO", {
  promise: "VCC-20",
  view: (machine, call, _claimed, profile) => {
    const { context, ioas } = onContainer(machine, call.fd);
    const { argsz } = call.in;
    return { machine, context, ioas, strict: profile === "linux-6.12", argsz, answer: undefined };
  },
  rules: [fdIsOpen(), rule("VCC-20", "EINVAL", (v) => v.argsz < INFO.min), noContainer("VCC-20")],
  facts,
  answer: answerOf,
});
