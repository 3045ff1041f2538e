/**
 * IOMMU_IOAS_COPY: memory that is mapped in one IOAS becomes reachable in another, or again.
 *
 * The copy shares the source's pages object and not its area (CPY-21, CPY-22). 6.12 takes any
 * source range that is mapped without a hole, cut into as many pieces as it has areas (CPY-25);
 * only a range that is exactly one mapping must work everywhere (CPY-24, UNS-05).
 */
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import { MAP_FIXED_IOVA, MAP_FLAGS, MAP_READABLE, MAP_WRITEABLE } from "../../spec/uapi/flags";
import { type Iova, U64_MAX } from "../../spec/units";
import { fact, judge, never, rule } from "../judge";
import {
  addArea,
  alignmentOf,
  automaticFacts,
  automaticFailureShows,
  guessIsTooSmall,
  hasNoRoom,
  iovaIsMisaligned,
  iovaWraps,
  isAutomatic,
  isCoarse,
  isFixed,
  isFull,
  isPinned,
  isReserved,
  isTooLong,
  lengthIsMisaligned,
  type MappingView,
  mappingShows,
  overlapsMapping,
  pinsOf,
  placeOf,
} from "../mapping";
import { piecesOf } from "../pieces";
import { hasDomain, isStale } from "../pinning";
import { higher } from "../state/intervals";
import { unitOf } from "../state/ioas";
import type { Ioas, Piece } from "../state/objects";
import { countSeen, expectLater, settle } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf } from "./common";

interface View extends MappingView {
  readonly flags: number;
  readonly sourceId: number;
  readonly source: Ioas | undefined;
  readonly sourceIova: bigint;
  readonly pieces: readonly Piece[];
  /** The source range is mapped without a hole. */
  readonly whole: boolean;
}

/** A piece that ends inside a unit which the domains map as a whole (CPY-11). */
const firstCut = (
  dst: Ioas | undefined,
  pieces: readonly Piece[],
  start: bigint,
  page: bigint,
): number => {
  if (dst === undefined || !hasDomain(dst)) return -1;
  const unit = dst.hwpts.map((hwpt) => unitOf(dst, hwpt.ioPageSize, page)).reduce(higher);
  return pieces.findIndex(
    ({ last }, i) => i < pieces.length - 1 && (last + 1n - start) % unit !== 0n,
  );
};

const sourceLast = (v: View): bigint => v.sourceIova + v.length - 1n;
const sourceWraps = (v: View): boolean => sourceLast(v) > U64_MAX;

const exceedsRights = (v: View, piece: Piece): boolean => v.writeable && !piece.pages.writeable;
const isMisplaced = (v: View, piece: Piece): boolean =>
  (piece.startByte & (alignmentOf(v) - 1n)) !== 0n;

/** Pieces are judged one after the other, each for its rights and then for its offset. */
const firstBadPiece = (v: View): Piece | undefined =>
  v.pieces.find((piece) => exceedsRights(v, piece) || isMisplaced(v, piece));

const failsByRights = (v: View): boolean => {
  const piece = v.strict ? firstBadPiece(v) : v.pieces.find((each) => exceedsRights(v, each));
  return piece !== undefined && exceedsRights(v, piece);
};
const failsByOffset = (v: View): boolean => {
  const piece = v.strict ? firstBadPiece(v) : v.pieces.find((each) => isMisplaced(v, each));
  return piece !== undefined && isMisplaced(v, piece);
};

const isExactMapping = (v: View): boolean => {
  const [piece] = v.pieces;
  if (piece === undefined || v.pieces.length > 1) return false;
  return piece.first === piece.area.first && piece.last === piece.area.last;
};

/** CPY-23: more rights than the source area has. */
const widensRights = (v: View): boolean =>
  v.pieces.some(({ area }) => (v.writeable && !area.writeable) || (v.readable && !area.readable));

const isCharged = (v: View): boolean =>
  isPinned(v) && v.pieces.some(({ pages }) => pages.account !== "none");

/** The copy would lie on its own source. */
const aboutOverlap = (v: View): readonly ClauseId[] =>
  v.source === v.ioas && v.iova <= sourceLast(v) && v.sourceIova <= v.iova + v.length - 1n
    ? ["CPY-29"]
    : [];

