/**
 * TRANSLATE: what one domain translates within a window.
 *
 * A domain translates exactly what its IOAS maps (DOM-01), each byte to the page that is pinned
 * for it. The physical addresses are the IUT's own: only which bytes lie in one page means
 * something. So the judge keeps pages and page numbers in one-to-one correspondence: while a
 * page is pinned it has one number, and no other page has it. Runs may be cut anywhere.
 */
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import type { Coverage } from "../../spec/coverage";
import type { Translation } from "../../spec/fields";
import { PERM_READ, PERM_WRITE } from "../../spec/uapi/flags";
import type { Bytes, Iova } from "../../spec/units";
import { fact, judge, rule } from "../judge";
import { isStale, pinAt } from "../pinning";
import { higher, lower } from "../state/intervals";
import { areaAt, firstFrom } from "../state/ioas";
import type { Page } from "../state/memory";
import type { Area, Hwpt } from "../state/objects";
import { countSeen, settle } from "../state/seen";
import { show } from "../verdict";
import { aboutId, countIfGoneHwpt, fdIsOpen, isElsewhere, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly hwptId: number;
  readonly hwpt: Hwpt | undefined;
  readonly iova: bigint;
  readonly last: bigint;
  /** The areas of the window. */
  readonly areas: readonly Area[];
  /** Pages whose numbers this answer tells, and those numbers. */
  learnt: Map<Page, bigint> | undefined;
  taken: Set<bigint> | undefined;
  /** A page showed the number that it showed before (PIN-04). */
  recognised: boolean;
  /** Worked out at most once. */
  covered: boolean | undefined;
  /** The area behind the first byte that leads to a wrong page. */
  wrongPage: Area | "none" | undefined;
}

const permOf = (area: Area): number =>
  (area.readable ? PERM_READ : 0) | (area.writeable ? PERM_WRITE : 0);

const NO_AREAS: readonly Area[] = [];

const areasIn = (hwpt: Hwpt | undefined, iova: bigint, last: bigint): readonly Area[] => {
  if (hwpt === undefined) return NO_AREAS;
  const { areas } = hwpt.ioas;
  const from = firstFrom(areas, iova);
  let to = from;
  while (to < areas.length && (areas[to] as Area).first <= last) to++;
  return from === to ? NO_AREAS : areas.slice(from, to);
};

/** The areas of the window, each cut to it. */
const eachArea = (v: View, visit: (area: Area, first: bigint, last: bigint) => void): void => {
  for (const area of v.areas) visit(area, higher(area.first, v.iova), lower(area.last, v.last));
};

/** True if the runs cover, in order, exactly the mapped bytes of the window. */
const coversExactly = (v: View, answered: readonly Translation[]): boolean => {
  // Nothing can be done through a mapping without rights, so it may be left out.
  const runs = answered.filter(
    ({ perm, iova }) => perm !== 0 || !(v.hwpt && areaAt(v.hwpt.ioas, iova)),
  );
  let i = 0;
  let next = runs[0]?.iova ?? 0n;
  let fine = true;
  eachArea(v, (area, first, last) => {
    if (permOf(area) === 0) return;
    for (let at: bigint = first; fine && at <= last; ) {
      const run = runs[i];
      if (run === undefined || next !== at) {
        fine = false;
        return;
      }
      const end = run.iova + run.length - 1n;
      at = (end < last ? end : last) + 1n;
      next = at as Iova;
      if (at > end) {
        i++;
        next = runs[i]?.iova ?? (0n as Iova);
      }
    }
  });
  return fine && i === runs.length;
};

/** Calls `visit` for each part of a run that lies in one area; stops at a false. */
const eachPart = (
  v: View,
  runs: readonly Translation[],
  visit: (area: Area, run: Translation, first: bigint, last: bigint) => boolean,
): boolean => {
  for (const run of runs) {
    const end = run.iova + run.length - 1n;
    for (let at: bigint = run.iova; at <= end; ) {
      const area = v.hwpt && areaAt(v.hwpt.ioas, at);
      if (area === undefined) return false;
      const last = lower(area.last, end);
      if (!visit(area, run, at, last)) return false;
      at = last + 1n;
    }
  }
  return true;
};

