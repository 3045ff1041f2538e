/** How a call of the port is answered here: shapes of handlers, and the two kinds of outcomes. */
import type { CallName, In, OutcomeOf } from "../../spec/calls";
import { ERRNO, type Errno } from "../../spec/errno";
import type { Process } from "./accounting";
import type { IommufdCtx } from "./ctx";
import type { Kernel } from "./kernel";

/** A call on an open iommufd. */
export type OnIommufd<K extends CallName> = (
  ctx: IommufdCtx,
  args: In<K>,
  process: Process,
  kernel: Kernel,
) => OutcomeOf<K>;

/** Any other call of a process. */
export type OnProcess<K extends CallName> = (
  kernel: Kernel,
  args: In<K>,
  process: Process,
) => OutcomeOf<K>;

/** A failure that writes nothing back. One object per errno serves all calls. */
interface Failure {
  readonly errno: Errno;
}

const FAILURES = Object.fromEntries(
  Object.keys(ERRNO).map((errno) => [errno, Object.freeze({ errno })]),
) as Readonly<Record<Errno, Failure>>;

export const fail = (errno: Errno): Failure => FAILURES[errno];

const DONE = Object.freeze({ errno: 0 as const });

/** The outcome of a call that has no outputs. */
export const done = (errno: 0 | Errno): { readonly errno: 0 | Errno } =>
  errno === 0 ? DONE : FAILURES[errno];
