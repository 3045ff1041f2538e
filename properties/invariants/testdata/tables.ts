/** HW page tables by hand, fault queues, and dirty pages (sections D and H), with planted bugs. */
import type { Outcome } from "../../../spec/calls";
import {
  type Answered,
  ask,
  destroy,
  failed,
  ioas,
  map,
  mock,
  ok,
  open,
  type Story,
  unmap,
} from "./stream";

const AT = 0x100_0000n;
const UNIT = 0x800n;
const PAGE = 0x1000n;

/** IOAS 1 with device 3, whose stdev is 2 and whose own HWPT is 4. */
const start = [open(), ioas(1), mock(1, 2, 4)];

const made = (id: number, flags = 0, pt_id = 1, rest = {}): Answered => [
  ask("HWPT_ALLOC", { dev_id: 3, pt_id, flags, ...rest }),
  ok({ out_hwpt_id: id }),
];
const NESTED = { data_type: 0xdead, data_len: 4, data: "01000000" };
const queue: Answered = [ask("FAULT_QUEUE_ALLOC"), ok({ out_fault_id: 7, out_fault_fd: 50 })];
const closed: Answered = [ask("CLOSE_FAULT", { fault_fd: 50 }), ok()];

/** HWPT 5 tracks; a page is mapped, and its first half was written to. */
const track = (flags: number): Answered => [
  ask("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 5, flags }),
  ok(),
];
const written: Answered = [
  ask("DIRTY", { hwpt_id: 5, iova: AT, length: PAGE, page_size: UNIT, uptr: 1n, bitmap: "01" }),
  ok({ out_nr_dirty: 1n }),
];
const tracked = [...start, map(1, AT, PAGE), made(5, 2), track(1)];
const dirtied = [...tracked, written];

const askBits = (args = {}) =>
  ask("HWPT_GET_DIRTY_BITMAP", {
    hwpt_id: 5,
    iova: AT,
    length: PAGE,
    page_size: UNIT,
    data: 1n,
    prefill: "00",
    ...args,
  });
const bits = (bitmap: string): Outcome => ok({ bitmap });
const NO_CLEAR = { flags: 1 };

const entries = (...words: readonly number[]): string => {
  const bytes = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(word, 4 * i);
  return bytes.toString("hex");
};

export const TABLE_STORIES: readonly Story[] = [
  {
    id: "I-53",
    bug: "an IOAS goes although a page table is on it",
    before: [...start, made(5), destroy(2)],
    call: destroy(1)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-53",
    bug: "a page table that nobody uses is busy",
    before: [...start, made(5)],
    call: destroy(5)[0],
    right: ok(),
    wrong: failed("EBUSY"),
  },
  {
    id: "I-53",
    bug: "a page table goes although a device is attached",
    before: [
      ...start,
      made(5),
      [ask("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 5 }), ok({ pt_id: 5 })],
    ],
    call: destroy(5)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-58",
    bug: "a queue goes although its file is open",
    before: [...start, queue],
    call: destroy(7)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-58",
    bug: "a queue goes although an HWPT delivers to it",
    before: [...start, queue, made(5, 1), made(6, 4, 5, { ...NESTED, fault_id: 7 }), closed],
    call: destroy(7)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-58",
    bug: "a queue without users stays busy",
    before: [...start, queue, closed],
    call: destroy(7)[0],
    right: ok(),
    wrong: failed("EBUSY"),
  },
  {
    id: "I-110",
    bug: "a page that was written to is not reported",
    before: dirtied,
    call: askBits(),
    right: bits("01"),
    wrong: ok(),
  },
  {
    id: "I-111",
    bug: "reading does not clear",
    before: [...dirtied, [askBits(), bits("01")]],
    call: askBits(),
    right: ok(),
    wrong: bits("01"),
  },
  {
    id: "I-112",
    bug: "a bit that the caller had set is lost",
    before: dirtied,
    call: askBits({ prefill: "80" }),
    right: bits("81"),
    wrong: bits("01"),
  },
  {
    id: "I-113",
    bug: "the second half of a range tells of the first",
    before: [...tracked, [askBits(NO_CLEAR), ok()]],
    call: askBits({ ...NO_CLEAR, iova: AT + UNIT, length: UNIT }),
    right: ok(),
    wrong: bits("01"),
  },
  {
    id: "I-114",
    bug: "a coarse bit is only that of the first page",
    before: [...tracked, [askBits(NO_CLEAR), bits("02")]],
    call: askBits({ ...NO_CLEAR, page_size: PAGE }),
    right: bits("01"),
    wrong: ok(),
  },
  {
    id: "I-115",
    bug: "what was dirty before is so after tracking was switched off and on",
    before: [...dirtied, track(0), track(1)],
    call: askBits(),
    right: ok(),
    wrong: bits("01"),
  },
  {
    id: "I-116",
    bug: "a bad entry is counted as taken",
    before: [...start, made(5, 1), made(6, 0, 5, NESTED)],
    call: ask("HWPT_INVALIDATE", {
      hwpt_id: 6,
      data_uptr: 1n,
      data_type: 0xdead_beef,
      entry_len: 8,
      entry_num: 3,
      data: entries(0, 1, 0, 99, 0, 2),
    }),
    right: failed("EINVAL", { entry_num: 1 }),
    wrong: failed("EINVAL", { entry_num: 2 }),
  },
  {
    id: "I-117",
    bug: "a parent goes before its nested HWPT",
    before: [...start, made(5, 1), made(6, 0, 5, NESTED)],
    call: destroy(5)[0],
    right: failed("EBUSY"),
    wrong: ok(),
  },
  {
    id: "I-50",
    bug: "an IOAS stays busy when the last page table is gone",
    before: [...start, made(5), destroy(5), destroy(2)],
    call: destroy(1)[0],
    right: ok(),
    wrong: failed("EBUSY"),
  },
  {
    id: "I-52",
    bug: "a nested HWPT has translations of its own",
    before: [...start, made(5, 1), made(6, 0, 5, NESTED)],
    call: ask("TRANSLATE", { hwpt_id: 6, last: 0xffff_ffffn }),
    right: failed("ENOENT"),
    wrong: ok({ runs: [] }),
  },
];

/** What nobody says of pages that were unmapped, or of a bitmap that could not be stored. */
export const OPEN_TABLES = [
  {
    open: "a page that was unmapped and comes back",
    before: [...dirtied, unmap(1, AT, PAGE), map(1, AT, PAGE)],
    call: askBits(),
    answers: [ok(), bits("01")],
  },
  {
    open: "a page whose bit could not be stored",
    before: [...dirtied, [askBits({ prefill: "" }), ok()] as const],
    call: askBits(),
    answers: [ok(), bits("01")],
  },
  {
    open: "an invalidation on a file that is not open",
    before: start,
    call: ask("HWPT_INVALIDATE", { hwpt_id: 6, data_uptr: 1n, entry_len: 8, entry_num: 1 }),
    answers: [failed("EBADF"), failed("ENOENT", { entry_num: 0 })],
  },
] as const;
