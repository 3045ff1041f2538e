/** In-kernel users in the ledger: where they are, what they pin, and what they write. */
import type { CallOf } from "../../../spec/calls";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_WRITE,
  PERM_READ,
  PERM_WRITE,
} from "../../../spec/uapi/flags";
import { U64_MAX } from "../../../spec/units";
import { endIfUnused } from "./devices";
import { type Cover, coverOf, eachArea, forgetPage, pageOf, storeBytes } from "./dma";
import type { Access, Ioas } from "./ioas";
import { doubtItemsIn, letGo, letGoOfAll } from "./items";
import { confirm, sourcesOf } from "./mappings";
import { byteOf } from "./memory";
import type { Holder } from "./pages";
import { higher, lower } from "./ranges";
import type { LedgerState } from "./state";

export type AccessCall =
  | CallOf<"CREATE_ACCESS">
  | CallOf<"CLOSE_ACCESS">
  | CallOf<"ACCESS_REPLACE_IOAS">
  | CallOf<"ACCESS_PAGES">
  | CallOf<"DESTROY_ACCESS_PAGES">
  | CallOf<"ACCESS_RW">;

type Out = Readonly<Record<string, unknown>>;

export const noteAccess = (ledger: LedgerState, call: AccessCall, out: Out): void => {
  if (call.call === "CREATE_ACCESS") {
    create(ledger, call, out["out_access_fd"] as number);
    return;
  }
  const access = ledger.accesses.get(call.in.access_fd);
  if (access === undefined) {
    ledger.lost = true;
    return;
  }
  switch (call.call) {
    case "CLOSE_ACCESS":
      if (ledger.owners.letGo(access, call.proc)) endAccess(ledger, call.in.access_fd, access);
      return;
    case "ACCESS_REPLACE_IOAS":
      replace(ledger, access, call.in.ioas_id);
      return;
    case "ACCESS_PAGES":
      pin(ledger, access, call, out["out_access_pages_id"] as number);
      return;
    case "DESTROY_ACCESS_PAGES":
      letGo(ledger, access, call.in.access_pages_id);
      ledger.handovers++;
      return;
    case "ACCESS_RW":
      if (access.ioas) noteBytes(ledger, access.ioas, call, true);
  }
};

const create = (ledger: LedgerState, call: CallOf<"CREATE_ACCESS">, fd: number): void => {
  const ctx = ledger.contexts.get(call.fd);
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  if (ctx === undefined || ioas === undefined) {
    ledger.lost = true;
    return;
  }
  const pinsPages = (call.in.flags & ACCESS_NEEDS_PIN_PAGES) !== 0;
  const access: Access = { ctx, ioas: undefined, pinsPages, items: new Map() };
  ctx.accesses.add(access);
  ledger.accesses.set(fd, access);
  ledger.owners.open(access, call.proc);
  join(access, ioas);
};

const join = (access: Access, ioas: Ioas): void => {
  access.ioas = ioas;
  ioas.accesses.add(access);
  ioas.everAttached ||= access.pinsPages;
  ioas.moved("reshaped");
};

const leave = (ledger: LedgerState, access: Access): void => {
  letGoOfAll(ledger, access);
  access.ioas?.accesses.delete(access);
  access.ioas?.moved("reshaped");
  access.ioas = undefined;
};

export const endAccess = (ledger: LedgerState, fd: number, access: Access): void => {
  ledger.accesses.delete(fd);
  leave(ledger, access);
  access.ctx.accesses.delete(access);
  ledger.handovers++;
  endIfUnused(ledger, access.ctx);
};

const replace = (ledger: LedgerState, access: Access, id: number): void => {
  const ioas = access.ctx.objects.get(id);
  if (ioas?.kind !== "ioas") {
    ledger.lost = true;
    return;
  }
  ledger.handovers++;
  // Linux leaves it all as it is (ACC-02); elsewhere what was pinned may be let go of.
  if (ioas === access.ioas) {
    doubtItemsIn(ledger, ioas, 0n, U64_MAX);
    return;
  }
  leave(ledger, access);
  join(access, ioas);
};

/**
 * A replace that fails may have had the user let go of what it held (ACC-04).
 * @returns true if there was anything
 */
