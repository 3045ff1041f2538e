/**
 * ACCESS_PAGES and DESTROY_ACCESS_PAGES: an in-kernel user pins pages, and lets go of them.
 *
 * The range is taken mapping by mapping: each must start at a page of user memory, end at one if
 * it goes on behind it (ACC-11), permit what is asked for (ACC-12), and be there. So what is
 * wrong with a later mapping does not show before an earlier one could not be pinned. The driver
 * compares the pages with those now at uptr afterwards, and lets go again if they differ.
 */
import type { Errno } from "../../spec/errno";
import { ACCESS_PAGES_WRITE } from "../../spec/uapi/flags";
import { U64_MAX, wrap64 } from "../../spec/units";
import { pinRange, unpinRange } from "../access";
import { fact, judge, never, rule } from "../judge";
import { piecesOf } from "../pieces";
import { ALL_AT_ONCE, endOfMemory, hasDomain, pageNow, pinProblem } from "../pinning";
import { pageNumber, vmaAt } from "../state/memory";
import type { Access, Piece } from "../state/objects";
import { expectLater } from "../state/seen";
import { fileIsAccess, type OnAccess } from "./access";
import { fdIsOpen } from "./common";

/** The mock driver asks for no more at a time. */
export const ACCESS_BYTES_MAX = 0x100_0000n;

interface View extends OnAccess {
  readonly proc: number;
  readonly flags: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly uptr: bigint;
  readonly pieces: readonly Piece[];
  /** All of the range is mapped. */
  readonly whole: boolean;
  /** The first mapping that may not be pinned so; undefined: none. */
  readonly bad: Piece | undefined;
  /** Worked out at most once. */
  pins: Errno | "fine" | undefined;
  compared: Errno | "fine" | undefined;
}

const lastOf = (v: View): bigint => v.iova + v.length - 1n;
const takesPins = (v: View): boolean => v.access?.pinsPages === true;
const isRange = (v: View): boolean => v.length > 0n && lastOf(v) <= U64_MAX;

const permits = ({ area }: Piece, write: boolean): boolean =>
  write ? area.writeable : area.readable;

const isMisaligned = (piece: Piece, last: bigint, page: bigint): boolean => {
  const end = piece.startByte + (piece.last - piece.first) + 1n;
  return piece.startByte % page !== 0n || (piece.last < last && end % page !== 0n);
};

const badIsMisaligned = (v: View): boolean =>
  v.bad !== undefined && isMisaligned(v.bad, lastOf(v), v.machine.page);

/** What pinning says of the mappings before the first bad one. */
const pinsOf = (v: View): Errno | "fine" => {
  if (v.pins === undefined) {
    const good = v.bad === undefined ? v.pieces : v.pieces.slice(0, v.pieces.indexOf(v.bad));
    v.pins =
      (takesPins(v) ? pinProblem(v.machine, good, v.proc, -1, ALL_AT_ONCE) : undefined) ?? "fine";
  }
  return v.pins;
};

/** Would the pages, once pinned, be those that the caller has at uptr? */
const comparedOf = (v: View): Errno | "fine" => {
  v.compared ??= compare(v);
  return v.compared;
};

/**
 * The driver counts pages by IOVA, from where uptr would have the first of them. That and the
 * pages that are pinned differ where a COPY has cut memory inside a page.
 */
const compare = (v: View): Errno | "fine" => {
  if (v.uptr === 0n || !takesPins(v) || !v.whole || v.bad !== undefined) return "fine";
  const { machine, proc, uptr } = v;
  let left = lastOf(v) / machine.page - v.iova / machine.page + 1n;
  let number = pageNumber(wrap64(uptr - (v.iova % machine.page)), machine.pageSize);
  for (const { pages, startByte, first, last } of v.pieces) {
    for (let at = startByte; at <= startByte + (last - first); at += machine.page) {
      if (left-- === 0n) return "fine";
      const problem = whyNone(v, number);
      if (problem !== undefined) return problem;
      const index = Number(at / machine.page);
      const there = pageNow(machine, proc, number);
      const pin = pages.pins.get(index);
      const same =
        pin === undefined
          ? isNowAt(v, pages.proc, pages.firstPage + index, number)
          : pin.page === there;
      if (!same) return "EBADE";
      number++;
    }
  }
  // Where no page was pinned, nothing that is at uptr can be the same.
  return left === 0n ? "fine" : (whyNone(v, number) ?? "EBADE");
};

/** Why the caller has no page there; as when it is pinned, its end is added up before a look at it. */
const whyNone = ({ machine, proc }: View, number: number): Errno | undefined => {
  if (number + 1 === endOfMemory(machine)) return "EOVERFLOW";
  const process = machine.processes[proc];
  const vma = process && vmaAt(process, number);
  return vma === undefined || vma.prot === "none" ? "EFAULT" : undefined;
};

/** A page not pinned yet is what the mapping's address leads to: is it the one at `number`? */
const isNowAt = ({ machine, proc }: View, owner: number, own: number, number: number): boolean => {
  const [a, b] = [machine.processes[owner], machine.processes[proc]];
  const [from, to] = [a && vmaAt(a, own), b && vmaAt(b, number)];
  if (from === undefined || to === undefined) return false;
  return (
    from.object === to.object && own - from.first + from.offset === number - to.first + to.offset
  );
};

