/**
 * IOMMU_IOAS_MAP: user memory becomes reachable at an IOVA.
 *
 * Without a domain nothing is pinned and user_va is only a number (MAP-22); areas are then exact
 * to the byte. With a domain every page is pinned and translated before the call returns
 * (MAP-23). The memory of each MAP is accounted for by itself, even where two MAPs name the same
 * bytes (MAP-27): a new Pages object each time.
 */

import { MAP_FIXED_IOVA, MAP_FLAGS, MAP_READABLE, MAP_WRITEABLE } from "../../spec/uapi/flags";
import type { Iova } from "../../spec/units";
import { U64_MAX } from "../../spec/units";
import { fact, judge, never, rule } from "../judge";
import {
  addArea,
  alignmentOf,
  automaticFacts,
  automaticFailureShows,
  endsInLastPage,
  guessIsTooSmall,
  hasNoRoom,
  iovaIsMisaligned,
  iovaWraps,
  isAutomatic,
  isCoarse,
  isFixed,
  isFixedAndCoarse,
  isPinned,
  isReserved,
  isTooLong,
  lengthIsMisaligned,
  type MappingView,
  mappingShows,
  meetsMappings,
  meetsReservations,
  overlapsMapping,
  pinsOf,
  placeOf,
} from "../mapping";
import { isReadOnlyMemory, type PinRequest, startsWell } from "../pinning";
import { covers } from "../state/intervals";
import type { MachineState } from "../state/machine";
import { pageNumber, vmaAt } from "../state/memory";
import type { Context, Pages, SeenOfArea } from "../state/objects";
import { expectLater } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf } from "./common";

interface View extends MappingView {
  readonly flags: number;
  readonly reserved: number;
  readonly request: PinRequest;
}

const accountOf = (
  machine: MachineState,
  context: Context | undefined,
  proc: number,
): Pages["account"] => {
  if (machine.processes[proc]?.lockFree !== false) return "none";
  return context?.byProcess === true ? "process" : "user";
};

/** The memory of a new mapping: a Pages object of its own (MAP-27). */
export const requestFor = (
  machine: MachineState,
  context: Context | undefined,
  proc: number,
  userVa: bigint,
  length: bigint,
  writeable: boolean,
): PinRequest => {
  const startByte = userVa % machine.page;
  const va = userVa - startByte;
  const pages: Pages = {
    proc,
    va,
    firstPage: pageNumber(va, machine.pageSize),
    writeable,
    account: accountOf(machine, context, proc),
    uid: machine.processes[proc]?.uid ?? 0,
    pins: new Map(),
  };
  return { pages, startByte, first: 0n, last: length - 1n };
};

export const offsetIsMisaligned = (v: MappingView & { readonly request: PinRequest }): boolean =>
  (v.request.startByte & (alignmentOf(v) - 1n)) !== 0n;

/** MAP-22: memory that is not there, or must not be touched so. */
const isBadMemory = (v: View): boolean => {
  const process = v.machine.processes[v.request.pages.proc];
  const vma = process && vmaAt(process, pageNumber(v.userVa, v.machine.pageSize));
  return vma === undefined || vma.prot === "none" || (v.writeable && vma.prot !== "rw");
};

/** Odd bounds, which alignment 1 permits. */
const isByteGranular = (v: View): boolean =>
  alignmentOf(v) === 1n && ((v.length | v.userVa) & (v.machine.page - 1n)) !== 0n;

const isOutsideAllowed = (v: View): boolean =>
  v.fixed &&
  v.ioas !== undefined &&
  v.ioas.allowed.length > 0 &&
  !covers(v.ioas.allowedSpans, v.iova, v.iova + v.length - 1n);

/** Coverage of an area that is no copy. */
export const seenOfMap = (pinnedByMap: boolean): SeenOfArea => ({
  pinnedByMap,
  copyOf: undefined,
  piece: false,
  copiedStale: false,
  removed: false,
  outlivedAllowed: false,
});

const isCharged = (v: View): boolean => isPinned(v) && v.request.pages.account !== "none";

const endsAtTop = (v: View): boolean => v.fixed && v.iova + v.length - 1n === U64_MAX;

