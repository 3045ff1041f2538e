/** The relations between runs: statements, and how their answers are compared. */
import type { InvariantId, Profile } from "../../spec/verdict";
import type { Invariant } from "../invariants/invariant";
import type { Comparison } from "./agree";

interface RelationInfo extends Pick<Invariant, "id" | "clauses"> {
  readonly compares: Comparison;
  /** The profile in which a difference is a failure; absent: every profile. */
  readonly only?: Profile;
}

const relation = (
  id: InvariantId,
  statement: string,
  clauses: Invariant["clauses"],
  rest: Partial<Pick<Invariant, "needs"> & Pick<RelationInfo, "compares" | "only">> = {},
): Invariant & RelationInfo => ({
  id,
  statement,
  clauses,
  needs: [],
  compares: {},
  on: {},
  ...rest,
});

const PINNED = { compares: { pinnedThroughout: true } } as const;

/** Those that no single run shows; the watch of single runs never looks for them. */
export const ALGEBRA: readonly (Invariant & RelationInfo)[] = [
  relation("I-23", "Attaching and mapping commute.", ["DEV-43"], { needs: ["translate"] }),
  relation(
    "I-26",
    "Huge pages on or off: translations and pins are the same.",
    ["OPT-17"],
    // The alignment is what the option is allowed to change.
    { compares: { anyAlignment: true } },
  ),
  relation("I-55", "Whatever order of destroying is permitted, the end is the same.", ["OBJ-07"]),
  relation(
    "I-57",
    "A duplicated iommufd is the same context, which stays until its last number is closed.",
    ["GEN-22", "OBJ-07"],
    { needs: ["dup"] },
  ),
  relation("I-70", "MAP, then UNMAP of exactly that, changes nothing.", ["UNM-25"], PINNED),
  relation("I-71", "UNMAP, then MAP of the same memory at the same IOVA, changes nothing.", [
    "UNM-25",
  ]),
  relation("I-72", "Disjoint FIXED maps commute.", ["MAP-20"]),
  relation("I-73", "The same calls at IOVAs shifted by a multiple of the page do the same.", [
    "MAP-20",
  ]),
  relation("I-74", "The same calls with another buffer of equal alignment do the same.", [
    "MAP-23",
  ]),
  relation("I-75", "One map of n pages does what n adjacent maps do, but for what UNMAP may cut.", [
    "MAP-23",
  ]),
  relation(
    "I-76",
    "UNMAP of a range does what one UNMAP per area does, and tells the sum of their lengths.",
    ["UNM-20", "UNM-21"],
  ),
  relation("I-77", "After unmapping everything, doing so again succeeds and unmaps nothing.", [
    "UNM-02",
  ]),
  relation("I-78", "A copy of a copy is as good as the copy.", ["CPY-21"], PINNED),
  relation("I-79", "A copy outlives its source, and a source its copy.", ["CPY-22"], PINNED),
  relation("I-80", "A copy translates like a second map of the same memory.", ["CPY-21"], {
    compares: { anyErrno: true },
  }),
  relation(
    "I-81",
    "No chain of copies grants a write that the direct copy is refused.",
    ["CPY-10"],
    { compares: { failureImpliesFailure: true } },
  ),
  relation("I-82", "Where an automatic map went, a FIXED one would have been accepted.", [
    "AUT-01",
    "AUT-02",
    "AUT-03",
  ]),
  relation("I-83", "ENOSPC only when no aligned place is left.", ["MAP-11b"], {
    compares: { failureImpliesFailure: true },
  }),
  relation("I-85", "IOVA_RANGES with less room gives the first ranges of the full answer.", [
    "RNG-06",
    "RNG-07",
  ]),
  relation(
    "I-86",
    "A list of allowed IOVAs replaces the one before it, an empty one removes it.",
    ["ALW-08"],
    { compares: { anyErrno: true } },
  ),
  relation(
    "I-87",
    "VFIO_MAP_DMA and VFIO_UNMAP_DMA do what FIXED MAP and UNMAP do, and undo each other's work.",
    ["VCC-10", "VCC-13", "VCC-28"],
    // Which errno is theirs is the container's own matter.
    { compares: { anyErrno: true }, needs: ["compat"] },
  ),
  relation(
    "I-88",
    "Zeros behind a struct change nothing, nor does leaving out zeros at its end.",
    ["GEN-08", "GEN-09"],
    { compares: { sharedOutputs: true }, needs: ["raw-bytes"] },
  ),
  relation("I-89", "The iova given to an automatic MAP is ignored.", ["MAP-32"]),
  relation(
    "I-90",
    "Copies of all areas of an IOAS in another translate as the IOAS does.",
    ["CPY-21"],
    { ...PINNED, needs: ["translate"] },
  ),
  relation(
    "I-91",
    "Cutting a part out of a TYPE1 mapping and mapping it again leaves all as it was.",
    ["VCC-15"],
    { needs: ["compat"] },
  ),
  relation(
    "I-101",
    "A call that is wrong in several ways fails as it does when it is wrong in one of them.",
    ["UNS-07"],
    // Which errno wins is open elsewhere, also among those of calls that are as wrong (UNS-07).
    { compares: { failsLikeOneOf: true }, only: "linux-6.12" },
  ),
];

/** Invariants of single runs under whose names two runs are compared as well. */
const ALSO: readonly RelationInfo[] = [
  { id: "I-05", clauses: ["RNG-03"], compares: { anyAlignment: true } },
  { id: "I-34", clauses: ["PIN-05"], compares: {} },
  { id: "I-37", clauses: ["ACT-02", "ACT-04"], compares: {} },
  { id: "I-56", clauses: ["GEN-22"], compares: {} },
  { id: "I-84", clauses: ["RNG-15"], ...PINNED },
  { id: "I-104", clauses: ["MAP-21"], compares: {} },
];

const BY_ID = new Map<InvariantId, RelationInfo>(
  [...ALGEBRA, ...ALSO].map((info) => [info.id, info]),
);

/** undefined: a trace may name a relation that this version does not know. */
export const relationInfo = (id: InvariantId): RelationInfo | undefined => BY_ID.get(id);
