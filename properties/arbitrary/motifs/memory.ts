/** Pages behind mappings: replaced, shared, many, and pinned several times. */
import { Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import { MAP_READABLE, MAP_WRITEABLE } from "../../../spec/uapi/flags";
import type { Bytes, Iova, UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import { probeProcess, probeRefs } from "../probes";
import { PAGE, pinsAt, size, TABLE_EDGES } from "../values";
import { userVaOf } from "../view";
import {
  attach,
  copy,
  fresh,
  freshMotif,
  look,
  map,
  motif,
  now,
  PLACE,
  RW,
  start,
  unmap,
} from "./steps";

/** Far from the memory that every process has. */
const LARGE_BUFFER = 0x2000_1000_0000n as UserVa;
const LARGE = 0x40_0000n as Bytes;

export const MEMORY: readonly Aim[] = [
  // MAP-30, PIN-04, DOM-08, CPY-31: the memory behind a pinned mapping is replaced.
  {
    name: "replaced-memory",
    weight: 2,
    calls: ["MMAP", "MUNMAP"],
    make: (c, scene) => {
      const { draw } = c;
      const ioas = draw.pick(scene.ioases.filter((i) => i.hwpts.length > 0 && i.areas.length > 0));
      const area = draw.pick(ioas?.areas ?? []);
      if (ioas === undefined || area === undefined || size(area) > 16n * PAGE) return false;
      const va = userVaOf(area);
      // Arguments of other calls live there.
      if (va < SCRATCH.va + SCRATCH.length && SCRATCH.va < va + size(area)) return false;
      const first = (va - (va % PAGE)) as UserVa;
      const length = (((va + size(area) - first + PAGE - 1n) / PAGE) * PAGE) as Bytes;
      if (draw.chance(60)) {
        c.make({ call: "MMAP", in: { va: first, length, prot: "rw", kind: "anon-shared" } });
      } else {
        c.make({ call: "MUNMAP", in: { va: first, length } });
      }
      probeRefs(c, ioas.fd, first, length);
      look(c, ioas);
      const into = draw.chance(50) ? ioas : fresh(c, ioas.fd);
      if (into === undefined) return true;
      if (into !== ioas && draw.chance(60)) attach(c, into);
      const from = c.inArea(ioas.fd, ioas.id, area.first, 0n);
      copy(c, into, { src: ioas, from, bytes: size(area), flags: MAP_READABLE });
      look(c, into);
      if (draw.chance(60)) attach(c, ioas);
      look(c, ioas);
      return true;
    },
  },
  // MAP-31: private memory that is mapped for reading is the device's own page from then on.
  motif("read-only-private", 1, ["IOAS_MAP", "MEM_WRITE"], (c, ioas) => {
    map(c, ioas, { va: start("buf1"), bytes: PAGE, flags: MAP_READABLE });
    if (now(c, ioas)?.hwpts.length === 0) attach(c, ioas);
    look(c, ioas);
    c.make({ call: "MEM_WRITE", in: { va: start("buf1"), bytes: "c0ffee00" } });
    look(c, ioas);
  }),
  // CPY-10, CPY-25, UNM-21, I-75: neighbours copied as one, whatever each of them permits, then
  // unmapped piece by piece.
  freshMotif("neighbours", 1.5, ["IOAS_MAP", "IOAS_COPY"], (c, ioas) => {
    const { draw } = c;
    const flags = (): number => draw.of(RW, RW, RW, MAP_READABLE);
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE, flags: flags() });
    map(c, ioas, { va: start("buf4"), bytes: 2n * PAGE, at: PLACE + 2n * PAGE, flags: flags() });
    if (draw.chance(50)) attach(c, ioas);
    const to = PLACE + 16n * PAGE;
    // From the start of the first of them or from within it, to the end of the second or within it.
    const skipped = draw.of(0n, PAGE);
    const bytes = draw.of(3n, 4n) * PAGE - skipped;
    copy(c, ioas, { src: ioas, from: PLACE + skipped, bytes, at: to });
    look(c, ioas);
    const first = 2n * PAGE - skipped;
    unmap(c, ioas, to, first + PAGE / 2n);
    unmap(c, ioas, to + first, bytes - first);
    unmap(c, ioas, to, first);
    look(c, ioas);
  }),
  // CPY-11, CPY-12, CPY-28: the second of two pieces cannot be pinned, or begins inside a unit; so
  // nothing of the first is left.
  freshMotif("half-copied", 0.5, ["IOAS_COPY"], (c, src) => {
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    map(c, src, { va: start("buf0"), bytes: PAGE, at: PLACE });
    const bad = c.draw.of(start("buf3"), new Handle("buf4", "", 1n));
    map(c, src, { va: bad, bytes: PAGE, at: PLACE + PAGE });
    attach(c, dst);
    copy(c, dst, { src, from: PLACE, bytes: 2n * PAGE, at: PLACE });
    look(c, dst);
    probeRefs(c, dst.fd, start("buf0"), PAGE as Bytes);
    copy(c, dst, { src, from: PLACE, bytes: PAGE, at: PLACE });
    look(c, dst);
  }),
  // CPY-22, CPY-24, MAP-22: a page behind the first 4 GiB of a mapping, of which nothing else is there.
  freshMotif("far-page", 0.3, ["IOAS_COPY"], (c, src) => {
    const far = 1n << 32n;
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    map(c, src, { va: new Handle("buf0", "", -far), bytes: far + 4n * PAGE, at: PLACE });
    attach(c, dst);
    copy(c, dst, { src, from: PLACE + far + PAGE, bytes: 2n * PAGE, at: PLACE });
    unmap(c, src, PLACE, far + 4n * PAGE);
    look(c, dst);
    probeRefs(c, dst.fd, new Handle("buf0", "", 0n), (4n * PAGE) as Bytes);
  }),
  // CPY-11, CPY-26, CPY-32: what was mapped at an odd IOVA, or at an odd place in its page, goes to
  // where only whole units are mapped.
  freshMotif("odd-source", 0.7, ["IOAS_COPY"], (c, src) => {
    const { draw } = c;
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    const at = PLACE + draw.of(1n, 0n);
    map(c, src, { va: new Handle("buf0", "", draw.of(0n, 1n)), bytes: 2n * PAGE, at });
    if (draw.chance(80)) attach(c, dst);
    copy(c, dst, { src, from: at, bytes: PAGE });
    copy(c, dst, { src, from: at + draw.of(PAGE, 1n), bytes: PAGE, at: PLACE });
    copy(c, { ...dst, id: 0 }, { src, from: at, bytes: draw.of(0n, 4n * PAGE) });
    look(c, dst);
  }),
  // PIN-02, TST-04: one page, mapped several times, has a pin for each.
  freshMotif("pinned-often", 0.5, ["MD_CHECK_REFS"], (c, ioas) => {
    const { draw } = c;
    const [region] = c.platform.processes[0]?.memory ?? [];
    if (region === undefined) return;
    const va = (region.va + 2n * PAGE) as UserVa;
    attach(c, ioas);
    for (let n = draw.int(2, 4); n > 0; n--) map(c, ioas, { va, bytes: PAGE });
    const check = (): void => {
      const args = { uptr: va, length: PAGE as Bytes, refs: pinsAt(c, va) };
      c.look({ call: "MD_CHECK_REFS", fd: c.iommufd(ioas.fd), in: args });
    };
    check();
    const [area] = now(c, ioas)?.areas ?? [];
    if (area === undefined) return;
    unmap(c, ioas, c.inArea(ioas.fd, ioas.id, area.first, 0n), size(area));
    check();
  }),
  // MAP-23, DOM-08, DOM-09: many pages of which no two neighbours were made one after the other, so
  // that they lie apart.
  freshMotif("scattered-memory", 0.15, ["MMAP", "IOAS_MAP", "MEM_WRITE"], (c, ioas) => {
    const { draw } = c;
    const length = (72n * PAGE) as Bytes;
    const memory = { va: LARGE_BUFFER, length, prot: "rw", kind: "anon-shared" } as const;
    c.make({ call: "MMAP", in: memory });
    for (let page = 1n; page < 70n; page += 2n) {
      const va = (LARGE_BUFFER + PAGE * page) as UserVa;
      c.make({ call: "MEM_WRITE", in: { va, bytes: "01" } });
    }
    const early = draw.chance(50);
    if (early) attach(c, ioas);
    const flags = draw.of(RW, MAP_READABLE, MAP_WRITEABLE);
    map(c, ioas, { va: LARGE_BUFFER, bytes: 70n * PAGE, at: PLACE, flags });
    attach(c, ioas);
    look(c, ioas);
    const at = PLACE + 128n * PAGE;
    copy(c, ioas, { src: ioas, from: PLACE + 7n * PAGE, bytes: 60n * PAGE, flags, at });
    unmap(c, ioas, PLACE, 70n * PAGE);
    look(c, ioas);
  }),
  // MAP-23, UNM-25, ACT-04: more pages than one table of an IOMMU holds, across the edges of
  // tables, whole and in parts.
  freshMotif("large-buffer", 0.2, ["MMAP", "IOAS_MAP"], (c, ioas) => {
    const { draw } = c;
    const memory = { va: LARGE_BUFFER, length: LARGE, prot: "rw", kind: "anon-shared" } as const;
    c.make({ call: "MMAP", in: memory });
    const early = draw.chance(50);
    if (early) attach(c, ioas);
    const pages = BigInt(draw.of(101, 512, 513, 1024));
    const at = draw.of(...TABLE_EDGES) - PAGE * BigInt(draw.of(1, 100, 512));
    map(c, ioas, { va: LARGE_BUFFER, bytes: PAGE * pages, at });
    const beside = { va: start("buf0"), bytes: PAGE * draw.of(16n, 17n), at: at + PAGE * pages };
    map(c, ioas, beside);
    if (!early) attach(c, ioas);
    look(c, ioas);
    probeProcess(c);
    probeRefs(c, ioas.fd, LARGE_BUFFER, LARGE);
    unmap(c, ioas, at, PAGE * pages);
    look(c, ioas);
    probeRefs(c, ioas.fd, LARGE_BUFFER, LARGE);
    if (draw.chance(50)) c.make({ call: "MUNMAP", in: { va: LARGE_BUFFER, length: LARGE } });
  }),
  // MAP-23, DOM-08: an IOVA where a large entry could begin, but not for this memory, and a part of
  // the memory once more elsewhere.
  freshMotif("large-but-shifted", 0.3, ["MMAP", "IOAS_MAP"], (c, ioas) => {
    const { draw } = c;
    const memory = { va: LARGE_BUFFER, length: LARGE, prot: "rw", kind: "anon-shared" } as const;
    c.make({ call: "MMAP", in: memory });
    const va = (LARGE_BUFFER + PAGE * draw.of(1n, 2n, 3n, 256n, 511n)) as UserVa;
    const bytes = PAGE * draw.of(512n, 513n);
    const at = draw.of(0x120_0000n, 0x110_0000n, 0x4000_0000n);
    const early = draw.chance(50);
    if (early) attach(c, ioas);
    map(c, ioas, { va, bytes, at });
    if (!early) attach(c, ioas);
    const page = PAGE * draw.of(0n, 1n, 256n);
    map(c, ioas, { va: (va + page) as UserVa, bytes: 2n * PAGE, at: PLACE });
    look(c, ioas);
    const hwpt = now(c, ioas)?.hwpts.at(-1);
    if (hwpt !== undefined && c.can("MD_CHECK_MAP")) {
      const range = {
        iova: (at + page) as Iova,
        length: PAGE as Bytes,
        uptr: (va + page) as UserVa,
      };
      const args = { hwpt_id: c.object(ioas.fd, hwpt), ...range };
      c.look({ call: "MD_CHECK_MAP", fd: c.iommufd(ioas.fd), in: args });
    }
    const cdev = c.scene.cdevs.findLast((one) => one.fd === ioas.fd && one.ioas === ioas.id);
    if (cdev !== undefined && c.can("DMA")) {
      const load = { devfd: c.cdev(cdev.devfd), iova: (at + page) as Iova, length: 4 };
      c.make({ call: "MEM_WRITE", in: { va: (va + page) as UserVa, bytes: "c0ffee01" } });
      c.make({ call: "DMA", in: { ...load, dir: "to_device" } });
    }
    probeRefs(c, ioas.fd, LARGE_BUFFER, LARGE);
    unmap(c, ioas, at, bytes);
    look(c, ioas);
    c.make({ call: "MUNMAP", in: { va: LARGE_BUFFER, length: LARGE } });
  }),
  // CPY-10, CPY-24, UNM-21: mappings across 4 GiB, where an IOVA no longer fits 32 bits.
  freshMotif("across-4-gib", 0.7, ["IOAS_MAP", "IOAS_COPY"], (c, src) => {
    const { draw } = c;
    const border = 1n << 32n;
    const from = border - PAGE * draw.of(1n, 2n);
    map(c, src, { va: start("buf0"), bytes: 4n * PAGE, at: from });
    const dst = draw.chance(50) ? fresh(c, src.fd) : src;
    if (dst === undefined) return;
    if (draw.chance(40)) attach(c, dst);
    const to = draw.of(PLACE, border - PAGE, border + 8n * PAGE);
    const skipped = draw.of(0n, 0n, border - PAGE - from);
    const bytes = 4n * PAGE - skipped - draw.of(0n, PAGE);
    copy(c, dst, { src, from: from + skipped, bytes, at: to });
    look(c, dst);
    unmap(c, dst, to, draw.of(PAGE, border - from - skipped));
    unmap(c, src, draw.of(from, border), border - from);
    unmap(c, dst, to, bytes);
    look(c, dst);
    if (draw.chance(50)) unmap(c, src, from, 4n * PAGE);
    look(c, src);
  }),
  // UNM-24: an unmap that ends within a mapping has taken those before it, and nothing of that one.
  freshMotif("unmapped-in-part", 1, ["IOAS_UNMAP", "IOAS_MAP"], (c, ioas) => {
    const { draw } = c;
    const whole = 2n * PAGE;
    const count = draw.of(2n, 3n);
    const last = PLACE + whole * (count - 1n);
    for (let at = PLACE; at <= last; at += whole) {
      map(c, ioas, { va: start(draw.of("buf0", "buf4")), bytes: whole, at });
    }
    if (draw.chance(40)) attach(c, ioas);
    unmap(c, ioas, PLACE, last - PLACE + draw.of(PAGE, 1n));
    if (draw.chance(50)) look(c, ioas);
    map(c, ioas, { va: start("buf1"), bytes: draw.of(PAGE, whole), at: PLACE });
    if (draw.chance(50)) {
      copy(c, ioas, { src: ioas, from: last, bytes: whole, at: PLACE + 16n * PAGE });
    }
    unmap(c, ioas, last, whole);
    look(c, ioas);
  }),
];
