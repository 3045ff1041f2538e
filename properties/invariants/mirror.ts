/** Section B: domains and devices see exactly the memory that is mapped. */
import type { CallOf } from "../../spec/calls";
import { PERM_READ, PERM_WRITE } from "../../spec/uapi/flags";
import { type Contradiction, type Finding, HELD } from "./finding";
import { asInMemory, notWritten, reached, readBack } from "./in-kernel";
import type { Check, Invariant } from "./invariant";
import { answeredByte, areaAt, coverOf, permFor, reachOf } from "./ledger/dma";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import type { Area } from "./ledger/pages";
import { hex } from "./ledger/ranges";
import { sameRuns, showRuns } from "./ledger/sameness";
import type { Walk } from "./ledger/walk";

const ioasOfHwpt = (ledger: Ledger, fd: number, id: number): Ioas | undefined => {
  const hwpt = ledger.object(fd, id);
  return hwpt?.kind === "hwpt" ? hwpt.ioas : undefined;
};

/** A check of every answer of TRANSLATE, by what a walk over it and the mappings found. */
const whenWalked =
  (check: (walk: Walk, ioas: Ioas) => Finding): Check<"TRANSLATE"> =>
  (call, outcome, ledger) => {
    if (outcome.errno !== 0) return undefined;
    const ioas = ioasOfHwpt(ledger, call.fd, call.in.hwpt_id);
    return ioas && check(ledger.walk.at(ioas, call, outcome), ioas);
  };

const verdict = (wrong: Contradiction | undefined, compared: number): Finding =>
  wrong ?? (compared > 0 ? HELD : undefined);

const I_20: Invariant = {
  id: "I-20",
  statement: "All domains of an IOAS translate the same.",
  needs: ["translate", "hwpt"],
  clauses: ["DOM-01"],
  on: {
    TRANSLATE: (call, { errno, out }, ledger) => {
      const ioas = ioasOfHwpt(ledger, call.fd, call.in.hwpt_id);
      if (errno !== 0 || ioas === undefined || ioas.hwpts.size < 2) return undefined;
      const other = ledger.recent.mirror(call, ioas, ledger);
      if (other?.out?.runs === undefined || out?.runs === undefined) return undefined;
      if (sameRuns(out.runs, other.out.runs)) return HELD;
      return {
        expected: `${showRuns(other.out.runs)}, as another domain of the IOAS`,
        actual: showRuns(out.runs),
      };
    },
  },
};

/** MD_CHECK_MAP that said a range translates to the memory at uptr. */
const checkedMap = (call: CallOf<"MD_CHECK_MAP">, ioas: Ioas, ledger: Ledger): Finding => {
  const { iova, length, uptr } = call.in;
  if (length === 0n) return undefined;
  let next = iova as bigint;
  const last = iova + length - 1n;
  for (let i = ioas.firstAt(iova); next <= last; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.start > next) {
      if (ioas.strays.length > 0) return undefined;
      return { expected: `EINVAL: nothing is mapped at ${hex(next)}`, actual: "success" };
    }
    if (ioas.isVague(area)) return undefined;
    if (otherMemory(area, next, uptr + (next - iova), ledger)) {
      return { expected: `EINVAL: ${hex(next)} is mapped to other memory`, actual: "success" };
    }
    next = area.last + 1n;
  }
  return HELD;
};

/** True when the page that an area shows at an IOVA is certainly not the one now at `va`. */
const otherMemory = (area: Area, iova: bigint, va: bigint, { memory }: Ledger): boolean => {
  const mapped = area.userVa + (iova - area.start);
  const identity = area.pages.identity(memory.page(mapped));
  if (identity === undefined) return false;
  const key = memory.key(memory.page(va));
  if (key === undefined) return false;
  return identity !== key || memory.offset(mapped) !== memory.offset(va);
};

/** MD_CHECK_MAP that found fault: a range mapped from just this memory, unchanged, has none. */
const failedMap = (call: CallOf<"MD_CHECK_MAP">, ioas: Ioas, ledger: Ledger): Finding => {
  const { iova, length, uptr } = call.in;
  const unit = BigInt(ledger.platform.iommus[0]?.ioPageSize ?? ledger.pageSize);
  if (iova % unit !== 0n || length % unit !== 0n || uptr % unit !== 0n || length === 0n) {
    return undefined;
  }
  const { memory } = ledger;
  const area = areaAt(ioas, iova);
  const last = iova + length - 1n;
  if (!area?.sure || area.perm === 0 || area.last < last) return HELD;
  if (area.userVa + (iova - area.start) !== uptr) return HELD;
  if (area.pages.process !== ledger.process) return undefined;
  for (let page = memory.page(uptr); page <= memory.page(uptr + length - 1n); page++) {
    if (area.pages.identity(page) === undefined) return undefined;
  }
  return { expected: `success: ${hex(iova)} is mapped to ${hex(uptr)}`, actual: "EINVAL" };
};

