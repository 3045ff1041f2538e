/**
 * IOMMU_OPTION: RLIMIT_MODE of an iommufd, HUGE_PAGES of an IOAS.
 *
 * Large pages off means alignment of a whole page (ALN-01), so turning them off is judged by the
 * mappings that are there (OPT-14).
 */
import {
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
} from "../../spec/uapi/flags";
import { fact, judge, rule } from "../judge";
import { hasDomain } from "../pinning";
import { alignmentOf, conforms, realign } from "../state/ioas";
import type { ProcessState } from "../state/memory";
import type { Ioas } from "../state/objects";
import { expectLater } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly process: ProcessState | undefined;
  readonly option: number;
  readonly op: number;
  readonly reserved: number;
  readonly id: number;
  readonly value: bigint;
  /** The IOAS that HUGE_PAGES is about. */
  readonly ioas: Ioas | undefined;
}

const isRlimit = (v: View): boolean => v.option === OPTION_RLIMIT_MODE;
const isHuge = (v: View): boolean => v.option === OPTION_HUGE_PAGES;
const setsRlimit = (v: View): boolean => isRlimit(v) && v.op === OPTION_OP_SET;
const setsHuge = (v: View): boolean => isHuge(v) && v.op === OPTION_OP_SET;
const isUnknownOp = (v: View): boolean => v.op !== OPTION_OP_SET && v.op !== OPTION_OP_GET;
const isNoFlag = (v: View): boolean => v.value > 1n;
const turnsOff = (v: View): boolean => setsHuge(v) && v.value === 0n && v.ioas?.hugePages === true;
const hasAreas = (v: View): boolean => (v.ioas?.areas.length ?? 0) > 0;

/** The alignment that comes with large pages off. */
const raised = (v: View): bigint =>
  v.ioas === undefined ? 1n : alignmentOf(v.ioas, v.machine.page, false);

const current = (v: View): bigint => {
  if (isRlimit(v)) return v.context?.byProcess === true ? 1n : 0n;
  return v.ioas?.hugePages === false ? 0n : 1n;
};
const right = (v: View): string => `val64 ${v.op === OPTION_OP_GET ? current(v) : v.value}`;

export const OPTION = judge<"OPTION", View>("OPTION", {
  promise: "OPT-10",
  promises: (v, errno) => {
    if (isRlimit(v)) return errno === "EBUSY" ? "OPT-06" : "OPT-04";
    if (v.value === 1n) return "OPT-15";
    return v.ioas?.hugePages === false ? "OPT-12" : undefined;
  },
  view: (machine, call) => {
    const { option_id, op, reserved, object_id, val64 } = call.in;
    const context = machine.fds.get(call.fd);
    return {
      machine,
      context,
      process: machine.processes[call.proc],
      option: option_id,
      op,
      reserved,
      id: object_id,
      value: val64,
      ioas: option_id === OPTION_HUGE_PAGES ? ioasOf(context, object_id) : undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("OPT-01", "EOPNOTSUPP", (v) => v.reserved !== 0),
    rule("OPT-02", "EOPNOTSUPP", (v) => !isRlimit(v) && !isHuge(v)),
    rule("OPT-03", "EOPNOTSUPP", (v) => isRlimit(v) && v.id !== 0, { applies: isRlimit }),
    rule("OPT-05", "EPERM", (v) => setsRlimit(v) && v.process?.mayRaiseLimits !== true, {
      applies: setsRlimit,
    }),
    rule("OPT-06", "EBUSY", (v) => setsRlimit(v) && (v.context?.objects.size ?? 0) > 0, {
      applies: setsRlimit,
    }),
    rule("OPT-07", "EINVAL", (v) => setsRlimit(v) && isNoFlag(v), { applies: setsRlimit }),
    rule("OPT-08", "EOPNOTSUPP", (v) => isRlimit(v) && isUnknownOp(v), { applies: isRlimit }),
    rule("OPT-09", "ENOENT", (v) => v.context !== undefined && isHuge(v) && v.ioas === undefined, {
      applies: isHuge,
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule("OPT-16", "EOPNOTSUPP", (v) => isHuge(v) && isUnknownOp(v), {
      applies: isHuge,
    }),
    rule("OPT-11", "EINVAL", (v) => setsHuge(v) && isNoFlag(v), { applies: setsHuge }),
    rule(
      "OPT-13",
      "EINVAL",
      (v) => turnsOff(v) && v.ioas !== undefined && hasDomain(v.ioas) && hasAreas(v),
      { applies: turnsOff },
    ),
    rule(
      "OPT-14",
      "EADDRINUSE",
      (v) =>
        turnsOff(v) &&
        v.ioas !== undefined &&
        raised(v) > v.ioas.alignment &&
        !conforms(v.ioas, raised(v)),
      { applies: (v) => turnsOff(v) && hasAreas(v), also: () => ["ALN-03"] },
    ),
  ],
  facts: [
    fact("OPT-04", {
      when: (v) => isRlimit(v) && v.op === OPTION_OP_GET,
      holds: (v, out) => out.val64 === current(v),
      right,
    }),
    fact("OPT-10", {
      when: (v) => isHuge(v) && v.op === OPTION_OP_GET,
      holds: (v, out) => out.val64 === current(v),
      right,
    }),
    // SET writes back what it was given: nothing says that it changes anything else.
    fact("GEN-14", {
      when: (v) => v.op === OPTION_OP_SET,
      holds: (v, out) => out.val64 === v.value,
      right,
      uncounted: true,
    }),
    fact("OPT-12", {
      when: (v) => setsHuge(v) && v.value === 0n && v.ioas?.hugePages === false,
    }),
    fact("OPT-15", { when: (v) => setsHuge(v) && v.value === 1n }),
    fact("ALN-03", { when: (v) => turnsOff(v) && hasAreas(v) }),
  ],
  answer: (v) => ({ val64: v.op === OPTION_OP_GET ? current(v) : v.value }),
  effect: (v) => {
    if (v.op !== OPTION_OP_SET) return;
    if (isRlimit(v)) {
      if (v.context !== undefined) v.context.byProcess = v.value === 1n;
      return;
    }
    const { ioas } = v;
    if (ioas === undefined) return;
    const before = ioas.alignment;
    ioas.hugePages = v.value === 1n;
    ioas.seen.fresh = false;
    realign(ioas, v.machine.page);
    const [area] = ioas.areas;
    if (ioas.hugePages && area !== undefined)
      expectLater(ioas.seen.translate, "OPT-19", area.first);
    if (ioas.alignment < before) expectLater(ioas.seen.ranges, "ALN-05");
  },
  failure: (v, broken) => {
    if (broken.clause === "OPT-14" && v.ioas) expectLater(v.ioas.seen.ranges, "ALN-04");
  },
});
