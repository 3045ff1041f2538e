/** Numbers that stand for nothing, on purpose. */

/** Ids that name nothing (OBJ-02), or hardly anything. */
export const BOGUS_IDS = [0, 99, 0x7fff_ffff, 0xffff_ffff] as const;
/** User addresses where nothing is ever mapped. */
export const BAD_VAS = [0x3000_0000_0000n, 0x1000n, 0x2fff_ffff_f801n] as const;