const permsAreRight = (v: View, runs: readonly Translation[]): boolean =>
  eachPart(v, runs, (area, { perm }) => perm === permOf(area));

/** No run gives a right to write that its mapping has not. */
const nothingIsTooWriteable = (v: View, runs: readonly Translation[]): boolean =>
  eachPart(v, runs, (area, { perm }) => area.writeable || (perm & PERM_WRITE) === 0);

/** The area of the first part whose physical address cannot be right. */
const findWrongPage = (v: View, runs: readonly Translation[]): Area | undefined => {
  let wrong: Area | undefined;
  eachPart(v, runs, (area, run, first, last) => {
    if (arePages(v, area, first, last, run.pa + (first - run.iova))) return true;
    wrong = area;
    return false;
  });
  return wrong;
};

/** Page by page of what lies behind [first, last] in the area: `pa` leads there. */
const arePages = (v: View, area: Area, first: bigint, last: bigint, pa: bigint): boolean => {
  const { page } = v.machine;
  const start = area.startByte + (first - area.first);
  if ((start - pa) % page !== 0n) return false;
  const to = Number((start + (last - first)) / page);
  let number = pa / page;
  for (let index = Number(start / page); index <= to; index++) {
    const pin = area.pages.pins.get(index);
    if (pin === undefined || !isPageNumber(v, pin.page, number)) return false;
    number++;
  }
  return true;
};

const isPageNumber = (v: View, page: Page, number: bigint): boolean => {
  if (page.token !== undefined) {
    v.recognised = true;
    return page.token === number;
  }
  v.learnt ??= new Map();
  v.taken ??= new Set();
  const known = v.learnt.get(page);
  if (known !== undefined) return known === number;
  // A number that another pinned page has, or just got, is not free.
  const owner = v.machine.tokens.get(number);
  if (owner !== undefined && owner !== page) return false;
  if (v.taken.has(number)) return false;
  v.taken.add(number);
  v.learnt.set(page, number);
  return true;
};

const isCovered = (v: View, runs: readonly Translation[]): boolean => {
  v.covered ??= coversExactly(v, runs);
  return v.covered;
};

const wrongPageOf = (v: View, runs: readonly Translation[]): Area | undefined => {
  v.wrongPage ??= findWrongPage(v, runs) ?? "none";
  return v.wrongPage === "none" ? undefined : v.wrongPage;
};

/** MAP-30: no wrong page where the user address leads elsewhere by now. */
const keepsPages = (v: View, runs: readonly Translation[]): boolean => {
  const wrong = wrongPageOf(v, runs);
  return wrong === undefined || !isStale(v.machine, wrong);
};

const isEmpty = (v: View): boolean => v.areas.length === 0;

const hasStale = (v: View): boolean => v.areas.some((area) => isStale(v.machine, area));

/** The right answer with the model's own page numbers, in maximal runs. */
const answerOf = (v: View): Translation[] => {
  const { page } = v.machine;
  const runs: Translation[] = [];
  eachArea(v, (area, first, last) => {
    const perm = permOf(area);
    for (let at: bigint = first; at <= last; ) {
      const pin = pinAt(v.machine, area, at);
      const offset = (area.startByte + (at - area.first)) % page;
      const rest = page - offset;
      const length = last - at + 1n < rest ? last - at + 1n : rest;
      const pa = BigInt(pin?.page.frame ?? 0) * page + offset;
      const before = runs.at(-1);
      const joins =
        before !== undefined &&
        before.iova + before.length === at &&
        before.pa + before.length === pa &&
        before.perm === perm;
      if (joins) {
        const joined = (before.length + length) as Bytes;
        runs[runs.length - 1] = { iova: before.iova, length: joined, perm, pa: before.pa };
      } else runs.push({ iova: at as Iova, length: length as Bytes, perm, pa });
      at += length;
    }
  });
  return runs;
};

const right = (v: View): string => `runs ${show(answerOf(v))} (pages are the model's own numbers)`;

