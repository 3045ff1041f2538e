/** Several processes, and calls that cannot answer: what the ledger follows of them. */
import { VFIO_PLATFORM } from "../../../spec/platform";
import type { OpenStory } from "./open";
import {
  type Answered,
  access,
  ask,
  askRead,
  attach,
  BUF0,
  BUF4,
  BUF5,
  bind,
  close,
  copy,
  destroy,
  dma,
  failed,
  ioas,
  map,
  memRead,
  memWrite,
  mock,
  ok,
  open,
  pageRefs,
  pins,
  runs,
  type Story,
  status,
  translate,
  U64_MAX,
  unanswered,
  unmap,
} from "./stream";

const IOVA = 0x100_0000n;
const FAR = 0x200_0000n;
const LAST = IOVA + 0xffffn;
/** Private memory. */
const BUF1 = BUF0 + 0x10_0000n;
const PROC = ask("PROC_STATUS");

/** The same call in the name of another process. */
const by = (proc: number, [call, outcome]: Answered): Answered => [{ ...call, proc }, outcome];
const fork = (child: number): Answered => [ask("FORK", { child }), ok()];
const exit = (proc: number): Answered => by(proc, [ask("EXIT"), ok()]);
const closing = (proc: number, fd?: number): Answered => by(proc, close(fd));

/** An unmap of everything as raw bytes that cannot be written. */
const unansweredUnmap = (ioas_id: number): Answered => {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(24, 0);
  bytes.writeUInt32LE(ioas_id, 4);
  bytes.writeBigUInt64LE(U64_MAX, 16);
  return [ask("RAW", { nr: 0x3b86, bytes: bytes.toString("hex"), memory: "r" }), failed("EFAULT")];
};

const start = [open(), ioas(1), mock(1, 2, 4)];
const lazy = [open(), ioas(1)];

export const PROCESS_STORIES: readonly Story[] = [
  {
    id: "I-30",
    bug: "private memory of the child counts as pinned with that of its parent",
    before: [...start, map(1, IOVA, 0x1000n, BUF1), fork(1)],
    call: { ...pageRefs(BUF1), proc: 1 },
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-30",
    bug: "the child does not see the pins of memory it shares",
    before: [...start, fork(1), map(1, IOVA, 0x1000n)],
    call: { ...pageRefs(BUF0), proc: 1 },
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-31",
    bug: "what the child maps is charged to its parent",
    before: [
      ...start,
      [PROC, status(0)],
      fork(1),
      map(1, FAR, 0x1000n),
      by(1, map(1, IOVA, 0x2000n)),
    ],
    call: PROC,
    right: status(1),
    wrong: status(3),
  },
  {
    id: "I-37",
    bug: "a MAP counts a page for itself",
    before: [
      ...start,
      map(1, IOVA, 0x2000n),
      [PROC, status(3)],
      unmap(1, IOVA, 0x2000n),
      map(1, IOVA, 0x1000n),
      map(1, FAR, 0x1000n, BUF0 + 0x1000n),
    ],
    call: PROC,
    right: status(3),
    wrong: status(4),
  },
  {
    id: "I-39",
    bug: "the pins of a process end with it",
    before: [...start, fork(1), by(1, map(1, IOVA, 0x1000n)), exit(1)],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-39",
    bug: "the last close leaves what another process has mapped",
    before: [...start, open(7), fork(1), by(1, map(1, IOVA, 0x1000n)), exit(1), close()],
    call: { ...pageRefs(BUF0), fd: 7 },
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-40",
    bug: "pins by process are not charged to it",
    before: [
      open(),
      [ask("OPTION", { val64: 1n }), ok({ val64: 1n })],
      [ask("SETUID", { uid: 1000 }), ok()],
      ioas(1),
      mock(1, 2, 4),
      [PROC, status(0)],
      map(1, IOVA, 0x2000n),
    ],
    call: PROC,
    right: status(2, 2),
    wrong: status(2, 0),
  },
  {
    id: "I-30",
    bug: "a process that lets go of a file takes it from the others",
    before: [...start, map(1, IOVA, 0x1000n), fork(1), closing(1)],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-24",
    bug: "a read of another process's mapping reads the caller's memory",
    before: [
      ...lazy,
      fork(1),
      by(1, map(1, IOVA, 0x1000n, BUF1)),
      access(1, 0),
      memWrite(BUF1, "a1"),
      by(1, memWrite(BUF1, "b2")),
    ],
    call: askRead(IOVA, 1n),
    right: ok({ data: "b2" }),
    wrong: ok({ data: "a1" }),
  },
  {
    id: "I-67",
    bug: "the child writes to private memory of its parent",
    before: [open(), memWrite(BUF1, "11"), fork(1), by(1, memWrite(BUF1, "22"))],
    call: memRead(BUF1, 1),
    right: ok({ bytes: "11" }),
    wrong: ok({ bytes: "22" }),
  },
  {
    id: "I-67",
    bug: "memory that is shared is not",
    before: [open(), fork(1), by(1, memWrite(BUF4, "22"))],
    call: memRead(BUF5, 1),
    right: ok({ bytes: "22" }),
    wrong: ok({ bytes: "00" }),
  },
  {
    id: "I-21",
    bug: "pages of parent and child are one",
    before: [
      ...start,
      map(1, IOVA, 0x1000n, BUF1),
      fork(1),
      by(1, map(1, IOVA + 0x1000n, 0x1000n, BUF1)),
    ],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x1000n, 0x1000n, 0x7000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x1000n, 0x1000n, 0x5000n, 3]),
  },
  {
    id: "I-20",
    bug: "with a lost answer in between, the second domain still lacks a mapping",
    before: [
      ...start,
      mock(1, 7, 9),
      map(1, FAR, 0x1000n),
      unanswered(1, undefined, 0x1000n),
      [translate(4, FAR, FAR), runs([FAR, 1n, 0x5000n, 3])],
    ],
    call: translate(9, FAR, FAR),
    right: runs([FAR, 1n, 0x5000n, 3]),
    wrong: runs(),
  },
];

