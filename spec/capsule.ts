import type { History } from "./trace";
import type { Deviation, Profile } from "./verdict";

/**
 * A shrunk failing history, with everything needed to replay it: it does not depend on the
 * version that found it, nor on the generator.
 */
export interface Capsule {
  /** How the IUT was named on the command line. */
  readonly iut: string;
  readonly profile: Profile;
  readonly deviation: Deviation;
  /** Index of the step at which it shows. */
  readonly step: number;
  readonly history: History;
  /** The unshrunk run that found it, good for this version only. */
  readonly found: { readonly version: string; readonly seed: number; readonly path: string };
}
