/**
 * What a generator wants to know about the predicted state. The state itself is the model's
 * (DESIGN §7); these are only the questions asked of it.
 */
import type { IovaRange } from "../../spec/units";

export interface AreaView {
  readonly first: bigint;
  readonly last: bigint;
  /** Offset of its first byte in the memory of its MAP. */
  readonly startByte: bigint;
  /** That memory: its page-aligned user address, and whether it may be mapped writeable. */
  readonly pages: { readonly va: bigint; readonly writeable: boolean };
}

/** Where the first byte of an area lies in user memory. */
export const userVaOf = (area: AreaView): bigint => area.pages.va + area.startByte;

export interface IoasView {
  readonly fd: number;
  readonly id: number;
  /** Ascending. */
  readonly areas: readonly AreaView[];
  readonly alignment: bigint;
  readonly hugePages: boolean;
  /** IOVAs that may be mapped, ascending. */
  readonly ranges: readonly IovaRange[];
  readonly allowed: readonly { readonly first: bigint; readonly last: bigint }[];
  /** Ids of its domains. */
  readonly hwpts: readonly number[];
}

export interface MockView {
  readonly fd: number;
  readonly stdev: number;
  readonly idev: number;
  readonly hwpt: number;
  readonly ioas: number;
}

export interface CdevView {
  readonly devfd: number;
  /** Index into platform.devices. */
  readonly dev: number;
  /** The iommufd it is bound to; undefined while unbound. */
  readonly fd: number | undefined;
  /** Its object id there. */
  readonly devid: number;
  /** What it is attached to; undefined while detached. */
  readonly hwpt: number | undefined;
  readonly ioas: number | undefined;
}

export interface SceneView {
  /** Open iommufds, oldest first. */
  readonly fds: readonly number[];
  readonly ioases: readonly IoasView[];
  readonly mocks: readonly MockView[];
  readonly cdevs: readonly CdevView[];
}
