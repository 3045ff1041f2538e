/**
 * IOMMU_HWPT_ALLOC: page tables made by hand.
 *
 * On an IOAS it makes a paging HWPT, whose domain joins the IOAS at once (DOM-05). On a paging
 * HWPT that may be a parent it makes a nested one, from data that the driver understands.
 */
import type { CallOf } from "../../spec/calls";
import type { ClauseId } from "../../spec/clauses/registry";
import { decodeStruct } from "../../spec/uapi/codec";
import {
  HWPT_DATA_MOCK,
  HWPT_DATA_NONE,
  HWPT_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  MOCK_IOTLB_SLOTS,
} from "../../spec/uapi/flags";
import { LAYOUTS, MOCK_NESTED_DATA, WIDTH } from "../../spec/uapi/layouts";
import { type Joining, joinRules } from "../attach/join";
import { addNested, joinDomain, mayRefuseRightless } from "../domains";
import { fact, judge, never, rule } from "../judge";
import type { BoundDevice, FaultQueue, Hwpt, IommufdObject } from "../state/objects";
import { expectLater } from "../state/seen";
import { aboutId, fdIsOpen, lowestFreeId, newIdFacts } from "./common";

const LAYOUT = LAYOUTS.HWPT_ALLOC;

const fieldOf = (name: string): (typeof LAYOUT.fields)[number] => {
  const field = LAYOUT.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`HWPT_ALLOC has no field ${name}`);
  return field;
};

const endOf = (name: string): number => fieldOf(name).offset + WIDTH[fieldOf(name).type];

/** What a caller's struct of `size` bytes gives of a field; the bytes it leaves out are 0 (GEN-08). */
const given = (size: number, name: string, value: bigint): bigint => {
  const { offset } = fieldOf(name);
  return BigInt.asUintN(Math.min(64, 8 * Math.max(0, size - offset)), value);
};

interface View extends Joining {
  readonly size: number;
  readonly flags: number;
  readonly reserved: number;
  readonly dataType: number;
  readonly dataLen: number;
  readonly data: Uint8Array;
  readonly devId: number;
  readonly device: BoundDevice | undefined;
  readonly ptId: number;
  readonly pt: IommufdObject | undefined;
  /** Set if the HWPT would be nested. */
  readonly parent: Hwpt | undefined;
  readonly queue: FaultQueue | undefined;
}

const onIoas = (v: View): boolean => v.ioas !== undefined;
const onParent = (v: View): boolean => v.parent !== undefined;
const hasData = (v: View): boolean => v.dataLen !== 0;
const wants = (v: View, flag: number): boolean => (v.flags & flag) !== 0;
const isReal = (v: View): boolean => v.context !== undefined && v.device !== undefined;

/** Flags that are none of `known`; >>> 0 because the highest bit is one, too. */
const others = (v: View, known: number): boolean => (v.flags & ~known) >>> 0 !== 0;

const PAGING_FLAGS = HWPT_NEST_PARENT | HWPT_DIRTY_TRACKING;
const flagsFor = (v: View): number =>
  onIoas(v) ? PAGING_FLAGS : PAGING_FLAGS | HWPT_FAULT_ID_VALID;

const nests = (v: View): boolean => v.machine.iommus[v.iommu]?.nests === true;

/** Its driver makes no page tables to order. */
const isPlain = (v: View): boolean => !nests(v) && v.machine.iommus[v.iommu]?.tracksDirty !== true;

const misfit = (v: View): boolean => (v.dataType === HWPT_DATA_NONE) !== (v.dataLen === 0);

const joins = (v: View): boolean => onIoas(v) && v.device !== undefined;

/** HWP-05 and what else says that this is not what a page table is made on. */
const whyNoTable = (v: View): readonly ClauseId[] => (v.pt?.type === "nested" ? ["HWP-26"] : []);

/** True if the pointer leads to the data: one that is cut short leads there if it lost zeros only. */
const isPointerGiven = (size: number, { data_uptr }: CallOf<"HWPT_ALLOC">["in"]): boolean =>
  size >= endOf("data_uptr") ||
  (data_uptr !== 0n && given(size, "data_uptr", data_uptr) === data_uptr);

const viewOf = (machine: View["machine"], call: CallOf<"HWPT_ALLOC">): View => {
  const context = machine.fds.get(call.fd);
  const { flags, reserved, dev_id, pt_id, fault_id, data_type, data_len } = call.in;
  const size = call.in.size === 0 ? LAYOUT.size : call.in.size;
  const word = (name: string, value: number): number => Number(given(size, name, BigInt(value)));
  const device = context?.objects.get(dev_id);
  const pt = context?.objects.get(pt_id);
  const queue = context?.objects.get(word("fault_id", fault_id));
  return {
    machine,
    context,
    proc: call.proc,
    size,
    flags,
    reserved,
    dataType: word("data_type", data_type),
    dataLen: word("data_len", data_len),
    data: Buffer.from(isPointerGiven(size, call.in) ? call.in.data : "", "hex"),
    devId: dev_id,
    device: device?.type === "device" ? device : undefined,
    ptId: pt_id,
    pt,
    ioas: pt?.type === "ioas" ? pt : undefined,
    parent: pt?.type === "hwpt" ? pt : undefined,
    queue: queue?.type === "fault" ? queue : undefined,
    iommu: device?.type === "device" ? device.iommu : 0,
    pins: undefined,
  };
};

