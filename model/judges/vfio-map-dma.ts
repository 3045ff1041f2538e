/**
 * VFIO_MAP_DMA: MAP with a fixed IOVA into the compat IOAS (VCC-10). It asks less of its
 * arguments: no right at all is fine, and so is an IOVA of 2^64-1.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { DMA_MAP_READ, DMA_MAP_WRITE } from "../../spec/uapi/flags";
import { LAYOUTS } from "../../spec/uapi/layouts";
import { U64_MAX } from "../../spec/units";
import { judge, type Rule, rule } from "../judge";
import {
  addArea,
  iovaIsMisaligned,
  iovaWraps,
  isPinned,
  isReserved,
  lengthIsMisaligned,
  type MappingView,
  mappingShows,
  overlapsMapping,
  pinsOf,
} from "../mapping";
import { type PinRequest, startsWell } from "../pinning";
import { expectLater } from "../state/seen";
import { fdIsOpen } from "./common";
import { offsetIsMisaligned, requestFor, seenOfMap } from "./map";
import { noContainer, onContainer } from "./vfio-container";

interface View extends MappingView {
  readonly argsz: number;
  readonly flags: number;
  readonly request: PinRequest;
}

/** A rule of MAP's, which here is VCC-10 too. */
const likeMap = (clause: ClauseId, errno: Errno, broken: (v: View) => boolean): Rule<View> =>
  rule("VCC-10", errno, broken, {
    also: () => (clause === "MAP-15" ? [clause, "ACT-03", "ACT-05"] : [clause]),
    applies: () => false,
    as: clause,
  });

export const VFIO_MAP_DMA = judge<"VFIO_MAP_DMA", View>("VFIO_MAP_DMA", {
  promise: "VCC-10",
  view: (machine, call, _claimed, profile) => {
    const { argsz, flags, vaddr, iova, size } = call.in;
    const { context, ioas } = onContainer(machine, call.fd);
    const writeable = (flags & DMA_MAP_WRITE) !== 0;
    const request = requestFor(machine, context, call.proc, vaddr, size, writeable);
    return {
      machine,
      context,
      ioasId: ioas?.id ?? 0,
      ioas,
      argsz,
      flags,
      fixed: true,
      readable: (flags & DMA_MAP_READ) !== 0,
      writeable,
      iova,
      length: size,
      userVa: vaddr,
      isUserVaGiven: true,
      request,
      proc: call.proc,
      requests: [request],
      cut: -1,
      claimed: undefined,
      strict: profile === "linux-6.12",
      wish: undefined,
      place: "unknown",
      pins: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule(
      "VCC-10",
      "EINVAL",
      (v) =>
        v.argsz < LAYOUTS.VFIO_MAP_DMA.min || (v.flags & ~(DMA_MAP_READ | DMA_MAP_WRITE)) !== 0,
    ),
    noContainer("VCC-10"),
    likeMap("MAP-05", "EINVAL", (v) => v.length === 0n || v.length > U64_MAX - v.machine.page),
    likeMap("MAP-06", "EOVERFLOW", (v) => v.userVa + v.length > U64_MAX),
    likeMap("MAP-08", "EINVAL", lengthIsMisaligned),
    likeMap("MAP-09a", "EINVAL", iovaIsMisaligned),
    likeMap("MAP-10a", "EOVERFLOW", iovaWraps),
    likeMap("MAP-11a", "EINVAL", isReserved),
    likeMap("MAP-12a", "EEXIST", overlapsMapping),
    likeMap("MAP-13", "EINVAL", offsetIsMisaligned),
    likeMap("MAP-14", "EFAULT", (v) => pinsOf(v) === "EFAULT"),
    likeMap("MAP-14", "EOVERFLOW", (v) => pinsOf(v) === "EOVERFLOW"),
    likeMap("MAP-15", "ENOMEM", (v) => pinsOf(v) === "ENOMEM"),
  ],
  facts: [],
  shown: (v, _out, coverage) => mappingShows(v, v.iova, coverage),
  effect: (v) => {
    if (v.length === 0n || v.ioas === undefined) return;
    addArea(v, v.request, v.iova, seenOfMap(isPinned(v)));
    expectLater(v.ioas.seen.areas, "VCC-28", v.iova);
  },
  failure: (v, broken) => {
    if (v.ioas === undefined || v.length === 0n) return;
    if (broken.errno !== "EEXIST") expectLater(v.ioas.seen.areas, "MAP-21", v.iova);
    if (broken.errno === "EFAULT" && startsWell(v.machine, v.request)) {
      expectLater(v.machine.seenRefs, "MAP-28", v.userVa);
    }
  },
  leeway: (v, errno) => {
    const { platform } = v.machine;
    const isRightless = !v.readable && !v.writeable && isPinned(v) && platform.frontEnd === "vfio";
    return errno === "EINVAL" && isRightless ? "VCC-10" : undefined;
  },
});
