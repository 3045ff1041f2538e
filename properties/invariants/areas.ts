/** Section A: where mappings begin and end, and what may be mapped where. */
import type { CallOf } from "../../spec/calls";
import {
  MAP_FLAGS,
  MAP_READABLE,
  MAP_WRITEABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_SET,
} from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { whenAttached } from "./arrival";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { sourceAreas, unmapRange } from "./ledger/mappings";
import type { Area } from "./ledger/pages";
import { contains, hex, showRange, showSet } from "./ledger/ranges";
import { askedAt, type MapCall, type OnPlacement, type Placement, whenPlaced } from "./placement";

/** The alignment that the last answer named, if nothing that could change it has happened. */
const answeredAlignment = (ioas: Ioas): bigint | undefined =>
  ioas.narrowed || ioas.widened || ioas.reshaped ? undefined : ioas.answer?.alignment;

/** The page offset counts for MAP only: for the pieces of a copy that is Linux's own (CPY-11). */
const isAligned = (call: MapCall, { start, length }: Placement, alignment: bigint): boolean =>
  start % alignment === 0n &&
  length % alignment === 0n &&
  (call.call === "IOAS_COPY" || call.in.user_va % alignment === 0n);

const aligned: OnPlacement = (at, call, ledger) => {
  let alignment = at.ioas.alignmentAtLeast(ledger.memory.pageSize);
  const answered = answeredAlignment(at.ioas);
  if (answered !== undefined && answered > alignment) alignment = answered;
  if (alignment === 1n) return undefined;
  if (isAligned(call, at, alignment)) return HELD;
  return {
    expected: `iova, length and page offset to be multiples of ${hex(alignment)}`,
    actual: `mapped at ${showRange(at.start, at.last)}`,
  };
};

const misalignedArea = (ioas: Ioas, alignment: bigint): Area | undefined =>
  ioas.areas.find(
    (area) =>
      area.sure &&
      area.whole &&
      (area.start % alignment !== 0n || (area.last + 1n) % alignment !== 0n),
  );

/** What raises the alignment must fail while a mapping does not conform. */
const raised = (ioas: Ioas, alignment: bigint): Finding => {
  if (alignment === 1n || ioas.areas.length === 0) return undefined;
  const area = misalignedArea(ioas, alignment);
  if (area === undefined) return HELD;
  const where = showRange(area.start, area.last);
  return { expected: `a failure: ${where} is not aligned to ${hex(alignment)}`, actual: "success" };
};

const fitsDomain = whenAttached((ioas, { iommu }) => raised(ioas, BigInt(iommu?.ioPageSize ?? 1)));

const I_07: Invariant = {
  id: "I-07",
  statement: "Every mapping conforms to the alignment in force, whichever of the two came first.",
  needs: [],
  clauses: ["ALN-03", "MAP-08", "MAP-09a"],
  on: {
    ...whenPlaced(aligned),
    VFIO_ATTACH: fitsDomain,
    MOCK_DOMAIN: fitsDomain,
    MOCK_DOMAIN_FLAGS: fitsDomain,
    MOCK_DOMAIN_REPLACE: fitsDomain,
    OPTION: (call, { errno }, ledger) => {
      const { option_id: option, op, val64: value, object_id: id } = call.in;
      if (errno !== 0 || option !== OPTION_HUGE_PAGES || op !== OPTION_OP_SET) return undefined;
      const ioas = value === 0n ? ledger.ioas(call.fd, id) : undefined;
      // Where they are off already, nothing is raised.
      return ioas?.huge === 1n ? raised(ioas, BigInt(ledger.memory.pageSize)) : undefined;
    },
    IOAS_IOVA_RANGES: (call, { errno, out }, ledger) => {
      const ioas = errno === 0 ? ledger.ioas(call.fd, call.in.ioas_id) : undefined;
      const alignment = out?.out_iova_alignment;
      if (ioas === undefined || !alignment || alignment === answeredAlignment(ioas)) {
        return undefined;
      }
      if (alignment === 1n || ioas.areas.length === 0) return undefined;
      const area = misalignedArea(ioas, alignment);
      if (area === undefined) return HELD;
      return {
        expected: `an alignment that the mapping at ${showRange(area.start, area.last)} keeps`,
        actual: hex(alignment),
      };
    },
  },
};

/** What the mappings known say to an UNMAP. */
interface Coverage {
  /** Bytes certainly removed, and bytes possibly removed. */
  least: bigint;
  most: bigint;
  /** A mapping reaches out of the range. */
  cut: Area | undefined;
  /** Mappings in the range whose bounds or existence are not certain. */
  open: boolean;
}

const coverageOf = (ioas: Ioas, start: bigint, last: bigint): Coverage => {
  const coverage: Coverage = { least: 0n, most: 0n, cut: undefined, open: false };
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i] as Area;
    if (area.start > last) break;
    const inside = area.start >= start && area.last <= last;
    if (!area.sure || !area.whole) coverage.open = true;
    if (!inside) {
      // What has no bounds of its own may have been cut anywhere.
      if (area.sure && area.whole) coverage.cut ??= area;
      if (!area.whole) coverage.most += area.last - area.start + 1n;
      continue;
    }
    const length = area.last - area.start + 1n;
    coverage.most += length;
    if (area.sure) coverage.least += length;
  }
  return coverage;
};

