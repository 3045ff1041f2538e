import type { Errno } from "../errno";
import type { Need } from "../needs";

/**
 * Where a statement comes from, and so whom it binds:
 * D documented (uAPI header comments, iommufd.rst); S said by one of the project's five source
 * documents; T asserted by the kernel's own selftests; I only how Linux behaves; U deliberately
 * unspecified. Several letters can apply. D, S and T bind in every profile, I in `linux-6.12`
 * only, U never.
 */
export type Basis =
  | "D"
  | "S"
  | "T"
  | "I"
  | "U"
  | "DS"
  | "DT"
  | "ST"
  | "DST"
  | "DI"
  | "TI"
  | "DU"
  | "IU";

export const BASIS_NAMES = {
  D: "documented",
  S: "seed",
  T: "selftest",
  I: "implementation",
  U: "unspecified",
} as const;

/** The way a clause is exercised: a call that kept it, or a call that broke it. */
export type Side = "success" | "violation";

/** One testable statement of the uAPI. */
export interface Clause {
  /** Stable id, `MAP-12a`. */
  readonly id: string;
  /** The statement, in our own words, one or two sentences. */
  readonly statement: string;
  /** What a call that breaks it gets. Absent: the clause says what a successful call means. */
  readonly errno?: Errno;
  /** A basis for each aspect: that a call must fail may be documented, and with what may not. */
  readonly basis: {
    /** The rule or fact itself. */
    readonly rule: Basis;
    /** Which errno answers a violation; absent: as `rule`. */
    readonly errno?: Basis;
    /** Its place among the other rules of the call; absent: "I". */
    readonly order?: Basis;
  };
  /** Documents that say so: "uapi iommufd.h", "iommufd.rst", "io_pagetable.c iopt_unmap_iova". */
  readonly source: readonly string[];
  /** What IUT and platform must have for the clause to be exercised. */
  readonly needs: readonly Need[];
  /** The sides from which a run can exercise it. */
  readonly sides: readonly Side[];
  /** Recordings that corrected or settled it: "domains-42 step 4". */
  readonly evidence?: readonly string[];
}
