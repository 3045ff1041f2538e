/**
 * The address space of a process: MMAP, MUNMAP, MPROTECT. Not iommufd calls, but what they do
 * decides what MAP pins. GEN-23 is the clause that ties a mapping to the memory of its process;
 * the errors are those of the host.
 */
import type { CallOf } from "../../spec/calls";
import type { Prot } from "../../spec/fields";
import { U64_MAX } from "../../spec/units";
import { judge, never, rule } from "../judge";
import type { MachineState } from "../state/machine";
import {
  mappedUpTo,
  newObject,
  type PageSpan,
  type ProcessState,
  pagesOf,
  place,
  protect,
  USER_LAST,
  unplace,
} from "../state/memory";

interface RangeView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly va: bigint;
  readonly length: bigint;
  readonly prot: Prot;
  readonly kind: string;
}

const isMisaligned = (v: RangeView): boolean => v.va % v.machine.page !== 0n || v.length === 0n;
/** No end of a range, rounded up to pages, fits into 64 bits. */
const wraps = (v: RangeView): boolean => v.va + v.length - 1n + v.machine.page > U64_MAX;
const leavesUserSpace = (v: RangeView): boolean => v.va + v.length - 1n > USER_LAST;
const spanOf = (v: RangeView): PageSpan => pagesOf(v.va, v.length, v.machine.pageSize);

const rangeView = (
  machine: MachineState,
  call: CallOf<"MMAP" | "MUNMAP" | "MPROTECT">,
): RangeView => ({
  machine,
  process: machine.processes[call.proc],
  va: call.in.va,
  length: call.in.length,
  prot: "prot" in call.in ? call.in.prot : "none",
  kind: "kind" in call.in ? call.in.kind : "",
});

/** Nobody else maps the lowest page (vm.mmap_min_addr). */
const ROOT = 0;

const host = { applies: never, hard: true } as const;

export const MMAP = judge<"MMAP", RangeView>("MMAP", {
  promise: "GEN-23",
  view: rangeView,
  rules: [
    rule("GEN-23", "EINVAL", isMisaligned, host),
    rule("GEN-23", "ENOMEM", leavesUserSpace, host),
    rule("GEN-23", "EPERM", (v) => v.va < v.machine.page && v.process?.uid !== ROOT, host),
  ],
  facts: [],
  effect: (v) => {
    if (v.process === undefined) return;
    place(v.process, spanOf(v), v.prot, newObject(v.kind === "anon-private"), 0);
  },
});

export const MUNMAP = judge<"MUNMAP", RangeView>("MUNMAP", {
  promise: "GEN-23",
  view: rangeView,
  rules: [rule("GEN-23", "EINVAL", (v) => isMisaligned(v) || leavesUserSpace(v), host)],
  facts: [],
  effect: (v) => {
    if (v.process !== undefined) unplace(v.process, spanOf(v));
  },
});

const hasHole = (v: RangeView): boolean => {
  if (v.process === undefined || isMisaligned(v)) return false;
  const span = spanOf(v);
  return mappedUpTo(v.process, span) < span.last;
};

export const MPROTECT = judge<"MPROTECT", RangeView>("MPROTECT", {
  promise: "GEN-23",
  view: rangeView,
  rules: [
    rule("GEN-23", "EINVAL", (v) => v.va % v.machine.page !== 0n, host),
    rule("GEN-23", "ENOMEM", (v) => v.length > 0n && (leavesUserSpace(v) || hasHole(v)), host),
  ],
  facts: [],
  effect: (v) => {
    if (v.process !== undefined && v.length > 0n) protect(v.process, spanOf(v), v.prot);
  },
  // What lies before the hole has been changed, and where user space ends there is one.
  failure: (v, broken) => {
    if (v.process === undefined || broken.errno !== "ENOMEM" || wraps(v)) return;
    const { first } = spanOf(v);
    const last = mappedUpTo(v.process, spanOf(v));
    if (last >= first) protect(v.process, { first, last }, v.prot);
  },
});
