/**
 * The VFIO container's calls on an iommufd that carry a number: VFIO_GET_API_VERSION,
 * VFIO_CHECK_EXTENSION, VFIO_SET_IOMMU. The container is the compat IOAS (VFIO_IOAS).
 */
import {
  VFIO_DMA_CC_IOMMU,
  VFIO_NOIOMMU_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
} from "../../spec/uapi/flags";
import { fact, judge, type Rule, rule } from "../judge";
import { conforms, realign } from "../state/ioas";
import type { MachineState } from "../state/machine";
import type { Ioas } from "../state/objects";
import { expectLater } from "../state/seen";
import { fdIsOpen, type OnIommufd } from "./common";

/** What every call on the container looks up. */
export interface OnContainer extends OnIommufd {
  /** The compat IOAS. */
  readonly ioas: Ioas | undefined;
}

export const onContainer = (machine: MachineState, fd: number): OnContainer => {
  const context = machine.fds.get(fd);
  return { machine, context, ioas: context?.compat };
};

interface View extends OnContainer {
  readonly arg: bigint;
}

const viewOf = (machine: MachineState, fd: number, arg: bigint): View => {
  const { context, ioas } = onContainer(machine, fd);
  return { machine, context, ioas, arg };
};

export const VFIO_GET_API_VERSION = judge<"VFIO_GET_API_VERSION", View>("VFIO_GET_API_VERSION", {
  promise: "VCC-01",
  view: (machine, call) => viewOf(machine, call.fd, call.in.arg),
  rules: [fdIsOpen()],
  facts: [fact("VCC-01", { holds: (_v, out) => out.rc === 0, right: () => "rc 0" })],
  answer: () => ({ rc: 0 }),
});

const THERE: ReadonlySet<bigint> = new Set(
  [VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL].map(BigInt),
);

const asksCoherency = (v: View): boolean => v.arg === BigInt(VFIO_DMA_CC_IOMMU);

/** A kernel may be built with NOIOMMU or without. */
const asksNoiommu = (v: View): boolean => v.arg === BigInt(VFIO_NOIOMMU_IOMMU);

const extension = (v: View): number => {
  if (!asksCoherency(v)) return THERE.has(v.arg) ? 1 : 0;
  const { iommus } = v.machine.platform;
  return v.ioas?.hwpts.every(({ iommu }) => iommus[iommu]?.enforcesCoherency) ? 1 : 0;
};

export const VFIO_CHECK_EXTENSION = judge<"VFIO_CHECK_EXTENSION", View>("VFIO_CHECK_EXTENSION", {
  promise: "VCC-02",
  view: (machine, call) => viewOf(machine, call.fd, call.in.arg),
  rules: [
    fdIsOpen(),
    rule("VCC-02", "ENODEV", (v) => v.context !== undefined && asksCoherency(v) && !v.ioas, {
      hard: true,
    }),
  ],
  facts: [
    fact("VCC-02", {
      holds: (v, { rc }) => rc === extension(v) || (rc === 1 && asksNoiommu(v)),
      right: (v) => `rc ${extension(v)}`,
      uncounted: true,
    }),
  ],
  answer: (v) => ({ rc: extension(v) }),
});

const isType = (v: View): boolean =>
  v.arg === BigInt(VFIO_TYPE1_IOMMU) || v.arg === BigInt(VFIO_TYPE1v2_IOMMU);

/** TYPE1 means no huge pages, unless they are off already. */
const turnsOff = (v: View): v is View & { readonly ioas: Ioas } =>
  v.arg === BigInt(VFIO_TYPE1_IOMMU) && v.ioas?.hugePages === true;

const hasAreas = (v: View): boolean => (v.ioas?.areas.length ?? 0) > 0;

export const noContainer = <V extends OnContainer>(clause: Rule<V>["clause"]): Rule<V> =>
  rule(clause, "ENODEV", (v) => v.context !== undefined && v.ioas === undefined, { hard: true });

export const VFIO_SET_IOMMU = judge<"VFIO_SET_IOMMU", View>("VFIO_SET_IOMMU", {
  promise: "VCC-03",
  view: (machine, call) => viewOf(machine, call.fd, call.in.arg),
  rules: [
    fdIsOpen(),
    rule("VCC-03", "EINVAL", (v) => v.context !== undefined && !isType(v)),
    noContainer("VCC-03"),
    rule("VCC-03", "EINVAL", (v) => turnsOff(v) && v.ioas.hwpts.length > 0 && hasAreas(v), {
      as: "OPT-13",
      also: () => ["OPT-13"],
    }),
    rule(
      "VCC-03",
      "EADDRINUSE",
      (v) => turnsOff(v) && v.machine.page > v.ioas.alignment && !conforms(v.ioas, v.machine.page),
      { as: "OPT-14", also: () => ["OPT-14", "ALN-03"] },
    ),
  ],
  facts: [
    fact("VCC-03", { holds: (_v, out) => out.rc === 0, right: () => "rc 0", uncounted: true }),
  ],
  answer: () => ({ rc: 0 }),
  effect: (v) => {
    if (!turnsOff(v)) return;
    v.ioas.hugePages = false;
    v.ioas.seen.fresh = false;
    realign(v.ioas, v.machine.page);
  },
  failure: (v, broken) => {
    if (broken.errno === "EADDRINUSE" && v.ioas) expectLater(v.ioas.seen.ranges, "ALN-04");
  },
});