const I_21: Invariant = {
  id: "I-21",
  statement:
    "Domains, devices and in-kernel users reach exactly the bytes that are mapped, with the rights " +
    "asked for: nothing beside them, and each page at one physical address of its own.",
  needs: [],
  clauses: ["MAP-23", "DOM-01", "DOM-10"],
  general: true,
  on: {
    TRANSLATE: whenWalked((walk) =>
      verdict(walk.stray ?? walk.missing ?? walk.confused, walk.pieces + walk.related),
    ),
    MD_CHECK_MAP: (call, { errno }, ledger) => {
      const ioas = ioasOfHwpt(ledger, call.fd, call.in.hwpt_id);
      if (ioas === undefined) return undefined;
      if (errno === 0) return checkedMap(call, ioas, ledger);
      return errno === "EINVAL" ? failedMap(call, ioas, ledger) : undefined;
    },
    DMA: (call, { errno, out }, ledger) => {
      const { iova, length, dir } = call.in;
      if (errno !== 0 || out?.fault !== 1 || length === 0) return undefined;
      const device = ledger.files.get(call.in.devfd)?.device;
      const reach = device && reachOf(device);
      if (reach === undefined) return undefined;
      const last = iova + BigInt(length) - 1n;
      const { all, maybe } = coverOf(reach, iova, last, permFor(dir));
      if (!all) return maybe ? undefined : HELD;
      return { expected: `no fault: ${hex(iova)} is mapped with the right`, actual: "fault 1" };
    },
    ACCESS_RW: reached,
    ACCESS_PAGES: reached,
  },
};

const I_22: Invariant = {
  id: "I-22",
  statement: "A domain of an IOAS without mappings translates nothing.",
  needs: ["translate"],
  clauses: ["UNM-26"],
  on: {
    TRANSLATE: whenWalked((walk, { areas, strays }) =>
      areas.length + strays.length > 0 ? undefined : (walk.stray ?? HELD),
    ),
  },
};

const I_24: Invariant = {
  id: "I-24",
  statement: "A device or in-kernel user reads what the process sees in the mapped memory.",
  needs: ["dma", "dma-result"],
  clauses: ["MAP-23", "ACC-22"],
  on: {
    ACCESS_RW: readBack,
    DMA: (call, { errno, out }, ledger) => {
      if (errno !== 0 || call.in.dir !== "to_device" || out?.bytes === undefined) return undefined;
      if (out.fault === 1 || call.in.length > 64) return undefined;
      const device = ledger.files.get(call.in.devfd)?.device;
      const reach = device && reachOf(device);
      if (reach === undefined) return undefined;
      const { iova: start, length } = call.in;
      const { all } = coverOf(reach, start, start + BigInt(length) - 1n, PERM_READ);
      // Where a fault cannot be seen, only a transfer that must have worked says anything.
      if (out.fault !== 0 && !all) return undefined;
      const { bytes } = out;
      return asInMemory(ledger, reach.ioas, start, length, (i) => answeredByte(bytes, call, i));
    },
  },
};

const I_25: Invariant = {
  id: "I-25",
  statement:
    "A page that stays pinned stays the same physical page, for every domain and copy, whatever " +
    "becomes of its user address.",
  needs: ["translate"],
  clauses: ["MAP-30", "DOM-08"],
  on: { TRANSLATE: whenWalked((walk) => verdict(walk.moved, walk.known)) },
};

const I_27: Invariant = {
  id: "I-27",
  statement: "What is mapped without WRITEABLE can be written by no device and no in-kernel user.",
  needs: ["translate"],
  clauses: ["DOM-09", "ACC-12"],
  on: {
    ACCESS_RW: notWritten,
    ACCESS_PAGES: notWritten,
    TRANSLATE: whenWalked((walk) => verdict(walk.writable, walk.pieces)),
    DMA: (call, { errno, out }, ledger) => {
      const { iova, length, dir } = call.in;
      if (errno !== 0 || out?.fault !== 0 || dir !== "from_device" || length === 0) {
        return undefined;
      }
      const device = ledger.files.get(call.in.devfd)?.device;
      const reach = device && reachOf(device);
      const last = iova + BigInt(length) - 1n;
      // Bytes that are not mapped at all are a matter of isolation (I-67).
      if (reach === undefined || !coverOf(reach, iova, last, 0).maybe) return undefined;
      if (coverOf(reach, iova, last, PERM_WRITE).maybe) return HELD;
      return { expected: "a fault: some of it is mapped read-only", actual: "fault 0" };
    },
  },
};

export const MIRROR: readonly Invariant[] = [I_20, I_21, I_22, I_24, I_25, I_27];
