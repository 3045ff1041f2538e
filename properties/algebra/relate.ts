/** Ends a trace with an attempt at one relation. */
import type { Twins } from "../../spec/trace";
import type { Composer } from "../arbitrary/composer";
import type { Relation } from "./relation";
import { ATTACHMENTS } from "./relations/attachments";
import { AUTOMATIC } from "./relations/automatic";
import { CONTAINERS } from "./relations/containers";
import { CONTEXTS } from "./relations/contexts";
import { COPIES } from "./relations/copies";
import { ERRORS } from "./relations/errors";
import { MAPS } from "./relations/maps";
import { PARTITION } from "./relations/partition";
import { QUERIES } from "./relations/queries";
import { SIZES } from "./relations/sizes";
import { UNMAPS } from "./relations/unmaps";
import { Tail } from "./tail";

export const RELATIONS: readonly Relation[] = [
  ...ATTACHMENTS,
  ...CONTEXTS,
  ...MAPS,
  ...UNMAPS,
  ...COPIES,
  ...AUTOMATIC,
  ...PARTITION,
  ...QUERIES,
  ...CONTAINERS,
  ...SIZES,
  ...ERRORS,
];

export const compose = (c: Composer, { id, compose }: Relation): readonly Twins[] => {
  const tail = new Tail(c, id);
  compose(tail, c.scene);
  return tail.twins();
};

/** How often another relation is tried where the present state has no place for one. */
const TRIES = 3;

export const relate = (c: Composer): readonly Twins[] => {
  const possible = RELATIONS.filter(({ calls }) => calls.every((call) => c.can(call)));
  for (let i = 0; i < TRIES; i++) {
    const relation = c.draw.pick(possible);
    const twins = relation === undefined ? [] : compose(c, relation);
    if (twins.length > 0) return twins;
  }
  return [];
};
