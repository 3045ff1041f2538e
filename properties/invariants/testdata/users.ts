/** In-kernel users: what the ledger follows of them. */
import type { Outcome } from "../../../spec/calls";
import type { OpenStory } from "./open";
import {
  type Answered,
  access,
  answerRanges,
  ask,
  askRanges,
  askRead,
  BUF0,
  close,
  destroy,
  EVERYTHING,
  failed,
  ioas,
  map,
  memRead,
  memWrite,
  mmap,
  mock,
  ok,
  open,
  pageRefs,
  pins,
  runs,
  type Story,
  translate,
  USER,
  unmap,
} from "./stream";

const IOVA = 0x100_0000n;
const FAR = 0x200_0000n;

const askPin = (iova: bigint, length: bigint, flags = 1) =>
  ask("ACCESS_PAGES", { access_fd: USER, iova, length, flags });
const pin = (item: number, iova: bigint, length: bigint): Answered => [
  askPin(iova, length),
  ok({ out_access_pages_id: item }),
];
const unpin = (item: number): Answered => [
  ask("DESTROY_ACCESS_PAGES", { access_fd: USER, access_pages_id: item }),
  ok(),
];
const askWrite = (iova: bigint, length: bigint, data_repeat: string) =>
  ask("ACCESS_RW", { access_fd: USER, iova, length, flags: 1, data_repeat, accessible_bytes: 64 });

const ASK_RANGES = askRanges(1);
const ranges = (alignment: bigint): Outcome => answerRanges(EVERYTHING, alignment);

const start = [open(), ioas(1), mock(1, 2, 4)];
const lazy = [open(), ioas(1)];

export const USER_STORIES: readonly Story[] = [
  {
    id: "I-30",
    bug: "an in-kernel user pins again what a domain has pinned",
    before: [...start, map(1, IOVA, 0x2000n), access(1), pin(0, IOVA, 0x1000n)],
    call: pageRefs(BUF0, 0x2000n),
    right: pins([1, 2]),
    wrong: pins([2, 1], [1, 1]),
  },
  {
    id: "I-30",
    bug: "an in-kernel user does not pin",
    before: [...lazy, map(1, IOVA, 0x2000n), access(1), pin(0, IOVA + 0x1000n, 0x1000n)],
    call: pageRefs(BUF0, 0x2000n),
    right: pins([0, 1], [1, 1]),
    wrong: pins([0, 2]),
  },
  {
    id: "I-30",
    bug: "a user that was moved keeps its pins",
    before: [
      ...lazy,
      ioas(9),
      map(1, IOVA, 0x1000n),
      map(9, IOVA, 0x1000n, BUF0 + 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      [ask("ACCESS_REPLACE_IOAS", { access_fd: USER, ioas_id: 9 }), ok()],
      pin(1, IOVA, 0x1000n),
    ],
    call: pageRefs(BUF0, 0x2000n),
    right: pins([0, 1], [1, 1]),
    wrong: pins([1, 2]),
  },
  {
    id: "I-32",
    bug: "the unmap leaves the pin of an in-kernel user",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      unmap(1, IOVA, 0x1000n),
    ],
    call: pageRefs(BUF0),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-34",
    bug: "the domain takes along what an in-kernel user holds",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      [pageRefs(BUF0), pins([1, 1])],
      destroy(2),
    ],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-34",
    bug: "the first of two equal pins takes both along",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      pin(1, IOVA, 0x1000n),
      [pageRefs(BUF0), pins([1, 1])],
      unpin(0),
    ],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-35",
    bug: "reading leaves a pin",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1, 0),
      [askRead(IOVA, 2n), ok({ data: "0000" })],
    ],
    call: pageRefs(BUF0),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-54",
    bug: "closing what keeps the context leaves a pin",
    before: [
      open(7),
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      close(),
      [ask("CLOSE_ACCESS", { access_fd: USER }), ok()],
    ],
    call: { ...pageRefs(BUF0), fd: 7 },
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-24",
    bug: "an in-kernel user reads a byte that is not in memory",
    before: [...lazy, map(1, IOVA, 0x1000n), access(1, 0), memWrite(BUF0 + 2n, "a1")],
    call: askRead(IOVA, 4n),
    right: ok({ data: "0000a100" }),
    wrong: ok({ data: "0000a200" }),
  },
  {
    id: "I-67",
    bug: "a write goes to the byte beside",
    before: [...lazy, map(1, IOVA, 0x1000n), access(1, 0), [askWrite(IOVA + 1n, 2n, "c3d4"), ok()]],
    call: memRead(BUF0, 4),
    right: ok({ bytes: "00c3d400" }),
    wrong: ok({ bytes: "c3d40000" }),
  },
  {
    id: "I-27",
    bug: "an in-kernel user writes into a read-only mapping",
    before: [...lazy, map(1, IOVA, 0x1000n, BUF0, 5), access(1, 0)],
    call: askWrite(IOVA, 1n, "ff"),
    right: failed("EPERM"),
    wrong: ok(),
  },
  {
    id: "I-27",
    bug: "an in-kernel user pins a read-only mapping for writing",
    before: [...lazy, map(1, IOVA, 0x1000n, BUF0, 5), access(1)],
    call: askPin(IOVA, 0x1000n),
    right: failed("EPERM"),
    wrong: ok({ out_access_pages_id: 0 }),
  },
  {
    id: "I-21",
    bug: "an in-kernel user pins what is not mapped",
    before: [...lazy, map(1, IOVA, 0x1000n), access(1)],
    call: askPin(IOVA, 0x2000n),
    right: failed("ENOENT"),
    wrong: ok({ out_access_pages_id: 0 }),
  },
  {
    id: "I-21",
    bug: "an in-kernel user does not find what is mapped",
    before: [...lazy, map(1, IOVA, 0x1000n), access(1, 0)],
    call: askRead(IOVA + 0xfffn, 1n),
    right: ok({ data: "00" }),
    wrong: failed("ENOENT"),
  },
  {
    id: "I-25",
    bug: "what an in-kernel user holds moves",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      [translate(4, IOVA, IOVA), runs([IOVA, 1n, 0x5000n, 3])],
      access(1),
      pin(0, IOVA, 0x1000n),
      destroy(2),
      mmap(BUF0, 0x1000n),
      mock(1, 2, 4),
    ],
    call: translate(4, IOVA, IOVA),
    right: runs([IOVA, 1n, 0x5000n, 3]),
    wrong: runs([IOVA, 1n, 0x6000n, 3]),
  },
  {
    id: "I-50",
    bug: "an IOAS is kept by a user that left",
    before: [...lazy, access(1), [ask("CLOSE_ACCESS", { access_fd: USER }), ok()]],
    call: destroy(1)[0],
    right: ok(),
    wrong: failed("EBUSY"),
  },
  {
    id: "I-51",
    bug: "an in-kernel user is on nothing",
    before: [open()],
    call: access(1)[0],
    right: failed("ENOENT"),
    wrong: ok({ out_access_fd: USER }),
  },
  {
    id: "I-104",
    bug: "an in-kernel user finds no place in an empty IOAS",
    before: lazy,
    call: access(1)[0],
    right: ok({ out_access_fd: USER }),
    wrong: failed("EADDRINUSE"),
  },
  {
    id: "I-06",
    bug: "the alignment that an in-kernel user needs stays when it goes, once more",
    before: [
      ...lazy,
      [ASK_RANGES, ranges(1n)],
      access(1),
      [ask("CLOSE_ACCESS", { access_fd: USER }), ok()],
    ],
    call: ASK_RANGES,
    right: ranges(1n),
    wrong: ranges(4096n),
  },
];

