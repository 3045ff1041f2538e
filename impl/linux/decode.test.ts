import { expect, test } from "@jest/globals";
import type { Call, CallOf, In } from "../../spec/calls";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM } from "../../spec/platform";
import { iova, bytes as length, userVa } from "../../spec/units";
import { decodeAnswer, decodeAnswers } from "./decode";

const callOf = <K extends Call["call"]>(call: K, args: In<K>): CallOf<K> => ({
  call,
  proc: 0,
  thread: 0,
  fd: 0,
  in: args,
});
const raw = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const RANGES = callOf("IOAS_IOVA_RANGES", {
  ioas_id: 1,
  num_iovas: 1,
  reserved: 0,
  allowed_iovas: userVa(0x1_0000_0000n),
  writable_elems: 64,
});
const rangesStruct = (total: string, alignment: string): string =>
  `20000000 01000000 ${total} 00000000 0000000001000000 ${alignment}`;
const ELEMENT = "0010000000000000 ff1f000000000000";

test.each<[string, Call, string, unknown]>([
  ["OPEN", callOf("OPEN", {}), "02000000", { fd: 2 }],
  ["DUP", callOf("DUP", {}), "05000000", { fd: 5 }],
  ["DEVICE_OPEN", callOf("DEVICE_OPEN", { dev: 0 }), "03000000", { devfd: 3 }],
  ["CLOSE", callOf("CLOSE", {}), "", undefined],
  ["MEM_READ", callOf("MEM_READ", { va: userVa(0n), length: 2 }), "0aff", { bytes: "0aff" }],
  [
    "PAGE_REFS",
    callOf("PAGE_REFS", { uptr: userVa(0n), length: length(0x3000n) }),
    "ffffffff 01000000 02000000 02000000",
    {
      refs: [
        ["EFAULT", 1],
        [2, 2],
      ],
    },
  ],
  [
    "PROC_STATUS",
    callOf("PROC_STATUS", {}),
    "05000000 06000000",
    { VmPin_pages: 5, VmLck_pages: 6 },
  ],
  [
    "IOAS_IOVA_RANGES",
    RANGES,
    `${rangesStruct("01000000", "0008000000000000")} ${ELEMENT}`,
    { num_iovas: 1, out_iova_alignment: 0x800n, array: [[0x1000n, 0x1fffn]] },
  ],
])("%s that succeeds", (_, call, bytes, out) => {
  expect(decodeAnswer(call, { error: 0, bytes: raw(bytes) })).toEqual({
    errno: 0,
    ...(out !== undefined && { out }),
  });
});

test("EMSGSIZE tells everything, even what is what was sent", () => {
  const bytes = raw(`${rangesStruct("02000000", "0100000000000000")} ${ELEMENT}`);
  expect(decodeAnswer(RANGES, { error: 90, bytes })).toEqual({
    errno: "EMSGSIZE",
    out: { num_iovas: 2, out_iova_alignment: 1n, array: [[0x1000n, 0x1fffn]] },
  });
});

test("what was stored beyond the caller's room is told, whatever the errno", () => {
  const bytes = raw(`${rangesStruct("02000000", "0100000000000000")} ${ELEMENT} ${ELEMENT}`);
  const array = [
    [0x1000n, 0x1fffn],
    [0x1000n, 0x1fffn],
  ];
  for (const error of [0, 90]) {
    expect(decodeAnswer(RANGES, { error, bytes }).out).toMatchObject({ array });
  }
  const info = callOf("GET_HW_INFO", {
    size: 0,
    flags: 0,
    dev_id: 1,
    data_len: 2,
    data_uptr: userVa(0x1_0000_0000n),
    reserved0: 0,
    reserved1: 0,
    reserved2: 0,
    writable_bytes: 8,
  });
  const told = (data: string) =>
    decodeAnswer(info, { error: 0, bytes: raw(`${"00".repeat(40)} ${data}`) }).out;
  expect(told("0102")).toMatchObject({ data: "0102" });
  expect(told("01020304")).toMatchObject({ data: "01020304" });
});

test("any other failure tells only what was written nevertheless", () => {
  const untouched = rangesStruct("01000000", "0000000000000000");
  expect(decodeAnswer(RANGES, { error: 14, bytes: raw(`${untouched} ${ELEMENT}`) })).toEqual({
    errno: "EFAULT",
    out: { array: [[0x1000n, 0x1fffn]] },
  });
  const unmap = callOf("IOAS_UNMAP", { ioas_id: 2, iova: iova(0n), length: length(16n) });
  expect(decodeAnswer(unmap, { error: 2, bytes: raw("") })).toEqual({ errno: "ENOENT" });
  const written = raw("18000000 02000000 0000000000000000 0700000000000000");
  expect(decodeAnswer(unmap, { error: 2, bytes: written })).toEqual({
    errno: "ENOENT",
    out: { length: 7n },
  });
});

test("an errno that no call has keeps its number", () => {
  expect(decodeAnswer(callOf("CLOSE", {}), { error: 4, bytes: raw("") }).errno).toBe("E#4");
});

test("handles are resolved with the answers before them", () => {
  const fd = new Handle("fd0");
  const steps = [
    { call: "OPEN", as: "fd0", in: {} },
    { call: "VFIO_IOAS", fd, in: { op: 0 } },
    { call: "VFIO_IOAS", fd, in: { op: 2 } },
  ] as const;
  const get = raw("0c000000 04000000 00000000");
  const outcomes = decodeAnswers({ platform: MOCK_PLATFORM, steps }, [
    { error: 0, bytes: raw("00000000") },
    { error: 0, bytes: get },
    { error: 0, bytes: get },
  ]);
  expect(outcomes).toEqual([
    { errno: 0, out: { fd: 0 } },
    { errno: 0, out: { ioas_id: 4 } },
    { errno: 0 },
  ]);
});

const RW = {
  access_fd: 1,
  iova: iova(0n),
  length: length(4n),
  uptr: userVa(0x1_0000_0000n),
  flags: 0,
  data_repeat: "",
  accessible_bytes: 4,
};

test("what was not written of a buffer is what it was filled with", () => {
  const struct = "00".repeat(72);
  const read = decodeAnswer(callOf("ACCESS_RW", RW), { error: 0, bytes: raw(`${struct} 0102`) });
  expect(read).toEqual({ errno: 0, out: { data: "0102a5a5" } });
});

test("what a failed call left behind its pointer is no output", () => {
  const bytes = raw(`${"00".repeat(72)} 01`);
  const failed = decodeAnswer(callOf("ACCESS_RW", RW), { error: 14, bytes });
  expect(failed).toEqual({ errno: "EFAULT" });
});

test("raw bytes come back as they are, also from a failure", () => {
  const args = { nr: 0x3b80, bytes: "08", memory: "rw", arg: userVa(0n) } as const;
  for (const error of [0, 2]) {
    expect(decodeAnswer(callOf("RAW", args), { error, bytes: raw("0900") })).toEqual({
      errno: error === 0 ? 0 : "ENOENT",
      out: { bytes: "0900" },
    });
  }
});
