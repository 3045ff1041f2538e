/** The IOPTE table alone: against the same table in C, and against the memory that it fills. */
import { NodePool } from "../impl/radix/node-pool";
import { RadixTable } from "../impl/radix/radix-table";
import type { Figure } from "./figures";
import type { InC, TableTimes } from "./in-c";
import { bytesOf, type Effort, race } from "./measure";
import { shuffled } from "./shuffled";

const STEP = 8;
/** 1 GiB of 4 KiB pages, at a high IOVA so that all four levels take part. */
const PAGES = 2 ** 18;
const BASE = 0x8123c0000;
/** Entries of 4 KiB only: contiguous memory must not make this too easy. */
const NO_LARGE = 0;

// Loops of so many pages at a time: what is in a loop that never ends is compiled worse.
const CHUNK = 1024;

const mapEach = (table: RadixTable, from: number, end: number): void => {
  for (let i = from; i < end; i += 1) table.setRun(BASE + i, 1, STEP * i + STEP, NO_LARGE);
};

const lookUpEach = (table: RadixTable, from: number, end: number): number => {
  let sum = 0;
  for (let i = from; i < end; i += 1) sum += table.get(BASE + i);
  return sum;
};

const lookUpAll = (table: RadixTable, order: Uint32Array, from: number, end: number): number => {
  let sum = 0;
  for (let i = from; i < end; i += 1) sum += table.get(BASE + (order[i] ?? 0));
  return sum;
};

const contenders = (table: RadixTable, sink: { sum: number }) => {
  const order = shuffled(PAGES, "order");
  const map = (): void => table.setRun(BASE, PAGES, STEP, NO_LARGE);
  const unmap = (): void => table.clearRun(BASE, PAGES);
  return [
    { name: "map", run: map, undo: unmap },
    {
      name: "mapOne",
      run: () => {
        for (let i = 0; i < PAGES; i += CHUNK) mapEach(table, i, i + CHUNK);
      },
      undo: unmap,
    },
    {
      name: "lookUp",
      run: () => {
        for (let i = 0; i < PAGES; i += CHUNK) sink.sum += lookUpEach(table, i, i + CHUNK);
      },
    },
    {
      name: "lookUpRandom",
      run: () => {
        for (let i = 0; i < PAGES; i += CHUNK) sink.sum += lookUpAll(table, order, i, i + CHUNK);
      },
    },
    { name: "unmap", run: unmap, undo: map },
  ];
};

const timesHere = (table: RadixTable, sink: { sum: number }, effort: Effort): TableTimes => {
  const [map, mapOne, lookUp, lookUpRandom, unmap] = contenders(table, sink);
  if (!map || !mapOne || !lookUp || !lookUpRandom || !unmap) throw new Error("five contenders");
  const perPage = (times: Map<string, number>, name: string): number =>
    (times.get(name) ?? Number.NaN) / PAGES;
  const empty = race([map, mapOne], effort);
  map.run();
  const full = race([lookUp, lookUpRandom, unmap], effort);
  unmap.run();
  return {
    map: perPage(empty, "map"),
    mapOne: perPage(empty, "mapOne"),
    lookUp: perPage(full, "lookUp"),
    lookUpRandom: perPage(full, "lookUpRandom"),
    unmap: perPage(full, "unmap"),
  };
};

const least = (a: TableTimes, b: TableTimes): TableTimes => ({
  map: Math.min(a.map, b.map),
  mapOne: Math.min(a.mapOne, b.mapOne),
  lookUp: Math.min(a.lookUp, b.lookUp),
  lookUpRandom: Math.min(a.lookUpRandom, b.lookUpRandom),
  unmap: Math.min(a.unmap, b.unmap),
});

const LIMITS: TableTimes = { map: 3, mapOne: 3, lookUp: 3, lookUpRandom: 3, unmap: 5 };
const NAMES: { readonly [K in keyof TableTimes]: string } = {
  map: "map a range",
  mapOne: "map page by page",
  lookUp: "look up in order",
  lookUpRandom: "look up at random",
  unmap: "unmap a range",
};

/** What it costs to have a table at all: a new one, a few pages, and gone. */
const tinyTrace = (pool: NodePool): void => {
  const table = new RadixTable(pool, STEP);
  table.setRun(0x1000, 4, STEP, NO_LARGE);
  table.setRun(0x2000, 2, STEP, NO_LARGE);
  table.clearRun(0x1000, 4);
  table.dispose();
};

export const benchTable = (c: InC | undefined, effort: Effort): Figure[] => {
  const pool = new NodePool();
  const table = new RadixTable(pool, STEP);
  const sink = { sum: 0 };
  let here = timesHere(table, sink, effort);
  let inC = c?.table(PAGES, 4);
  for (let i = 0; i < 2; i += 1) {
    const again = c?.table(PAGES, 4);
    if (inC !== undefined && again !== undefined) inC = least(inC, again);
    here = least(here, timesHere(table, sink, effort));
  }

  const words = new Float64Array(PAGES);
  const bandwidth = race([{ name: "fill", run: () => words.fill(sink.sum % 7) }], effort);
  const perWord = (bandwidth.get("fill") ?? Number.NaN) / PAGES;
  const tiny = race([{ name: "tiny", run: () => tinyTrace(pool) }], effort).get("tiny");

  const names = Object.keys(NAMES) as (keyof TableTimes)[];
  const figures: Figure[] = names.flatMap((name) => {
    const title = `IOPTE table: ${NAMES[name]}`;
    const time: Figure = { name: title, value: here[name], unit: "ns/page" };
    if (inC === undefined) return [time];
    const value = here[name] / inC[name];
    return [time, { name: `${title}, against C`, value, unit: "x", atMost: LIMITS[name] }];
  });
  figures.push(
    {
      name: "IOPTE table: map a range, against filling memory",
      value: here.map / perWord,
      unit: "x",
    },
    {
      name: "IOPTE table: a new one with a few pages",
      value: (tiny ?? Number.NaN) / 1000,
      unit: "µs",
      atMost: 2,
    },
  );
  const bytes = bytesOf(() => {
    const full = new RadixTable(new NodePool(), STEP);
    full.setRun(BASE, 16 * PAGES, STEP, NO_LARGE);
    return full;
  });
  if (bytes !== undefined) {
    const value = bytes / (16 * PAGES);
    figures.push({
      name: "IOPTE table: memory when full",
      value,
      unit: "bytes/IOPTE",
      atMost: 8.5,
    });
  }
  return figures;
};