export const OPEN_USERS: readonly OpenStory[] = [
  {
    open: "whether in-kernel users keep their IOAS (ACC-03)",
    before: [...lazy, access(1)],
    call: destroy(1)[0],
    answers: [ok(), failed("EBUSY")],
  },
  {
    open: "whether a replace that fails lets go of pins (ACC-04)",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      [ask("ACCESS_REPLACE_IOAS", { access_fd: USER, ioas_id: 8 }), failed("ENOENT")],
    ],
    call: pageRefs(BUF0),
    answers: [pins([1, 1]), pins([0, 1])],
  },
  {
    open: "how far a write got that failed (ACC-20)",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      access(1, 0),
      [askWrite(IOVA + 0xffen, 4n, "ee"), failed("ENOENT")],
    ],
    call: memRead(BUF0 + 0xffen, 2),
    answers: [ok({ bytes: "0000" }), ok({ bytes: "eeee" }), ok({ bytes: "ee00" })],
  },
  {
    open: "which memory a read gets once its address changed hands (ACC-22)",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      memWrite(BUF0, "a1"),
      access(1),
      pin(0, IOVA, 0x1000n),
      mmap(BUF0, 0x1000n),
    ],
    call: askRead(IOVA, 1n),
    answers: [ok({ data: "a1" }), ok({ data: "00" })],
  },
  {
    open: "what an in-kernel user is told of a range it does not hold (ACC-31)",
    before: [
      ...lazy,
      map(1, IOVA, 0x1000n),
      map(1, FAR, 0x1000n, BUF0 + 0x1000n),
      access(1),
      pin(0, IOVA, 0x1000n),
      unmap(1, FAR, 0x1000n),
    ],
    call: pageRefs(BUF0),
    answers: [pins([1, 1])],
  },
];
