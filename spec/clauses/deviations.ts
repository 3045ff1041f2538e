/**
 * Where Linux 6.12 does not do what is documented: a history of that kernel may break these
 * clauses in profile `documented`, and no other. In profile `linux-6.12` another clause says what
 * it does instead.
 */
import type { CallName } from "../calls";
import type { Deviation } from "../verdict";
import type { ClauseId } from "./registry";

export interface KnownDeviation {
  readonly clause: ClauseId;
  readonly kind: Deviation["kind"];
  readonly call: CallName;
  /** The clause that binds in `linux-6.12` instead. */
  readonly instead: ClauseId;
  readonly what: string;
}

export const DEVIATIONS_OF_LINUX_6_12: readonly KnownDeviation[] = [
  {
    clause: "DTY-20",
    kind: "output",
    call: "HWPT_GET_DIRTY_BITMAP",
    instead: "DTY-21",
    what: "dirty pages behind a hole in the range are neither reported nor cleared",
  },
];

/** The listed deviation that this is, which names what 6.12 does instead; undefined: none. */
export const knownDeviation = (
  call: CallName,
  { clauses, kind }: Pick<Deviation, "clauses" | "kind">,
): KnownDeviation | undefined =>
  DEVIATIONS_OF_LINUX_6_12.find(
    (known) =>
      known.call === call &&
      known.kind === kind &&
      known.clause === clauses[0] &&
      clauses.includes(known.instead),
  );