export const IOAS_COPY = judge<"IOAS_COPY", View>("IOAS_COPY", {
  promise: "CPY-30",
  promises: (v) => (v.pieces.length > 1 ? "CPY-25" : "CPY-24"),
  view: (machine, call, claimed, profile) => {
    const { flags, dst_ioas_id, src_ioas_id, length, dst_iova, src_iova } = call.in;
    const context = machine.fds.get(call.fd);
    const source = ioasOf(context, src_ioas_id);
    const last = src_iova + length - 1n;
    const pieces = piecesOf(source, src_iova, last);
    const [first] = pieces;
    const ioas = ioasOf(context, dst_ioas_id);
    const cut = firstCut(ioas, pieces, src_iova, machine.page);
    return {
      machine,
      context,
      ioasId: dst_ioas_id,
      ioas,
      proc: call.proc,
      flags,
      sourceId: src_ioas_id,
      source,
      sourceIova: src_iova,
      pieces,
      whole: pieces.at(-1)?.last === last,
      cut,
      fixed: (flags & MAP_FIXED_IOVA) !== 0,
      readable: (flags & MAP_READABLE) !== 0,
      writeable: (flags & MAP_WRITEABLE) !== 0,
      iova: dst_iova,
      length,
      userVa: first === undefined ? 0n : first.pages.va + first.startByte,
      isUserVaGiven: false,
      requests: pieces,
      claimed: claimed?.out?.dst_iova,
      strict: profile === "linux-6.12",
      wish: undefined,
      place: "unknown",
      pins: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("CPY-01", "EOPNOTSUPP", (v) => (v.flags & ~MAP_FLAGS) !== 0),
    rule(
      "CPY-02",
      "EOVERFLOW",
      (v) => v.length === U64_MAX || v.sourceIova === U64_MAX || v.iova === U64_MAX,
    ),
    rule("CPY-03", "EINVAL", (v) => !v.readable && !v.writeable),
    rule("CPY-04", "ENOENT", (v) => v.context !== undefined && v.source === undefined, {
      also: (v) => aboutId(v.context, v.sourceId),
      hard: true,
    }),
    rule("CPY-05", "EINVAL", (v) => v.length === 0n),
    rule("CPY-06", "EOVERFLOW", sourceWraps, {
      applies: (v) => sourceLast(v) > U64_MAX - v.machine.page,
    }),
    rule(
      "CPY-07",
      "ENOENT",
      (v) => v.source !== undefined && v.length > 0n && !sourceWraps(v) && !v.whole,
      { hard: true },
    ),
    rule("CPY-08", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.ioasId),
      hard: true,
    }),
    // MAP-08 to MAP-12, judged on the destination.
    rule("CPY-09", "EINVAL", lengthIsMisaligned, { as: "MAP-08" }),
    rule("CPY-09", "EINVAL", iovaIsMisaligned, { as: "MAP-09a", applies: never }),
    rule("CPY-09", "EOVERFLOW", iovaWraps, { as: "MAP-10a", applies: never }),
    rule("CPY-09", "EINVAL", isReserved, { as: "MAP-11a", applies: never }),
    rule("CPY-09", "EEXIST", overlapsMapping, {
      as: "MAP-12a",
      applies: never,
      also: aboutOverlap,
    }),
    rule("CPY-09", "EOVERFLOW", isTooLong, { as: "MAP-09b", applies: never }),
    rule("CPY-09", "EINVAL", (v) => v.whole && guessIsTooSmall(v), {
      as: "MAP-10b",
      applies: never,
    }),
    rule("CPY-09", "ENOSPC", (v) => (v.whole ? hasNoRoom(v) : isFull(v)), {
      as: "MAP-11b",
      applies: never,
    }),
    rule("CPY-10", "EPERM", failsByRights, { applies: (v) => v.writeable }),
    rule("CPY-11", "EINVAL", failsByOffset, { applies: isCoarse }),
    rule("CPY-12", "EFAULT", (v) => pinsOf(v) === "EFAULT", { applies: isPinned, hard: true }),
    rule("CPY-12", "EOVERFLOW", (v) => pinsOf(v) === "EOVERFLOW", { applies: never, hard: true }),
    rule("CPY-12", "ENOMEM", (v) => pinsOf(v) === "ENOMEM", {
      applies: never,
      also: () => ["ACT-03", "ACT-05"],
    }),
    rule("CPY-11", "EINVAL", (v) => v.whole && v.cut >= 0, { applies: never }),
  ],
  facts: [
    fact("CPY-30", {
      when: isFixed,
      holds: (v, out) => out.dst_iova === v.iova,
      right: (v) => `dst_iova 0x${v.iova.toString(16)}`,
    }),
    ...automaticFacts<View, { readonly dst_iova?: bigint }>(),
    fact("CPY-30", { when: isAutomatic }),
    fact("AUT-13", { when: (v) => !v.fixed && v.userVa % v.machine.page !== 0n }),
    fact("CPY-20", { when: (v) => v.source === v.ioas }),
    fact("CPY-23", { when: widensRights }),
    fact("CPY-24", { when: isExactMapping }),
    fact("CPY-26", { when: (v) => v.sourceIova % alignmentOf(v) !== 0n }),
    fact("ACT-07", { when: isCharged }),
    fact("CPY-27", { when: (v) => v.pieces.some(({ pages }) => pages.proc !== v.proc) }),
    fact("ALN-07", { when: isCoarse }),
  ],
  answer: (v) => ({ dst_iova: placeOf(v) as Iova }),
  shown: (v, out, coverage) => {
    mappingShows(v, out.dst_iova ?? v.iova, coverage);
    // The source is where its MAP put it, and nowhere else.
    if (v.source !== undefined) {
      settle(v.source.seen.areas, coverage, v.sourceIova, sourceLast(v));
    }
  },
  effect: (v, out) => {
    if (isCharged(v) && v.source !== v.ioas) expectLater(v.machine.seenStatus, "ACT-08");
    const shift = (out.dst_iova ?? v.iova) - v.sourceIova;
    for (const piece of v.pieces) {
      addArea(v, piece, piece.first + shift, {
        pinnedByMap: false,
        copyOf: piece.area,
        piece: v.pieces.length > 1,
        copiedStale: piece.pages.pins.size > 0 && isStale(v.machine, piece),
        removed: false,
        outlivedAllowed: false,
      });
    }
  },
  failure: (v, broken, coverage) => {
    if (coverage !== undefined) {
      if (v.whole) automaticFailureShows(v, broken.errno, coverage);
      const noDestination = v.context !== undefined && v.ioas === undefined;
      const early = broken.clause === "CPY-05" || broken.clause === "CPY-07";
      if (noDestination && early) countSeen(coverage, CPY_32);
    }
    if (v.ioas !== undefined && v.fixed && broken.errno !== "EEXIST") {
      expectLater(v.ioas.seen.areas, "CPY-28", v.iova);
    }
  },
  leeway: (v, errno) => {
    if (v.strict || isExactMapping(v)) return undefined;
    return errno === "ENOENT" || errno === "EINVAL" ? "UNS-05" : undefined;
  },
});

const CPY_32 = clauseIndex("CPY-32");