export const IOAS_MAP = judge<"IOAS_MAP", View>("IOAS_MAP", {
  promise: "MAP-20",
  promises: (v, errno) => {
    // The limit leaves room for it: not every page was returned, or one was charged twice.
    if (errno === "ENOMEM" && isCharged(v)) return "ACT-03";
    if (v.fixed && v.iova === 0n) return "MAP-25";
    if (endsAtTop(v)) return "MAP-26";
    if (isOutsideAllowed(v)) return "ALW-10";
    if (!isPinned(v) && isBadMemory(v)) return "MAP-22";
    if (isByteGranular(v)) return "MAP-24";
    return v.fixed ? "RNG-16" : "MAP-32";
  },
  view: (machine, call, claimed, profile) => {
    const { flags, ioas_id, reserved, user_va, length, iova } = call.in;
    const context = machine.fds.get(call.fd);
    const writeable = (flags & MAP_WRITEABLE) !== 0;
    const request = requestFor(machine, context, call.proc, user_va, length, writeable);
    return {
      machine,
      context,
      ioasId: ioas_id,
      ioas: ioasOf(context, ioas_id),
      flags,
      reserved,
      fixed: (flags & MAP_FIXED_IOVA) !== 0,
      readable: (flags & MAP_READABLE) !== 0,
      writeable,
      iova,
      length,
      userVa: user_va,
      isUserVaGiven: true,
      request,
      proc: call.proc,
      requests: [request],
      cut: -1,
      claimed: claimed?.out?.iova,
      strict: profile === "linux-6.12",
      wish: undefined,
      place: "unknown",
      pins: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("MAP-01", "EOPNOTSUPP", (v) => (v.flags & ~MAP_FLAGS) !== 0 || v.reserved !== 0),
    rule("MAP-02", "EOVERFLOW", (v) => v.iova === U64_MAX || v.length === U64_MAX),
    rule("MAP-03", "EINVAL", (v) => !v.readable && !v.writeable),
    rule("MAP-04", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.ioasId),
      hard: true,
    }),
    rule("MAP-05", "EINVAL", (v) => v.length === 0n || v.length > U64_MAX - v.machine.page, {
      applies: (v) => v.length === 1n || v.length === U64_MAX - v.machine.page,
    }),
    rule("MAP-06", "EOVERFLOW", (v) => v.userVa + v.length > U64_MAX, {
      applies: (v) => v.userVa + v.length >= U64_MAX - v.machine.page,
    }),
    rule("MAP-08", "EINVAL", lengthIsMisaligned, { applies: isCoarse }),
    rule("MAP-09a", "EINVAL", iovaIsMisaligned, { applies: isFixedAndCoarse }),
    rule("MAP-10a", "EOVERFLOW", iovaWraps, { applies: endsInLastPage }),
    rule("MAP-11a", "EINVAL", isReserved, { applies: meetsReservations }),
    rule("MAP-12a", "EEXIST", overlapsMapping, { applies: meetsMappings }),
    rule("MAP-09b", "EOVERFLOW", isTooLong, { applies: isAutomatic }),
    rule("MAP-10b", "EINVAL", guessIsTooSmall, { applies: isAutomatic }),
    rule("MAP-11b", "ENOSPC", hasNoRoom, { applies: isAutomatic }),
    rule("MAP-13", "EINVAL", offsetIsMisaligned, { applies: isCoarse }),
    rule("MAP-14", "EFAULT", (v) => pinsOf(v) === "EFAULT", { applies: isPinned }),
    // The same in the last page of the address space.
    rule("MAP-14", "EOVERFLOW", (v) => pinsOf(v) === "EOVERFLOW", { applies: never }),
    rule("MAP-15", "ENOMEM", (v) => pinsOf(v) === "ENOMEM", {
      applies: isCharged,
      also: () => ["ACT-03", "ACT-05"],
    }),
  ],
  facts: [
    fact("MAP-20", {
      when: isFixed,
      holds: (v, out) => out.iova === v.iova,
      right: (v) => `iova 0x${v.iova.toString(16)}`,
    }),
    ...automaticFacts<View, { readonly iova?: bigint }>(),
    fact("MAP-20", { when: isAutomatic }),
    fact("MAP-22", { when: (v) => !isPinned(v) && isBadMemory(v) }),
    fact("MAP-24", { when: isByteGranular }),
    fact("MAP-25", { when: (v) => v.fixed && v.iova === 0n }),
    fact("MAP-26", { when: endsAtTop }),
    fact("MAP-32", { when: (v) => !v.fixed && v.iova !== 0n }),
    fact("RNG-16", { when: meetsReservations }),
    fact("ALW-10", { when: isOutsideAllowed }),
    fact("ALN-07", { when: isCoarse }),
    fact("ACT-03", { when: isCharged }),
    fact("GEN-23", { when: (v) => isPinned(v) && v.request.pages.proc !== 0 }),
    fact("PIN-06", {
      when: (v) => isPinned(v) && !v.writeable && isReadOnlyMemory(v.machine, v.request),
    }),
  ],
  answer: (v) => ({ iova: placeOf(v) as Iova }),
  shown: (v, out, coverage) => mappingShows(v, out.iova ?? v.iova, coverage),
  effect: (v, out) => {
    if (v.length === 0n) return;
    if (isCharged(v)) expectLater(v.machine.seenStatus, "ACT-01");
    addArea(v, v.request, out.iova ?? v.iova, seenOfMap(isPinned(v)));
  },
  failure: (v, broken, coverage) => {
    if (coverage !== undefined) automaticFailureShows(v, broken.errno, coverage);
    if (v.ioas === undefined) return;
    if (v.fixed && broken.errno !== "EEXIST") expectLater(v.ioas.seen.areas, "MAP-21", v.iova);
    if (broken.clause === "MAP-14" && startsWell(v.machine, v.request)) {
      expectLater(v.machine.seenRefs, "MAP-28", v.userVa);
    }
  },
});
