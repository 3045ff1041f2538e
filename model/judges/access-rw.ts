/**
 * ACCESS_RW: an in-kernel user reads and writes bytes through its IOAS (ACC-20).
 *
 * The bytes are moved mapping by mapping, so that those before a fault have moved. 6.12 takes the
 * memory that is now at the user address, even where the mapping is pinned to other pages; only
 * its slow path, over more than one page of a mapping, takes the pinned pages, and pins the
 * others for as long as it takes (ACC-22). The fast path stops at the first byte that the process
 * may not access. The slow one pins as much as its batches hold, moves it, and goes on: of a
 * mapping that fits into one batch it moves all bytes or none.
 */
import type { Errno } from "../../spec/errno";
import { ACCESS_RW_SLOW_PATH, ACCESS_RW_WRITE } from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { fact, judge, never, rule } from "../judge";
import { piecesOf } from "../pieces";
import { bytesBeforeFault, isStale, pinProblem, touch } from "../pinning";
import { type Page, readBytes, USER_LAST, vmaAt, writeBytes } from "../state/memory";
import type { Piece } from "../state/objects";
import { expectLater } from "../state/seen";
import {
  agreesWith,
  type Contents,
  loadBytes,
  reachOf,
  storeBytes,
  type UserRange,
} from "../user-bytes";
import { fileIsAccess, type OnAccess } from "./access";
import { ACCESS_BYTES_MAX } from "./access-pages";
import { fdIsOpen } from "./common";

/** How far the bytes move, how many more may have been moved, and what ends it. */
interface Moved {
  readonly bytes: number;
  readonly perhaps: number;
  readonly end: Errno | "fine";
}

/** What decides how a piece is moved. */
type How = Pick<View, "machine" | "proc" | "flags" | "strict">;

interface View extends OnAccess {
  readonly strict: boolean;
  readonly proc: number;
  readonly flags: number;
  readonly iova: bigint;
  readonly length: bigint;
  readonly accessible: number;
  readonly pieces: readonly Piece[];
  readonly whole: boolean;
  readonly data: Buffer;
  readonly moved: Moved;
  loaded: Contents | undefined;
}

const lastOf = (v: View): bigint => v.iova + v.length - 1n;
const isInBounds = (v: View): boolean => v.length <= ACCESS_BYTES_MAX;
const callerFaults = (v: View): boolean => isInBounds(v) && Number(v.length) > v.accessible;

/** The memory of a piece, as its process has it now. */
const userRange = (machine: View["machine"], piece: Piece): UserRange => ({
  machine,
  process: machine.processes[piece.pages.proc],
  va: piece.pages.va + piece.startByte,
  length: Number(piece.last - piece.first) + 1,
});

const isWrite = ({ flags }: Pick<View, "flags">): boolean => (flags & ACCESS_RW_WRITE) !== 0;

/** In another process than the mapping's, 6.12 always takes the slow path. */
const isSlow = ({ flags, proc }: How, { pages }: Piece): boolean =>
  pages.proc !== proc || (flags & ACCESS_RW_SLOW_PATH) !== 0;

/** The slow path goes by pins over more than a page, and where there is no process any more. */
const goesByPins = (how: How, piece: Piece): boolean => {
  if (!isSlow(how, piece)) return false;
  const { process, va, length } = userRange(how.machine, piece);
  const { page } = how.machine;
  return process === undefined || (va % page) + BigInt(length) > page;
};

/** A batch has room for so many pages that lie apart: 12 bytes for each (TST-06). */
const pagesInBatch = ({ machine }: How): number => Math.floor(machine.memoryLimit / 12);

/** How many bytes of a piece move, and what hinders the rest. */
const move = (how: How, piece: Piece): Moved => {
  const { machine } = how;
  const { area } = piece;
  const write = isWrite(how);
  if (write ? !area.writeable : !area.readable) return { bytes: 0, perhaps: 0, end: "EPERM" };
  const range = userRange(machine, piece);
  if (!goesByPins(how, piece)) {
    // What leaves user space is refused before the first byte of it moves.
    const bytes = range.va + BigInt(range.length) - 1n > USER_LAST ? 0 : reachOf(range, write);
    return { bytes, perhaps: 0, end: bytes < range.length ? "EFAULT" : "fine" };
  }
  // Pinned for the moment, and charged to nobody.
  const request = { ...piece, pages: { ...piece.pages, account: "none" } as const };
  const problem = pinProblem(machine, [request], how.proc);
  if (problem === undefined) return { bytes: range.length, perhaps: 0, end: "fine" };
  const before = bytesBeforeFault(machine, request);
  const fitInOne = how.strict && before <= pagesInBatch(how) * machine.pageSize;
  return { bytes: 0, perhaps: fitInOne ? 0 : before, end: problem };
};

