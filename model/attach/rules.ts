/**
 * Why an attach or a replace fails (DEV-17, DEV-34).
 *
 * An attach looks at the group, the reserved regions and the driver before a new domain joins the
 * IOAS; a replace has the domain join first, because 6.12 makes the new HWPT completely before it
 * moves the group.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { never, type Rule, rule } from "../judge";
import { aboutId, mayBeAccess } from "../judges/common";
import { pinProblem } from "../pinning";
import { higher, type Interval, intersectsAny } from "../state/intervals";
import { conforms, hasAreaIn } from "../state/ioas";
import { type AttachView, groupIsElsewhere, isNew, NO_REGIONS, stays } from "./target";

const joining = (v: AttachView): boolean => isNew(v) && !groupIsElsewhere(v);

const ioPageSize = (v: AttachView): bigint => v.machine.iommus[v.iommu]?.ioPageSize ?? 1n;
const apertureEnds = (v: AttachView): readonly Interval[] =>
  v.machine.iommus[v.iommu]?.outside ?? NO_REGIONS;

const inTheWay = (v: AttachView, ranges: readonly Interval[]): boolean => {
  const { ioas } = v;
  if (ioas === undefined) return false;
  for (const { first, last } of ranges) {
    if (hasAreaIn(ioas, first, last) || allowedIn(v, first, last)) return true;
  }
  return false;
};

const allowedIn = (v: AttachView, first: bigint, last: bigint): boolean =>
  v.ioas !== undefined && intersectsAny(v.ioas.allowed, first, last);

/** RSV-08 if a mapping is in the way, ALW-12 if an allowed IOVA is. */
const whatIsInTheWay = (v: AttachView, ranges: readonly Interval[]): ClauseId[] => {
  const { ioas } = v;
  if (ioas === undefined) return [];
  const clauses: ClauseId[] = [];
  if (ranges.some((r) => hasAreaIn(ioas, r.first, r.last))) clauses.push("RSV-08");
  if (ranges.some((r) => allowedIn(v, r.first, r.last))) clauses.push("ALW-12");
  return clauses;
};

const raisesAgainstMappings = (v: AttachView): boolean => {
  if (!isNew(v)) return false;
  const alignment = ioPageSize(v);
  return alignment > v.ioas.alignment && !conforms(v.ioas, alignment);
};

const pinsOf = (v: AttachView): Errno | "fine" => {
  if (v.pins !== undefined) return v.pins;
  if (!isNew(v) || v.ioas.hwpts.length > 0) v.pins = "fine";
  else {
    // Areas are pinned and mapped one after the other: none after the cut is looked at.
    const cut = firstCut(v);
    const filled = cut < 0 ? v.ioas.areas : v.ioas.areas.slice(0, cut + 1);
    v.pins = pinProblem(v.machine, filled) ?? "fine";
  }
  return v.pins;
};

/** The first area that begins or ends inside a unit that has to be mapped as a whole, left by a
 * COPY (CPY-11): an IOMMU page, and without huge pages a CPU page. */
const firstCut = (v: AttachView): number => {
  if (!isNew(v)) return -1;
  const mask = higher(ioPageSize(v), v.ioas.alignment) - 1n;
  return v.ioas.areas.findIndex(({ first, last }) => ((first | (last + 1n)) & mask) !== 0n);
};

/** A new domain joins the IOAS, in the order of DOM-02. */
const joinRules = (now: (v: AttachView) => boolean): Rule<AttachView>[] => {
  const joins = (v: AttachView): boolean => now(v) && joining(v);
  const filled = (v: AttachView): boolean => joins(v) && (v.ioas?.areas.length ?? 0) > 0;
  return [
    rule("ALN-02", "EINVAL", (v) => joins(v) && ioPageSize(v) > v.machine.page, {
      applies: joins,
      hard: true,
    }),
    rule("ALN-03", "EADDRINUSE", (v) => joins(v) && raisesAgainstMappings(v), { applies: filled }),
    rule("DOM-02", "EADDRINUSE", (v) => joins(v) && inTheWay(v, apertureEnds(v)), {
      applies: joins,
      also: (v) => whatIsInTheWay(v, apertureEnds(v)),
    }),
    rule("DOM-04", "EFAULT", (v) => joins(v) && pinsOf(v) === "EFAULT", {
      applies: filled,
      hard: true,
    }),
    rule("DOM-04", "EOVERFLOW", (v) => joins(v) && pinsOf(v) === "EOVERFLOW", {
      applies: never,
      hard: true,
    }),
    rule("ACT-03", "ENOMEM", (v) => joins(v) && pinsOf(v) === "ENOMEM", {
      applies: filled,
      also: () => ["ACT-05"],
    }),
    rule("CPY-11", "EINVAL", (v) => joins(v) && firstCut(v) >= 0, { applies: never }),
  ];
};

const DEV_11 = rule<AttachView>(
  "DEV-11",
  "EINVAL",
  (v) => v.pt !== undefined && v.ioas === undefined,
  { hard: true },
);

/** What a pt_id gets that may be the untold id of an in-kernel user. */
export const attachLeeway = (v: AttachView, errno: Errno): ClauseId | undefined =>
  (errno === "ENOENT" || errno === "EINVAL") && mayBeAccess(v, v.ptId) ? "UNS-01" : undefined;

export const attachRules: readonly Rule<AttachView>[] = [
  rule("DEV-10", "ENOENT", (v) => v.context !== undefined && v.pt === undefined, {
    also: (v) => aboutId(v.context, v.ptId),
  }),
  DEV_11,
  rule("DEV-15", "EINVAL", groupIsElsewhere, {
    applies: (v) => !v.replacing && v.group?.hwpt !== undefined,
    hard: true,
  }),
  ...joinRules((v) => v.replacing),
  rule("RSV-02", "EADDRINUSE", (v) => inTheWay(v, v.regions), {
    applies: (v) => v.regions.length > 0,
    also: (v) => whatIsInTheWay(v, v.regions),
  }),
  // The domain of an HWPT that was named cannot serve devices of another IOMMU.
  rule(
    "DEV-17",
    "EINVAL",
    (v) => v.chosen !== undefined && !stays(v) && v.chosen.iommu !== v.iommu,
    {
      applies: never,
    },
  ),
  ...joinRules((v) => !v.replacing),
];
