/**
 * IOMMU_HWPT_GET_DIRTY_BITMAP: which pages of a range were written to.
 *
 * Whoever tracks must report every dirty page of the range and no other (DTY-20). 6.12 stops at
 * the first IOVA that is not mapped (DTY-21), and so reports less: in profile documented that is
 * a deviation, and EINVAL would be right instead (UNS-09). As it is a defect, nobody has to have
 * it: in profile linux-6.12 it is right to look behind the hole, too.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { DIRTY_NO_CLEAR } from "../../spec/uapi/flags";
import { fact, judge, rule } from "../judge";
import { settle } from "../state/seen";
import { fdIsOpen } from "./common";
import {
  alignment,
  answerOf,
  clears,
  differsFromOther,
  doubtAll,
  hasHole,
  isMeasurable,
  isOff,
  isOfOther,
  isOtherSize,
  isPrefilled,
  isRight,
  isRightInNumber,
  keepsPrefill,
  report,
  right,
  stopsAtHole,
  tracks,
  type View,
  wraps,
} from "./dirty-report";
import { hwptRule, onHwpt } from "./on-hwpt";

const shows = (when: (v: View) => boolean) => ({
  when: (v: View) => isMeasurable(v) && when(v),
  holds: isRight,
  right,
});

/** Whoever cannot report may say so: UNS-09, and DTY-23. */
const whyItMayFail = (v: View, errno: Errno): ClauseId | undefined => {
  if (!isMeasurable(v)) return undefined;
  if (errno === "EFAULT" && v.prefill === undefined) return "DTY-23";
  return errno === "EINVAL" && (hasHole(v) || !tracks(v)) ? "DTY-21" : undefined;
};

export const HWPT_GET_DIRTY_BITMAP = judge<"HWPT_GET_DIRTY_BITMAP", View>("HWPT_GET_DIRTY_BITMAP", {
  promise: "DTY-20",
  promises: (v) => {
    if (v.prefill === undefined) return "DTY-23";
    return v.strict && (hasHole(v) || !tracks(v)) ? "DTY-21" : undefined;
  },
  view: (machine, call, claimed, profile) => {
    const { hwpt_id, flags, reserved, iova, length, page_size, prefill } = call.in;
    const { context, hwptId, object, hwpt } = onHwpt(machine, call.fd, hwpt_id);
    return {
      machine,
      context,
      hwptId,
      object,
      hwpt,
      flags,
      reserved,
      iova,
      length,
      last: iova + length - 1n,
      pageSize: page_size,
      prefill: prefill === "" ? undefined : Number.parseInt(prefill, 16),
      strict: profile === "linux-6.12",
      isJudged: claimed !== undefined,
      failed: claimed !== undefined && claimed.errno !== 0,
      claimed: claimed?.out?.bitmap,
      reading: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("DTY-10", "EOPNOTSUPP", (v) => (v.flags & ~DIRTY_NO_CLEAR) !== 0 || v.reserved !== 0, {
      also: (v) => [v.reserved === 0 ? "GEN-18" : "GEN-17"],
    }),
    hwptRule("DTY-11"),
    rule("DTY-12", "EINVAL", (v) => v.length === 0n),
    rule("DTY-13", "EOVERFLOW", wraps, { hard: true }),
    rule("DTY-14", "EINVAL", (v) => v.hwpt !== undefined && isOff(v, alignment(v))),
    rule("DTY-15", "EINVAL", (v) => v.pageSize === 0n),
    rule("DTY-16", "EINVAL", (v) => v.pageSize > 0n && isOff(v, v.pageSize)),
    rule("DTY-17", "EOPNOTSUPP", (v) => v.hwpt !== undefined && v.hwpt.dirty === undefined),
  ],
  facts: [
    fact(
      "DTY-23",
      shows((v) => v.strict && v.prefill === undefined),
    ),
    fact(
      "DTY-21",
      shows((v) => v.strict && (hasHole(v) || !tracks(v))),
    ),
    fact("DTY-20", {
      ...shows(hasHole),
      holds: (v) => isRight(v) || !stopsAtHole(v),
      also: ["DTY-21"],
      uncounted: true,
    }),
    fact("DTY-19", { ...shows(isPrefilled), holds: keepsPrefill }),
    fact("DTY-24", {
      ...shows(differsFromOther),
      holds: (v, out) => isRight(v) || !isOfOther(v, out),
      uncounted: true,
    }),
    fact(
      "DTY-22",
      shows((v) => isOtherSize(v) && tracks(v)),
    ),
    fact("DTY-18", {
      ...shows((v) => tracks(v) && !isOtherSize(v)),
      holds: (v, out) => isRight(v) || !isRightInNumber(v, out),
      uncounted: true,
    }),
    fact(
      "DTY-20",
      shows(() => true),
    ),
    // The bits are right: so they are each one's own, and where they belong.
    fact("DTY-24", shows(differsFromOther)),
    fact(
      "DTY-18",
      shows((v) => tracks(v) && !isOtherSize(v)),
    ),
  ],
  answer: answerOf,
  shown: (v, _out, coverage) => {
    if (v.hwpt?.dirty !== undefined && tracks(v) && v.prefill !== undefined) {
      settle(v.hwpt.dirty.seen, coverage, v.iova, v.last);
    }
  },
  effect: report,
  checkFailure: (v, _errno, out) => {
    if (out.bitmap === undefined || (!v.strict && isMeasurable(v) && isRight(v))) return;
    return { clause: "GEN-15", right: "nothing written" };
  },
  leeway: (v, errno) => (v.strict ? undefined : whyItMayFail(v, errno)),
  // Nobody says whether what it would have reported is lost.
  perhaps: (v, errno) => {
    if (whyItMayFail(v, errno) !== undefined && !v.strict && clears(v)) doubtAll(v);
  },
});
