/** Lives that the documents let go on in several ways: none of the answers may be blamed. */

import type { Outcome } from "../../../spec/calls";
import { VFIO_PLATFORM } from "../../../spec/platform";
import {
  APERTURE,
  addReserved,
  allow,
  answerRanges,
  ask,
  askRanges,
  attach,
  BUF0,
  bind,
  close,
  copy,
  destroy,
  failed,
  ioas,
  type Life,
  map,
  mmap,
  mock,
  ok,
  open,
  pageRefs,
  pins,
  runs,
  status,
  translate,
  U64_MAX,
  unanswered,
  unmap,
} from "./stream";

export interface OpenStory extends Life {
  /** What is open, and which clause says so. */
  readonly open: string;
  readonly answers: readonly Outcome[];
}

const IOVA = 0x100_0000n;
const start = [open(), ioas(1), mock(1, 2, 4)];
/** Three mappings and an unmap that reaches into the third. */
const cutOff = [
  ...start,
  map(1, IOVA, 0x1000n, BUF0),
  map(1, IOVA + 0x1000n, 0x1000n, BUF0 + 0x1000n),
  map(1, IOVA + 0x2000n, 0x2000n, BUF0 + 0x2000n),
  [unmap(1, IOVA, 0x3000n)[0], failed("ENOENT")],
] as const;
const THIRD = [IOVA + 0x2000n, 0x2000n, 0x7000n, 3] as const;

