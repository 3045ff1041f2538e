/**
 * IOMMU_IOAS_UNMAP: whole mappings go, never parts (UNM-07).
 *
 * 6.12 removes the covered areas from low to high and stops at one that sticks out: those before
 * it are gone although the call fails (UNM-24). Elsewhere some may be gone or none (UNS-04), and
 * the model follows all of these until an answer tells.
 */

import { clauseIndex } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { type Bytes, U64_MAX } from "../../spec/units";
import { isHeld } from "../access";
import { fact, judge, rule } from "../judge";
import { touchesNeighbour } from "../mapping";
import { isUsable } from "../state/ioas";
import type { Area, Ioas } from "../state/objects";
import { expectLater, settle } from "../state/seen";
import { areasIn, type Found, NONE, removeAreas, totalOf } from "../unmapping";
import { aboutId, fdIsOpen, ioasOf, type OnIommufd } from "./common";

interface View extends OnIommufd, Found {
  readonly strict: boolean;
  readonly id: number;
  readonly ioas: Ioas | undefined;
  readonly iova: bigint;
  readonly length: bigint;
  readonly last: bigint;
  /** iova 0 with length 2^64-1 (UNM-02). */
  readonly everything: boolean;
}

const bounds = (iova: bigint, length: bigint): { last: bigint; everything: boolean } => {
  const everything = iova === 0n && length === U64_MAX;
  return { last: everything ? U64_MAX : iova + length - 1n, everything };
};

const coveredAreas = (v: View): Area[] => v.ioas?.areas.slice(v.from, v.from + v.covered) ?? [];

const total = (v: View): bigint => totalOf(v.ioas?.areas ?? [], v);

const remove = (v: View): void => {
  if (v.ioas !== undefined) removeAreas(v.machine, v.ioas, v);
};

const isUnaligned = (v: View): boolean => {
  const mask = (v.ioas?.alignment ?? 1n) - 1n;
  return !v.everything && ((v.iova | v.length) & mask) !== 0n;
};

const reachesBeyond = (v: View): boolean => {
  const [area] = coveredAreas(v);
  return v.covered > 1 || (area !== undefined && (area.first > v.iova || area.last < v.last));
};

/** In-kernel users have to let go of a mapping first. */
const isHeldByUser = (v: View): boolean =>
  v.ioas !== undefined &&
  v.ioas.accesses.length > 0 &&
  coveredAreas(v).some((area) => v.ioas && isHeld(v.ioas, area));

const CPY_25 = clauseIndex("CPY-25");
const ALW_11 = clauseIndex("ALW-11");
const MAP_29 = clauseIndex("MAP-29");

export const IOAS_UNMAP = judge<"IOAS_UNMAP", View>("IOAS_UNMAP", {
  promise: "UNM-20",
  promises: (v) => {
    if (v.everything) return "UNM-02";
    if (v.last === U64_MAX) return "UNM-29";
    return reachesBeyond(v) ? "UNM-21" : undefined;
  },
  view: (machine, call, _claimed, profile) => {
    const { ioas_id, iova, length } = call.in;
    const context = machine.fds.get(call.fd);
    const ioas = ioasOf(context, ioas_id);
    const { last, everything } = bounds(iova, length);
    const found = ioas === undefined || length === 0n ? NONE : areasIn(ioas.areas, iova, last);
    return {
      machine,
      context,
      strict: profile === "linux-6.12",
      id: ioas_id,
      ioas,
      iova,
      length,
      last,
      everything,
      ...found,
    };
  },
  rules: [
    fdIsOpen(),
    rule("UNM-01", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule(
      "UNM-03",
      "EOVERFLOW",
      (v) => !v.everything && (v.iova === U64_MAX || v.length === U64_MAX),
    ),
    rule("UNM-04", "EINVAL", (v) => v.length === 0n),
    rule("UNM-05", "EOVERFLOW", (v) => v.last > U64_MAX, {
      applies: (v) => !v.everything && v.last > U64_MAX - v.machine.page,
    }),
    rule("UNM-07", "ENOENT", (v) => v.covered < v.touched, {
      hard: true,
    }),
    rule(
      "UNM-08",
      "ENOENT",
      (v) => v.ioas !== undefined && !v.everything && v.length > 0n && v.touched === 0,
    ),
  ],
  facts: [
    fact("UNM-20", {
      holds: (v, out) => out.length === total(v),
      right: (v) => `length 0x${total(v).toString(16)}`,
    }),
    fact("UNM-02", { when: (v) => v.everything }),
    fact("UNM-21", { when: reachesBeyond }),
    fact("UNM-22", { when: isUnaligned }),
    fact("ALN-07", { when: isUnaligned }),
    fact("UNM-23", {
      when: (v) => v.ioas !== undefined && !v.everything && !isUsable(v.ioas, v.iova, v.last),
    }),
    fact("UNM-27", { when: isHeldByUser }),
    fact("UNM-30", { when: (v) => v.everything && isHeldByUser(v) }),
    fact("ACC-30", { when: isHeldByUser }),
    fact("UNM-29", { when: (v) => !v.everything && v.last === U64_MAX }),
  ],
  answer: (v) => ({ length: total(v) as Bytes }),
  shown: (v, _out, coverage) => {
    const { ioas } = v;
    if (ioas === undefined) return;
    settle(ioas.seen.areas, coverage, v.iova, v.last);
    const count = (index: number): void => {
      coverage.success[index] = (coverage.success[index] ?? 0) + 1;
    };
    for (const area of coveredAreas(v)) {
      if (area.seen.piece && v.covered === 1) count(CPY_25);
      if (area.seen.outlivedAllowed) count(ALW_11);
      if (v.covered === 1 && touchesNeighbour(ioas, area)) count(MAP_29);
    }
  },
  effect: remove,
  failure: (v, broken) => {
    const [first] = coveredAreas(v);
    if (first === undefined || v.ioas === undefined) return;
    if (!v.strict || broken.clause !== "UNM-07") return;
    remove(v);
    expectLater(v.ioas.seen.areas, "UNM-24", first.first);
  },
  otherwise: (v, errno) => {
    if (v.strict || !mayStopHalfway(v, errno)) return [];
    const most = v.covered < v.touched ? v.covered : v.covered - 1;
    return Array.from({ length: most }, (_, i) => (at: View) => remove({ ...at, covered: i + 1 }));
  },
});

/** A mapping sticks out, or memory ran out: some of the lowest may be gone already (UNS-04). */
const mayStopHalfway = (v: View, errno: 0 | Errno): boolean =>
  (errno === "ENOENT" && v.covered < v.touched) || errno === "ENOMEM";
