/**
 * IOMMU_DESTROY.
 *
 * Only an object without users can go (OBJ-05). An IOAS is used by its HWPTs and its in-kernel
 * users, an HWPT by its devices and by those nested in it, a fault queue by its file and its
 * HWPTs, a device or an in-kernel user by its driver; mappings use nothing (OBJ-06). The mock
 * device's own object is the exception: destroying it is how a mock device is detached and
 * unbound (TST-02).
 */
import type { ClauseId } from "../../spec/clauses/registry";
import { leaveDomain, removeNested } from "../domains";
import { fact, judge, rule } from "../judge";
import { removeIoas, unbindDevice } from "../lifetime";
import type { IommufdObject } from "../state/objects";
import { aboutId, countIfGoneHwpt, fdIsOpen, mayBeAccess, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly id: number;
  readonly object: IommufdObject | undefined;
}

const isUsed = (v: View): boolean => {
  switch (v.object?.type) {
    case "ioas":
      return v.object.hwpts.length > 0 || v.object.accesses.length > 0;
    case "hwpt":
      return v.object.devices > 0 || v.object.children > 0;
    case "nested":
      return v.object.devices > 0;
    case "fault":
      return v.object.fileIsOpen || v.object.hwpts > 0;
    case "device":
    case "access":
      return true;
    default:
      return false;
  }
};

/** Which kind of object says so too. */
const byKind = (v: View): readonly ClauseId[] => {
  switch (v.object?.type) {
    case "ioas":
      return v.object.accesses.length > 0 ? ["ACC-03"] : ["DES-04"];
    case "hwpt":
      return [v.object.auto ? "DES-06" : "DES-05"];
    case "nested":
      return ["DES-05"];
    case "device":
    case "access":
      return ["DES-03"];
    default:
      return [];
  }
};

export const DESTROY = judge<"DESTROY", View>("DESTROY", {
  promise: "OBJ-05",
  promises: (v) => {
    if (v.object?.type === "stdev") return "TST-02";
    return v.object?.type === "ioas" && v.object.areas.length > 0 ? "OBJ-06" : undefined;
  },
  view: (machine, call) => {
    const context = machine.fds.get(call.fd);
    return { machine, context, id: call.in.id, object: context?.objects.get(call.in.id) };
  },
  rules: [
    fdIsOpen(),
    rule("DES-01", "ENOENT", (v) => v.context !== undefined && v.object === undefined, {
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule("DES-02", "EBUSY", isUsed, { also: byKind, hard: true }),
  ],
  facts: [
    fact("OBJ-05"),
    fact("OBJ-06", { when: (v) => v.object?.type === "ioas" && v.object.areas.length > 0 }),
    fact("DES-04", { when: (v) => v.object?.type === "ioas" && v.object.seen.hadDevice }),
    fact("DES-05", { when: (v) => v.object?.type === "hwpt" || v.object?.type === "nested" }),
    fact("DEV-21", { when: (v) => v.object?.type === "hwpt" && v.object.hadDevice }),
    fact("FLT-02", { when: (v) => v.object?.type === "fault" }),
    fact("TST-02", { when: (v) => v.object?.type === "stdev" }),
  ],
  effect: (v) => {
    const { machine, context, object } = v;
    if (context === undefined) return;
    if (object?.type === "ioas") removeIoas(context, object);
    if (object?.type === "hwpt") leaveDomain(machine, context, object);
    if (object?.type === "nested") removeNested(context, object);
    if (object?.type === "fault") context.objects.delete(object.id);
    if (object?.type === "stdev") {
      context.objects.delete(object.id);
      unbindDevice(machine, object.device);
    }
  },
  failure: (v, _broken, coverage) => countIfGoneHwpt(v.context, v.id, coverage),
  leeway: (v, errno) =>
    (errno === "EBUSY" || errno === "ENOENT") && mayBeAccess(v, v.id) ? "UNS-01" : undefined,
});
