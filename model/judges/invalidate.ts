/**
 * IOMMU_HWPT_INVALIDATE: user space tells that it changed a nested page table; and
 * MD_CHECK_IOTLB, which looks into the four slots that the mock driver has for an IOTLB.
 */

import { clauseIndex } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { decodeStruct } from "../../spec/uapi/codec";
import { INVALIDATE_ALL, INVALIDATE_DATA_MOCK } from "../../spec/uapi/flags";
import { MOCK_INVALIDATE_ENTRY as ENTRY } from "../../spec/uapi/layouts";
import { fact, judge, never, rule } from "../judge";
import type { MachineState } from "../state/machine";
import type { NestedHwpt } from "../state/objects";
import { aboutId, fdIsOpen, type OnIommufd } from "./common";

interface OnNested extends OnIommufd {
  readonly hwptId: number;
  readonly nested: NestedHwpt | undefined;
}

const onNested = (machine: MachineState, fd: number, hwptId: number): OnNested => {
  const context = machine.fds.get(fd);
  const object = context?.objects.get(hwptId);
  return { machine, context, hwptId, nested: object?.type === "nested" ? object : undefined };
};

interface View extends OnNested {
  readonly uptr: bigint;
  readonly type: number;
  readonly entryLen: number;
  readonly entryNum: number;
  readonly reserved: number;
  readonly strict: boolean;
  /** What can be read at uptr. */
  readonly data: Uint8Array;
  run: Run | undefined;
}

/** What comes of the entries: slots that they clear, and what stops them. */
interface Run {
  readonly done: number;
  readonly cleared: ReadonlySet<number>;
  readonly stopped: Errno | undefined;
}

/** 6.12's bounds of entry_num and, in pages, of entry_len (INV-02). */
const ENTRIES_MAX = 2 ** 19;

const lacksArray = (v: View): boolean => v.entryNum !== 0 && (v.uptr === 0n || v.entryLen === 0);
const isUnbounded = (v: View): boolean =>
  v.entryNum !== 0 && (v.entryLen > v.machine.pageSize || v.entryNum > ENTRIES_MAX);

/** INV-05: what the mock driver does with entry i, which clears one slot or all. */
const slotsOf = (v: View, nested: NestedHwpt, i: number): readonly number[] | Errno => {
  if (v.entryLen !== ENTRY.size) return "EINVAL";
  const bytes = v.data.subarray(i * ENTRY.size, (i + 1) * ENTRY.size);
  if (bytes.length < ENTRY.size) return "EFAULT";
  const { flags, iotlb_id } = decodeStruct(ENTRY, bytes);
  if (Number(flags) > INVALIDATE_ALL) return "EOPNOTSUPP";
  if (Number(iotlb_id) >= nested.iotlb.length) return "EINVAL";
  return flags === INVALIDATE_ALL ? [...nested.iotlb.keys()] : [Number(iotlb_id)];
};

const NOTHING_DONE: Run = { done: 0, cleared: new Set(), stopped: undefined };

const runOf = (v: View): Run => {
  if (v.run !== undefined) return v.run;
  v.run = NOTHING_DONE;
  if (v.nested === undefined || !isMockType(v)) return v.run;
  const cleared = new Set<number>();
  for (let done = 0; done < v.entryNum; done++) {
    const slots = slotsOf(v, v.nested, done);
    if (typeof slots === "string") {
      v.run = { done, cleared, stopped: slots };
      return v.run;
    }
    for (const slot of slots) cleared.add(slot);
  }
  v.run = { done: v.entryNum, cleared, stopped: undefined };
  return v.run;
};

const isMockType = (v: View): boolean => v.type === INVALIDATE_DATA_MOCK;
const hasEntries = (v: View): boolean => v.entryNum > 0;
const stopsWith = (errno: Errno) => (v: View) => runOf(v).stopped === errno;

const apply = (v: View): void => {
  for (const slot of runOf(v).cleared) if (v.nested !== undefined) v.nested.iotlb[slot] = 0;
};

/** Whether entries count at all: the rules before INV-05 stop the call as a whole. */
const doneBefore = (v: View): number =>
  v.reserved !== 0 || lacksArray(v) || isUnbounded(v) ? 0 : runOf(v).done;

