/** Section B, each invariant with a planted bug. */
import { VFIO_PLATFORM } from "../../spec/platform";
import { MIRROR } from "./mirror";
import {
  type Answered,
  ask,
  attach,
  BUF0,
  bind,
  copy,
  dma,
  failed,
  ioas,
  map,
  mmap,
  mock,
  ok,
  open,
  type Run,
  runs,
  type Story,
  testStories,
  translate,
  unmap,
} from "./stream";

const IOVA = 0x100_0000n;
const LAST = IOVA + 0xffffn;
/** IOAS 1 with a domain, HWPT 4. */
const start = [open(), ioas(1), mock(1, 2, 4)];
/** Device 0 of the VFIO platform in IOAS 1, HWPT 6. */
const vfio = [open(), ioas(1), ...bind(0, 5), attach(0, 1, 6)];
const saw = (hwpt: number, ...list: readonly Run[]): Answered => [
  translate(hwpt, IOVA, LAST),
  runs(...list),
];

const STORIES: readonly Story[] = [
  {
    id: "I-20",
    bug: "the second domain lacks a mapping",
    platform: VFIO_PLATFORM,
    before: [
      open(),
      ioas(1),
      ...bind(0, 5),
      attach(0, 1, 6),
      ...bind(4, 7),
      attach(4, 1, 8),
      map(1, IOVA, 0x1000n),
      saw(6, [IOVA, 0x1000n, 0x5000n, 3]),
    ],
    call: translate(8, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3]),
    wrong: runs(),
  },
  {
    id: "I-21",
    bug: "the last byte of a mapping is not translated",
    before: [...start, map(1, IOVA, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA, 0xfffn, 0x5000n, 3]),
  },
  {
    id: "I-21",
    bug: "a byte behind a mapping is translated",
    before: [...start, map(1, IOVA, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA, 0x1001n, 0x5000n, 3]),
  },
  {
    id: "I-21",
    bug: "a device may not read what is mapped readable",
    before: [...start, map(1, IOVA, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 2]),
  },
  {
    id: "I-21",
    bug: "two pages of the process are one physical page",
    before: [...start, map(1, IOVA, 0x2000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x1000n, 0x1000n, 0x9000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x1000n, 0x1000n, 0x5000n, 3]),
  },
  {
    id: "I-21",
    bug: "two mappings of one page lead to two physical pages",
    before: [...start, map(1, IOVA, 0x1000n), map(1, IOVA + 0x2000n, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x2000n, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x2000n, 0x1000n, 0x7000n, 3]),
  },
  {
    id: "I-21",
    bug: "MD_CHECK_MAP finds a mapping that was removed",
    before: [...start, map(1, IOVA, 0x1000n), unmap(1, IOVA, 0x1000n)],
    call: ask("MD_CHECK_MAP", { hwpt_id: 4, iova: IOVA, length: 0x800n, uptr: BUF0 }),
    right: failed("EINVAL"),
    wrong: ok(),
  },
  {
    id: "I-21",
    bug: "MD_CHECK_MAP misses the second half of a page",
    before: [...start, map(1, IOVA, 0x1000n)],
    call: ask("MD_CHECK_MAP", {
      hwpt_id: 4,
      iova: IOVA + 0x800n,
      length: 0x800n,
      uptr: BUF0 + 0x800n,
    }),
    right: ok(),
    wrong: failed("EINVAL"),
  },
  {
    id: "I-21",
    bug: "a DMA to mapped memory faults",
    platform: VFIO_PLATFORM,
    before: [...vfio, map(1, IOVA, 0x1000n)],
    call: dma(0, "from_device", IOVA + 0xff8n),
    right: ok({ fault: 0 }),
    wrong: ok({ fault: 1 }),
  },
  {
    id: "I-22",
    bug: "a translation survives the unmap",
    before: [...start, map(1, IOVA, 0x1000n), unmap(1, IOVA, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs(),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3]),
  },
  {
    id: "I-24",
    bug: "a device reads a byte that is not in memory",
    platform: VFIO_PLATFORM,
    before: [
      ...vfio,
      map(1, IOVA, 0x1000n),
      [ask("MEM_WRITE", { va: BUF0 + 4n, bytes: "a1b2" }), ok()],
    ],
    call: dma(0, "to_device", IOVA),
    right: ok({ fault: 0, bytes: "00000000a1b20000" }),
    wrong: ok({ fault: 0, bytes: "00000000a1b30000" }),
  },
  {
    id: "I-25",
    bug: "a pinned page follows its user address to new memory",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      saw(4, [IOVA, 0x1000n, 0x5000n, 3]),
      mmap(BUF0, 0x1000n),
    ],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x7000n, 3]),
  },
  {
    id: "I-25",
    bug: "a copy pins the memory anew",
    before: [
      ...start,
      map(1, IOVA, 0x1000n),
      saw(4, [IOVA, 0x1000n, 0x5000n, 3]),
      mmap(BUF0, 0x1000n),
      copy([1, IOVA], [1, IOVA + 0x4000n], 0x1000n),
    ],
    call: translate(4, IOVA + 0x4000n, LAST),
    right: runs([IOVA + 0x4000n, 0x1000n, 0x5000n, 3]),
    wrong: runs([IOVA + 0x4000n, 0x1000n, 0x7000n, 3]),
  },
  {
    id: "I-27",
    bug: "a read-only mapping is writable in the domain",
    before: [...start, map(1, IOVA, 0x1000n, BUF0, 5)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 1]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3]),
  },
  {
    id: "I-27",
    bug: "a device writes into a read-only mapping",
    platform: VFIO_PLATFORM,
    before: [
      ...vfio,
      map(1, IOVA, 0x1000n, BUF0, 5),
      map(1, IOVA + 0x1000n, 0x1000n),
      [dma(0, "from_device", IOVA + 0x1000n), ok({ fault: 0 })],
    ],
    call: dma(0, "from_device", IOVA + 0xffcn),
    right: ok({ fault: 1 }),
    wrong: ok({ fault: 0 }),
  },
];

testStories(MIRROR, STORIES);