const moveAll = (how: How, pieces: readonly Piece[]): Moved => {
  let bytes = 0;
  for (const piece of pieces) {
    const moved = move(how, piece);
    bytes += moved.bytes;
    if (moved.end !== "fine") return { ...moved, bytes };
  }
  return { bytes, perhaps: 0, end: "fine" };
};

/** Calls `visit` for each piece of the first `bytes` bytes: its part of them is [from, to). */
const eachOf = (
  v: View,
  bytes: number,
  visit: (piece: Piece, range: UserRange, from: number, to: number) => void,
): void => {
  let from = 0;
  for (const piece of v.pieces) {
    const range = userRange(v.machine, piece);
    const to = Math.min(from + range.length, bytes);
    if (to <= from) return;
    visit(piece, { ...range, length: to - from }, from, to);
    from = to;
  }
};

/** Calls `visit` for each page of a piece that is pinned, or would be for the moment. */
const eachPinned = (
  v: View,
  { pages, startByte }: Piece,
  length: number,
  visit: (page: Page, offset: number, from: number, to: number) => void,
): void => {
  const { machine } = v;
  const process = machine.processes[pages.proc];
  for (let from = 0; from < length; ) {
    const at = startByte + BigInt(from);
    const index = Number(at / machine.page);
    const offset = Number(at % machine.page);
    const to = Math.min(from + machine.pageSize - offset, length);
    const number = pages.firstPage + index;
    const vma = process && vmaAt(process, number);
    const page = pages.pins.get(index)?.page ?? (vma && touch(machine, vma, number));
    if (page !== undefined) visit(page, offset, from, to);
    from = to;
  }
};

/** The bytes that a write moves: the caller's data over and over, or zeros if there is none. */
const bytesToWrite = ({ data }: View, length: number): Uint8Array =>
  data.length === 0 ? new Uint8Array(length) : Buffer.alloc(length, data);

/** Stores what is moved, and of those from `sure` on nobody knows whether they are. */
const store = (v: View, sure: number): void => {
  const moved = v.moved.bytes + v.moved.perhaps;
  const all = bytesToWrite(v, moved);
  eachOf(v, moved, (piece, range, from, to) => {
    const bytes = all.subarray(from, to);
    const unknown =
      to > sure ? new Uint8Array(to - from).fill(1, Math.max(0, sure - from)) : undefined;
    if (!goesByPins(v, piece)) storeBytes(range, bytes, unknown);
    else {
      eachPinned(v, piece, range.length, (page, offset, a, b) =>
        writeBytes(page, offset, bytes.subarray(a, b), unknown?.subarray(a, b)),
      );
    }
  });
};

const load = (v: View): Contents => {
  if (v.loaded !== undefined) return v.loaded;
  const bytes = new Uint8Array(Number(v.length));
  const open = new Uint8Array(Number(v.length));
  eachOf(v, v.moved.bytes, (piece, range, from) => {
    if (!goesByPins(v, piece)) {
      const contents = loadBytes(range);
      bytes.set(contents.bytes, from);
      open.set(contents.open, from);
      return;
    }
    eachPinned(v, piece, range.length, (page, offset, a, b) =>
      readBytes(
        page,
        offset,
        bytes.subarray(from + a, from + b),
        open.subarray(from + a, from + b),
      ),
    );
  });
  v.loaded = { bytes, open };
  return v.loaded;
};

interface Out {
  readonly data?: string;
  readonly data_fnv1a64?: bigint;
  readonly data_first16?: string;
}

/** Recordings have only a hash and the beginning of longer data, and nothing of very long. */
const DATA_MAX = 64;
const HASH_MAX = 16384;

