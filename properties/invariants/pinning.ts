/** Section C: pins. */
import type { CallOf } from "../../spec/calls";
import type { PinRun } from "../../spec/fields";
import { I_31, I_36, I_37, I_40, sameStatus } from "./accounting";
import { type Finding, HELD } from "./finding";
import type { Check, Invariant } from "./invariant";
import type { Ledger } from "./ledger/ledger";
import type { Holder } from "./ledger/pages";
import { isFault, PinBounds } from "./ledger/pin-answers";
import { hex } from "./ledger/ranges";
import { samePins, showPins } from "./ledger/sameness";

/** A hostile answer or question must not cost more than this many pages. */
const MOST_PAGES = 4096;

const exact = (
  { in: { uptr, length } }: CallOf<"PAGE_REFS">,
  refs: readonly PinRun[],
  ledger: Ledger,
  concerns?: (page: number) => boolean,
): Finding => {
  const { memory } = ledger;
  if (memory.offset(uptr) !== 0 || memory.offset(length) !== 0) return undefined;
  const first = memory.page(uptr);
  const end = Math.min(first + Number(length) / memory.pageSize, first + MOST_PAGES);
  const bounds = new PinBounds(ledger, first, end - 1);
  let page = first;
  let compared = false;
  for (const run of refs) {
    const pins = run[0];
    const next = Math.min(page + run[1], end);
    for (; typeof pins === "number" && page < next; page++) {
      if (concerns !== undefined && !concerns(page)) continue;
      const { low, high } = bounds.at(page);
      compared = true;
      if (pins >= low && pins <= high) continue;
      const right = low === high ? `${low}` : `${low} to ${high}`;
      const where = hex(BigInt(page) * ledger.pageBytes);
      return { expected: `${right} pins of the page at ${where}`, actual: `${pins}` };
    }
    page = next;
  }
  return compared ? HELD : undefined;
};

/** MD_CHECK_REFS says yes or no to one number for all pages of a range. */
const checkedRefs = (call: CallOf<"MD_CHECK_REFS">, errno: unknown, ledger: Ledger): Finding => {
  const { uptr, length, refs } = call.in;
  const size = ledger.pageBytes;
  if (uptr % size !== 0n || length % size !== 0n || length === 0n) return undefined;
  const first = ledger.memory.page(uptr);
  const count = Math.min(Number(length / size), MOST_PAGES);
  const bounds = new PinBounds(ledger, first, first + count - 1);
  let certain = true;
  for (let page = first; page < first + count; page++) {
    const { low, high } = bounds.at(page);
    if (low !== refs || high !== refs) certain = false;
    if (errno !== 0 || (low <= refs && refs <= high)) continue;
    return { expected: `EIO: ${low} to ${high} pins, not ${refs}`, actual: "success" };
  }
  if (errno === 0) return HELD;
  return certain ? { expected: `success: ${refs} pins each`, actual: "EIO" } : HELD;
};

const I_30: Invariant = {
  id: "I-30",
  statement:
    "A page is pinned once for each MAP of it that some domain or in-kernel user needs, however " +
    "many copies, IOASs, domains and users need it.",
  needs: ["page-refs"],
  clauses: ["PIN-01", "PIN-02"],
  general: true,
  on: {
    PAGE_REFS: (call, { errno, out }, ledger) =>
      errno === 0 && out?.refs ? exact(call, out.refs, ledger) : undefined,
    MD_CHECK_REFS: (call, { errno }, ledger) =>
      errno === 0 || errno === "EIO" ? checkedRefs(call, errno, ledger) : undefined,
  },
};

/** A check of answers that come while nothing can be pinned. */
const whenNothingPinned = (
  applies: (ledger: Ledger) => boolean,
): { readonly PAGE_REFS: Check<"PAGE_REFS">; readonly PROC_STATUS: Check<"PROC_STATUS"> } => ({
  PAGE_REFS: (_call, { errno, out }, ledger) => {
    if (errno !== 0 || ledger.pins.holding > 0 || !applies(ledger)) return undefined;
    return noPins(out?.refs ?? []);
  },
  PROC_STATUS: (_call, { errno, out }, ledger) => {
    const { idle, holding } = ledger.process;
    if (errno !== 0 || holding > 0 || !idle || !applies(ledger)) return undefined;
    return sameStatus(idle, out, "with nothing pinned");
  },
});

const noPins = (refs: readonly PinRun[]): Finding => {
  for (const run of refs) {
    if (run[0] !== 0 && !isFault(run)) return { expected: "no pins", actual: `${run[0]}` };
  }
  return HELD;
};

