/** Section C, each invariant with a planted bug. */
import { I_54, PINNING } from "./pinning";
import {
  ask,
  BUF0,
  BUF4,
  BUF5,
  close,
  copy,
  destroy,
  failed,
  ioas,
  map,
  mmap,
  mock,
  ok,
  open,
  pageRefs,
  pins,
  type Story,
  status,
  testStories,
  unmap,
} from "./stream";

const IOVA = 0x100_0000n;
const FAR = 0x200_0000n;
const start = [open(), ioas(1), mock(1, 2)];
const PROC = ask("PROC_STATUS");

const STORIES: readonly Story[] = [
  {
    id: "I-30",
    bug: "a copy is pinned a second time",
    before: [...start, map(1, IOVA, 0x1000n), copy([1, IOVA], [1, FAR], 0x1000n)],
    call: pageRefs(BUF0, 0x2000n),
    right: pins([1, 1], [0, 1]),
    wrong: pins([2, 1], [0, 1]),
  },
  {
    id: "I-30",
    bug: "two MAPs of one page share a pin",
    before: [...start, map(1, IOVA, 0x1000n), map(1, FAR, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([2, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-30",
    bug: "a MAP through another address of a memfd is not counted",
    before: [...start, map(1, IOVA, 0x1000n, BUF4)],
    call: pageRefs(BUF5),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-30",
    bug: "memory mapped later at the same address counts as pinned twice",
    before: [...start, map(1, IOVA, 0x1000n), mmap(BUF0, 0x1000n), map(1, FAR, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([3, 1]),
  },
  {
    id: "I-30",
    bug: "MD_CHECK_REFS agrees to a wrong number",
    before: [...start, map(1, IOVA, 0x1000n)],
    call: ask("MD_CHECK_REFS", { uptr: BUF0, length: 0x1000n, refs: 2 }),
    right: failed("EIO"),
    wrong: ok(),
  },
  {
    id: "I-32",
    bug: "the last unmap leaves a pin",
    before: [...start, map(1, IOVA, 0x1000n), unmap(1, IOVA, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-32",
    bug: "pinned memory is not given back",
    before: [...start, [PROC, status(7)], map(1, IOVA, 0x1000n), unmap(1, IOVA, 0x1000n)],
    call: PROC,
    right: status(7),
    wrong: status(8),
  },
  {
    id: "I-33",
    bug: "a copy of pinned memory counts",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      [PROC, status(1)],
      copy([1, IOVA], [1, FAR], 0x1000n),
    ],
    call: PROC,
    right: status(1),
    wrong: status(2),
  },
  {
    id: "I-34",
    bug: "the copy's pin goes with the source",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      copy([1, IOVA], [1, FAR], 0x1000n),
      [pageRefs(BUF0), pins([1, 1])],
      unmap(1, IOVA, 0x1000n),
    ],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-34",
    bug: "the first device to leave takes the pins along",
    before: [...start, mock(1, 7, 4), map(1, IOVA, 0x1000n), [PROC, status(1)], destroy(2)],
    call: PROC,
    right: status(1),
    wrong: status(0),
  },
  {
    id: "I-35",
    bug: "a MAP without a domain pins",
    before: [open(), ioas(1), map(1, IOVA, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-40",
    bug: "pins of a privileged process are charged",
    before: [...start, [PROC, status(0)], map(1, IOVA, 0x1000n)],
    call: PROC,
    right: status(1, 0),
    wrong: status(1, 1),
  },
  {
    id: "I-54",
    bug: "closing leaves a pin",
    before: [...start, map(1, IOVA, 0x1000n), close(), open(4)],
    call: { ...pageRefs(BUF0), fd: 4 },
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
];

testStories([...PINNING, I_54], STORIES);
