/**
 * Motifs: short sequences that random calls reach too rarely, each aimed at the clauses named
 * beside it. Everything else about the state is left as it is, so they meet it in all its
 * variety; what they are aimed at is judged like any other call, so a motif that misses its aim
 * costs nothing but calls.
 */
import type { Aim } from "../aim";
import { BATCHES } from "./batches";
import { CONTAINERS } from "./containers";
import { DEVICES } from "./devices";
import { DIRTY_PAGES } from "./dirty-pages";
import { EDGES } from "./edges";
import { HOLDERS } from "./holders";
import { IN_THE_WAY } from "./in-the-way";
import { IOASES } from "./ioases";
import { MEMORY } from "./memory";
import { PLACING } from "./placing";
import { TABLES } from "./tables";
import { USERS } from "./users";

export const MOTIFS: readonly Aim[] = [
  ...PLACING,
  ...IN_THE_WAY,
  ...DEVICES,
  ...MEMORY,
  ...IOASES,
  ...TABLES,
  ...DIRTY_PAGES,
  ...USERS,
  ...HOLDERS,
  ...EDGES,
  ...BATCHES,
  ...CONTAINERS,
];