/** Pages at which a held mapping starts or ends inside. */
const partlyMapped = ({ pins }: Ledger): readonly number[] => {
  const parts: number[] = [];
  if (pins.holding === 0) return parts;
  for (const { areas } of pins.pinned) {
    for (const { held, cutsFirst, cutsLast, firstPage, lastPage } of areas) {
      if (held && cutsFirst) parts.push(firstPage);
      if (held && cutsLast) parts.push(lastPage);
    }
  }
  return parts;
};

const I_38: Invariant = {
  id: "I-38",
  statement: "Parts of a page pin it as often as all of it would: once for each MAP of a part.",
  needs: ["page-refs"],
  clauses: ["PIN-01", "PIN-02"],
  on: {
    PAGE_REFS: (call, { errno, out }, ledger) => {
      if (errno !== 0 || !out?.refs) return undefined;
      const parts = partlyMapped(ledger);
      if (parts.length === 0) return undefined;
      return exact(call, out.refs, ledger, (page) => parts.includes(page));
    },
  },
};

const I_32: Invariant = {
  id: "I-32",
  statement: "When nothing is mapped any more, nothing is pinned or charged any more.",
  needs: [],
  clauses: ["UNM-25", "PIN-03"],
  on: whenNothingPinned(({ pins, emptiedByClose }) => pins.live.size === 0 && !emptiedByClose),
};

const I_35: Invariant = {
  id: "I-35",
  statement: "What no domain needs is not pinned: mapping and copying alone pin nothing.",
  needs: [],
  clauses: ["MAP-22", "PIN-03"],
  on: whenNothingPinned(({ pins }) => pins.live.size > 0),
};

export const I_54: Invariant = {
  id: "I-54",
  statement: "Closing an iommufd and its devices releases every pin and every charge.",
  needs: [],
  clauses: ["OBJ-07", "ACT-10"],
  on: whenNothingPinned(({ emptiedByClose }) => emptiedByClose),
};

/** Two answers between which holders came or went, but no page gained its first or lost its last. */
const whenStillPinned = (
  what: "copies" | "handovers",
): { readonly PAGE_REFS: Check<"PAGE_REFS">; readonly PROC_STATUS: Check<"PROC_STATUS"> } => ({
  PAGE_REFS: (call, { errno, out }, ledger) => {
    const before = errno === 0 ? ledger.pinAnswers.before(ledger, call.in) : undefined;
    if (before === undefined || before[what] === ledger[what] || !out?.refs) return undefined;
    if (out.refs.some(isFault)) return undefined;
    if (samePins(out.refs, before.refs)) return HELD;
    return { expected: `${showPins(before.refs)}, as before`, actual: showPins(out.refs) };
  },
  PROC_STATUS: (_call, { errno, out }, ledger) => {
    const { last } = ledger.process;
    if (errno !== 0 || last === undefined || last[what] === ledger[what]) return undefined;
    if (last.changes !== ledger.pins.changes || ledger.pins.holding === 0) return undefined;
    return sameStatus(last, out, `these ${what}`);
  },
});

const I_33: Invariant = {
  id: "I-33",
  statement: "A copy of memory that is pinned adds no pin and no charge.",
  needs: [],
  clauses: ["CPY-21", "ACT-07"],
  on: whenStillPinned("copies"),
};

const I_34: Invariant = {
  id: "I-34",
  statement: "Pins stay as they are while holders come and go, as long as one remains.",
  needs: [],
  clauses: ["PIN-05", "DOM-06"],
  on: whenStillPinned("handovers"),
};

/** Pages that a MAP of a process which has ended may hold. */
const orphans = ({ pins, processes }: Ledger): readonly Holder[] => {
  const alive = new Set(processes.values());
  return [...pins.live].flatMap(({ process, holders }) => (alive.has(process) ? [] : holders));
};

const I_39: Invariant = {
  id: "I-39",
  statement:
    "What a process mapped stays pinned after its end as long as something needs it, and no " +
    "longer: nothing is left once the last process that has the iommufd closes it.",
  needs: ["second-process", "page-refs"],
  clauses: ["MAP-33", "OBJ-07"],
  on: {
    PAGE_REFS: (call, { errno, out }, ledger) => {
      if (errno !== 0 || !out?.refs || !ledger.anyExited) return undefined;
      if (ledger.emptiedByClose && ledger.pins.holding === 0) return noPins(out.refs);
      const held = orphans(ledger);
      if (held.length === 0) return undefined;
      return exact(call, out.refs, ledger, (page) =>
        held.some(({ firstPage, lastPage }) => firstPage <= page && page <= lastPage),
      );
    },
  },
};

export const PINNING: readonly Invariant[] = [
  I_30,
  I_31,
  I_32,
  I_33,
  I_34,
  I_35,
  I_36,
  I_37,
  I_38,
  I_39,
  I_40,
];