interface Runs {
  readonly runs?: readonly Translation[];
}

const translates = (
  clause: ClauseId,
  when: (v: View) => boolean,
  holds: (v: View, runs: readonly Translation[]) => boolean,
) => fact<View, Runs>(clause, { when, holds: (v, out) => holds(v, out.runs ?? []), right });

const isMapped = (v: View): boolean => !isEmpty(v);

const hasReadOnly = (v: View): boolean => v.areas.some((area) => !area.writeable);

const hasPartialPage = (v: View): boolean =>
  v.areas.some(({ startByte, first, last }) => {
    const end = startByte + (last - first) + 1n;
    return startByte % v.machine.page !== 0n || end % v.machine.page !== 0n;
  });

export const TRANSLATE = judge<"TRANSLATE", View>("TRANSLATE", {
  promise: "DOM-01",
  view: (machine, call) => {
    const { hwpt_id, iova, last } = call.in;
    const context = machine.fds.get(call.fd);
    const object = context?.objects.get(hwpt_id);
    const hwpt = object?.type === "hwpt" ? object : undefined;
    return {
      machine,
      context,
      hwptId: hwpt_id,
      hwpt,
      iova,
      last,
      areas: areasIn(hwpt, iova, last),
      learnt: undefined,
      taken: undefined,
      recognised: false,
      covered: undefined,
      wrongPage: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("GEN-19", "ENOENT", (v) => v.context !== undefined && v.hwpt === undefined, {
      applies: () => false,
      also: (v) => aboutId(v.context, v.hwptId),
      hard: true,
    }),
  ],
  facts: [
    // Translations that should be gone, or where nothing was ever mapped.
    translates("UNM-26", isEmpty, (_v, runs) => runs.length === 0),
    translates("DOM-01", isMapped, isCovered),
    translates("DOM-10", hasPartialPage, isCovered),
    translates("DOM-09", hasReadOnly, nothingIsTooWriteable),
    translates("DOM-01", isMapped, permsAreRight),
    translates("MAP-30", hasStale, keepsPages),
    translates("MAP-23", isMapped, (v, runs) => wrongPageOf(v, runs) === undefined),
    fact("GEN-22", { when: (v) => isMapped(v) && isElsewhere(v, v.hwptId) }),
  ],
  answer: (v) => ({ runs: answerOf(v) }),
  shown: (v, _out, coverage) => countShown(v, coverage),
  failure: (v, _broken, coverage) => countIfGoneHwpt(v.context, v.hwptId, coverage),
  effect: (v) => {
    for (const [page, number] of v.learnt ?? []) {
      page.token = number;
      v.machine.tokens.set(number, page);
    }
  },
});

const CPY_22 = clauseIndex("CPY-22");
const CPY_31 = clauseIndex("CPY-31");
const DEV_43 = clauseIndex("DEV-43");
const DOM_08 = clauseIndex("DOM-08");
const HWP_21 = clauseIndex("HWP-21");
const OPT_17 = clauseIndex("OPT-17");
const PIN_04 = clauseIndex("PIN-04");
const ALW_11 = clauseIndex("ALW-11");

/** What the translations show of what came before. */
const countShown = (v: View, coverage: Coverage): void => {
  const { hwpt } = v;
  if (hwpt === undefined) return;
  const { seen, hugePages } = hwpt.ioas;
  settle(seen.translate, coverage, v.iova, v.last);
  settle(seen.areas, coverage, v.iova, v.last);
  if (v.recognised) countSeen(coverage, PIN_04);
  for (const { seen, born } of v.areas) {
    if (seen.copyOf?.seen.removed) countSeen(coverage, CPY_22);
    if (seen.copiedStale) countSeen(coverage, CPY_31);
    if (seen.outlivedAllowed) countSeen(coverage, ALW_11);
    if (born < hwpt.born) countSeen(coverage, hwpt.auto ? DEV_43 : HWP_21);
  }
  if (v.areas.length === 0) return;
  if (hwpt.filledStale) countSeen(coverage, DOM_08);
  if (!hugePages) countSeen(coverage, OPT_17);
};