const dataIsRight = (v: View, out: Out): boolean => {
  const contents = load(v);
  if (out.data !== undefined) return agreesWith(contents, Buffer.from(out.data, "hex"));
  if (v.length <= DATA_MAX) return false;
  if (out.data_fnv1a64 === undefined) return v.length > HASH_MAX;
  const { bytes, open } = contents;
  const first16 = { bytes: bytes.subarray(0, 16), open: open.subarray(0, 16) };
  if (!agreesWith(first16, Buffer.from(out.data_first16 ?? "", "hex"))) return false;
  return open.includes(1) || out.data_fnv1a64 === fnv1a64(bytes);
};

const fnv1a64 = (bytes: Uint8Array): bigint => {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of bytes) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  }
  return hash;
};

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const isUnaligned = (v: View): boolean => ((v.iova | v.length) & (v.machine.page - 1n)) !== 0n;

export const ACCESS_RW = judge<"ACCESS_RW", View>("ACCESS_RW", {
  promise: "ACC-20",
  view: (machine, call, _claimed, profile) => {
    const { access_fd, iova, length, flags, data_repeat, accessible_bytes } = call.in;
    const access = machine.accesses.get(access_fd);
    const last = iova + length - 1n;
    const inBounds = length <= ACCESS_BYTES_MAX;
    const pieces = piecesOf(inBounds ? access?.ioas : undefined, iova, last);
    const how = { machine, proc: call.proc, flags, strict: profile === "linux-6.12" };
    return {
      ...how,
      context: machine.fds.get(call.fd),
      access,
      iova,
      length,
      accessible: accessible_bytes,
      pieces,
      whole: pieces.at(-1)?.last === last,
      data: Buffer.from(data_repeat, "hex"),
      moved: moveAll(how, pieces),
      loaded: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("ACC-32", "ENOMEM", (v) => !isInBounds(v), { applies: never }),
    rule(
      "ACC-32",
      "EOPNOTSUPP",
      (v) => (v.flags & ~(ACCESS_RW_WRITE | ACCESS_RW_SLOW_PATH)) !== 0,
      { applies: never },
    ),
    fileIsAccess(),
    rule("ACC-32", "EFAULT", (v) => isWrite(v) && callerFaults(v), { applies: never, hard: true }),
    rule("ACC-20", "EINVAL", (v) => v.length === 0n),
    rule("ACC-20", "EOVERFLOW", (v) => lastOf(v) > U64_MAX, {
      applies: never,
      hard: true,
    }),
    rule("ACC-20", "EPERM", (v) => v.moved.end === "EPERM", { applies: never, hard: true }),
    rule("ACC-20", "EFAULT", (v) => v.moved.end === "EFAULT", { applies: never, hard: true }),
    rule("ACC-20", "EOVERFLOW", (v) => v.moved.end === "EOVERFLOW", { applies: never, hard: true }),
    rule("ACC-20", "ENOENT", (v) => v.access !== undefined && v.length > 0n && !v.whole, {
      applies: never,
      hard: true,
    }),
    rule("ACC-32", "EFAULT", (v) => !isWrite(v) && callerFaults(v), { applies: never, hard: true }),
  ],
  facts: [
    fact("ACC-22", {
      when: (v) => !isWrite(v),
      holds: dataIsRight,
      right: (v) => `data ${toHex(load(v).bytes.subarray(0, DATA_MAX))}`,
    }),
    fact("ACC-22", {
      when: isWrite,
      holds: (_v, out) => out.data === undefined && out.data_fnv1a64 === undefined,
      right: () => "no data of a write",
      uncounted: true,
    }),
    fact("ALN-08", { when: isUnaligned }),
  ],
  answer: (v) => (isWrite(v) ? {} : { data: toHex(load(v).bytes) }),
  effect: (v) => {
    if (isWrite(v)) store(v, v.moved.bytes);
    const [piece] = v.pieces;
    if (piece === undefined) return;
    const va = piece.pages.va + piece.startByte;
    if (!isStale(v.machine, piece)) expectLater(v.machine.seenRefs, "ACC-21", va);
  },
  // What came before the fault has been written, if the bytes to write could be had at all.
  // Elsewhere it may have been or not, whichever of the broken rules the errno is of (ACC-20).
  failure: (v, broken) => {
    if (!isWrite(v)) return;
    const endsEarly = v.moved.end !== "fine" || !v.whole;
    if (!v.strict && endsEarly) store(v, 0);
    else if (broken.clause === "ACC-20") store(v, v.moved.bytes);
  },
});
