/** What a benchmark found: one number with a name that stays, and its limit if it has one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Growth {
  readonly name: string;
  /** What a size counts. */
  readonly of: "pages" | "areas";
  /** Nanoseconds per run, by size. */
  readonly points: readonly (readonly [size: number, nanoseconds: number])[];
  readonly exponent: number;
  readonly atMost: number;
  /** The exponent of the same workload in C, at the same sizes: what hardware makes of it. */
  readonly exponentInC?: number;
}

export const keepsItsLimit = ({ value, atMost, atLeast }: Figure): boolean =>
  (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);

/** What grows no faster than the same in C is within its limit: so much is the hardware's. */
export const growsWithin = ({ exponent, atMost, exponentInC = 0 }: Growth): boolean =>
  exponent <= Math.max(atMost, exponentInC);
