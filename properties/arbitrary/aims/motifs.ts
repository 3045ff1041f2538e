/**
 * Motifs: short sequences that random calls reach too rarely, each aimed at the clauses it
 * names. Everything else about the state is left as it is, so they meet it in all its variety.
 */
import type { Aim } from "../aim";

export const MOTIFS: readonly Aim[] = [];
