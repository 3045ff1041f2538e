/**
 * Where one piece of work ends and the next begins: lists of pages that are full, pages that are
 * held by somebody else, and pages that cannot be pinned after others that could.
 */
import { USUAL_MEMORY_LIMIT } from "../../../model/state/machine";
import { Handle } from "../../../spec/handle";
import { ACCESS_RW_SLOW_PATH, ACCESS_RW_WRITE } from "../../../spec/uapi/flags";
import type { Bytes } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeProcess, probeRefs } from "../probes";
import { PAGE } from "../values";
import type { IoasView } from "../view";
import { attach, copy, fresh, freshMotif, leave, look, map, PLACE, unmap } from "./steps";
import { paging } from "./tables";
import { letGo, newAccess, pin, rw } from "./users";

const HALF = PAGE / 2n;

/** TST-06: room for one run of pages at a time, or for a few. */
const inSmallBatches = (c: Composer, fd: number): void => {
  if (!c.can("SET_TEMP_MEMORY_LIMIT")) return;
  const limit = c.draw.of(12, 12, 16, 24, 36, 40);
  c.make({ call: "SET_TEMP_MEMORY_LIMIT", fd: c.iommufd(fd), in: { limit } });
};

/** `small`: how often it happens with little memory to work with, in percent. Mostly not for long. */
const batchMotif = (
  name: string,
  weight: number,
  calls: Aim["calls"],
  small: number,
  make: (c: Composer, ioas: IoasView) => void,
): Aim =>
  freshMotif(name, weight, calls, (c, ioas) => {
    if (c.draw.chance(small)) inSmallBatches(c, ioas.fd);
    make(c, ioas);
    if (c.model.state.memoryLimit === USUAL_MEMORY_LIMIT || c.draw.chance(30)) return;
    c.make({
      call: "SET_TEMP_MEMORY_LIMIT",
      fd: c.iommufd(ioas.fd),
      in: { limit: USUAL_MEMORY_LIMIT },
    });
  });

/** The last pages of the first region; behind them there is nothing. */
const atTheEnd = (c: Composer, pages: bigint): Handle => {
  const length = c.platform.processes[0]?.memory[0]?.length ?? 0n;
  return new Handle("buf0", "", length - pages * PAGE);
};

