/**
 * PAGE_REFS and PROC_STATUS: how often pages are pinned, and what that counts for the process.
 * The pins of a page are the number of MAPs that need it (PIN-01, PIN-02).
 */
import type { ClauseId } from "../../spec/clauses/registry";
import type { Coverage } from "../../spec/coverage";
import type { PinRun } from "../../spec/fields";
import { fact, judge, rule } from "../judge";
import type { MachineState } from "../state/machine";
import { type ProcessState, pageIn, pageNumber, vmaAt } from "../state/memory";
import { settle } from "../state/seen";
import { show } from "../verdict";
import { fdIsOpen, type OnIommufd } from "./common";
import { isWholePages } from "./md-check";

interface View extends OnIommufd {
  readonly process: ProcessState | undefined;
  readonly uptr: bigint;
  readonly length: bigint;
  /** Worked out at most once. */
  runs: readonly PinRun[] | undefined;
  wrong: ClauseId | "nothing" | undefined;
}

/** The right answer, with runs as long as possible. */
const runsOf = (v: View): readonly PinRun[] => {
  if (v.runs !== undefined) return v.runs;
  const { machine, process } = v;
  const runs: PinRun[] = [];
  const first = pageNumber(v.uptr, machine.pageSize);
  const end = first + Number(v.length / machine.page);
  let pins: PinRun[0] = 0;
  let count = 0;
  for (let number = first; number < end; ) {
    const vma = process && vmaAt(process, number);
    const last = Math.min(vma?.last ?? nextMapped(process, number) - 1, end - 1);
    const unreadable = vma === undefined || vma.prot === "none";
    // A whole stretch at once: without memory it may be very long, untouched it has no pins.
    const whole = unreadable || vma.object.pages.size === 0;
    while (number <= last) {
      const here = unreadable ? "EFAULT" : whole ? 0 : (pageIn(vma, number)?.pins ?? 0);
      const pages = whole ? last - number + 1 : 1;
      if (here !== pins) {
        if (count > 0) runs.push([pins, count]);
        pins = here;
        count = 0;
      }
      count += pages;
      number += pages;
    }
  }
  if (count > 0) runs.push([pins, count]);
  v.runs = runs;
  return runs;
};

/** Number of the first mapped page behind `number`. */
const nextMapped = (process: ProcessState | undefined, number: number): number => {
  for (const vma of process?.vmas ?? []) if (vma.first > number) return vma.first;
  return Number.POSITIVE_INFINITY;
};

/**
 * The clause that the first wrong page speaks of; undefined: all pages are right, however the
 * answer is cut into runs.
 */
const wrongPage = (v: View, answer: readonly PinRun[]): ClauseId | undefined => {
  const right = runsOf(v);
  let i = 0;
  let left = right[0]?.[1] ?? 0;
  for (const [pins, count] of answer) {
    for (let rest = count; rest > 0; ) {
      const run = right[i];
      if (run === undefined || run[0] !== pins) return clauseOf(v, run?.[0], pins);
      const step = Math.min(rest, left);
      rest -= step;
      left -= step;
      if (left > 0) continue;
      i++;
      left = right[i]?.[1] ?? 0;
    }
  }
  return i === right.length ? undefined : "PIN-03";
};

const clauseOf = (v: View, right: PinRun[0] | undefined, pins: PinRun[0]): ClauseId => {
  if (typeof right !== "number" || typeof pins !== "number" || right === 0) return "PIN-03";
  if (pins === 0) return "PIN-01";
  if (pins < right) return "PIN-02";
  return showsSharing(v) ? "CPY-21" : "PIN-01";
};

/** True if the answer is to show a page with more pins than `count`. */
const hasMoreThan = (v: View, count: number): boolean => {
  for (const run of runsOf(v)) if (run[0] !== "EFAULT" && run[0] > count) return true;
  return false;
};

/** A pinned page that several areas need, so that sharing shows (CPY-21). */
const showsSharing = (v: View): boolean => {
  for (const context of v.machine.fds.values()) {
    for (const object of context.objects.values()) {
      if (object.type !== "ioas" || object.hwpts.length === 0) continue;
      for (const area of object.areas) {
        if (area.seen.copyOf === undefined) continue;
        if (isShown(v, area.pages.va + area.startByte) && holders(area, v.machine) > 1) return true;
      }
    }
  }
  return false;
};

const isShown = (v: View, va: bigint): boolean => va >= v.uptr && va < v.uptr + v.length;

const holders = (
  area: { pages: { pins: ReadonlyMap<number, { holders: number }> }; startByte: bigint },
  machine: MachineState,
): number => area.pages.pins.get(Number(area.startByte / machine.page))?.holders ?? 0;

const right = (v: View): string => `refs ${show(runsOf(v))}`;

/** The clause is kept unless the first wrong page is about it. */
const runFact = (clause: ClauseId, when: (v: View) => boolean) =>
  fact<View, { readonly refs?: readonly PinRun[] }>(clause, {
    when: (v, out) => {
      v.wrong ??= wrongPage(v, out.refs ?? []) ?? "nothing";
      return v.wrong === clause || when(v);
    },
    holds: (v) => v.wrong !== clause,
    right,
  });

export const PAGE_REFS = judge<"PAGE_REFS", View>("PAGE_REFS", {
  promise: "PIN-01",
  view: (machine, call) => ({
    machine,
    context: machine.fds.get(call.fd),
    process: machine.processes[call.proc],
    uptr: call.in.uptr,
    length: call.in.length,
    runs: undefined,
    wrong: undefined,
  }),
  rules: [
    fdIsOpen(),
    rule("TST-04", "EINVAL", (v) => !isWholePages(v.machine, v.uptr, v.length), {
      applies: () => false,
      hard: true,
    }),
  ],
  facts: [
    runFact("PIN-03", () => true),
    runFact("PIN-01", (v) => hasMoreThan(v, 0)),
    runFact("PIN-02", (v) => hasMoreThan(v, 1)),
    runFact("CPY-21", (v) => hasMoreThan(v, 0) && showsSharing(v)),
    fact("MAP-27", { when: (v) => hasMoreThan(v, 1) }),
  ],
  answer: (v) => ({ refs: runsOf(v) }),
  shown: (v, _out, coverage) => settleMemory(v, coverage),
});

const settleMemory = (v: View, coverage: Coverage): void => {
  if (v.length > 0n) settle(v.machine.seenRefs, coverage, v.uptr, v.uptr + v.length - 1n);
};

interface StatusView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
}

const statusRight = (v: StatusView): string =>
  `VmPin_pages ${v.process?.pinned ?? 0}, VmLck_pages ${v.process?.locked ?? 0}`;

export const PROC_STATUS = judge<"PROC_STATUS", StatusView>("PROC_STATUS", {
  promise: "ACT-04",
  view: (machine, call) => ({ machine, process: machine.processes[call.proc] }),
  rules: [],
  facts: [
    fact("ACT-04", {
      holds: (v, out) => out.VmPin_pages === (v.process?.pinned ?? 0),
      right: statusRight,
    }),
    fact("ACT-02", {
      holds: (v, out) => out.VmLck_pages === (v.process?.locked ?? 0),
      right: statusRight,
      uncounted: true,
    }),
    fact("ACT-02", { when: (v) => (v.process?.locked ?? 0) > 0 }),
  ],
  answer: (v) => ({
    VmPin_pages: v.process?.pinned ?? 0,
    VmLck_pages: v.process?.locked ?? 0,
  }),
  shown: (v, _out, coverage) => settle(v.machine.seenStatus, coverage),
});
