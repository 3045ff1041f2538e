/** Section G, each invariant with a planted bug. */
import {
  allow,
  answerRanges,
  ask,
  askRanges,
  BUF0,
  destroy,
  EVERYTHING,
  failed,
  ioas,
  map,
  mock,
  ok,
  open,
  pageRefs,
  pins,
  runs,
  type Story,
  translate,
  U64_MAX,
} from "./stream";

const IOVA = 0x100_0000n;
const start = [open(), ioas(1), mock(1, 2, 4), map(1, IOVA, 0x1000n)];
const window = translate(4, IOVA, IOVA + 0xffffn);
const mapped = runs([IOVA, 0x1000n, 0x5000n, 3]);
const SHORT = ok({ num_iovas: 1, out_iova_alignment: 1n, array: [[0n, U64_MAX - 1n]] });

export const FAILURE_STORIES: readonly Story[] = [
  {
    id: "I-84",
    bug: "a query changes what is mapped",
    before: [open(), ioas(1), [askRanges(1), answerRanges(EVERYTHING, 1n)]],
    call: askRanges(1),
    right: answerRanges(EVERYTHING, 1n),
    wrong: SHORT,
  },
  {
    id: "I-100",
    bug: "a MAP that fails leaves a pin",
    before: [
      ...start,
      [pageRefs(BUF0 + 0x1000n), pins([0, 1])],
      [map(1, IOVA, 0x2000n)[0], failed("EEXIST")],
    ],
    call: pageRefs(BUF0 + 0x1000n),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-102",
    bug: "EMSGSIZE does not say how much room is needed",
    before: [open(), ioas(1)],
    call: askRanges(1, 0),
    right: failed("EMSGSIZE", { num_iovas: 1, out_iova_alignment: 1n, array: [] }),
    wrong: failed("EMSGSIZE", { num_iovas: 0, out_iova_alignment: 1n, array: [] }),
  },
  {
    id: "I-104",
    bug: "an allowed IOVA is in the way after the list was removed",
    before: [open(), ioas(1), allow(1, [[0n, 0xfffn]]), allow(1, [])],
    call: ask("MOCK_DOMAIN", { pt_id: 1 }),
    right: ok({ out_stdev_id: 2, out_idev_id: 3, out_hwpt_id: 4 }),
    wrong: failed("EADDRINUSE"),
  },
  {
    id: "I-104",
    bug: "a reserved IOVA is in the way after the device that reserved it has gone",
    before: [open(), ioas(1), mock(1, 2), destroy(2)],
    call: allow(1, [[0n, 0xfffn]])[0],
    right: ok(),
    wrong: failed("EADDRINUSE"),
  },
  {
    id: "I-105",
    bug: "an errno that no document knows for UNMAP",
    before: start,
    call: ask("IOAS_UNMAP", { ioas_id: 1, iova: 0x200_0000n, length: 0x1000n }),
    right: failed("ENOENT"),
    wrong: failed("EPERM"),
  },
  {
    id: "I-106",
    bug: "a MAP that fails elsewhere takes a translation away",
    before: [
      ...start,
      open(5),
      ioas(1, 5),
      [window, mapped],
      [ask("IOAS_MAP", { ioas_id: 1 }, 5), failed("EINVAL")],
    ],
    call: window,
    right: mapped,
    wrong: failed("EINVAL"),
  },
  {
    id: "I-107",
    bug: "an attach that fails leaves a reservation",
    before: [
      open(),
      ioas(1),
      [askRanges(1), answerRanges(EVERYTHING, 1n)],
      [ask("MOCK_DOMAIN", { pt_id: 1 }), failed("ENOMEM")],
    ],
    call: askRanges(1),
    right: answerRanges(EVERYTHING, 1n),
    wrong: SHORT,
  },
];
