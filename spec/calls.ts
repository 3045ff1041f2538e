/**
 * Every call a trace can hold: its arguments, its outputs, and what it needs.
 *
 * Names of calls and fields are the uAPI's own, without leading underscores. This one table
 * gives the TypeScript types, the JSON form, the resolver of handles and the step tables.
 */
import { ACCESS_CALLS } from "./calls/access";
import { COMPAT_CALLS } from "./calls/compat";
import { FAULT_CALLS } from "./calls/fault";
import { HWPT_CALLS } from "./calls/hwpt";
import { IOMMUFD_CALLS } from "./calls/iommufd";
import { MOCK_CALLS } from "./calls/mock";
import { PROBE_CALLS } from "./calls/probe";
import { PROCESS_CALLS } from "./calls/process";
import { RAW_CALLS } from "./calls/raw";
import type { CallShape } from "./calls/shape";
import { VFIO_CALLS } from "./calls/vfio";
import type { Errno } from "./errno";
import type { Values } from "./fields";

export type { CallShape } from "./calls/shape";

export const CALLS = {
  ...IOMMUFD_CALLS,
  ...HWPT_CALLS,
  ...FAULT_CALLS,
  ...VFIO_CALLS,
  ...COMPAT_CALLS,
  ...MOCK_CALLS,
  ...ACCESS_CALLS,
  ...PROCESS_CALLS,
  ...RAW_CALLS,
  ...PROBE_CALLS,
} as const satisfies Record<string, CallShape>;

export type CallName = keyof typeof CALLS;
export const CALL_NAMES = Object.keys(CALLS) as CallName[];
export const isCallName = (name: string): name is CallName => Object.hasOwn(CALLS, name);

/** A Map, as all tables of the fold are: an object with so many keys takes twice as long. */
const SHAPES = new Map<CallName, CallShape>(Object.entries(CALLS) as [CallName, CallShape][]);
/** The shape of a call, without the literal types. */
export const shapeOf = (name: CallName): CallShape => SHAPES.get(name) as CallShape;

export type In<K extends CallName> = Values<(typeof CALLS)[K]["in"]>;
export type Out<K extends CallName> = Values<(typeof CALLS)[K]["out"]>;

/** A call as an IUT gets it: every handle resolved to the numbers of this very run. */
export interface CallOf<K extends CallName> {
  readonly call: K;
  /** Index of the calling process, and of the thread in it. */
  readonly proc: number;
  readonly thread: number;
  /** The iommufd it is made on; -1 where the call is on the process. */
  readonly fd: number;
  readonly in: In<K>;
}
export type Call = { [K in CallName]: CallOf<K> }[CallName];

/**
 * What the IUT answered. `out` on success: exactly the outputs of the call. `out` on failure:
 * only what the uAPI writes nevertheless (IOAS_IOVA_RANGES with EMSGSIZE); mostly absent.
 */
export interface OutcomeOf<K extends CallName> {
  readonly errno: 0 | Errno;
  readonly out?: Partial<Out<K>>;
}
export type Outcome = { [K in CallName]: OutcomeOf<K> }[CallName];

/** Success without outputs. */
export const OK: { readonly errno: 0 } = Object.freeze({ errno: 0 });

/**
 * Numbers for `iommufd` of VFIO_BIND that are not an iommufd of the trace. A process has one
 * other file open, which is not an iommufd; an IUT that works with real files translates.
 */
export const FD_NOT_OPEN = 0x7fff_0000;
export const FD_NOT_AN_IOMMUFD = 0x7fff_0001;
