/**
 * Why raw bytes are refused before the command they are for is looked at (sections 1 and 2).
 *
 * A native command's bytes are judged in this order: is there a word to read, is it a command, is
 * the size enough, is what lies behind the known part zero, can the known part be read. All of it
 * comes before anything the command itself could say, in every profile (UNS-07).
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { IoctlName } from "../../spec/uapi/ioctls";
import { firstBroken, never, type Rule, rule } from "../judge";
import { type Frame, readable } from "./frame";

export interface OnFrame {
  readonly frame: Frame;
  /** The file that the call is made on is open. */
  readonly isOpen: boolean;
  /** It is a device that is bound. */
  readonly isBound: boolean;
}

const onIommufd = ({ frame }: OnFrame): boolean => frame.call.call === "RAW";

const low = ({ frame }: OnFrame): number => frame.call.in.nr & 0xff;
const isUnknown = (v: OnFrame): boolean => v.frame.family === "unknown";
const isInTable = (v: OnFrame): boolean => v.isOpen && v.frame.inTable;
const isNative = (v: OnFrame): boolean => v.isOpen && v.frame.family === "native";

/** The three sizes of a native command, once its size word can be read. */
const sizes = ({ frame }: OnFrame): { size: number; min: number; full: number } => {
  const { size = 0, layout } = frame;
  return { size, min: layout?.min ?? 0, full: layout?.size ?? 0 };
};

const hasSize = (v: OnFrame): boolean => isNative(v) && v.frame.size !== undefined;
const hasSurplus = (v: OnFrame): boolean => hasSize(v) && sizes(v).size > sizes(v).full;

const surplus = (v: OnFrame): Buffer => {
  const { size, full } = sizes(v);
  return v.frame.bytes.subarray(full, Math.max(size, full));
};

const UNREADABLE: { readonly [K in IoctlName]?: ClauseId } = {
  VFIO_MAP_DMA: "VCC-10",
  VFIO_UNMAP_DMA: "VCC-11",
  VFIO_IOMMU_GET_INFO: "VCC-20",
  VFIO_BIND: "VFD-01",
  VFIO_ATTACH: "VFD-10",
  VFIO_DETACH: "VFD-14",
  VFIO_GET_INFO: "VFD-18",
};

const isBind = ({ frame }: OnFrame): boolean => frame.name === "VFIO_BIND";
const isGranted = (v: OnFrame): boolean => onIommufd(v) || isBind(v) || v.isBound;

const vfioFaults = (name: IoctlName) => (v: OnFrame) =>
  v.frame.name === name && v.isOpen && !readable(v.frame, v.frame.layout?.min ?? 0);

/** The whole known part can be read. */
const hasBody = (v: OnFrame): boolean =>
  hasSize(v) && sizes(v).size >= sizes(v).min && readable(v.frame, v.frame.shared);

export const frameRules: readonly Rule<OnFrame>[] = [
  rule("GEN-22", "EBADF", (v) => !v.isOpen, { applies: never, hard: true }),
  // Before BIND a device knows no other command.
  rule("VFD-02", "EINVAL", (v) => v.isOpen && !isGranted(v), { applies: never, hard: true }),
  rule("GEN-03", "ENOTTY", (v) => v.isOpen && isUnknown(v) && onIommufd(v) && low(v) < 0x80, {
    applies: never,
    also: () => ["VCC-26"],
    hard: true,
  }),
  rule(
    "GEN-04",
    "ENOTTY",
    (v) => v.isOpen && isUnknown(v) && !isInTable(v) && (!onIommufd(v) || low(v) >= 0x80),
    { applies: never, hard: true },
  ),
  rule("GEN-05", "EFAULT", (v) => isInTable(v) && v.frame.size === undefined, {
    applies: isInTable,
    hard: true,
  }),
  rule("GEN-06", "ENOTTY", (v) => isInTable(v) && isUnknown(v), { applies: isNative, hard: true }),
  rule("GEN-07", "EINVAL", (v) => hasSize(v) && sizes(v).size < sizes(v).min, {
    applies: isNative,
    hard: true,
  }),
  rule("GEN-10", "E2BIG", (v) => hasSurplus(v) && surplus(v).some((byte) => byte !== 0), {
    applies: hasSurplus,
    hard: true,
  }),
  rule("GEN-11", "EFAULT", (v) => hasSurplus(v) && !readable(v.frame, sizes(v).size), {
    applies: hasSurplus,
    hard: true,
  }),
  rule("GEN-05", "EFAULT", (v) => hasSize(v) && !readable(v.frame, v.frame.shared), {
    applies: never,
    hard: true,
  }),
  ...(Object.entries(UNREADABLE) as [IoctlName, ClauseId][]).map(([name, clause]) =>
    rule<OnFrame>(clause, "EFAULT", vfioFaults(name), { applies: never, hard: true }),
  ),
  rule("GEN-18", "EOPNOTSUPP", (v) => hasBody(v) && v.frame.unknownOp, {
    applies: never,
    hard: true,
  }),
];

/** True if no native command, or no file, would have let it through. */
export const isRefused = (frame: Frame): boolean => {
  return firstBroken(frameRules, { frame, isOpen: true, isBound: true }) !== undefined;
};

/** Which of the clauses about sizes a call that got through has shown. */
export const isShort = (v: OnFrame): boolean => hasSize(v) && sizes(v).size < sizes(v).full;
export const isLong = hasSurplus;
export const isNativeCommand = isNative;