export const OPEN_STORIES: readonly OpenStory[] = [
  {
    open: "whether a failed unmap met what is mapped nobody knows where (UNM-24, GEN-16)",
    before: [
      ...start,
      map(1, IOVA + 0xe000n, 0x4000n, BUF0),
      unanswered(1, undefined, 0x1000n),
      [translate(4, IOVA, IOVA), runs([IOVA, 1n, 0x5000n, 3])],
      [unmap(1, IOVA, 0x10000n)[0], failed("ENOENT")],
    ],
    call: translate(4, IOVA, IOVA),
    answers: [runs(), runs([IOVA, 1n, 0x5000n, 3])],
  },
  {
    // Once the ledger never came back from this one.
    open: "what became of a fixed map that wraps and whose answer could not be stored (UNS-07)",
    before: [...start, unanswered(1, U64_MAX - 7n, 0x1000n), unanswered(1, U64_MAX - 7n, 0x1000n)],
    call: translate(4, 0n, U64_MAX),
    answers: [runs()],
  },
  {
    open: "whether memory at the end of all addresses is mapped and in the way (MAP-06, GEN-16)",
    before: [open(), ioas(1), unanswered(1, undefined, 0x1000n, U64_MAX - 0xffen)],
    call: mock(1, 2, 4)[0],
    answers: [failed("EADDRINUSE"), mock(1, 2, 4)[1]],
  },
  {
    open: "whether an unmap took what is mapped nobody knows where (GEN-16)",
    before: [
      ...start,
      unanswered(1, undefined, 0x1000n),
      [ask("PROC_STATUS"), status(1)],
      [unmap(1, IOVA, 0x2000n)[0], ok({ length: 0x1000n })],
    ],
    call: ask("PROC_STATUS"),
    answers: [status(0)],
  },
  {
    open: "pins of a mapping made before the process lost its capabilities (ACT-01)",
    before: [
      open(),
      ioas(1),
      [ask("PROC_STATUS"), status(0)],
      map(1, IOVA, 0x1000n),
      [ask("SETUID", { uid: 1000 }), ok()],
      [ask("SETRLIMIT_MEMLOCK", { cur: 0n, max: 0n }), ok()],
      mock(1, 2, 4),
    ],
    call: ask("PROC_STATUS"),
    answers: [status(1)],
  },
  {
    open: "what is wrong with an element that ends before it begins (ALW-04, ALW-06)",
    before: start,
    call: allow(1, [[0xfffn, 0n]])[0],
    answers: [failed("EINVAL"), failed("EADDRINUSE")],
  },
  {
    open: "what a failed unmap leaves behind (UNM-24)",
    before: cutOff,
    call: translate(4, IOVA, IOVA + 0xffffn),
    answers: [
      runs(THIRD),
      runs([IOVA + 0x1000n, 0x1000n, 0x6000n, 3], THIRD),
      runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x1000n, 0x1000n, 0x6000n, 3], THIRD),
    ],
  },
  {
    open: "what a failed unmap leaves pinned (UNM-24)",
    before: cutOff,
    call: pageRefs(BUF0, 0x4000n),
    answers: [pins([0, 2], [1, 2]), pins([0, 1], [1, 3]), pins([1, 4])],
  },
  {
    open: "what a failed unmap of a container leaves behind (VCC-14)",
    before: [
      ...start,
      map(1, IOVA, 0x1000n, BUF0),
      map(1, IOVA + 0x1000n, 0x2000n, BUF0 + 0x1000n),
      [ask("VFIO_IOAS", { ioas_id: 1, op: 1 }), ok()],
      [
        ask("VFIO_UNMAP_DMA", { argsz: 24, iova: IOVA, size: 0x2000n }),
        failed("ENOENT", { size: 0x1000n }),
      ],
    ],
    call: translate(4, IOVA, IOVA + 0xfffn),
    answers: [runs(), runs([IOVA, 0x1000n, 0x5000n, 3])],
  },
  {
    open: "what a second failed unmap leaves pinned (UNM-24)",
    before: [
      ...cutOff,
      [ask("PROC_STATUS"), status(4)],
      [unmap(1, IOVA, 0x3000n)[0], failed("ENOENT")],
      ioas(9),
      [unmap(9, 0n, U64_MAX)[0], ok({ length: 0n })],
    ],
    call: ask("PROC_STATUS"),
    answers: [status(2), status(3), status(4)],
  },
  {
    open: "what an unmap finds after a failed one (UNM-24)",
    before: cutOff,
    call: unmap(1, 0n, U64_MAX)[0],
    answers: [ok({ length: 0x2000n }), ok({ length: 0x3000n }), ok({ length: 0x4000n })],
  },
  {
    open: "a place that a failed unmap may have freed (UNM-24)",
    before: cutOff,
    call: map(1, IOVA, 0x1000n)[0],
    answers: [ok({ iova: IOVA }), failed("EEXIST")],
  },
  {
    open: "whether a copy of two mappings is one or two (UNS-05)",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      map(1, IOVA + 0x1000n, 0x1000n),
      copy([1, IOVA], [1, 0x200_0000n], 0x2000n),
    ],
    call: unmap(1, 0x200_0000n, 0x1000n)[0],
    answers: [ok({ length: 0x1000n }), failed("ENOENT")],
  },
  {
    open: "a copy of a part of a mapping (UNS-05)",
    before: [...start, map(1, IOVA, 0x2000n)],
    call: copy([1, IOVA], [1, 0x200_0000n], 0x1000n)[0],
    answers: [ok({ dst_iova: 0x200_0000n }), failed("ENOENT"), failed("EINVAL")],
  },
  {
    open: "order and cuts of the ranges (UNS-18)",
    before: start,
    call: askRanges(1),
    answers: [
      answerRanges(APERTURE, 2048n),
      answerRanges(
        [
          [0x200_0000n, 0x7fff_ffffn],
          [0x100_0000n, 0x1ff_ffffn],
        ],
        2048n,
      ),
    ],
  },
  {
    open: "whether allowed IOVAs narrow the ranges (RNG-04)",
    before: [open(), ioas(1), allow(1, [[0x1000n, 0x1fffn]])],
    call: askRanges(1),
    answers: [answerRanges([[0n, U64_MAX]], 1n), answerRanges([[0x1000n, 0x1fffn]], 1n)],
  },
  {
    open: "whether the whole group's regions are reserved at once (RSV-05)",
    platform: VFIO_PLATFORM,
    before: [open(), ioas(1), ...bind(2, 5), attach(2, 1, 6)],
    call: askRanges(1),
    answers: [
      answerRanges(
        [
          [0n, 0xfedf_ffffn],
          [0xfef0_0000n, 0xffff_ffff_ffffn],
        ],
        4096n,
      ),
      answerRanges(
        [
          [0n, 0x1ff_ffffn],
          [0x201_0000n, 0xfedf_ffffn],
          [0xfef0_0000n, 0xffff_ffff_ffffn],
        ],
        4096n,
      ),
    ],
  },
  {
    open: "which memory a MAP gets that is pinned late (MAP-30)",
    before: [open(), ioas(1), map(1, IOVA, 0x1000n), mmap(BUF0, 0x1000n), mock(1, 2, 4)],
    call: pageRefs(BUF0),
    answers: [pins([1, 1]), pins([0, 1])],
  },
  {
    open: "which physical page memory gets that is pinned anew (PIN-04)",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      [translate(4, IOVA, IOVA), runs([IOVA, 1n, 0x5000n, 3])],
      destroy(2),
      mmap(BUF0, 0x1000n),
      mock(1, 2, 4),
      [translate(4, IOVA, IOVA), runs([IOVA, 1n, 0x5000n, 3])],
      map(1, IOVA + 0x1000n, 0x1000n),
    ],
    call: translate(4, IOVA + 0x1000n, IOVA + 0x1000n),
    answers: [runs([IOVA + 0x1000n, 1n, 0x5000n, 3]), runs([IOVA + 0x1000n, 1n, 0x7000n, 3])],
  },
  {
    open: "whether a bound device keeps a closed context alive (OBJ-08)",
    platform: VFIO_PLATFORM,
    before: [
      open(4),
      open(),
      ioas(1),
      ...bind(0, 5),
      attach(0, 1, 6),
      map(1, IOVA, 0x1000n),
      close(),
    ],
    call: { ...pageRefs(BUF0), fd: 4 },
    answers: [pins([1, 1]), pins([0, 1])],
  },
  {
    open: "memory may run out at any time (UNS-12)",
    before: [...start, addReserved(1, 0x200_0000n, 1n)],
    call: ask("IOAS_ALLOC"),
    answers: [ok({ out_ioas_id: 9 }), ok({ out_ioas_id: 0xffff_ffff }), failed("ENOMEM")],
  },
];
