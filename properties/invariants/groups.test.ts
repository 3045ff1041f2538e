/** Section E, each invariant with a planted bug. Devices 2 and 3 share a group. */
import { VFIO_PLATFORM } from "../../spec/platform";
import { I_63 } from "./failure";
import { GROUPS } from "./groups";
import {
  answerRanges,
  ask,
  askAttach,
  askDetach,
  askRanges,
  attach,
  BUF0,
  bind,
  close,
  detach,
  dma,
  EVERYTHING,
  failed,
  ioas,
  map,
  ok,
  open,
  type Story,
  testStories,
} from "./stream";

const platform = VFIO_PLATFORM;
const IOVA = 0x100_0000n;
const start = [open(), ioas(1), ioas(2)];
/** With the MSI region of every device; the second also with the region of device 3 alone. */
const MSI = [
  [0n, 0xfedf_ffffn],
  [0xfef0_0000n, 0xffff_ffff_ffffn],
] as const;
const MSI_AND_OWN = [[0n, 0x1ff_ffffn], [0x201_0000n, 0xfedf_ffffn], MSI[1]] as const;
const read = ask("MEM_READ", { va: BUF0, length: 8 });

const STORIES: readonly Story[] = [
  {
    id: "I-60",
    bug: "two contexts own one group",
    platform,
    before: [
      ...start,
      open(4),
      ...bind(2, 5),
      [ask("DEVICE_OPEN", { dev: 3 }), ok({ devfd: 103 })],
    ],
    call: ask("VFIO_BIND", { devfd: 103, argsz: 16, iommufd: 4 }),
    right: failed("EPERM"),
    wrong: ok({ out_devid: 1 }),
  },
  {
    id: "I-60",
    bug: "a group stays owned after its context has ended",
    platform,
    before: [
      open(4),
      ...start,
      ...bind(0, 5),
      ...bind(2, 6),
      [ask("DEVICE_CLOSE", { devfd: 100 }), ok()],
      [ask("DEVICE_CLOSE", { devfd: 102 }), ok()],
      close(),
      ...bind(2, 1, 4),
      [ask("DEVICE_OPEN", { dev: 3 }), ok({ devfd: 103 })],
      [ask("VFIO_BIND", { devfd: 103, argsz: 16, iommufd: 4 }), ok({ out_devid: 2 })],
      open(),
      [ask("DEVICE_OPEN", { dev: 0 }), ok({ devfd: 100 })],
    ],
    call: ask("VFIO_BIND", { devfd: 100, argsz: 16, iommufd: 3 }),
    right: ok({ out_devid: 5 }),
    wrong: failed("EPERM"),
  },
  {
    id: "I-61",
    bug: "two devices of a group on two HWPTs",
    platform,
    before: [...start, ...bind(2, 5), ...bind(3, 6), attach(2, 1, 7)],
    call: askAttach(3, 1),
    right: ok({ pt_id: 7 }),
    wrong: ok({ pt_id: 8 }),
  },
  {
    id: "I-62",
    bug: "a device that was moved leaves its reserved region",
    platform,
    before: [
      ...start,
      ...bind(0, 5),
      attach(0, 1, 6),
      ...bind(3, 7),
      attach(3, 1, 6),
      attach(3, 2, 8),
    ],
    call: askRanges(1),
    right: answerRanges(MSI, 4096n),
    wrong: answerRanges(MSI_AND_OWN, 4096n),
  },
  {
    id: "I-63",
    bug: "a replace that fails leaves reserved regions in the new IOAS",
    platform,
    before: [
      ...start,
      ...bind(0, 5),
      attach(0, 1, 6),
      [askRanges(2), answerRanges(EVERYTHING, 1n)],
      [askRanges(1), answerRanges(MSI, 4096n)],
      [askAttach(0, 2), failed("ENOMEM")],
    ],
    call: askRanges(1),
    right: answerRanges(MSI, 4096n),
    wrong: answerRanges([...MSI].slice(1), 4096n),
  },
  {
    id: "I-64",
    bug: "the second device's region is not reserved",
    platform,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), ...bind(3, 7), attach(3, 1, 6)],
    call: askRanges(1),
    right: answerRanges(MSI_AND_OWN, 4096n),
    wrong: answerRanges(MSI, 4096n),
  },
  {
    id: "I-65",
    bug: "a bind reserves the device's regions",
    platform,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), ...bind(3, 7)],
    call: askRanges(1),
    right: answerRanges(MSI, 4096n),
    wrong: answerRanges(MSI_AND_OWN, 4096n),
  },
  {
    id: "I-66",
    bug: "detach fails",
    platform,
    before: [...start, ...bind(0, 5), attach(0, 1, 6)],
    call: askDetach(0),
    right: ok(),
    wrong: failed("EINVAL"),
  },
  {
    id: "I-66",
    bug: "detach leaves the aperture behind",
    platform,
    before: [
      ...start,
      ...bind(4, 5),
      [askRanges(1), answerRanges(EVERYTHING, 1n)],
      attach(4, 1, 6),
      detach(4),
    ],
    call: askRanges(1),
    right: answerRanges(EVERYTHING, 1n),
    wrong: answerRanges([[0x1000n, 0x7f_ffff_ffffn]], 1n),
  },
  {
    id: "I-67",
    bug: "a DMA reaches past the end of a mapping",
    platform,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), map(1, IOVA, 0x1000n)],
    call: dma(0, "to_device", IOVA + 0xffcn),
    right: ok({ fault: 1 }),
    wrong: ok({ fault: 0 }),
  },
  {
    id: "I-67",
    bug: "a device that is not attached reaches memory",
    platform,
    before: [...start, ...bind(0, 5), attach(0, 1, 6), map(1, IOVA, 0x1000n), ...bind(1, 7)],
    call: dma(1, "to_device", IOVA),
    right: ok({ fault: 1 }),
    wrong: ok({ fault: 0 }),
  },
  {
    id: "I-67",
    bug: "a blocked DMA changes memory",
    platform,
    before: [
      ...start,
      ...bind(0, 5),
      attach(0, 1, 6),
      map(1, IOVA, 0x1000n, BUF0, 5),
      [ask("MEM_WRITE", { va: BUF0, bytes: "01020304" }), ok()],
      [dma(0, "from_device", IOVA), ok({ fault: 1 })],
    ],
    call: read,
    right: ok({ bytes: "0102030400000000" }),
    wrong: ok({ bytes: "0102030400000001" }),
  },
];

testStories([...GROUPS, I_63], STORIES);
