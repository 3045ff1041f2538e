/** What a look at one answer can give. */

/** Two answers that cannot both be right: what the earlier ones imply, and what came. */
export interface Contradiction {
  readonly expected: string;
  readonly actual: string;
}

/** The answer was compared with something and fits. */
export const HELD = "held";

/** undefined: the ledger knows too little, so there was nothing to compare the answer with. */
export type Finding = Contradiction | typeof HELD | undefined;
