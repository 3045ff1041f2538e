/** Section A: what may be mapped where. */
import type { CallOf } from "../../spec/calls";
import {
  MAP_FLAGS,
  MAP_READABLE,
  MAP_WRITEABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_SET,
  VFIO_TYPE1_IOMMU,
} from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { whenAttached } from "./arrival";
import { I_08 } from "./bounds";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import type { Area } from "./ledger/pages";
import { contains, hex, showRange, showSet } from "./ledger/ranges";
import { askedAt, type MapCall, type OnPlacement, type Placement, whenPlaced } from "./placement";

/** The alignment that the last answer named, if nothing that could change it has happened. */
const answeredAlignment = (ioas: Ioas): bigint | undefined =>
  ioas.narrowed || ioas.widened || ioas.reshaped ? undefined : ioas.answer?.alignment;

/** The page offset counts for MAP only: for the pieces of a copy that is Linux's own (CPY-11). */
const offsetOf = (call: MapCall): bigint => {
  if (call.call === "IOAS_COPY") return 0n;
  return call.call === "IOAS_MAP" ? call.in.user_va : call.in.vaddr;
};

const isAligned = (call: MapCall, { start, length }: Placement, alignment: bigint): boolean =>
  (start | length | offsetOf(call)) % alignment === 0n;

const aligned: OnPlacement = (at, call, ledger) => {
  let alignment = at.ioas.alignmentAtLeast(ledger.pageSize);
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
      return ioas?.huge === 1n ? raised(ioas, ledger.pageBytes) : undefined;
    },
    VFIO_SET_IOMMU: (call, { errno }, ledger) => {
      const ioas = errno === 0 ? ledger.compat(call.fd) : undefined;
      if (ioas?.huge !== 1n || call.in.arg !== BigInt(VFIO_TYPE1_IOMMU)) return undefined;
      return raised(ioas, ledger.pageBytes);
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

/** Nothing is wrong with a fixed MAP by itself: what is left is its place. */
const isPlain = (call: CallOf<"IOAS_MAP">, ledger: Ledger): boolean => {
  const { flags, reserved, length, user_va: va, iova } = call.in;
  if ((flags & ~MAP_FLAGS) !== 0 || reserved !== 0) return false;
  if ((flags & (MAP_READABLE | MAP_WRITEABLE)) === 0) return false;
  if (length > U64_MAX - ledger.pageBytes || va + length > U64_MAX) return false;
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
