/**
 * Why a new domain cannot join an IOAS, in the order of DOM-02: for an attach that needs one, and
 * for HWPT_ALLOC (HWP-10).
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { never, type Rule, rule } from "../judge";
import type { OnIommufd } from "../judges/common";
import { pinProblem } from "../pinning";
import { type Interval, intersectsAny } from "../state/intervals";
import { conforms, hasAreaIn, unitOf } from "../state/ioas";
import type { Ioas } from "../state/objects";

/** What a call that may make a domain knows. */
export interface Joining extends OnIommufd {
  /** The process that makes the call. */
  readonly proc: number;
  readonly ioas: Ioas | undefined;
  /** Index into platform.iommus. */
  readonly iommu: number;
  /** What pinning says; looked up at most once. */
  pins: Errno | "fine" | undefined;
}

const NO_RANGES: readonly Interval[] = [];

const ioPageSize = (v: Joining): bigint => v.machine.iommus[v.iommu]?.ioPageSize ?? 1n;
const apertureEnds = (v: Joining): readonly Interval[] =>
  v.machine.iommus[v.iommu]?.outside ?? NO_RANGES;

const allowedIn = (v: Joining, first: bigint, last: bigint): boolean =>
  v.ioas !== undefined && intersectsAny(v.ioas.allowed, first, last);

/** A mapping or an allowed IOVA is where something would have to be reserved. */
export const inTheWay = (v: Joining, ranges: readonly Interval[]): boolean => {
  const { ioas } = v;
  if (ioas === undefined) return false;
  for (const { first, last } of ranges) {
    if (hasAreaIn(ioas, first, last) || allowedIn(v, first, last)) return true;
  }
  return false;
};

/** RSV-08 if a mapping is in the way, ALW-12 if an allowed IOVA is. */
export const whatIsInTheWay = (v: Joining, ranges: readonly Interval[]): ClauseId[] => {
  const { ioas } = v;
  if (ioas === undefined) return [];
  const clauses: ClauseId[] = [];
  if (ranges.some((r) => hasAreaIn(ioas, r.first, r.last))) clauses.push("RSV-08");
  if (ranges.some((r) => allowedIn(v, r.first, r.last))) clauses.push("ALW-12");
  return clauses;
};

const raisesAgainstMappings = ({ ioas }: Joining, alignment: bigint): boolean =>
  ioas !== undefined && alignment > ioas.alignment && !conforms(ioas, alignment);

/**
 * The first area that begins or ends inside a unit that has to be mapped as a whole, left by a
 * COPY (CPY-11): an IOMMU page, and without huge pages a CPU page.
 */
const firstCut = (v: Joining): number => {
  if (v.ioas === undefined) return -1;
  const mask = unitOf(v.ioas, ioPageSize(v), v.machine.page) - 1n;
  return v.ioas.areas.findIndex(({ first, last }) => ((first | (last + 1n)) & mask) !== 0n);
};

const pinsOf = (v: Joining): Errno | "fine" => {
  if (v.pins !== undefined) return v.pins;
  const { ioas } = v;
  if (ioas === undefined || ioas.hwpts.length > 0) v.pins = "fine";
  else v.pins = pinProblem(v.machine, ioas.areas, v.proc, firstCut(v)) ?? "fine";
  return v.pins;
};

/** A mapping's process is gone, and its memory with it. */
const isOrphaned = ({ ioas, machine }: Joining): boolean =>
  ioas?.areas.some(({ pages }) => machine.processes[pages.proc] === undefined) ?? false;

/**
 * @param joins a domain of `v.iommu` would have to join `v.ioas`
 * @param also another clause that says so about this call
 */
export const joinRules = <V extends Joining>(
  joins: (v: V) => boolean,
  also: readonly ClauseId[] = [],
): Rule<V>[] => {
  const filled = (v: V): boolean => joins(v) && (v.ioas?.areas.length ?? 0) > 0;
  const named = also.length === 0 ? {} : { also: () => also };
  return [
    rule("ALN-02", "EINVAL", (v) => joins(v) && ioPageSize(v) > v.machine.page, {
      applies: joins,
      hard: true,
      ...named,
    }),
    rule("ALN-03", "EADDRINUSE", (v) => joins(v) && raisesAgainstMappings(v, ioPageSize(v)), {
      applies: filled,
      ...named,
    }),
    rule("DOM-02", "EADDRINUSE", (v) => joins(v) && inTheWay(v, apertureEnds(v)), {
      applies: joins,
      also: (v) => [...whatIsInTheWay(v, apertureEnds(v)), ...also],
    }),
    rule("DOM-04", "EFAULT", (v) => joins(v) && pinsOf(v) === "EFAULT", {
      applies: filled,
      hard: true,
      also: (v) => (isOrphaned(v) ? [...also, "MAP-33"] : also),
    }),
    rule("DOM-04", "EOVERFLOW", (v) => joins(v) && pinsOf(v) === "EOVERFLOW", {
      applies: never,
      hard: true,
      ...named,
    }),
    rule("ACT-03", "ENOMEM", (v) => joins(v) && pinsOf(v) === "ENOMEM", {
      applies: filled,
      also: () => ["ACT-05", ...also],
    }),
    rule("CPY-11", "EINVAL", (v) => joins(v) && firstCut(v) >= 0, { applies: never, ...named }),
  ];
};
