/** IOMMU_GET_HW_INFO: what the IOMMU of a device is and can do. */
import { clauseIndex } from "../../spec/clauses/registry";
import { HW_CAP_DIRTY_TRACKING, HW_INFO_TYPE_NONE } from "../../spec/uapi/flags";
import { LAYOUTS } from "../../spec/uapi/layouts";
import { fact, judge, never, rule } from "../judge";
import type { BoundDevice } from "../state/objects";
import { countSeen } from "../state/seen";
import { aboutId, fdIsOpen, type OnIommufd } from "./common";

const { min } = LAYOUTS.GET_HW_INFO;

interface View extends OnIommufd {
  readonly size: number;
  readonly unknown: boolean;
  readonly devId: number;
  readonly device: BoundDevice | undefined;
  /** Room for the data in the caller's opinion, and how much of it can be written to. */
  readonly room: number;
  readonly writable: number;
  readonly type: number;
  /** The data as hex digits. */
  readonly data: string;
}

interface Info {
  readonly data_len?: number;
  readonly out_data_type?: number;
  readonly out_max_pasid_log2?: number;
  readonly out_capabilities?: bigint;
  readonly data?: string;
}

/** The struct once ended where out_capabilities begins (HWI-09). */
const tellsCapabilities = (v: View): boolean => v.size === 0 || v.size > min;

const capabilities = (v: View): bigint => (v.device?.tracksDirty ? HW_CAP_DIRTY_TRACKING : 0n);

/** HWI-03: as much as fits, and zeros behind it. */
const stored = (v: View): string => {
  const digits = 2 * Math.min(v.room, v.writable);
  return v.data.slice(0, digits).padEnd(digits, "0");
};

const answerOf = (v: View): Info => ({
  data_len: v.data.length / 2,
  out_data_type: v.type,
  out_max_pasid_log2: 0,
  ...(tellsCapabilities(v) && { out_capabilities: capabilities(v) }),
  data: stored(v),
});

const HWI_10 = clauseIndex("HWI-10");

export const GET_HW_INFO = judge<"GET_HW_INFO", View>("GET_HW_INFO", {
  promise: "HWI-03",
  promises: (v) => (v.room === 0 ? "HWI-04" : undefined),
  view: (machine, call) => {
    const context = machine.fds.get(call.fd);
    const { size, flags, dev_id, data_len, writable_bytes } = call.in;
    const { reserved0, reserved1, reserved2 } = call.in;
    const object = context?.objects.get(dev_id);
    const device = object?.type === "device" ? object : undefined;
    const info = machine.platform.iommus[device?.iommu ?? -1]?.hwInfo;
    return {
      machine,
      context,
      size,
      unknown: flags !== 0 || reserved0 !== 0 || reserved1 !== 0 || reserved2 !== 0,
      devId: dev_id,
      device,
      room: data_len,
      writable: writable_bytes,
      type: info?.type ?? HW_INFO_TYPE_NONE,
      data: info?.data ?? "",
    };
  },
  rules: [
    fdIsOpen(),
    rule("GEN-07", "EINVAL", (v) => v.size !== 0 && v.size < min, {
      applies: never,
      hard: true,
      outranks: true,
    }),
    rule("HWI-01", "EOPNOTSUPP", (v) => v.unknown, { also: () => ["GEN-17"] }),
    rule("HWI-02", "ENOENT", (v) => v.context !== undefined && v.device === undefined, {
      also: (v) => aboutId(v.context, v.devId),
      hard: true,
    }),
    rule("HWI-05", "EFAULT", (v) => v.room > v.writable, {
      applies: (v) => v.room > 0,
      hard: true,
    }),
  ],
  facts: [
    fact<View, Info>("HWI-06", {
      when: (v) => v.type === HW_INFO_TYPE_NONE,
      holds: (v, out) => out.out_data_type === v.type && out.data_len === 0,
      right: () => "type NONE without data",
    }),
    fact<View, Info>("HWI-08", {
      when: (v) => v.machine.platform.frontEnd === "mock",
      holds: (v, out) => out.out_data_type === v.type && out.data_len === v.data.length / 2,
      right: (v) => `type 0x${v.type.toString(16)} with data_len ${v.data.length / 2}`,
    }),
    // What a driver of real hardware tells is its own; an IUT tells what the platform says.
    fact<View, Info>("HWI-03", {
      holds: (v, out) =>
        out.out_data_type === v.type &&
        out.data_len === v.data.length / 2 &&
        out.data === stored(v),
      right: (v) =>
        `type 0x${v.type.toString(16)}, data_len ${v.data.length / 2}, data ${stored(v)}`,
    }),
    fact<View, Info>("HWI-04", { when: (v) => v.room === 0 }),
    fact<View, Info>("HWI-09", {
      when: (v) => !tellsCapabilities(v),
      holds: (_v, out) => out.out_capabilities === undefined,
      right: () => "no out_capabilities",
    }),
    fact<View, Info>("HWI-07", {
      when: tellsCapabilities,
      holds: (v, out) => out.out_capabilities === capabilities(v),
      right: (v) => `out_capabilities ${capabilities(v)}`,
    }),
    // No IOMMU of these platforms has PASIDs.
    fact<View, Info>("HWI-03", {
      holds: (_v, out) => out.out_max_pasid_log2 === 0,
      right: () => "out_max_pasid_log2 0",
      uncounted: true,
    }),
  ],
  answer: answerOf,
  shown: (v, _out, coverage) => {
    if (v.device?.infoAsked === true) countSeen(coverage, HWI_10);
  },
  effect: (v) => {
    if (v.device !== undefined) v.device.infoAsked = true;
  },
  // The data is stored before the fault, or not (UNS-15).
  checkFailure: (v, _errno, out) => {
    const fits = stored(v).startsWith((out as Info).data ?? "");
    const others = Object.keys(out).some((name) => name !== "data");
    return fits && !others ? undefined : { clause: "GEN-15", right: "nothing written" };
  },
});
