/** What a device has written to: bitmaps of few bits and of many, of fine pages and coarse ones. */
import { Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  DIRTY_NO_CLEAR,
  DIRTY_TRACKING_ENABLE,
  HWPT_DIRTY_TRACKING,
} from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { PAGE } from "../values";
import { freshMotif, map, PLACE, start, unmap } from "./steps";
import { mockDevice, paging, track } from "./tables";

const UNIT = 2048n;

/** The device writes to pages, usually from PLACE on; a bit for each. */
const write = (c: Composer, fd: number, hwpt: number, bitmap: string, from = PLACE): void => {
  const length = (UNIT * 4n * BigInt(bitmap.length)) as Bytes;
  const range = { iova: from as Iova, length, page_size: UNIT as Bytes };
  const args = { hwpt_id: c.object(fd, hwpt), ...range, uptr: SCRATCH.va, bitmap };
  c.make({ call: "DIRTY", fd: c.iommufd(fd), in: args });
};

interface Reading {
  readonly flags?: number;
  readonly from?: bigint;
  readonly bytes?: bigint;
  readonly page?: bigint;
  readonly prefill?: string;
}

const read = (c: Composer, fd: number, hwpt: number, how: Reading = {}): void => {
  const { draw } = c;
  const { flags = 0, from = 0n, bytes = 4n * PAGE, prefill = "00" } = how;
  // Finer bits make bitmaps of many bytes, of which the first ones may be clean.
  const isFine = bytes <= 4n * PAGE && draw.chance(25);
  const { page = isFine ? draw.of(1n, 64n, 128n, 256n) : UNIT } = how;
  c.make({
    call: "HWPT_GET_DIRTY_BITMAP",
    fd: c.iommufd(fd),
    in: {
      hwpt_id: c.object(fd, hwpt),
      flags,
      iova: (PLACE + from) as Iova,
      length: bytes as Bytes,
      page_size: page as Bytes,
      data: (SCRATCH.va + draw.of(0n, 0n, 1n, 0xffdn)) as UserVa,
      prefill,
    },
  });
};

export const DIRTY_PAGES: readonly Aim[] = [
  // DTY-04, DTY-18 … DTY-25, I-110 … I-115: two domains of one IOAS, each with dirty bits of its own.
  freshMotif("dirty-pages", 5, ["DIRTY", "HWPT_ALLOC", "HWPT_GET_DIRTY_BITMAP"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
    map(c, ioas, { va: start("buf4"), bytes: 2n * PAGE, at: PLACE + 2n * PAGE });
    const one = paging(c, ioas, mock.idev, HWPT_DIRTY_TRACKING);
    const two = paging(c, ioas, mock.idev, HWPT_DIRTY_TRACKING);
    for (const hwpt of [one, two]) track(c, fd, hwpt, DIRTY_TRACKING_ENABLE);
    write(c, fd, one, draw.of("ff", "81", "5a"));
    // Over the end of all addresses, and on from 0 to PLACE.
    if (draw.chance(6)) write(c, fd, one, `03${"00".repeat(1023)}06`, U64_MAX + 1n - UNIT);
    read(c, fd, two);
    read(c, fd, one, { flags: DIRTY_NO_CLEAR, page: draw.of(UNIT, PAGE, UNIT / 2n) });
    if (draw.chance(15)) read(c, fd, one, { bytes: 0n });
    // DTY-01: there is one flag.
    if (draw.chance(15)) track(c, fd, one, draw.of(2, 3, 0x8000_0000));
    // In two parts, and whole (I-113).
    const cut = draw.of(PAGE, 2n * PAGE, 3n * PAGE);
    if (draw.chance(50)) {
      read(c, fd, one, { bytes: cut });
      read(c, fd, one, { from: cut, bytes: 4n * PAGE - cut, prefill: draw.of("00", "a5") });
    }
    switch (draw.int(0, 4)) {
      case 0:
        track(c, fd, one, 0);
        // DTY-20: what nobody tracks is not marked.
        if (draw.chance(40)) write(c, fd, one, "18");
        if (draw.chance(50)) read(c, fd, one);
        track(c, fd, one, DIRTY_TRACKING_ENABLE);
        break;
      case 1:
        unmap(c, ioas, PLACE, 2n * PAGE);
        map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
        break;
      case 2:
        read(c, fd, one, { prefill: "" });
        break;
      case 3:
        track(c, fd, one, DIRTY_TRACKING_ENABLE);
        break;
    }
    read(c, fd, one, { prefill: draw.of("00", "f0") });
    read(c, fd, one);
  }),
  // DTY-16, DTY-18, DTY-22, DTY-25: more bits than a word of a bitmap holds, and than a page of one.
  freshMotif("many-dirty-pages", 2, ["DIRTY", "HWPT_ALLOC", "HWPT_GET_DIRTY_BITMAP"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    const whole = 48n * PAGE;
    map(c, ioas, { va: new Handle("buf0", "", 0n), bytes: 32n * PAGE, at: PLACE });
    map(c, ioas, { va: new Handle("buf4", "", 0n), bytes: 16n * PAGE, at: PLACE + 32n * PAGE });
    const hwpt = paging(c, ioas, mock.idev, HWPT_DIRTY_TRACKING);
    track(c, fd, hwpt, DIRTY_TRACKING_ENABLE);
    // As many bits as there are pages, the last one set.
    write(c, fd, hwpt, `8100000000${draw.of("000040", "0000c0", "000000")}0${draw.of(1, 3)}000080`);
    // From the middle of a page on.
    const from = draw.of(0n, UNIT, 31n * PAGE + UNIT);
    read(c, fd, hwpt, { flags: DIRTY_NO_CLEAR, from, bytes: whole - from });
    if (draw.chance(40)) {
      read(c, fd, hwpt, { flags: DIRTY_NO_CLEAR, bytes: whole, page: draw.of(2n, 4n) });
    }
    if (draw.chance(30)) {
      const page = draw.of(1n << 32n, 1n << 40n);
      read(c, fd, hwpt, { flags: DIRTY_NO_CLEAR, from: -PLACE, bytes: page, page });
    }
    // Only its beginning is a multiple of page_size.
    if (draw.chance(40)) read(c, fd, hwpt, { bytes: whole, page: 32n * PAGE });
    if (draw.chance(50)) read(c, fd, hwpt, { bytes: draw.of(33n, 40n) * PAGE - UNIT });
    else {
      unmap(c, ioas, PLACE, 32n * PAGE);
      map(c, ioas, { va: new Handle("buf0", "", 0n), bytes: 32n * PAGE, at: PLACE });
    }
    read(c, fd, hwpt, { bytes: whole, page: draw.of(UNIT, PAGE) });
  }),
].map((aim): Aim => ({ ...aim, family: "hwpt" }));