export const OPEN_PROCESSES: readonly OpenStory[] = [
  {
    open: "whether a MAP that could not answer has happened (GEN-16)",
    before: [...start, unanswered(1, IOVA, 0x1000n)],
    call: translate(4, IOVA, LAST),
    answers: [runs(), runs([IOVA, 0x1000n, 0x5000n, 3])],
  },
  {
    open: "how much a container cuts off of a MAP that could not answer (GEN-16)",
    before: [
      ...start,
      [ask("VFIO_IOAS", { ioas_id: 1, op: 1 }), ok()],
      [ask("VFIO_SET_IOMMU", { arg: 1n }), ok({ rc: 0 })],
      unanswered(1, IOVA, 0x2000n),
    ],
    call: ask("VFIO_UNMAP_DMA", { argsz: 24, iova: IOVA, size: 0x1000n }),
    answers: [ok({ size: 0n }), ok({ size: 0x1000n })],
  },
  {
    open: "a copy of a mapping and of what may be before it (GEN-16)",
    before: [
      ...start,
      ioas(9),
      unanswered(9, undefined, 0x1000n),
      map(9, FAR, 0x1000n),
      copy([9, FAR - 0x1000n], [1, IOVA], 0x2000n),
    ],
    call: pageRefs(BUF0),
    answers: [pins([2, 1])],
  },
  {
    open: "where an automatic MAP went that could not answer (GEN-16)",
    before: [...start, unanswered(1, undefined, 0x1000n)],
    call: translate(4, IOVA, LAST),
    answers: [runs(), runs([IOVA + 0x3000n, 0x1000n, 0x5000n, 3])],
  },
  {
    open: "what is pinned by a MAP that could not answer (GEN-16)",
    before: [...start, unanswered(1, undefined, 0x1000n)],
    call: pageRefs(BUF0),
    answers: [pins([0, 1]), pins([1, 1])],
  },
  {
    open: "what is copied of a MAP that could not answer (GEN-16)",
    before: [
      ...start,
      ioas(9),
      unanswered(1, undefined, 0x1000n),
      copy([1, IOVA + 0x3000n], [9, IOVA], 0x1000n),
    ],
    call: unmap(9, 0n, U64_MAX)[0],
    answers: [ok({ length: 0x1000n })],
  },
  {
    open: "whether a mapping is still there, or another one in its place (GEN-16)",
    before: [
      ...start,
      map(1, IOVA, 0x800n),
      unansweredUnmap(1),
      unanswered(1, undefined, 0x1000n, BUF1),
      [translate(4, 0n, U64_MAX), runs([IOVA, 0x1000n, 0x5000n, 3])],
    ],
    call: pageRefs(BUF0),
    answers: [pins([0, 1]), pins([1, 1])],
  },
  {
    open: "what a device has written by a MAP of which nobody knows where it is (GEN-16)",
    platform: VFIO_PLATFORM,
    before: [
      ...lazy,
      ...bind(0, 5),
      attach(0, 1, 6),
      unanswered(1, undefined, 0x1000n),
      memWrite(BUF0, "ff"),
      [dma(0, "from_device", IOVA - 1n, 2), ok({ fault: 1 })],
    ],
    call: memRead(BUF0, 1),
    answers: [ok({ bytes: "ff" }), ok({ bytes: "00" })],
  },
  {
    open: "nothing is done by a process that has ended, or without the file",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      fork(1),
      closing(1),
      by(1, [destroy(1)[0], failed("EBADF")]),
      exit(1),
      by(1, [ask("IOAS_ALLOC"), failed("ESRCH")]),
    ],
    call: pageRefs(BUF0),
    answers: [pins([1, 1])],
  },
];
