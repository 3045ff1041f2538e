import type { Failure } from "../spec/results";

/** How to run things again: command lines that only the command line itself can know. */
export interface Reproduce {
  /** The whole run. */
  readonly run: string;
  /** One failure. */
  replay(failure: Failure): string;
}