/** Who has no bounds carries entries out until one stops it. */
const goesOn = (v: View): boolean =>
  !v.strict && isUnbounded(v) && v.reserved === 0 && !lacksArray(v);

const INV_06 = clauseIndex("INV-06");

export const HWPT_INVALIDATE = judge<"HWPT_INVALIDATE", View>("HWPT_INVALIDATE", {
  promise: "INV-05",
  promises: (v) => (hasEntries(v) ? undefined : "INV-04"),
  view: (machine, call, _claimed, profile) => {
    const { hwpt_id, data_uptr, data_type, entry_len, entry_num, reserved, data } = call.in;
    const { context, hwptId, nested } = onNested(machine, call.fd, hwpt_id);
    return {
      machine,
      context,
      hwptId,
      nested,
      uptr: data_uptr,
      type: data_type,
      entryLen: entry_len,
      entryNum: entry_num,
      reserved,
      strict: profile === "linux-6.12",
      data: Buffer.from(data, "hex"),
      run: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("INV-01", "EOPNOTSUPP", (v) => v.reserved !== 0, { also: () => ["GEN-17"] }),
    rule("INV-02", "EINVAL", (v) => lacksArray(v), { applies: hasEntries }),
    // Only 6.12 bounds them: who has not this rule gets to the entries.
    rule("INV-02", "EINVAL", isUnbounded, { applies: never }),
    rule("INV-03", "ENOENT", (v) => v.context !== undefined && v.nested === undefined, {
      also: (v) => aboutId(v.context, v.hwptId),
      hard: true,
    }),
    rule("INV-04", "EINVAL", (v) => v.nested !== undefined && !isMockType(v), {
      applies: (v) => !hasEntries(v),
      hard: true,
    }),
    rule("INV-05", "EOPNOTSUPP", stopsWith("EOPNOTSUPP"), { applies: hasEntries, hard: true }),
    rule("INV-05", "EINVAL", stopsWith("EINVAL"), { applies: never, hard: true }),
    rule("INV-05", "EFAULT", stopsWith("EFAULT"), { applies: never, hard: true }),
  ],
  facts: [
    fact("INV-06", {
      holds: (v, out) => out.entry_num === v.entryNum,
      right: (v) => `entry_num ${v.entryNum}`,
    }),
  ],
  answer: (v) => ({ entry_num: v.entryNum }),
  effect: apply,
  answerOfFailure: (v) => ({ entry_num: doneBefore(v) }),
  checkFailure: (v, errno, out) => {
    if (errno === "EBADF") return;
    const done = errno === "ENOMEM" ? 0 : doneBefore(v);
    const told = out.entry_num ?? v.entryNum;
    if (told === done || (goesOn(v) && told === runOf(v).done)) return;
    return { clause: "INV-06", right: `entry_num ${done}` };
  },
  failure: (v, _broken, coverage) => {
    if (coverage !== undefined) {
      coverage.violation[INV_06] = (coverage.violation[INV_06] ?? 0) + 1;
    }
    if (doneBefore(v) > 0) apply(v);
  },
  otherwise: (v) => (goesOn(v) && runOf(v).done > 0 ? [apply] : []),
});

interface IotlbView extends OnNested {
  readonly slot: number;
  readonly value: number;
}

export const MD_CHECK_IOTLB = judge<"MD_CHECK_IOTLB", IotlbView>("MD_CHECK_IOTLB", {
  promise: "INV-07",
  view: (machine, call) => {
    const { context, hwptId, nested } = onNested(machine, call.fd, call.in.hwpt_id);
    return { machine, context, hwptId, nested, slot: call.in.iotlb_id, value: call.in.iotlb };
  },
  rules: [
    fdIsOpen(),
    rule("INV-07", "ENOENT", (v) => v.context !== undefined && v.nested === undefined, {
      applies: never,
      also: (v) => aboutId(v.context, v.hwptId),
      hard: true,
    }),
    rule("INV-07", "EINVAL", (v) => v.nested !== undefined && v.nested.iotlb[v.slot] !== v.value, {
      applies: never,
      hard: true,
    }),
  ],
  facts: [fact("INV-07")],
});
