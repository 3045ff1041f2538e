/**
 * MD_CHECK_MAP and MD_CHECK_REFS of the mock driver: probes in the IUT's own hand. Both look at
 * the pages that are *now* at uptr, so that they fault where the caller could not read.
 */
import { clauseIndex } from "../../spec/clauses/registry";
import { U64_MAX } from "../../spec/units";
import { judge, type Rule, rule } from "../judge";
import { endOfMemory, pageNow, pinAt } from "../pinning";
import { areaAt } from "../state/ioas";
import type { MachineState } from "../state/machine";
import { pageNumber, type Vma, vmaAt } from "../state/memory";
import type { Hwpt } from "../state/objects";
import { countSeen } from "../state/seen";
import { aboutId, countIfGoneHwpt, fdIsOpen, type OnIommufd } from "./common";

/** Where the walk over the units ends: with success, or in its first bad unit. */
type Verdict = "fine" | "EFAULT" | "EOVERFLOW" | "EINVAL" | "EIO";

const readable = (vma: Vma | undefined): boolean => vma !== undefined && vma.prot !== "none";

interface MapView extends OnIommufd {
  readonly proc: number;
  readonly hwptId: number;
  readonly hwpt: Hwpt | undefined;
  readonly iova: bigint;
  readonly length: bigint;
  readonly uptr: bigint;
  readonly unit: bigint;
  verdict: Verdict | undefined;
}

const isMultiple = (v: MapView): boolean =>
  ((v.iova | v.length | v.uptr) & (v.unit - 1n)) === 0n && v.uptr + v.length <= U64_MAX;

const checkUnit = (v: MapView, hwpt: Hwpt, offset: bigint): Verdict => {
  const { machine, proc } = v;
  const uptr = v.uptr + offset;
  const number = pageNumber(uptr, machine.pageSize);
  const process = machine.processes[proc];
  const vma = process && vmaAt(process, number);
  // As in MAP (MAP-14): a page that ends at 2^64 is an overflow before it is looked at.
  if (number + 1 === endOfMemory(machine)) return "EOVERFLOW";
  if (!readable(vma)) return "EFAULT";
  const iova = v.iova + offset;
  const area = areaAt(hwpt.ioas, iova);
  const pin = area && pinAt(machine, area, iova);
  if (area === undefined || pin === undefined) return "EINVAL";
  const mapped = (area.startByte + (iova - area.first)) % machine.page;
  const same = pin.page === pageNow(machine, proc, number) && mapped === uptr % machine.page;
  return same ? "fine" : "EINVAL";
};

const verdictOf = (v: MapView): Verdict => {
  if (v.verdict !== undefined) return v.verdict;
  v.verdict = "fine";
  if (v.hwpt === undefined || !isMultiple(v)) return v.verdict;
  for (let offset = 0n; offset < v.length && v.verdict === "fine"; offset += v.unit) {
    v.verdict = checkUnit(v, v.hwpt, offset);
  }
  return v.verdict;
};

const HWP_21 = clauseIndex("HWP-21");
const MAP_31 = clauseIndex("MAP-31");

export const MD_CHECK_MAP = judge<"MD_CHECK_MAP", MapView>("MD_CHECK_MAP", {
  promise: "TST-03",
  promises: (v) => (v.length > 0n ? "MAP-23" : undefined),
  view: (machine, call) => {
    const { hwpt_id, iova, length, uptr } = call.in;
    const context = machine.fds.get(call.fd);
    const object = context?.objects.get(hwpt_id);
    return {
      machine,
      context,
      proc: call.proc,
      hwptId: hwpt_id,
      hwpt: object?.type === "hwpt" ? object : undefined,
      iova,
      length,
      uptr,
      unit: BigInt(machine.platform.iommus[0]?.ioPageSize ?? machine.pageSize),
      verdict: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("TST-03", "EINVAL", (v) => !isMultiple(v)),
    rule("TST-03", "ENOENT", (v) => v.context !== undefined && v.hwpt === undefined, {
      applies: () => false,
      also: (v) => aboutId(v.context, v.hwptId),
      hard: true,
    }),
    rule("TST-03", "EFAULT", (v) => verdictOf(v) === "EFAULT", { applies: () => false }),
    rule("TST-03", "EOVERFLOW", (v) => verdictOf(v) === "EOVERFLOW", { applies: () => false }),
    rule("TST-03", "EINVAL", (v) => verdictOf(v) === "EINVAL", { applies: () => false }),
  ],
  facts: [],
  failure: (v, _broken, coverage) => countIfGoneHwpt(v.context, v.hwptId, coverage),
  shown: (v, _out, coverage) => {
    if (v.hwpt === undefined || v.length === 0n) return;
    const area = areaAt(v.hwpt.ioas, v.iova);
    if (area === undefined) return;
    if (!v.hwpt.auto && area.born < v.hwpt.born) countSeen(coverage, HWP_21);
    if (area.writeable) return;
    if (pinAt(v.machine, area, v.iova)?.page.writtenWhilePinned) countSeen(coverage, MAP_31);
  },
});

interface RefsView extends OnIommufd {
  readonly proc: number;
  readonly uptr: bigint;
  readonly length: bigint;
  readonly refs: number;
  verdict: Verdict | undefined;
}

export const isWholePages = (machine: MachineState, uptr: bigint, length: bigint): boolean =>
  (uptr | length) % machine.page === 0n && uptr + length <= U64_MAX;

const refsVerdictOf = (v: RefsView): Verdict => {
  if (v.verdict !== undefined) return v.verdict;
  v.verdict = "fine";
  if (v.context === undefined || !isWholePages(v.machine, v.uptr, v.length)) return v.verdict;
  const process = v.machine.processes[v.proc];
  const first = pageNumber(v.uptr, v.machine.pageSize);
  const count = Number(v.length / v.machine.page);
  for (let number = first; number < first + count && v.verdict === "fine"; number++) {
    const vma = process && vmaAt(process, number);
    if (!readable(vma)) v.verdict = "EFAULT";
    else if ((pageNow(v.machine, v.proc, number)?.pins ?? 0) !== v.refs) v.verdict = "EIO";
  }
  return v.verdict;
};

const refsRules: readonly Rule<RefsView>[] = [
  fdIsOpen(),
  rule("TST-04", "EINVAL", (v) => !isWholePages(v.machine, v.uptr, v.length)),
  rule("TST-04", "EFAULT", (v) => refsVerdictOf(v) === "EFAULT", { applies: () => false }),
  rule("TST-04", "EIO", (v) => refsVerdictOf(v) === "EIO", { applies: () => false }),
];

export const MD_CHECK_REFS = judge<"MD_CHECK_REFS", RefsView>("MD_CHECK_REFS", {
  promise: "PIN-01",
  view: (machine, call) => ({
    machine,
    context: machine.fds.get(call.fd),
    proc: call.proc,
    uptr: call.in.uptr,
    length: call.in.length,
    refs: call.in.refs,
    verdict: undefined,
  }),
  rules: refsRules,
  facts: [],
});
