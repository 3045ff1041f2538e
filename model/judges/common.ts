/** Rules and small questions that many calls share. */
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import type { Coverage } from "../../spec/coverage";
import { type Fact, fact, never, type Rule, rule } from "../judge";
import type { MachineState } from "../state/machine";
import type { Context, Ioas } from "../state/objects";
import { countSeen } from "../state/seen";

/** What every call on an iommufd looks up. */
export interface OnIommufd {
  readonly machine: MachineState;
  /** Undefined: the fd is not open. */
  readonly context: Context | undefined;
}

/**
 * A call on a number that is no open iommufd is refused by the host before iommufd hears of it.
 * GEN-22 is the clause that makes the fd name the context.
 */
export const fdIsOpen = <V extends OnIommufd>(): Rule<V> =>
  rule("GEN-22", "EBADF", (v) => v.context === undefined, {
    applies: never,
    hard: true,
    outranks: true,
  });

export const ioasOf = (context: Context | undefined, id: number): Ioas | undefined => {
  const object = context?.objects.get(id);
  return object?.type === "ioas" ? object : undefined;
};

/** Clauses that also say why an id finds nothing. */
export const aboutId = (context: Context | undefined, id: number): readonly ClauseId[] => {
  if (id === 0) return ["OBJ-02"];
  return context?.objects.has(id) ? ["OBJ-04"] : [];
};

const DEV_20 = clauseIndex("DEV-20");

/** An id that found nothing: was it that of an automatic HWPT that is gone (DEV-20)? */
export const countIfGoneHwpt = (
  context: Context | undefined,
  id: number,
  coverage: Coverage | undefined,
): void => {
  if (coverage === undefined || context === undefined) return;
  if (context.goneHwpts.has(id) && !context.objects.has(id)) countSeen(coverage, DEV_20);
};

/** 6.12's own choice of an id: the smallest that is free (OBJ-03), beside those just given. */
export const lowestFreeId = (context: Context, taken: readonly number[] = []): number => {
  let id = 1;
  while (context.objects.has(id) || taken.includes(id)) id++;
  return id;
};

/** What nobody was told is an access's id may be another's. */
const isUnused = (v: OnIommufd, id: number | undefined): boolean => {
  if (id === undefined) return false;
  const object = v.context?.objects.get(id);
  return object === undefined || object.type === "access";
};

/**
 * In-kernel users take up ids that nobody is told. The model has them where 6.12 puts them, but
 * UNS-01 leaves it open: what an id leads to that names nothing else is for the IUT to say.
 */
export const mayBeAccess = (v: OnIommufd, id: number): boolean => {
  const object = v.context?.objects.get(id);
  if (object !== undefined) return object.type === "access";
  for (const access of v.machine.accesses.values()) if (access.context === v.context) return true;
  return false;
};

/** A new object's id is not 0 and names nothing else (OBJ-01, OBJ-02). */
export const newIdFacts = <V extends OnIommufd, O>(
  id: (out: O) => number | undefined,
  when?: (view: V, out: O) => boolean,
): Fact<V, O>[] => [
  fact("OBJ-02", {
    ...(when && { when }),
    holds: (_v, out) => id(out) !== 0,
    right: () => "an id other than 0",
  }),
  fact("OBJ-01", {
    ...(when && { when }),
    holds: (v, out) => isUnused(v, id(out)),
    right: () => "an unused id",
  }),
];

/** True if an in-kernel user or a fault queue may have its file at that number. */
export const isFreeFile = (machine: MachineState, file: number | undefined): boolean =>
  file !== undefined && file >= 0 && !machine.accesses.has(file) && !machine.faultFiles.has(file);

/** True if the id names something in another iommufd, so that mixing them up would show. */
export const isElsewhere = (v: OnIommufd, id: number): boolean => {
  if (v.machine.fds.size < 2) return false;
  for (const other of v.machine.fds.values()) {
    if (other !== v.context && other.objects.has(id)) return true;
  }
  return false;
};
