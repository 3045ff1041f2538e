/** Section D, each invariant with a planted bug. I-54 is among the pins. */
import { VFIO_PLATFORM } from "../../spec/platform";
import { OBJECTS } from "./objects";
import {
  answerRanges,
  ask,
  askAttach,
  askRanges,
  attach,
  bind,
  destroy,
  detach,
  EVERYTHING,
  failed,
  ioas,
  map,
  mock,
  ok,
  open,
  runs,
  type Story,
  testStories,
  translate,
} from "./stream";

const start = [open(), ioas(1)];

const STORIES: readonly Story[] = [
  {
    id: "I-50",
    bug: "an IOAS goes while a device is attached",
    before: [...start, mock(1, 2)],
    call: destroy(1)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-50",
    bug: "mappings keep an IOAS busy",
    before: [...start, map(1, 0x1000n, 0x1000n)],
    call: destroy(1)[0],
    right: ok(),
    wrong: failed("EBUSY"),
  },
  {
    id: "I-50",
    bug: "a second DESTROY succeeds",
    before: [...start, destroy(1)],
    call: destroy(1)[0],
    right: failed("ENOENT"),
    wrong: ok(),
  },
  {
    id: "I-50",
    bug: "an object that is there is not found",
    before: [...start, mock(1, 2)],
    call: destroy(2)[0],
    right: ok(),
    wrong: failed("ENOENT"),
  },
  {
    id: "I-51",
    bug: "an id is given twice",
    before: start,
    call: ask("IOAS_ALLOC"),
    right: ok({ out_ioas_id: 2 }),
    wrong: ok({ out_ioas_id: 1 }),
  },
  {
    id: "I-51",
    bug: "a mapping into an HWPT",
    before: [...start, mock(1, 2, 4)],
    call: ask("IOAS_MAP", { ioas_id: 4, flags: 7, length: 0x1000n, iova: 0x100_0000n }),
    right: failed("ENOENT"),
    wrong: ok({ iova: 0x100_0000n }),
  },
  {
    id: "I-51",
    bug: "an attach to an IOAS uses an HWPT of another",
    platform: VFIO_PLATFORM,
    before: [...start, ioas(2), ...bind(0, 5), attach(0, 1, 6), ...bind(1, 7)],
    call: askAttach(1, 2),
    right: ok({ pt_id: 8 }),
    wrong: ok({ pt_id: 6 }),
  },
  {
    id: "I-52",
    bug: "an HWPT outlives its last device",
    platform: VFIO_PLATFORM,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), detach(0)],
    call: translate(6, 0n, 0xfffn),
    right: failed("ENOENT"),
    wrong: runs(),
  },
  {
    id: "I-52",
    bug: "an HWPT is gone while a second device is on it",
    platform: VFIO_PLATFORM,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), ...bind(1, 7), attach(1, 1, 6), detach(0)],
    call: translate(6, 0n, 0xfffn),
    right: runs(),
    wrong: failed("ENOENT"),
  },
  {
    id: "I-56",
    bug: "one context sees the option of another",
    before: [
      ...start,
      open(4),
      ioas(1, 4),
      [ask("OPTION", { option_id: 1, object_id: 1, val64: 0n }), ok({ val64: 0n })],
    ],
    call: ask("OPTION", { option_id: 1, op: 1, object_id: 1 }, 4),
    right: ok({ val64: 1n }),
    wrong: ok({ val64: 0n }),
  },
  {
    id: "I-56",
    bug: "one context sees the compat IOAS of another",
    before: [...start, open(4), [ask("VFIO_IOAS", { op: 1, ioas_id: 1 }), ok()]],
    call: ask("VFIO_IOAS", {}, 4),
    right: failed("ENODEV"),
    wrong: ok({ ioas_id: 1 }),
  },
];

testStories(
  OBJECTS.filter(({ id }) => id !== "I-54"),
  STORIES,
);

// A second context has ids of its own, so the same numbers say nothing about the first.
testStories(
  [],
  [
    {
      id: "I-51",
      bug: "an id of another context is taken for this one's",
      before: [...start, open(4)],
      call: askRanges(1, 64, 4),
      right: failed("ENOENT"),
      wrong: answerRanges(EVERYTHING, 1n),
    },
  ],
);