export const BATCHES: readonly Aim[] = [
  // MAP-23, PIN-01, PIN-03, ACC-22: what takes many batches, from wherever the pages come.
  batchMotif("small-batches", 3, ["SET_TEMP_MEMORY_LIMIT"], 100, (c, ioas) => {
    const { draw } = c;
    // Lists of up to 21 pages are on the stack, however little may be allocated.
    const pages = draw.of(3n, 7n, 24n, 30n);
    const offset = draw.of(0n, 0n, HALF);
    const bytes = pages * PAGE - offset - draw.of(0n, 0n, HALF);
    const isEarly = draw.chance(40);
    if (isEarly) attach(c, ioas);
    map(c, ioas, { va: new Handle("buf0", "", offset), bytes, at: PLACE });
    // An in-kernel user that pins wants whole pages.
    const user = offset === 0n && c.can("ACCESS_PAGES") ? newAccess(c, ioas) : undefined;
    const from = draw.chance(50) ? 0n : BigInt(draw.int(0, Number(pages) - 2));
    const left = pages - 1n - from;
    const held = draw.chance(60) ? left : 1n;
    const item = user && pin(c, user, PLACE + from * PAGE, held * PAGE);
    if (!isEarly && draw.chance(60)) attach(c, ioas);
    const device = c.scene.mocks.at(-1);
    if (device !== undefined && c.can("HWPT_ALLOC") && draw.chance(40)) {
      paging(c, ioas, device.idev, 0);
    }
    look(c, ioas);
    if (user !== undefined) {
      rw(c, user, PLACE + PAGE - 5n, 3 * 4096, ACCESS_RW_SLOW_PATH | draw.of(0, ACCESS_RW_WRITE));
    }
    const check = (): void => probeRefs(c, ioas.fd, new Handle("buf0"), (pages * PAGE) as Bytes);
    check();
    if (draw.chance(50)) leave(c, ioas);
    else unmap(c, ioas, PLACE, bytes);
    if (user !== undefined && item !== undefined) letGo(c, user, item);
    check();
    look(c, ioas);
  }),
  // DOM-08, ACC-15, PIN-05: pages that several mappings hold, each of them some, get one more holder.
  batchMotif("patched-together", 2, ["IOAS_COPY"], 40, (c, src) => {
    const { draw } = c;
    const dst = fresh(c, src.fd);
    if (dst === undefined) return;
    map(c, src, { va: new Handle("buf0"), bytes: 4n * PAGE, at: PLACE });
    attach(c, dst);
    const [first, second] = draw.of([0n, 2n] as const, [2n, 0n] as const, [2n, 1n] as const);
    for (const [i, from] of [first, second].entries()) {
      const at = PLACE + PAGE * BigInt(8 * i);
      copy(c, dst, { src, from: PLACE + from * PAGE, bytes: 2n * PAGE, at });
    }
    const user = c.can("ACCESS_PAGES") && draw.chance(50) ? newAccess(c, src) : undefined;
    const item = user && pin(c, user, PLACE, 4n * PAGE, 0, new Handle("buf0"));
    if (user === undefined || draw.chance(50)) attach(c, src);
    look(c, src);
    const check = (): void => probeRefs(c, src.fd, new Handle("buf0"), (4n * PAGE) as Bytes);
    check();
    unmap(c, dst, PLACE, 2n * PAGE);
    check();
    if (user !== undefined && item !== undefined) letGo(c, user, item);
    look(c, src);
    check();
  }),
  // ACC-22, TST-06: what a slow write has moved before it came to a page that is not there.
  batchMotif("written-in-part", 1.5, ["CREATE_ACCESS", "ACCESS_RW"], 55, (c, ioas) => {
    const { draw } = c;
    const pages = draw.int(1, 4);
    const va = atTheEnd(c, BigInt(pages));
    map(c, ioas, { va, bytes: PAGE * BigInt(pages + 1), at: PLACE });
    const user = newAccess(c, ioas, 0);
    if (user === undefined) return;
    const from = draw.of(0n, 0n, PAGE - 5n);
    const way = ACCESS_RW_WRITE | draw.of(ACCESS_RW_SLOW_PATH, ACCESS_RW_SLOW_PATH, 0);
    rw(c, user, PLACE + from, 4096 * pages + draw.of(0, 8, 2048), way);
    for (let page = BigInt(pages); page > 0n; page--) {
      c.look({ call: "MEM_READ", in: { va: atTheEnd(c, page), length: 4 } });
    }
  }),
  // MAP-28, ACC-10: the last page is not there, or is not to be written to, and the others may be
  // somebody's already.
  batchMotif("last-page-missing", 2, ["IOAS_MAP", "IOAS_COPY"], 50, (c, src) => {
    const { draw } = c;
    const pages = draw.of(2n, 3n, 6n);
    const isReadOnly = c.can("MPROTECT") && draw.chance(35);
    const va = atTheEnd(c, isReadOnly ? pages + 1n : pages);
    const protectLast = (prot: "r" | "rw"): void => {
      if (!isReadOnly) return;
      c.make({ call: "MPROTECT", in: { va: atTheEnd(c, 1n), length: PAGE as Bytes, prot } });
    };
    protectLast("r");
    map(c, src, { va, bytes: (pages + 1n) * PAGE, at: PLACE });
    const dst = draw.chance(50) ? fresh(c, src.fd) : undefined;
    if (dst !== undefined) {
      attach(c, dst);
      copy(c, dst, { src, from: PLACE, bytes: PAGE * draw.of(1n, 2n), at: PLACE });
    }
    const check = (): void => probeRefs(c, src.fd, va, (pages * PAGE) as Bytes);
    const user = c.can("ACCESS_PAGES") && draw.chance(70) ? newAccess(c, src) : undefined;
    if (user !== undefined) {
      pin(c, user, PLACE, (pages + 1n) * PAGE);
      check();
      letGo(c, user, pin(c, user, PLACE, pages * PAGE));
    }
    attach(c, src);
    check();
    look(c, src);
    probeProcess(c);
    protectLast("rw");
  }),
];
