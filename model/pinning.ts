/**
 * Pins of user memory.
 *
 * The pages of one MAP are pinned where an area on them is in an IOAS with a domain, and where an
 * in-kernel user pins them: once each, however many need them (PIN-01). A Pin counts those; the
 * first one pins the page that is then at the user address (PIN-03), the last one unpins it. In
 * between the pin keeps that very page, whatever becomes of the address (PIN-04, MAP-30).
 */
import type { Errno } from "../spec/errno";
import type { MachineState } from "./state/machine";
import { type Page, pageIn, type Vma, vmaAt } from "./state/memory";
import type { Area, Ioas, Pages } from "./state/objects";

/** Memory that a call is about to need. */
export interface PinRequest {
  readonly pages: Pages;
  readonly startByte: bigint;
  readonly first: bigint;
  readonly last: bigint;
}

/** Page indexes of a request within its Pages. */
const firstIndex = (machine: MachineState, request: PinRequest): number =>
  Number(request.startByte / machine.page);
const lastIndex = (machine: MachineState, request: PinRequest): number =>
  Number((request.startByte + (request.last - request.first)) / machine.page);

/** The page at a number of a process's address space, made if it was never touched. */
export const touch = (machine: MachineState, vma: Vma, number: number): Page => {
  const there = pageIn(vma, number);
  if (there !== undefined) return there;
  const page: Page = {
    frame: machine.nextFrame++,
    pins: 0,
    token: undefined,
    writtenWhilePinned: false,
    bytes: undefined,
    unknown: undefined,
  };
  vma.object.pages.set(number - vma.first + vma.offset, page);
  return page;
};

/** The page a process sees at a number, if it sees one that was ever touched. */
export const pageNow = (machine: MachineState, proc: number, number: number): Page | undefined => {
  const process = machine.processes[proc];
  const vma = process && vmaAt(process, number);
  return vma && pageIn(vma, number);
};

/** 2^64 in pages of 4 KiB is 2^52; a page number at or past it is behind the address space. */
export const endOfMemory = (machine: MachineState): number => 2 ** 64 / machine.pageSize;

/** 6.12 asks for as many pages at a time as it has room for pointers to them (TST-06). */
const POINTER = 8;
const pagesAtOnce = ({ memoryLimit }: MachineState): number => Math.floor(memoryLimit / POINTER);

/** An in-kernel user brings the room along, for all that it pins. */
export const ALL_AT_ONCE = Number.POSITIVE_INFINITY;

/** Index of the first page of a request that is not there or has not the rights (MAP-14). */
const firstFault = (machine: MachineState, request: PinRequest): number | undefined => {
  const { pages } = request;
  const process = machine.processes[pages.proc];
  const last = lastIndex(machine, request);
  let vma: Vma | undefined;
  for (let index = firstIndex(machine, request); index <= last; index++) {
    if (pages.pins.has(index)) continue;
    const number = pages.firstPage + index;
    if (vma === undefined || number > vma.last) vma = process && vmaAt(process, number);
    const right =
      vma !== undefined && (vma.prot === "rw" || (vma.prot === "r" && !pages.writeable));
    if (!right) return index;
  }
  return undefined;
};

/**
 * Why a request cannot be pinned. A process that pins memory of its own asks for many pages at a
 * time, and what would reach 2^64 is refused as an overflow before any of them is looked at.
 */
const faultOf = (
  machine: MachineState,
  request: PinRequest,
  caller: number,
  atOnce: number,
): Errno | undefined => {
  const fault = firstFault(machine, request);
  if (fault === undefined) return undefined;
  const { firstPage, proc } = request.pages;
  const asked = Math.min(lastIndex(machine, request) - fault + 1, atOnce);
  const reachesEnd = firstPage + fault + asked === endOfMemory(machine);
  return reachesEnd && proc === caller ? "EOVERFLOW" : "EFAULT";
};

/** How many bytes of a request come before the page that cannot be pinned. */
export const bytesBeforeFault = (machine: MachineState, request: PinRequest): number => {
  const fault = firstFault(machine, request) ?? lastIndex(machine, request) + 1;
  return Math.max(0, Number(BigInt(fault) * machine.page - request.startByte));
};

/** True if the first page of a request that faults could have been pinned (MAP-28). */
export const startsWell = (machine: MachineState, request: PinRequest): boolean => {
  const index = firstIndex(machine, request);
  const { firstPage, proc, writeable } = request.pages;
  const process = machine.processes[proc];
  const vma = process && vmaAt(process, firstPage + index);
  return vma?.prot === "rw" || (vma?.prot === "r" && !writeable);
};

/** True if the process itself may only read the first page of the request (PIN-06). */
export const isReadOnlyMemory = (machine: MachineState, request: PinRequest): boolean => {
  const process = machine.processes[request.pages.proc];
  const number = request.pages.firstPage + firstIndex(machine, request);
  return process !== undefined && vmaAt(process, number)?.prot === "r";
};

