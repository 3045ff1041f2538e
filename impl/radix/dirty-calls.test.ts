import { expect, test } from "@jest/globals";
import type { In } from "../../spec/calls";
import { MOCK_PLATFORM } from "../../spec/platform";
import { DIRTY_NO_CLEAR, DIRTY_TRACKING_ENABLE, HWPT_DIRTY_TRACKING } from "../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { boot } from "./fixture";

const SCRATCH = 0x1_0000_0000n as UserVa;
const BUF = 0x2000_0000_0000n as UserVa;
const IO_PAGE = 0x800n as Bytes;
const BASE = 0x100_0000n;
const at = (ioPage: number): Iova => (BASE + BigInt(ioPage) * IO_PAGE) as Iova;
const ioPages = (count: number): Bytes => (BigInt(count) * IO_PAGE) as Bytes;

/** IO pages 0..15 are mapped at BASE; HWPT 5 tracks them, the automatic one, 4, cannot. */
const bootTracking = () => {
  const { call } = boot(MOCK_PLATFORM);
  call("MOCK_DOMAIN", { pt_id: 1 });
  const map = (ioPage: number, count: number) =>
    call("IOAS_MAP", {
      flags: 7,
      ioas_id: 1,
      user_va: BUF,
      length: ioPages(count),
      iova: at(ioPage),
    });
  map(0, 16);
  call("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: HWPT_DIRTY_TRACKING });
  const track = (on = true, hwpt_id = 5) =>
    call("HWPT_SET_DIRTY_TRACKING", { hwpt_id, flags: on ? DIRTY_TRACKING_ENABLE : 0 }).errno;
  const dirty = (ioPage: number, bitmap: string, args: Partial<In<"DIRTY">> = {}) =>
    call("DIRTY", {
      hwpt_id: 5,
      iova: at(ioPage),
      length: ioPages(bitmap.length * 4),
      page_size: IO_PAGE,
      uptr: SCRATCH,
      bitmap,
      ...args,
    });
  const get = (args: Partial<In<"HWPT_GET_DIRTY_BITMAP">> = {}) =>
    call("HWPT_GET_DIRTY_BITMAP", {
      hwpt_id: 5,
      iova: at(0),
      length: ioPages(16),
      page_size: IO_PAGE,
      data: SCRATCH,
      prefill: "00",
      ...args,
    });
  const bitmap = (args: Partial<In<"HWPT_GET_DIRTY_BITMAP">> = {}) => get(args).out?.bitmap;
  return { call, map, track, dirty, get, bitmap };
};

test("reading reports each write once, unless NO_CLEAR keeps it", () => {
  const { track, dirty, get, bitmap } = bootTracking();
  track();
  expect(dirty(0, "0180")).toEqual({ errno: 0, out: { out_nr_dirty: 2n } });
  expect(bitmap({ flags: DIRTY_NO_CLEAR })).toBe("0180");
  expect(bitmap()).toBe("0180");
  expect(get()).toEqual({ errno: 0 });
});

test("bits are counted from the iova that was passed, and only set", () => {
  const { track, dirty, bitmap } = bootTracking();
  track();
  dirty(0, "ff"); // 0..7
  expect(bitmap({ iova: at(6), length: ioPages(4), prefill: "80" })).toBe("83");
  expect(bitmap()).toBe("3f00");
});

test("a page_size of several IO pages is dirty if one is; a smaller one if the one around is", () => {
  const { track, dirty, bitmap } = bootTracking();
  track();
  dirty(0, "0800"); // 3
  expect(bitmap({ page_size: 0x1000n as Bytes, flags: DIRTY_NO_CLEAR })).toBe("02");
  expect(bitmap({ page_size: 0x400n as Bytes })).toBe("c0000000");
});

test("what is behind a hole is reported and cleared; nothing is while tracking is off", () => {
  const { call, map, track, dirty, get, bitmap } = bootTracking();
  map(18, 2);
  track();
  dirty(0, "010004");
  expect(bitmap({ length: ioPages(20), flags: DIRTY_NO_CLEAR })).toBe("010004");
  expect(bitmap({ iova: at(16), length: ioPages(4) })).toBe("04");
  expect(get({ iova: at(16), length: ioPages(4) })).toEqual({ errno: 0 });
  expect(bitmap({ length: ioPages(20) })).toBe("010000");
  dirty(0, "000004");
  track(false);
  expect(get({ iova: at(18), length: ioPages(2) })).toEqual({ errno: 0 });
  expect(dirty(0, "01").errno).toBe("EINVAL");
  call("IOAS_UNMAP", { ioas_id: 1, iova: at(0), length: ioPages(16) });
  expect(track()).toBe(0); // forgets
  expect(get({ iova: at(18), length: ioPages(2) })).toEqual({ errno: 0 });
});

test("what is unmapped is forgotten", () => {
  const { call, map, track, dirty, get } = bootTracking();
  track();
  dirty(0, "ffff");
  call("IOAS_UNMAP", { ioas_id: 1, iova: at(0), length: ioPages(16) });
  map(0, 16);
  expect(get()).toEqual({ errno: 0 });
});

test("each HWPT tracks for itself", () => {
  const { call, track, dirty, get, bitmap } = bootTracking();
  call("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: HWPT_DIRTY_TRACKING });
  track();
  track(true, 6);
  dirty(0, "01");
  expect(get({ hwpt_id: 6 })).toEqual({ errno: 0 });
  expect(bitmap()).toBe("0100");
});

test("a bitmap that cannot be stored costs the bits", () => {
  const { track, dirty, get, bitmap } = bootTracking();
  track();
  dirty(0, "01");
  expect(get({ prefill: "", flags: DIRTY_NO_CLEAR })).toEqual({ errno: 0 });
  expect(bitmap({ flags: DIRTY_NO_CLEAR })).toBe("0100");
  expect(get({ prefill: "" })).toEqual({ errno: 0 });
  expect(bitmap()).toBeUndefined();
});

test("errors of SET and GET come in the order of the clauses", () => {
  const { call, track, get } = bootTracking();
  const all = {
    flags: 2,
    hwpt_id: 1,
    length: 0n as Bytes,
    page_size: 0n as Bytes,
    iova: (U64_MAX - 0x7ffn) as Iova,
  };
  expect(call("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 1, flags: 2 }).errno).toBe("EOPNOTSUPP");
  expect([track(true, 1), track(true, 4)]).toEqual(["ENOENT", "EOPNOTSUPP"]);
  expect(call("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 5, reserved: 1 }).errno).toBe(0);
  expect(get(all).errno).toBe("EOPNOTSUPP");
  expect(get({ reserved: 1 }).errno).toBe("EOPNOTSUPP");
  expect(get({ ...all, flags: 0 }).errno).toBe("ENOENT");
  expect(get({ ...all, flags: 0, hwpt_id: 4 }).errno).toBe("EINVAL");
  expect(get({ ...all, flags: 0, hwpt_id: 4, length: ioPages(2) }).errno).toBe("EOVERFLOW");
  expect(get({ hwpt_id: 4, iova: 1n as Iova }).errno).toBe("EINVAL");
  expect(get({ hwpt_id: 4, page_size: 0n as Bytes }).errno).toBe("EINVAL");
  expect(get({ hwpt_id: 4, iova: at(1), page_size: ioPages(2) }).errno).toBe("EINVAL");
  expect(get({ hwpt_id: 4 }).errno).toBe("EOPNOTSUPP");
});

test("DIRTY takes the number of a page_size for that of an IO page, and wants all its bits", () => {
  const { track, dirty, bitmap } = bootTracking();
  expect(dirty(0, "01").errno).toBe("EINVAL");
  track();
  const twice = {
    iova: (2n * BASE) as Iova,
    page_size: 0x1000n as Bytes,
    length: 0x8000n as Bytes,
  };
  expect(dirty(0, "03", twice).out).toEqual({ out_nr_dirty: 2n });
  expect(bitmap()).toBe("0300");
  expect(dirty(16, "ff").out).toEqual({ out_nr_dirty: 0n });
  expect(dirty(0, "ff", { length: ioPages(9) }).errno).toBe("EFAULT");
  expect(dirty(0, "ff", { uptr: 0n as UserVa }).errno).toBe("EINVAL");
  expect(dirty(0, "ff", { hwpt_id: 1 }).errno).toBe("ENOENT");
  expect(dirty(0, "ff", { length: 1n as Bytes }).errno).toBe("EINVAL");
  const much = { iova: 0n as Iova, page_size: 1n as Bytes, length: (2n ** 27n + 1n) as Bytes };
  expect(dirty(0, "ff", much).errno).toBe("EOVERFLOW");
});
