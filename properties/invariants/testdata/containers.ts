/** VFIO containers: what the ledger follows of their calls. */
import type { OpenStory } from "./open";
import {
  type Answered,
  ask,
  BUF0,
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
  unmap,
} from "./stream";

const IOVA = 0x100_0000n;
const LAST = IOVA + 0xffffn;

/** IOAS 1 as the container of the context. */
const container: Answered = [ask("VFIO_IOAS", { ioas_id: 1, op: 1 }), ok()];
const type1: Answered = [ask("VFIO_SET_IOMMU", { arg: 1n }), ok({ rc: 0 })];
const askMapDma = (iova: bigint, size: bigint, vaddr = BUF0) =>
  ask("VFIO_MAP_DMA", { argsz: 32, flags: 3, vaddr, iova, size });
const mapDma = (iova: bigint, size: bigint, vaddr = BUF0): Answered => [
  askMapDma(iova, size, vaddr),
  ok(),
];
const askUnmapDma = (iova: bigint, size: bigint, flags = 0) =>
  ask("VFIO_UNMAP_DMA", { argsz: 24, flags, iova, size });
const unmapDma = (iova: bigint, size: bigint): Answered => [askUnmapDma(iova, size), ok({ size })];

const start = [open(), ioas(1), mock(1, 2, 4)];
const lazy = [open(), ioas(1)];
const compat = [...start, container];

export const CONTAINER_STORIES: readonly Story[] = [
  {
    id: "I-30",
    bug: "a mapping of the container is not pinned",
    before: [...compat, mapDma(IOVA, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([1, 1]),
    wrong: pins([0, 1]),
  },
  {
    id: "I-32",
    bug: "the container's unmap leaves a pin",
    before: [...compat, mapDma(IOVA, 0x1000n), unmapDma(IOVA, 0x1000n)],
    call: pageRefs(BUF0),
    right: pins([0, 1]),
    wrong: pins([1, 1]),
  },
  {
    id: "I-21",
    bug: "a part of a container's mapping goes with the other",
    before: [...compat, type1, mapDma(IOVA, 0x3000n), unmapDma(IOVA + 0x1000n, 0x1000n)],
    call: translate(4, IOVA, LAST),
    right: runs([IOVA, 0x1000n, 0x5000n, 3], [IOVA + 0x2000n, 0x1000n, 0x7000n, 3]),
    wrong: runs([IOVA, 0x1000n, 0x5000n, 3]),
  },
  {
    id: "I-01",
    bug: "a container maps over a mapping",
    before: [...compat, map(1, IOVA, 0x1000n)],
    call: askMapDma(IOVA, 0x2000n),
    right: failed("EEXIST"),
    wrong: ok(),
  },
  {
    id: "I-01",
    bug: "a container finds a mapping that has gone",
    before: [...compat, map(1, IOVA, 0x1000n), unmapDma(IOVA, 0x1000n)],
    call: askMapDma(IOVA, 0x1000n),
    right: ok(),
    wrong: failed("EEXIST"),
  },
  {
    id: "I-02",
    bug: "a container maps reserved IOVAs",
    before: compat,
    call: askMapDma(0n, 0x1000n),
    right: failed("EINVAL"),
    wrong: ok(),
  },
  {
    id: "I-07",
    bug: "a container of TYPE1 is made of mappings that do not fit a page",
    before: [...lazy, container, map(1, IOVA, 0x800n)],
    call: ask("VFIO_SET_IOMMU", { arg: 1n }),
    right: failed("EADDRINUSE"),
    wrong: ok({ rc: 0 }),
  },
  {
    id: "I-08",
    bug: "a container that cannot cut does",
    before: [...compat, mapDma(IOVA, 0x2000n)],
    call: askUnmapDma(IOVA, 0x1000n),
    right: failed("ENOENT", { size: 0n }),
    wrong: ok({ size: 0x1000n }),
  },
  {
    id: "I-08",
    bug: "the size of a part is that of the whole",
    before: [...compat, type1, mapDma(IOVA, 0x2000n)],
    call: askUnmapDma(IOVA, 0x1000n),
    right: ok({ size: 0x1000n }),
    wrong: ok({ size: 0x2000n }),
  },
  {
    id: "I-08",
    bug: "what a cut left cannot be unmapped",
    before: [...compat, type1, mapDma(IOVA, 0x2000n), unmapDma(IOVA, 0x1000n)],
    call: unmap(1, IOVA + 0x1000n, 0x1000n)[0],
    right: ok({ length: 0x1000n }),
    wrong: failed("ENOENT"),
  },
  {
    id: "I-08",
    bug: "a container that finds nothing fails",
    before: compat,
    call: askUnmapDma(IOVA, 0x1000n),
    right: ok({ size: 0n }),
    wrong: failed("ENOENT"),
  },
  {
    id: "I-56",
    bug: "a container of TYPE1 says it has large pages",
    before: [...compat, type1],
    call: ask("OPTION", { option_id: 1, op: 1, object_id: 1 }),
    right: ok({ val64: 0n }),
    wrong: ok({ val64: 1n }),
  },
];

export const OPEN_CONTAINERS: readonly OpenStory[] = [
  {
    open: "which cuts a failed unmap of a container leaves (VCC-16)",
    before: [
      ...compat,
      type1,
      mapDma(IOVA, 0x2000n),
      [askUnmapDma(IOVA + 0x1000n, U64_MAX), failed("EOVERFLOW")],
    ],
    call: unmap(1, IOVA, 0x1000n)[0],
    answers: [ok({ length: 0x1000n }), failed("ENOENT")],
  },
  {
    open: "whether a container cuts goes by its option or by its type (VCC-17)",
    before: [
      ...compat,
      type1,
      [ask("OPTION", { option_id: 1, object_id: 1, val64: 1n }), ok({ val64: 1n })],
      mapDma(IOVA, 0x2000n),
    ],
    call: askUnmapDma(IOVA, 0x1000n),
    answers: [ok({ size: 0x1000n }), failed("ENOENT", { size: 0n })],
  },
];