/**
 * Why these requests cannot all be pinned, or undefined. They are pinned and charged one after
 * the other, so a limit met early hides a fault in a later one.
 * @param caller the process that makes the call
 * @param cut index of a request that cannot be mapped (CPY-11): that shows before it is charged,
 *   and no request after it is looked at
 * @param atOnce how many pages are asked for at a time
 */
export const pinProblem = (
  machine: MachineState,
  requests: readonly PinRequest[],
  caller: number,
  cut = -1,
  atOnce = pagesAtOnce(machine),
): Errno | undefined => {
  let newlyPinned: Map<Pages, Set<number>> | undefined;
  for (const [i, request] of requests.entries()) {
    const fault = faultOf(machine, request, caller, atOnce);
    if (fault !== undefined) return fault;
    if (i === cut) return undefined;
    if (request.pages.account === "none") continue;
    newlyPinned ??= new Map();
    const pinned = newlyPinned.get(request.pages) ?? new Set();
    newlyPinned.set(request.pages, pinned);
    const last = lastIndex(machine, request);
    const before = pinned.size;
    for (let index = firstIndex(machine, request); index <= last; index++) {
      if (!request.pages.pins.has(index)) pinned.add(index);
    }
    // Who is over a limit that was lowered since may still use what is pinned already (ACT-07).
    if (pinned.size > before && !withinLimit(machine, request.pages, newlyPinned)) return "ENOMEM";
  }
  return undefined;
};

/** ACT-03: what is charged to the same user or process, with what is newly pinned for it. */
const withinLimit = (
  machine: MachineState,
  pages: Pages,
  newlyPinned: ReadonlyMap<Pages, ReadonlySet<number>>,
): boolean => {
  const process = machine.processes[pages.proc];
  if (process === undefined) return true;
  const byProcess = pages.account === "process";
  let charge = byProcess ? process.locked : (machine.charged.get(pages.uid) ?? 0);
  for (const [other, indexes] of newlyPinned) {
    if (other.account !== pages.account) continue;
    const sameProcess = other.proc === pages.proc;
    if (byProcess ? sameProcess : other.uid === pages.uid) charge += indexes.size;
  }
  return charge <= process.memlock;
};

const account = (machine: MachineState, pages: Pages, count: 1 | -1): void => {
  if (pages.account === "user") {
    machine.charged.set(pages.uid, (machine.charged.get(pages.uid) ?? 0) + count);
  }
  const process = machine.processes[pages.proc];
  if (process === undefined) return;
  process.pinned += count;
  if (pages.account === "process") process.locked += count;
};

/** Somebody needs the pages: a domain or an in-kernel user. pinProblem found nothing wrong. */
export const hold = (machine: MachineState, request: PinRequest): void => {
  const { pages } = request;
  const process = machine.processes[pages.proc];
  const last = lastIndex(machine, request);
  for (let index = firstIndex(machine, request); index <= last; index++) {
    const pin = pages.pins.get(index);
    if (pin !== undefined) {
      pin.holders++;
      continue;
    }
    const number = pages.firstPage + index;
    const vma = process && vmaAt(process, number);
    if (vma === undefined) return;
    const page = touch(machine, vma, number);
    page.pins++;
    pages.pins.set(index, { page, holders: 1 });
    account(machine, pages, 1);
  }
};

/** Who needed them does no more: the area goes, its IOAS lost its last domain, a user let go. */
export const release = (machine: MachineState, request: PinRequest): void => {
  const { pages } = request;
  const last = lastIndex(machine, request);
  for (let index = firstIndex(machine, request); index <= last; index++) {
    const pin = pages.pins.get(index);
    if (pin === undefined) return;
    if (--pin.holders > 0) continue;
    pages.pins.delete(index);
    unpin(machine, pin.page);
    account(machine, pages, -1);
  }
};

/** A page without pins may move: what the IUT called it no longer means anything. */
const unpin = (machine: MachineState, page: Page): void => {
  if (--page.pins > 0) return;
  page.writtenWhilePinned = false;
  if (page.token === undefined) return;
  machine.tokens.delete(page.token);
  page.token = undefined;
};

/** The user address at which the pins of an area show. */
export const vaOf = (area: Area): bigint => area.pages.va + area.startByte;

export const hasDomain = (ioas: Ioas): boolean => ioas.hwpts.length > 0;

/** The pin behind a byte of an area in an IOAS with a domain. */
export const pinAt = (machine: MachineState, area: Area, iova: bigint) =>
  area.pages.pins.get(Number((area.startByte + (iova - area.first)) / machine.page));

/** True if a pinned page of the area is no longer what the user address leads to (MAP-30). */
export const isStale = (machine: MachineState, area: PinRequest): boolean => {
  const { pages } = area;
  const last = lastIndex(machine, area);
  for (let index = firstIndex(machine, area); index <= last; index++) {
    const pin = pages.pins.get(index);
    if (pin === undefined) return false;
    if (pageNow(machine, pages.proc, pages.firstPage + index) !== pin.page) return true;
  }
  return false;
};
