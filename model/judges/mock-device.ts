/**
 * Devices of the mock driver: MOCK_DOMAIN(_FLAGS) makes one, binds it and attaches it;
 * MOCK_DOMAIN_REPLACE moves it. Its group is its own (TST-07), so that it is attached alone.
 *
 * MOCK_DOMAIN takes three ids: for the object that stands for the device, for its binding, and
 * for the HWPT if a new one is needed. While it runs, the first names nothing yet and the second
 * names a device; a pt_id that is one of them is answered accordingly. Which ids they are is the
 * IUT's choice (UNS-01), so that in profile documented any dead id may be one of them.
 */
import type { CallOf } from "../../spec/calls";
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { MOCK_HUGE_IOVA, MOCK_NO_DIRTY } from "../../spec/uapi/flags";
import { afterFailedAttach, attachAnswer, attachEffect, attachFacts } from "../attach/answer";
import { attachLeeway, attachRules } from "../attach/rules";
import { type AttachView, attachView, NO_REGIONS } from "../attach/target";
import { type Fact, fact, judge, type Rule, rule } from "../judge";
import { bindDevice } from "../lifetime";
import { newGroup } from "../state/machine";
import type { BoundDevice, Stdev } from "../state/objects";
import { aboutId, fdIsOpen, lowestFreeId, newIdFacts, type OnIommufd } from "./common";

/** The own part of MOCK_DOMAIN is its device flags. */
type MockView = AttachView<number>;

interface MockOut {
  readonly out_stdev_id?: number;
  readonly out_hwpt_id?: number;
  readonly out_idev_id?: number;
}

const MOCK_IOMMU = 0;

const viewOf = (
  machine: OnIommufd["machine"],
  call: CallOf<"MOCK_DOMAIN" | "MOCK_DOMAIN_FLAGS">,
  devFlags: number,
  strict: boolean,
): MockView => {
  const from = {
    machine,
    context: machine.fds.get(call.fd),
    proc: call.proc,
    ptId: call.in.pt_id,
    device: undefined,
    group: undefined,
    iommu: MOCK_IOMMU,
    reserved: NO_REGIONS,
    tracksDirty: tracks(machine, devFlags),
    strict,
  };
  return attachView(from, devFlags);
};

const tracks = (machine: OnIommufd["machine"], devFlags: number): boolean =>
  machine.iommus[MOCK_IOMMU]?.tracksDirty === true && (devFlags & MOCK_NO_DIRTY) === 0;

/** The ids that 6.12 would take. */
const idsOf = (v: MockView): Required<MockOut> => {
  const { context } = v;
  if (context === undefined) return { out_stdev_id: 0, out_hwpt_id: 0, out_idev_id: 0 };
  const stdev = lowestFreeId(context);
  const idev = lowestFreeId(context, [stdev]);
  return {
    out_stdev_id: stdev,
    out_hwpt_id: attachAnswer(v, [stdev, idev]),
    out_idev_id: idev,
  };
};

/** The id that 6.12 gives the device, before it looks at pt_id. */
const isOwnDevice = (v: MockView): boolean =>
  v.strict && isDead(v) && v.ptId === idsOf(v).out_idev_id;

const isDead = (v: MockView): boolean =>
  v.context !== undefined && v.pt === undefined && v.ptId !== 0;

/** What a pt_id that may be the id of the call's own device gets is open. */
const leeway = (v: MockView, errno: Errno): ClauseId | undefined => {
  if (errno === "ENOENT" && isOwnDevice(v)) return "DEV-10";
  if (errno === "EINVAL" && !v.strict && isDead(v)) return "DEV-11";
  return attachLeeway(v, errno);
};

const idsDiffer = (out: MockOut): boolean =>
  out.out_stdev_id !== out.out_idev_id &&
  out.out_stdev_id !== out.out_hwpt_id &&
  out.out_idev_id !== out.out_hwpt_id;

const rules: readonly Rule<MockView>[] = [
  fdIsOpen(),
  rule("TST-02", "EINVAL", (v) => (v.own & ~(MOCK_NO_DIRTY | MOCK_HUGE_IOVA)) !== 0),
  rule("DEV-11", "EINVAL", isOwnDevice, { applies: () => false, hard: true }),
  ...attachRules,
];

