/** In-kernel users with many pins at once, and the memory that they reach when it was replaced. */
import { Handle } from "../../../spec/handle";
import { ACCESS_PAGES_WRITE, ACCESS_RW_SLOW_PATH, ACCESS_RW_WRITE } from "../../../spec/uapi/flags";
import type { Bytes } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeRefs } from "../probes";
import { PAGE } from "../values";
import { attach, freshMotif, look, map, PLACE, start } from "./steps";
import { fork, letGo, newAccess, pin, rw } from "./users";

/** `page` pages behind the start of a region, and `add` bytes. */
const pageOf = (region: string, page: bigint, add = 0n): Handle =>
  new Handle(region, "", start(region).add + page * PAGE + add);

/** The process gets other pages there, with other bytes. */
const replace = (c: Composer, region: string, page: bigint, pages: bigint): void => {
  const va = pageOf(region, page);
  const kind = c.draw.of("anon-shared" as const, "anon-private" as const);
  c.make({ call: "MMAP", in: { va, length: (pages * PAGE) as Bytes, prot: "rw", kind } });
  for (let i = 0n; i < pages; i++) {
    c.make({ call: "MEM_WRITE", in: { va: pageOf(region, page + i), bytes: "5eed0123" } });
  }
};

const readBack = (c: Composer, region: string, pages: bigint): void => {
  for (let page = 0n; page < pages; page++) {
    c.look({ call: "MEM_READ", in: { va: pageOf(region, page), length: 4 } });
  }
};

const ways = (c: Composer): number =>
  c.draw.of(0, ACCESS_RW_WRITE) | c.draw.of(0, ACCESS_RW_SLOW_PATH);

export const HOLDERS: readonly Aim[] = [
  // ACC-14: several pins of one user at once, let go of in any order, with new ones in between.
  freshMotif("pins-in-any-order", 1, ["ACCESS_PAGES", "DESTROY_ACCESS_PAGES"], (c, ioas) => {
    const { draw } = c;
    map(c, ioas, { va: start("buf0"), bytes: 4n * PAGE, at: PLACE });
    if (draw.chance(30)) attach(c, ioas);
    const user = newAccess(c, ioas);
    if (user === undefined) return;
    const pins: number[] = [];
    const hold = (): void => {
      const [first, pages] = [draw.int(0, 2), draw.int(1, 2)];
      pins.push(pin(c, user, PLACE + PAGE * BigInt(first), PAGE * BigInt(pages)));
    };
    const release = (): void => {
      for (const item of pins.splice(draw.int(0, pins.length - 1), 1)) letGo(c, user, item);
    };
    hold();
    hold();
    for (let n = draw.int(1, 2); n > 0; n--) {
      release();
      hold();
    }
    probeRefs(c, ioas.fd, start("buf0"), (4n * PAGE) as Bytes);
    while (pins.length > 0) release();
    probeRefs(c, ioas.fd, start("buf0"), (4n * PAGE) as Bytes);
  }),
  // ACC-15, ACC-22, PIN-04: a user of what a domain has pinned, while the process has other pages
  // there by now.
  freshMotif("pinned-to-the-old", 2, ["MMAP", "ACCESS_PAGES"], (c, ioas) => {
    const { draw } = c;
    const region = draw.of("buf0", "buf1");
    map(c, ioas, { va: start(region), bytes: 3n * PAGE, at: PLACE });
    attach(c, ioas);
    replace(c, region, BigInt(draw.int(0, 1)), BigInt(draw.int(1, 2)));
    const user = newAccess(c, ioas);
    if (user === undefined) return;
    for (let n = draw.int(1, 3); n > 0; n--) {
      const page = BigInt(draw.int(0, 2));
      const bytes = PAGE * BigInt(draw.int(1, 3 - Number(page)));
      const shown = draw.chance(60) ? pageOf(region, page) : undefined;
      const item = pin(c, user, PLACE + page * PAGE, bytes, draw.of(0, ACCESS_PAGES_WRITE), shown);
      probeRefs(c, ioas.fd, start(region), (3n * PAGE) as Bytes);
      if (draw.chance(70)) letGo(c, user, item);
    }
    rw(c, user, PLACE + draw.of(0n, PAGE - 5n), draw.of(16, 4100, 8192), ways(c));
    readBack(c, region, 3n);
    look(c, ioas);
  }),
  // ACC-22, MAP-33: bytes across mappings of two processes, of which one has other pages by now, or
  // lacks one: each mapping goes its own way.
  freshMotif("own-and-foreign", 3, ["FORK", "CREATE_ACCESS", "ACCESS_RW"], (c, ioas) => {
    const { draw } = c;
    const parent = c.proc;
    for (const region of ["buf0", "buf1"]) {
      c.make({ call: "MEM_WRITE", in: { va: start(region), bytes: "aa55aa55" } });
    }
    // Both processes have its file.
    const user = newAccess(c, ioas, 0);
    const child = fork(c);
    if (user === undefined || child === undefined) return;
    const as = (proc: number, make: () => void): void => {
      c.proc = proc;
      make();
      c.proc = parent;
    };
    const owners = draw.of([parent, child] as const, [child, parent] as const);
    if (draw.chance(75)) attach(c, ioas);
    const regions = ["buf0", "buf1"] as const;
    for (const [i, region] of regions.entries()) {
      const at = PLACE + PAGE * BigInt(2 * i);
      as(owners[i] ?? parent, () => map(c, ioas, { va: start(region), bytes: 2n * PAGE, at }));
    }
    const changed = regions.filter(() => draw.chance(70));
    for (const region of changed) {
      as(owners[regions.indexOf(region)] ?? parent, () => {
        if (draw.chance(70)) replace(c, region, 0n, 2n);
        else c.make({ call: "MUNMAP", in: { va: pageOf(region, 1n), length: PAGE as Bytes } });
      });
    }
    for (let n = draw.int(2, 4); n > 0; n--) {
      const [from, bytes] = draw.of([0n, 0x4000], [0n, 0x3000], [PAGE - 5n, 0x2800], [8176n, 32]);
      as(draw.of(parent, child), () => rw(c, user, PLACE + from, bytes, ways(c)));
      for (const proc of [parent, child]) as(proc, () => readBack(c, draw.of("buf0", "buf1"), 2n));
    }
    as(child, () => {
      if (draw.chance(80)) c.make({ call: "EXIT", in: {} });
    });
    for (const region of changed) {
      const whole = { va: start(region), length: (2n * PAGE) as Bytes };
      c.make({ call: "MMAP", in: { ...whole, prot: "rw", kind: "anon-shared" } });
    }
  }),
].map((aim): Aim => ({ ...aim, family: "access" }));
