/** What a campaign is asked to do. */

import type { Capsule } from "../spec/capsule";
import type { Iut } from "../spec/iut";
import { PLATFORMS, type Platform } from "../spec/platform";
import type { History } from "../spec/trace";
import type { Profile } from "../spec/verdict";
import type { Expectation } from "./expectation";
import { allIds } from "./ids";

/** The default budget of `conform run`. */
export const QUICK = { sequences: 3000, length: [30, 60] } as const;

export interface CampaignOptions {
  readonly iut: Iut;
  /** How the IUT was named on the command line. */
  readonly iutSpec: string;
  readonly profile: Profile;
  readonly seed: number;
  readonly sequences: number;
  /**
   * Calls drawn per sequence, probes not counted. What ends a sequence comes on top: sometimes a
   * relation between two runs (algebra/), and the closing of everything.
   */
  readonly length: readonly [min: number, max: number];
  readonly platforms: readonly Platform[];
  /** Selected clauses and invariants, by id. */
  readonly clauses: ReadonlySet<string>;
  /** This run's share of the sequences, from 1: [1, 1] is all of them. */
  readonly shard: readonly [index: number, of: number];
  /** Failures of earlier runs, replayed first. */
  readonly corpus: readonly { readonly name: string; readonly capsule: Capsule }[];
  readonly knownFailing: readonly Expectation[];
  /** Told once the corpus has been replayed: how many capsules, and how many of them failed. */
  readonly onReplayed: (capsules: number, failing: number) => void;
  /** Every history that was drawn and run, and its fast-check path; not those of the shrinker. */
  readonly onHistory?: (history: History, at: number) => void;
  readonly onProgress: (done: number, total: number, failures: number) => void;
  /** Writes a capsule at once; answers the name of its file. */
  readonly saveCapsule: (capsule: Capsule) => string;
  /** The same of a failure that is going to be shrunk; answers what takes it away again. */
  readonly saveUnshrunk: (capsule: Capsule) => () => void;
  /**
   * Stops the run after the present sequence. The reason is a `Stop`: the harness has no clock,
   * so a time cap comes in here too.
   */
  readonly signal: AbortSignal;
}

/** A quick run over everything that keeps nothing and tells nobody; `given` says what differs. */
export const quickRun = (
  given: Pick<CampaignOptions, "iut"> & Partial<CampaignOptions>,
): CampaignOptions => ({
  iutSpec: given.iut.info.name,
  profile: "linux-6.12",
  seed: 1,
  ...QUICK,
  platforms: PLATFORMS,
  clauses: new Set(allIds()),
  shard: [1, 1],
  corpus: [],
  knownFailing: [],
  onReplayed: () => {},
  onProgress: () => {},
  saveCapsule: () => "",
  saveUnshrunk: () => () => {},
  signal: new AbortController().signal,
  ...given,
});

/** Why a run was stopped before its budget was used up. */
export type Stop = "interrupted" | "time";