const facts: readonly Fact<MockView, MockOut>[] = [
  ...newIdFacts<MockView, MockOut>((out) => out.out_stdev_id),
  ...newIdFacts<MockView, MockOut>((out) => out.out_idev_id),
  fact("OBJ-01", { holds: (_v, out) => idsDiffer(out), right: () => "three different ids" }),
  ...attachFacts<MockView, MockOut>((out) => out.out_hwpt_id),
];

/** A device with HUGE_IOVA has domains with pages of 512 of the mock's own as well. */
const pageSizesOf = (v: MockView): bigint => {
  const size = v.machine.iommus[MOCK_IOMMU]?.ioPageSize ?? v.machine.page;
  return (v.own & MOCK_HUGE_IOVA) === 0 ? size : size * 513n;
};

const effect = (v: MockView, out: MockOut): void => {
  const { context } = v;
  if (context === undefined) return;
  const device: BoundDevice = {
    type: "device",
    id: out.out_idev_id ?? 0,
    context,
    group: newGroup(),
    iommu: MOCK_IOMMU,
    reserved: NO_REGIONS,
    tracksDirty: v.tracksDirty,
    pageSizes: pageSizesOf(v),
    infoAsked: false,
  };
  const stdev: Stdev = { type: "stdev", id: out.out_stdev_id ?? 0, device };
  // The HWPT first: its id tells by what is live whether it is a new one.
  attachEffect(v, device, out.out_hwpt_id ?? 0);
  bindDevice(device);
  context.objects.set(stdev.id, stdev);
  context.goneHwpts.delete(stdev.id);
};

const shared = {
  promise: "TST-02",
  rules,
  facts,
  answer: idsOf,
  effect,
  failure: afterFailedAttach,
  leeway,
} as const;

export const MOCK_DOMAIN = judge<"MOCK_DOMAIN", MockView>("MOCK_DOMAIN", {
  ...shared,
  view: (machine, call, _claimed, profile) => viewOf(machine, call, 0, profile === "linux-6.12"),
});

export const MOCK_DOMAIN_FLAGS = judge<"MOCK_DOMAIN_FLAGS", MockView>("MOCK_DOMAIN_FLAGS", {
  ...shared,
  view: (machine, call, _claimed, profile) =>
    viewOf(machine, call, call.in.dev_flags, profile === "linux-6.12"),
});

/** The own part of MOCK_DOMAIN_REPLACE is the id of the mock device. */
type ReplaceView = AttachView<number>;

export const MOCK_DOMAIN_REPLACE = judge<"MOCK_DOMAIN_REPLACE", ReplaceView>(
  "MOCK_DOMAIN_REPLACE",
  {
    promise: "DEV-31",
    view: (machine, call, _claimed, profile) => {
      const context = machine.fds.get(call.fd);
      const { stdev_id, pt_id } = call.in;
      const stdev = context?.objects.get(stdev_id);
      const device = stdev?.type === "stdev" ? stdev.device : undefined;
      const from = {
        machine,
        context,
        proc: call.proc,
        ptId: pt_id,
        device,
        group: device?.group,
        iommu: MOCK_IOMMU,
        reserved: NO_REGIONS,
        tracksDirty: device?.tracksDirty === true,
        strict: profile === "linux-6.12",
      };
      return attachView(from, stdev_id);
    },
    rules: [
      fdIsOpen(),
      rule("GEN-19", "ENOENT", (v) => v.context !== undefined && v.device === undefined, {
        also: (v) => aboutId(v.context, v.own),
        hard: true,
      }),
      ...attachRules,
    ],
    facts: attachFacts<ReplaceView, { readonly pt_id?: number }>((out) => out.pt_id),
    answer: (v) => ({ pt_id: attachAnswer(v) }),
    effect: (v, out) => {
      if (v.device !== undefined) attachEffect(v, v.device, out.pt_id ?? 0);
    },
    failure: afterFailedAttach,
    leeway: attachLeeway,
  },
);
