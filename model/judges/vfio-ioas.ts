/** IOMMU_VFIO_IOAS: which IOAS the VFIO container calls of this iommufd mean. */
import { clauseIndex } from "../../spec/clauses/registry";
import { VFIO_IOAS_CLEAR, VFIO_IOAS_GET, VFIO_IOAS_SET } from "../../spec/uapi/flags";
import { fact, judge, rule } from "../judge";
import type { Ioas } from "../state/objects";
import { countSeen, expectLater } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly id: number;
  readonly op: number;
  readonly reserved: number;
  readonly ioas: Ioas | undefined;
}

const gets = (v: View): boolean => v.op === VFIO_IOAS_GET;
const sets = (v: View): boolean => v.op === VFIO_IOAS_SET;

/** VFI-05 shows when the translations of an attached IOAS are looked at later. */
const expectNoChange = (v: View): void => {
  for (const object of v.context?.objects.values() ?? []) {
    if (object.type !== "ioas" || object.hwpts.length === 0) continue;
    const [area] = object.areas;
    if (area !== undefined) expectLater(object.seen.translate, "VFI-05", area.first);
    expectLater(object.seen.ranges, "VFI-05");
  }
};

export const VFIO_IOAS = judge<"VFIO_IOAS", View>("VFIO_IOAS", {
  promise: "VFI-04",
  promises: (v) => (gets(v) ? "VFI-02" : sets(v) ? "VFI-03" : undefined),
  view: (machine, call) => {
    const context = machine.fds.get(call.fd);
    const { ioas_id, op, reserved } = call.in;
    return { machine, context, id: ioas_id, op, reserved, ioas: ioasOf(context, ioas_id) };
  },
  rules: [
    fdIsOpen(),
    rule("VFI-01", "EOPNOTSUPP", (v) => v.reserved !== 0 || v.op > VFIO_IOAS_CLEAR),
    rule("VFI-02", "ENODEV", (v) => v.context !== undefined && gets(v) && !v.context.compat, {
      applies: gets,
      hard: true,
    }),
    rule("VFI-03", "ENOENT", (v) => v.context !== undefined && sets(v) && v.ioas === undefined, {
      applies: sets,
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
  ],
  facts: [
    fact("VFI-02", {
      when: gets,
      holds: (v, out) => out.ioas_id === v.context?.compat?.id,
      right: (v) => `ioas_id ${v.context?.compat?.id}`,
      uncounted: true,
    }),
    fact("VFI-04", { when: (v) => v.op === VFIO_IOAS_CLEAR }),
  ],
  answer: (v) => (gets(v) ? { ioas_id: v.context?.compat?.id ?? 0 } : {}),
  effect: (v) => {
    const { context } = v;
    if (context === undefined) return;
    expectNoChange(v);
    if (gets(v)) return;
    context.compat = sets(v) ? v.ioas : undefined;
    context.compatGone = false;
  },
  failure: (v, broken, coverage) => {
    if (coverage && broken.clause === "VFI-02" && v.context?.compatGone) {
      countSeen(coverage, DES_07);
    }
  },
});

const DES_07 = clauseIndex("DES-07");