const isPinnedByDomain = (v: View): boolean => v.access !== undefined && hasDomain(v.access.ioas);

/** Another range, or a domain, holds a page of it already. */
const isShared = (v: View): boolean =>
  v.pieces.some(({ pages, startByte }) => pages.pins.has(Number(startByte / v.machine.page)));

export const ACCESS_PAGES = judge<"ACCESS_PAGES", View>("ACCESS_PAGES", {
  promise: "ACC-10",
  view: (machine, call) => {
    const { access_fd, flags, iova, length, uptr } = call.in;
    const access = machine.accesses.get(access_fd);
    const last = iova + length - 1n;
    const inBounds = length <= ACCESS_BYTES_MAX;
    const pieces = piecesOf(inBounds ? access?.ioas : undefined, iova, last);
    const write = (flags & ACCESS_PAGES_WRITE) !== 0;
    return {
      machine,
      context: machine.fds.get(call.fd),
      access,
      proc: call.proc,
      flags,
      iova,
      length,
      uptr,
      pieces,
      whole: pieces.at(-1)?.last === last,
      bad: pieces.find(
        (piece) => isMisaligned(piece, last, machine.page) || !permits(piece, write),
      ),
      pins: undefined,
      compared: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("ACC-32", "ENOMEM", (v) => v.length > ACCESS_BYTES_MAX, { applies: never }),
    rule("ACC-32", "EOPNOTSUPP", (v) => (v.flags & ~ACCESS_PAGES_WRITE) !== 0, { applies: never }),
    fileIsAccess(),
    rule("ACC-32", "EOPNOTSUPP", (v) => v.access?.pinsPages === false, { applies: never }),
    rule("ACC-10", "EINVAL", (v) => v.length === 0n, { hard: true }),
    rule("ACC-10", "EOVERFLOW", (v) => lastOf(v) > U64_MAX, {
      applies: never,
      hard: true,
    }),
    rule("ACC-10", "EFAULT", (v) => pinsOf(v) === "EFAULT", { applies: never, hard: true }),
    rule("ACC-10", "EOVERFLOW", (v) => pinsOf(v) === "EOVERFLOW", { applies: never, hard: true }),
    rule("ACC-10", "ENOMEM", (v) => pinsOf(v) === "ENOMEM", {
      applies: never,
      also: () => ["ACT-03", "ACT-05"],
    }),
    rule("ACC-11", "EINVAL", (v) => takesPins(v) && badIsMisaligned(v)),
    rule("ACC-12", "EPERM", (v) => takesPins(v) && v.bad !== undefined && !badIsMisaligned(v)),
    rule("ACC-10", "ENOENT", (v) => takesPins(v) && isRange(v) && !v.whole, {
      applies: never,
      hard: true,
    }),
    rule("ACC-32", "EFAULT", (v) => comparedOf(v) === "EFAULT", { applies: never }),
    rule("ACC-32", "EOVERFLOW", (v) => comparedOf(v) === "EOVERFLOW", { applies: never }),
    rule("ACC-32", "EBADE", (v) => comparedOf(v) === "EBADE", { applies: never, hard: true }),
  ],
  facts: [
    fact("ACC-14", {
      holds: (v, out) =>
        out.out_access_pages_id !== undefined && !v.access?.ranges.has(out.out_access_pages_id),
      right: () => "a number that nothing pinned has",
      uncounted: true,
    }),
    fact("ACC-15", { when: (v) => isPinnedByDomain(v) && v.uptr !== 0n }),
  ],
  answer: (v) => ({ out_access_pages_id: v.access?.nextRange ?? 0 }),
  effect: (v, out) => {
    const { machine, access, iova, pieces } = v;
    const [first] = pieces;
    if (access === undefined || first === undefined) return;
    const va = first.pages.va + first.startByte;
    if (isShared(v)) expectLater(machine.seenRefs, "ACC-13", va);
    pinRange(machine, access, out.out_access_pages_id ?? 0, {
      first: iova,
      last: lastOf(v),
      pieces,
    });
  },
});

interface DestroyView extends OnAccess {
  readonly id: number;
}

const rangeOf = (access: Access | undefined, id: number) => access?.ranges.get(id);

export const DESTROY_ACCESS_PAGES = judge<"DESTROY_ACCESS_PAGES", DestroyView>(
  "DESTROY_ACCESS_PAGES",
  {
    promise: "ACC-14",
    view: (machine, call) => ({
      machine,
      context: machine.fds.get(call.fd),
      access: machine.accesses.get(call.in.access_fd),
      id: call.in.access_pages_id,
    }),
    rules: [
      fdIsOpen(),
      fileIsAccess(),
      rule("ACC-14", "ENOENT", (v) => v.access !== undefined && !rangeOf(v.access, v.id), {
        hard: true,
        also: (v) => (v.access?.revoked.has(v.id) ? ["ACC-30"] : []),
      }),
    ],
    facts: [],
    effect: (v) => {
      const { machine, access } = v;
      const [piece] = rangeOf(access, v.id)?.pieces ?? [];
      if (access === undefined || piece === undefined) return;
      unpinRange(machine, access, v.id);
      const { pages, startByte } = piece;
      // Somebody else still needs it, or another range of the same access.
      if (pages.pins.has(Number(startByte / machine.page))) {
        expectLater(machine.seenRefs, "PIN-05", pages.va + startByte);
      }
    },
  },
);