export const noteFailedReplaceOf = (ledger: LedgerState, fd: number): boolean => {
  const access = ledger.accesses.get(fd);
  if (access === undefined || access.items.size === 0) return false;
  for (const { pins } of access.items.values()) for (const each of pins) ledger.pins.doubt(each);
  return true;
};

const pin = (
  ledger: LedgerState,
  access: Access,
  { in: { iova, length, flags } }: CallOf<"ACCESS_PAGES">,
  id: number,
): void => {
  const last = iova + length - 1n;
  const { ioas } = access;
  const sources = ioas && sourcesOf(ioas, iova, last);
  if (ioas === undefined || sources === undefined) {
    ledger.lost = true;
    return;
  }
  const perm = (flags & ACCESS_PAGES_WRITE) !== 0 ? PERM_WRITE : PERM_READ;
  const pins = sources.areas.map((area): Holder => {
    const start = area.userVa + (higher(area.start, iova) - area.start);
    const end = area.userVa + (lower(area.last, last) - area.start);
    const { memory } = area.pages.process;
    const [firstPage, lastPage] = [memory.page(start), memory.page(end)];
    const sure = !ioas.isVague(area);
    return { pages: area.pages, firstPage, lastPage, perm, sure, held: false };
  });
  for (const area of sources.areas) confirm(ledger, ioas, area);
  for (const { pages, firstPage, lastPage } of sources.strays) {
    pins.push({ pages, firstPage, lastPage, perm, sure: false, held: false });
  }
  letGo(ledger, access, id);
  access.items.set(id, { first: iova, last, pins });
  for (const each of pins) ledger.pins.hold(each);
  ledger.handovers++;
};

/** How far a range of an in-kernel user is mapped with a right; undefined: nobody knows. */
export const coverOfAccess = (
  ledger: LedgerState,
  { access_fd, iova, length }: CallOf<"ACCESS_RW" | "ACCESS_PAGES">["in"],
  perm: number,
): (Cover & { readonly ioas: Ioas }) | undefined => {
  const access = ledger.accesses.get(access_fd);
  const last = iova + length - 1n;
  if (access?.ioas === undefined || length === 0n || last > U64_MAX) return undefined;
  const { ioas, ctx } = access;
  const { all, maybe } = coverOf({ ioas, sure: !ctx.closed }, iova, last, perm);
  return { all, maybe, ioas };
};

/** The bytes of more memory than this are not followed one by one. */
export const MOST_BYTES = 4096;

/** No call moves more (ACC-32): 16 MiB. */
const MOST_MOVED = 0x100_0000n;

/**
 * What a write leaves in memory; what a read leaves where the caller wants it.
 * @param done false: it failed, and may have moved some of the bytes (ACC-20)
 */
const noteBytes = (
  ledger: LedgerState,
  ioas: Ioas,
  { in: args }: CallOf<"ACCESS_RW">,
  done: boolean,
): void => {
  const { iova, length, uptr, flags, data_repeat: data, accessible_bytes: room } = args;
  if (length === 0n || iova + length - 1n > U64_MAX) return;
  if ((flags & ACCESS_RW_WRITE) === 0) {
    const stored = Math.min(room, Number(length));
    ledger.memory.store(uptr, undefined, stored);
    return;
  }
  const exact = done && length <= MOST_BYTES && data !== "";
  const moved = lower(length, MOST_MOVED);
  eachArea(ioas, iova, iova + moved - 1n, (area, from, to) => {
    if ((area.perm & PERM_WRITE) === 0) return;
    if (exact) {
      storeBytes(ledger, area, iova, from, to, (i) => byteOf(data, i % (data.length / 2)));
    } else {
      for (let page = pageOf(area, from); page <= pageOf(area, to); page++) {
        forgetPage(ledger, area, page);
      }
    }
  });
};

export const noteFailedRw = (ledger: LedgerState, call: CallOf<"ACCESS_RW">): boolean => {
  const ioas = ledger.accesses.get(call.in.access_fd)?.ioas;
  if (ioas === undefined) return false;
  noteBytes(ledger, ioas, call, false);
  return true;
};
