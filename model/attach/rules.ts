/**
 * Why an attach or a replace fails (DEV-17, DEV-34).
 *
 * An attach looks at the group, the reserved regions and the driver before a new domain joins the
 * IOAS; a replace has the domain join first, because 6.12 makes the new HWPT completely before it
 * moves the group.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { never, type Rule, rule } from "../judge";
import { aboutId, mayBeAccess } from "../judges/common";
import { inTheWay, joinRules, whatIsInTheWay } from "./join";
import { type AttachView, groupIsElsewhere, isNew, stays } from "./target";

const joins = (v: AttachView): boolean => isNew(v) && !groupIsElsewhere(v);

const moves = (v: AttachView): boolean => v.chosen !== undefined && !stays(v);

/** HWP-24 */
const wantsTracking = (v: AttachView): boolean =>
  moves(v) && v.chosen?.type === "hwpt" && v.chosen.dirty !== undefined;

/** What a pt_id gets that may be the untold id of an in-kernel user. */
export const attachLeeway = (v: AttachView, errno: Errno): ClauseId | undefined =>
  (errno === "ENOENT" || errno === "EINVAL") && mayBeAccess(v, v.ptId) ? "UNS-01" : undefined;

export const attachRules: readonly Rule<AttachView>[] = [
  rule("DEV-10", "ENOENT", (v) => v.context !== undefined && v.pt === undefined, {
    also: (v) => aboutId(v.context, v.ptId),
  }),
  rule("DEV-11", "EINVAL", (v) => v.pt !== undefined && v.ioas === undefined, { hard: true }),
  rule("DEV-15", "EINVAL", groupIsElsewhere, {
    applies: (v) => !v.replacing && v.group?.hwpt !== undefined,
    hard: true,
  }),
  ...joinRules<AttachView>((v) => v.replacing && joins(v)),
  rule("RSV-02", "EADDRINUSE", (v) => inTheWay(v, v.regions), {
    applies: (v) => v.regions.length > 0,
    also: (v) => whatIsInTheWay(v, v.regions),
  }),
  // The domain of an HWPT that was named cannot serve devices of another IOMMU.
  rule("DEV-17", "EINVAL", (v) => moves(v) && v.chosen?.iommu !== v.iommu, {
    applies: never,
  }),
  rule("HWP-24", "EINVAL", (v) => wantsTracking(v) && !v.tracksDirty, {
    applies: wantsTracking,
    hard: true,
  }),
  ...joinRules<AttachView>((v) => !v.replacing && joins(v)),
];
