/** Where automatic IOVAs go when there is little room, or none. */
import { Handle } from "../../../spec/handle";
import { U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Draw } from "../draw";
import { PAGE } from "../values";
import { allow, attach, freshMotif, look, map, motif, PLACE, reserve, start, unmap } from "./steps";

/** Where a reservation begins behind a mapping, and the room behind it; `offset` of user memory. */
interface Crumb {
  readonly reserved: bigint;
  readonly room: bigint;
  readonly end: bigint;
  readonly offset: bigint;
}

const crumb = (draw: Draw): Crumb => {
  const reserved = PAGE + BigInt(draw.int(1, 8));
  const room = reserved + BigInt(draw.int(1, 4));
  return { reserved, room, end: room + BigInt(draw.int(2, 8)), offset: BigInt(draw.int(0, 15)) };
};

/**
 * The bit of the offset is clear where the reservation begins, so that setting it there leads past
 * the room, and set where the room begins, so that from there it fits.
 */
const notMonotone = (draw: Draw): Crumb => {
  const offset = 1n << BigInt(draw.int(1, 3));
  const even = PAGE + 2n * offset * BigInt(draw.int(1, 4));
  const into = draw.int(1, Number(offset) - 1);
  const room = even + offset;
  return { reserved: even + BigInt(into), room, end: room + BigInt(draw.int(2, into + 1)), offset };
};