/** What the mock driver fills the IOTLB of a nested HWPT with. */
const iotlbOf = (v: View): number[] => {
  const { iotlb } = decodeStruct(MOCK_NESTED_DATA, v.data.subarray(0, MOCK_NESTED_DATA.size));
  return new Array<number>(MOCK_IOTLB_SLOTS).fill(Number(iotlb));
};

export const HWPT_ALLOC = judge<"HWPT_ALLOC", View>("HWPT_ALLOC", {
  promise: "HWP-20",
  promises: (v) => (v.size < LAYOUT.size ? "HWP-29" : undefined),
  view: (machine, call) => viewOf(machine, call),
  rules: [
    fdIsOpen(),
    rule("GEN-07", "EINVAL", (v) => v.size < LAYOUT.min, {
      applies: never,
      hard: true,
      outranks: true,
    }),
    rule("HWP-01", "EOPNOTSUPP", (v) => v.reserved !== 0, { also: () => ["GEN-17"] }),
    rule("HWP-02", "EINVAL", misfit),
    rule("HWP-03", "ENOENT", (v) => v.context !== undefined && v.device === undefined, {
      also: (v) => aboutId(v.context, v.devId),
      hard: true,
    }),
    rule("HWP-04", "EINVAL", (v) => v.context !== undefined && v.pt === undefined, { hard: true }),
    rule("HWP-05", "EINVAL", (v) => v.pt !== undefined && !onIoas(v) && !onParent(v), {
      also: whyNoTable,
      hard: true,
    }),
    // Where pt_id names nothing to be made on, a flag that nobody knows is still unknown.
    rule("HWP-07", "EOPNOTSUPP", (v) => !onParent(v) && others(v, flagsFor(v)), {
      applies: onIoas,
      also: () => ["GEN-18"],
    }),
    rule(
      "HWP-08",
      "EOPNOTSUPP",
      (v) => onIoas(v) && wants(v, HWPT_DIRTY_TRACKING) && v.device?.tracksDirty === false,
      { applies: (v) => onIoas(v) && wants(v, HWPT_DIRTY_TRACKING), hard: true },
    ),
    rule(
      "HWP-09",
      "EOPNOTSUPP",
      (v) => onIoas(v) && isReal(v) && (hasData(v) || (wants(v, HWPT_NEST_PARENT) && !nests(v))),
      { applies: never, also: (v) => (isPlain(v) ? ["HWP-06"] : []), hard: true },
    ),
    rule(
      "HWP-11",
      "EOPNOTSUPP",
      (v) => onParent(v) && (others(v, HWPT_FAULT_ID_VALID) || !hasData(v)),
      { applies: onParent, hard: true },
    ),
    rule("HWP-12", "EINVAL", (v) => v.parent?.nestParent === false, {
      applies: onParent,
      hard: true,
    }),
    rule("HWP-11", "EOPNOTSUPP", (v) => onParent(v) && isReal(v) && !nests(v), { applies: never }),
    rule(
      "HWP-13",
      "EOPNOTSUPP",
      (v) => onParent(v) && hasData(v) && v.dataType !== HWPT_DATA_MOCK,
      { applies: onParent, hard: true },
    ),
    rule(
      "HWP-13",
      "EINVAL",
      (v) => onParent(v) && hasData(v) && v.dataLen !== MOCK_NESTED_DATA.size,
      {
        applies: never,
        hard: true,
      },
    ),
    rule(
      "HWP-13",
      "EFAULT",
      (v) => onParent(v) && hasData(v) && v.data.length < MOCK_NESTED_DATA.size,
      {
        applies: never,
        hard: true,
      },
    ),
    rule("HWP-14", "ENOENT", (v) => wants(v, HWPT_FAULT_ID_VALID) && v.queue === undefined, {
      applies: (v) => onParent(v) && wants(v, HWPT_FAULT_ID_VALID),
      hard: true,
    }),
    ...joinRules<View>(joins, ["HWP-10"]),
  ],
  facts: [
    ...newIdFacts<View, { readonly out_hwpt_id?: number }>((out) => out.out_hwpt_id),
    fact("HWP-20"),
    fact("HWP-22", { when: (v) => v.ioas?.hwpts.some(({ auto }) => !auto) ?? false }),
    fact("HWP-29", { when: (v) => v.size === LAYOUT.min }),
  ],
  answer: (v) => ({ out_hwpt_id: v.context === undefined ? 0 : lowestFreeId(v.context) }),
  effect: (v, out) => {
    const { machine, context, ioas, device, iommu, parent, queue } = v;
    const id = out.out_hwpt_id ?? 0;
    if (context === undefined) return;
    if (ioas !== undefined && device !== undefined) {
      const nestParent = wants(v, HWPT_NEST_PARENT);
      const tracksDirty = wants(v, HWPT_DIRTY_TRACKING);
      const { pageSizes } = device;
      const plan = { id, iommu, pageSizes, auto: false, nestParent, tracksDirty };
      joinDomain(machine, context, ioas, plan);
    } else if (parent !== undefined) {
      const faults = wants(v, HWPT_FAULT_ID_VALID) ? queue : undefined;
      addNested(context, parent, id, iotlbOf(v), faults);
    }
  },
  failure: (v, broken) => {
    if (v.ioas === undefined) return;
    if (broken.clause === "ALN-03") expectLater(v.ioas.seen.ranges, "ALN-04");
  },
  leeway: (v, errno) =>
    errno === "EINVAL" && mayRefuseRightless(v.machine, v.ioas) ? "VCC-10" : undefined,
});
