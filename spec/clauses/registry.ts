import { ACC } from "./acc";
import { ALN } from "./aln";
import { ALW } from "./alw";
import { AUT } from "./aut";
import type { Clause } from "./clause";
import { CPY } from "./cpy";
import { DEV } from "./dev";
import { DOM, RSV } from "./dom";
import { DTY } from "./dty";
import { FLT, INV } from "./flt";
import { GEN } from "./gen";
import { HWI, HWP } from "./hwp";
import { IAL } from "./ial";
import { LIV } from "./liv";
import { MAP } from "./map";
import { CHP, MFL } from "./newer";
import { DES, OBJ } from "./obj";
import { OPT, VFI } from "./opt";
import { ACT, PIN } from "./pin";
import { RNG } from "./rng";
import { TST } from "./tst";
import { UNM } from "./unm";
import { UNS } from "./uns";
import { VCC } from "./vcc";
import { VFD } from "./vfd";

const TABLES = {
  LIV,
  GEN,
  OBJ,
  DES,
  IAL,
  RNG,
  ALW,
  MAP,
  AUT,
  UNM,
  CPY,
  OPT,
  VFI,
  ALN,
  DOM,
  RSV,
  DEV,
  HWP,
  HWI,
  DTY,
  INV,
  FLT,
  MFL,
  CHP,
  ACC,
  PIN,
  ACT,
  VFD,
  VCC,
  TST,
  UNS,
} as const;

/** The letters before the number of a clause id. */
type Family = keyof typeof TABLES;

/** Every id there is: a misspelt one does not compile. */
export type ClauseId = (typeof TABLES)[Family][number]["id"];

export const FAMILIES: { readonly [F in Family]: string } = {
  LIV: "An implementation answers",
  GEN: "Framing and dispatch",
  OBJ: "Objects and their users",
  DES: "DESTROY",
  IAL: "IOAS_ALLOC",
  RNG: "IOAS_IOVA_RANGES",
  ALW: "IOAS_ALLOW_IOVAS",
  MAP: "IOAS_MAP",
  AUT: "Automatic IOVA",
  UNM: "IOAS_UNMAP",
  CPY: "IOAS_COPY",
  OPT: "OPTION",
  VFI: "VFIO_IOAS",
  ALN: "IOVA alignment",
  DOM: "Domains",
  RSV: "Reserved regions",
  DEV: "Devices: bind, attach, replace, detach",
  HWP: "HWPT_ALLOC",
  HWI: "GET_HW_INFO",
  DTY: "Dirty tracking",
  INV: "HWPT_INVALIDATE",
  FLT: "Page faults in user space",
  MFL: "IOAS_MAP_FILE",
  CHP: "IOAS_CHANGE_PROCESS",
  ACC: "In-kernel users",
  PIN: "Pins",
  ACT: "Accounting of pins",
  VFD: "VFIO device cdevs",
  VCC: "VFIO container ioctls",
  TST: "Hooks of the mock driver",
  UNS: "Left open on purpose",
};

/** Every clause, family by family. */
export const CLAUSES: readonly (Clause & { readonly id: ClauseId })[] =
  Object.values(TABLES).flat();

const INDEX: ReadonlyMap<string, number> = new Map(CLAUSES.map((clause, i) => [clause.id, i]));

/** Place of a clause in CLAUSES: dense, for arrays of counters. */
export const clauseIndex = (id: ClauseId): number => {
  const index = INDEX.get(id);
  if (index === undefined) throw new Error(`no clause ${id}: the types should have caught this`);
  return index;
};

export const clause = (id: ClauseId): Clause => {
  const found = CLAUSES[clauseIndex(id)];
  if (found === undefined) throw new Error(`no clause ${id}: the types should have caught this`);
  return found;
};

export const isClauseId = (id: string): id is ClauseId => INDEX.has(id);