export const PLACING: readonly Aim[] = [
  // RNG-13, MAP-11b: an IOAS in which nothing can be mapped any more.
  freshMotif("no-room-at-all", 1, ["ADD_RESERVED"], (c, ioas) => {
    const half = 1n << 63n;
    reserve(c, ioas, 0n, half);
    reserve(c, ioas, half, half);
    look(c, ioas);
    const none = { ioas_id: c.object(ioas.fd, ioas.id) };
    c.make({ call: "IOAS_IOVA_RANGES", fd: c.iommufd(ioas.fd), in: none });
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
  }),
  // AUT-09: room for the length, but not at the alignment that 6.12 wants.
  freshMotif("misaligned-hole", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    const at = PLACE + PAGE * c.draw.of(1n, 3n);
    allow(c, ioas, [[at, at + 2n * PAGE - 1n]]);
    map(c, ioas, { va: new Handle("buf0"), bytes: 2n * PAGE });
    map(c, ioas, { va: new Handle("buf0", "", PAGE), bytes: PAGE });
  }),
  // AUT-11: aligning upwards would leave the address space.
  freshMotif("top-of-the-world", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    allow(c, ioas, [[U64_MAX - 4n * PAGE + 1n, U64_MAX - c.draw.of(0n, 1n, PAGE)]]);
    map(c, ioas, { va: new Handle("buf0"), bytes: c.draw.of(8n, 3n, 1n) * PAGE });
    map(c, ioas, { va: new Handle("buf0"), bytes: PAGE });
  }),
  // AUT-01, AUT-10: touching elements are one, and one byte is none.
  freshMotif("touching-elements", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    const edge = PLACE + PAGE;
    allow(c, ioas, [
      [PLACE, edge - 1n],
      [edge, edge + PAGE - 1n],
    ]);
    map(c, ioas, { va: new Handle("buf0"), bytes: 2n * PAGE });
    map(c, ioas, { va: new Handle("buf0"), bytes: 1n });
  }),
  // AUT-10: room of a single byte is no room.
  freshMotif("single-byte-hole", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    allow(c, ioas, [[PLACE, PLACE + PAGE]]);
    map(c, ioas, { va: start("buf0"), bytes: 1n, at: PLACE + 1n });
    map(c, ioas, { va: start("buf0"), bytes: 1n });
  }),
  // AUT-15: a reservation between two automatic maps is respected by the second.
  motif("reserve-between", 1, ["ADD_RESERVED"], (c, ioas) => {
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
    reserve(c, ioas, 0x2000n, 0x10_0000n);
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
    look(c, ioas);
    // UNM-23: what is unmapped may be reserved in part.
    if (c.draw.chance(60)) unmap(c, ioas, 0n, 0x20_0000n);
  }),
  // AUT-05, MAP-11b: a few bytes of room behind a mapping and a reservation that touch, for user
  // memory at odd offsets. The bits of the offset are set in the IOVA, so that a place from
  // further down can be higher up.
  freshMotif("last-crumb", 3, ["ADD_RESERVED"], (c, ioas) => {
    const { draw } = c;
    const { reserved, room, end, offset } = draw.chance(50) ? crumb(draw) : notMonotone(draw);
    reserve(c, ioas, 0n, PAGE);
    map(c, ioas, { va: start("buf0"), bytes: reserved - PAGE, at: PAGE });
    reserve(c, ioas, reserved, room - reserved);
    reserve(c, ioas, end, U64_MAX - end + 1n);
    for (let n = 6; n > 0; n--) {
      const va = new Handle("buf0", "", draw.chance(30) ? offset : BigInt(draw.int(0, 15)));
      map(c, ioas, { va, bytes: BigInt(draw.int(1, Number(end - room))) });
      unmap(c, ioas, room, end - room);
    }
  }),
  // AUT-03, MAP-11b: the first element of a list is full, the second is not.
  freshMotif("full-element", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    const { draw } = c;
    const bytes = PAGE * draw.of(1n, 2n);
    const next = PLACE + 16n * PAGE;
    allow(c, ioas, [
      [PLACE, PLACE + bytes - 1n],
      [next, next + 2n * bytes - 1n],
    ]);
    if (draw.chance(30)) attach(c, ioas);
    for (let n = draw.int(2, 4); n > 0; n--) map(c, ioas, { va: new Handle("buf0"), bytes });
  }),
  // AUT-09: from one element to the next it is a few bytes, and the next is small.
  freshMotif("near-element", 1, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    const { draw } = c;
    const next = PLACE + PAGE + BigInt(draw.of(1, 8, 0x800));
    allow(c, ioas, [
      [PLACE, PLACE + PAGE - 1n],
      [next, next + BigInt(draw.of(1, 8, 0x7ff))],
    ]);
    map(c, ioas, { va: new Handle("buf0"), bytes: PAGE });
    for (let n = draw.int(1, 3); n > 0; n--) {
      map(c, ioas, { va: new Handle("buf0"), bytes: BigInt(draw.of(1, 2, 8)) });
    }
  }),
  // ALW-11: what was mapped before there was a list stays, wherever it lies.
  freshMotif("older-than-the-list", 0.7, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    if (c.draw.chance(50)) attach(c, ioas);
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE });
    allow(c, ioas, [[PLACE + PAGE, PLACE + 2n * PAGE - 1n]]);
    look(c, ioas);
    unmap(c, ioas, PLACE, PAGE);
  }),
  // UNM-20, UNM-02: all addresses in two mappings, which nothing has to pin.
  freshMotif("all-addresses", 0.5, ["IOAS_MAP"], (c, ioas) => {
    const half = (1n << 63n) + c.draw.of(0n, 1n, PAGE);
    map(c, ioas, { va: 0n as UserVa, bytes: half, at: 0n });
    map(c, ioas, { va: 0n as UserVa, bytes: U64_MAX - half + c.draw.of(0n, 1n, 1n), at: half });
    look(c, ioas);
    unmap(c, ioas, 0n, U64_MAX);
  }),
  // RNG-03, RSV-07: many small holes in the ranges, and automatic IOVAs between them.
  freshMotif("many-reservations", 1, ["ADD_RESERVED"], (c, ioas) => {
    const { draw } = c;
    // AUT-01: also where the first hole is far up.
    const low = draw.of(PAGE, PAGE, 0xc000_0000n, 1n << 40n);
    const isHigh = low > PLACE;
    if (isHigh) reserve(c, ioas, 0n, low);
    else if (draw.chance(50)) attach(c, ioas);
    for (let n = draw.int(3, 6); n > 0; n--) {
      const at = draw.of(low, isHigh ? low : PLACE) + PAGE * BigInt(draw.int(0, 12));
      reserve(c, ioas, at - draw.of(0n, 0n, 1n), PAGE * draw.of(1n, 1n, 2n));
    }
    look(c, ioas);
    for (let n = 3; n > 0; n--) {
      map(c, ioas, { va: start("buf0"), bytes: PAGE * draw.of(1n, 2n, 3n) });
    }
    look(c, ioas);
  }),
  // ALW-07: a list that is refused leaves the one before in force.
  freshMotif("refused-list", 0.5, ["IOAS_ALLOW_IOVAS"], (c, ioas) => {
    attach(c, ioas);
    const list: [bigint, bigint] = [PLACE + 4n * PAGE, PLACE + 8n * PAGE - 1n];
    allow(c, ioas, [list]);
    const high: [bigint, bigint] = [U64_MAX - PAGE, U64_MAX];
    allow(c, ioas, c.draw.of([high], [list, high], [list, list], [[PAGE, 0n]]));
    map(c, ioas, { va: start("buf0"), bytes: PAGE });
    look(c, ioas);
  }),
];
