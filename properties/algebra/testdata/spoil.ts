/** Tools to spoil the answers of a right machine. */
import type { Call, Outcome } from "../../../spec/calls";
import type { PinRun, Translation } from "../../../spec/fields";
import type { Machine } from "../../../spec/iut";
import { MAP_FIXED_IOVA } from "../../../spec/uapi/flags";
import type { IovaRange } from "../../../spec/units";

/** What a bug makes of one answer; it may remember what it saw. */
export type Spoil = (call: Call, outcome: Outcome) => Outcome;

export interface Bug {
  readonly about: string;
  readonly plant: () => Spoil;
  /** The answer to a call that is not even carried out. */
  readonly refuses?: (call: Call) => Outcome | undefined;
}

export const spoilt = (machine: Machine, { plant, refuses }: Bug): Machine => {
  const spoil = plant();
  return { call: (call) => refuses?.(call) ?? spoil(call, machine.call(call)) };
};

export const PAGE = 4096n;
export const fails = (errno: "EINVAL" | "ENOENT" | "ENOSPC"): Outcome => ({ errno });

export const withRuns = (
  outcome: Outcome,
  change: (runs: readonly Translation[]) => readonly Translation[],
): Outcome => {
  const { runs } = (outcome.out ?? {}) as { runs?: readonly Translation[] };
  return runs === undefined ? outcome : { errno: 0, out: { runs: change(runs) } };
};

export const withoutLastRange = (outcome: Outcome): Outcome => {
  const { array } = (outcome.out ?? {}) as { array?: readonly IovaRange[] };
  return { ...outcome, out: { ...outcome.out, array: (array ?? []).slice(0, -1) } } as Outcome;
};

/** Pins, per page or in all, too many by so much. */
const withPins = (call: Call, outcome: Outcome, more: number): Outcome => {
  if (outcome.errno !== 0) return outcome;
  if (call.call === "PROC_STATUS") {
    const out = outcome.out as { VmPin_pages: number; VmLck_pages: number };
    return { errno: 0, out: { ...out, VmPin_pages: out.VmPin_pages + more } };
  }
  if (call.call !== "PAGE_REFS") return outcome;
  const { refs } = outcome.out as { refs: readonly PinRun[] };
  const grown = refs.map(
    ([pins, pages]): PinRun => [pins === "EFAULT" ? pins : pins + more, pages],
  );
  return { errno: 0, out: { refs: grown } };
};

/** A bug that leaks a pin for each call that it picks. */
export const leak = (
  about: string,
  picks: () => (call: Call, outcome: Outcome) => boolean,
): Bug => ({
  about,
  plant: () => {
    const picked = picks();
    let leaked = 0;
    return (call, outcome) => {
      if (picked(call, outcome)) leaked++;
      return withPins(call, outcome, leaked);
    };
  },
});

/** A bug in what a context answers once a certain call was made in it. */
export const once = (
  about: string,
  happens: (call: Call, outcome: Outcome) => boolean,
  then: Spoil,
): Bug => ({
  about,
  plant: () => {
    const fds = new Set<number>();
    return (call, outcome) => {
      if (call.call === "OPEN") fds.delete((outcome.out as { fd: number }).fd);
      if (happens(call, outcome)) fds.add(call.fd);
      return fds.has(call.fd) ? then(call, outcome) : outcome;
    };
  },
});

export const isAutomatic = (call: Call): boolean =>
  call.call === "IOAS_MAP" && (call.in.flags & MAP_FIXED_IOVA) === 0;

export const emptied: Spoil = (call, outcome) =>
  call.call === "TRANSLATE" ? withRuns(outcome, () => []) : outcome;

export const ok = (outcome: Outcome): boolean => outcome.errno === 0;