const unmapped = (
  call: CallOf<"IOAS_UNMAP">,
  length: bigint | undefined,
  ledger: Ledger,
): Finding => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined || length === undefined) return undefined;
  const { least, most, cut } = coverageOf(ioas, range.start, range.last);
  if (cut) {
    const where = showRange(cut.start, cut.last);
    return { expected: `ENOENT: the mapping at ${where} is only partly in it`, actual: "success" };
  }
  if (length >= least && length <= most) return HELD;
  const bytes = least === most ? hex(least) : `${hex(least)} to ${hex(most)}`;
  return { expected: `${bytes} bytes unmapped, as were mapped`, actual: hex(length) };
};

const notUnmapped = (call: CallOf<"IOAS_UNMAP">, ledger: Ledger): Finding => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) return undefined;
  const { least, cut, open } = coverageOf(ioas, range.start, range.last);
  if (open) return undefined;
  if (cut || least === 0n) return HELD;
  return { expected: `${hex(least)} bytes unmapped: whole mappings only`, actual: "ENOENT" };
};

const copied = (call: CallOf<"IOAS_COPY">, errno: unknown, ledger: Ledger): Finding => {
  const { src_iova: start, length } = call.in;
  const source = ledger.ioas(call.fd, call.in.src_ioas_id);
  if (source === undefined || length === 0n) return undefined;
  const last = start + length - 1n;
  const areas = sourceAreas(source, start, last);
  if (errno === 0) {
    if (areas) return HELD;
    return {
      expected: `ENOENT: not all of ${showRange(start, last)} is mapped`,
      actual: "success",
    };
  }
  if (errno !== "ENOENT" || !ledger.ioas(call.fd, call.in.dst_ioas_id)) return undefined;
  if (areas === undefined) return HELD;
  const [area] = areas;
  // Only a copy of exactly one mapping must work (CPY-24).
  if (areas.length > 1 || !area?.sure || !area.whole) return undefined;
  if (area.start !== start || area.last !== last) return undefined;
  return { expected: `success: ${showRange(start, last)} is one mapping`, actual: "ENOENT" };
};

const I_08: Invariant = {
  id: "I-08",
  statement:
    "Mappings keep the bounds they were made with: exactly the whole ones in a range can be " +
    "unmapped and add up to its length, and exactly what is mapped can be copied.",
  needs: [],
  clauses: ["UNM-07", "UNM-20", "CPY-07"],
  on: {
    IOAS_UNMAP: (call, { errno, out }, ledger) => {
      if (errno === 0) return unmapped(call, out?.length, ledger);
      return errno === "ENOENT" ? notUnmapped(call, ledger) : undefined;
    },
    IOAS_COPY: (call, { errno }, ledger) => copied(call, errno, ledger),
  },
};

/** Nothing is wrong with a fixed MAP by itself: what is left is its place. */
const isPlain = (call: CallOf<"IOAS_MAP">, ledger: Ledger): boolean => {
  const { flags, reserved, length, user_va: va, iova } = call.in;
  if ((flags & ~MAP_FLAGS) !== 0 || reserved !== 0) return false;
  if ((flags & (MAP_READABLE | MAP_WRITEABLE)) === 0) return false;
  if (length > U64_MAX - BigInt(ledger.memory.pageSize) || va + length > U64_MAX) return false;
  return iova !== U64_MAX && iova + length - 1n <= U64_MAX;
};

const I_11: Invariant = {
  id: "I-11",
  statement:
    "What IOVA_RANGES answered holds for fixed mappings: none leaves the ranges, and an aligned " +
    "one inside them is not invalid.",
  needs: [],
  clauses: ["RNG-16"],
  on: {
    IOAS_MAP: (call, { errno }, ledger) => {
      if (errno !== 0 && errno !== "EINVAL") return undefined;
      const at = askedAt(call, ledger);
      const answer = at?.ioas.answer;
      if (at === undefined || answer === undefined || at.ioas.allowed?.length !== 0)
        return undefined;
      const alignment = answeredAlignment(at.ioas);
      if (alignment === undefined) return undefined;
      const inside = contains(answer.set, at.start, at.last);
      if (errno === 0) {
        if (inside) return HELD;
        return {
          expected: `a failure: the ranges are ${showSet(answer.set)}`,
          actual: `mapped at ${showRange(at.start, at.last)}`,
        };
      }
      if (!inside || !isPlain(call, ledger)) return HELD;
      if (!isAligned(call, at, alignment)) return HELD;
      return {
        expected: `success or a reason: ${showRange(at.start, at.last)} is in the ranges and aligned`,
        actual: "EINVAL",
      };
    },
  },
};

export const AREAS: readonly Invariant[] = [I_07, I_08, I_11];
