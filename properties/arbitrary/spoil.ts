/**
 * A call that is like another but for one argument, which is hardly right. Made just before the
 * other it mostly fails where that one is about to succeed, in whatever state a motif has led to,
 * and must leave nothing behind. No address is spoilt: memory that is not there is mapped all the
 * same where there is no domain, and would be in the way.
 */
import { CALL_NAMES, type CallName, shapeOf } from "../../spec/calls";
import type { FieldType } from "../../spec/fields";
import { U64_MAX } from "../../spec/units";
import type { Draw } from "./draw";
import { BOGUS_IDS } from "./nothing";

/** By the type of the argument. No length but 0: with one that is too long, UNMAP takes all. */
const BY_TYPE: { readonly [T in FieldType]?: readonly unknown[] } = {
  id: BOGUS_IDS,
  item: [0xffff_fffe],
  iova: [U64_MAX],
  bytes: [0n],
};

/** By its name. */
const BY_NAME: Readonly<Record<string, readonly unknown[]>> = {
  flags: [0x4000_0000],
  reserved: [1],
  argsz: [0, 7],
  op: [9],
  option_id: [9],
};

/** Not what only a process does; nor IOAS_ALLOC, of which there are many and little to spoil. */
const canBeSpoilt = (call: CallName): boolean =>
  (shapeOf(call).on === "iommufd" && call !== "IOAS_ALLOC") || call.startsWith("VFIO_");

/** Arguments, each of which makes a call wrong. */
const spoilsOf = (call: CallName): readonly object[] =>
  canBeSpoilt(call)
    ? Object.entries(shapeOf(call).in).flatMap(([field, type]) =>
        (BY_NAME[field] ?? BY_TYPE[type] ?? []).map((value) => ({ [field]: value })),
      )
    : [];

const SPOILS = new Map(CALL_NAMES.map((call) => [call, spoilsOf(call)]));

/** The arguments to be made instead; undefined: nothing about the call can be wrong in these ways. */
export const spoilt = <A extends object>(call: CallName, args: A, draw: Draw): A | undefined => {
  const one = draw.pick(SPOILS.get(call) ?? []);
  return one && { ...args, ...one };
};
