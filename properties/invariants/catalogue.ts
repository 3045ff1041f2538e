/** Every invariant that is watched, section by section. */
import type { Need } from "../../spec/needs";
import type { InvariantId } from "../../spec/verdict";
import { ALGEBRA } from "../algebra/catalogue";
import { AREAS } from "./areas";
import { DIRTY_PAGES } from "./dirty";
import { FAILURE, I_63 } from "./failure";
import { GROUPS } from "./groups";
import type { Invariant } from "./invariant";
import { MIRROR } from "./mirror";
import { OBJECTS } from "./objects";
import { OVERRUN } from "./overrun";
import { PINNING } from "./pinning";
import { REPORTING } from "./reporting";
import { STRUCTURE } from "./structure";
import { NESTED, TABLES } from "./tables";

export interface InvariantInfo {
  readonly id: InvariantId;
  readonly statement: string;
  readonly needs: readonly Need[];
  /** The part of the list of invariants it belongs to: "A structure of one IOAS". */
  readonly section: string;
}

const SECTIONS: readonly { readonly section: string; readonly invariants: readonly Invariant[] }[] =
  [
    { section: "A structure of one IOAS", invariants: [...STRUCTURE, ...REPORTING, ...AREAS] },
    { section: "B mirror and translation", invariants: MIRROR },
    { section: "C pins and accounting", invariants: PINNING },
    { section: "D objects", invariants: [...OBJECTS, ...TABLES] },
    { section: "E groups and ownership", invariants: [...GROUPS, I_63] },
    { section: "F command algebra, between two runs", invariants: ALGEBRA },
    { section: "G failures and queries", invariants: [...FAILURE, ...OVERRUN] },
    { section: "H dirty pages and nested tables", invariants: [...DIRTY_PAGES, ...NESTED] },
  ];

const number = ({ id }: Invariant): number => Number(id.slice(2));

/** In the order of their ids. */
export const WATCHED: readonly (Invariant & { readonly section: string })[] = SECTIONS.flatMap(
  ({ section, invariants }) => invariants.map((invariant) => ({ ...invariant, section })),
).sort((a, b) => number(a) - number(b));

export const INVARIANTS: readonly InvariantInfo[] = WATCHED.map(
  ({ id, statement, needs, section }) => ({ id, statement, needs, section }),
);
