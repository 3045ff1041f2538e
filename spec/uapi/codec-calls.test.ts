import { expect, test } from "@jest/globals";
import type { CallOf, In } from "../calls";
import { iova, bytes as length, U64_MAX, userVa as va } from "../units";
import { decodeOutputs, encodeCall } from "./codec";
import { type IoctlCall, type IoctlName, isIoctlCall } from "./ioctls";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Bytes of hex digits, blanks ignored. */
const raw = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");
const plain = (text: string): string => text.replaceAll(" ", "");
const zeros = (bytes: number): string => "00".repeat(bytes);

const callOf = <K extends IoctlName>(call: K, args: In<K>): CallOf<K> => ({
  call,
  proc: 0,
  thread: 0,
  fd: 3,
  in: args,
});

// -- calls as bytes, written down by hand --------------------------------------------------------

const MAP = callOf("IOAS_MAP", {
  flags: 7,
  ioas_id: 0x01020304,
  reserved: 0xa0b0c0d0,
  user_va: va(0x2000_0070_0000n),
  length: length(0x1000n),
  iova: iova(0xfedc_ba98_7654_3210n),
});
const UNMAP = callOf("IOAS_UNMAP", { ioas_id: 2, iova: iova(0n), length: length(U64_MAX) });
const RANGES = callOf("IOAS_IOVA_RANGES", {
  ioas_id: 1,
  num_iovas: 2,
  reserved: 0,
  allowed_iovas: va(0x1_0000_0000n),
  writable_elems: 64,
});
const GET = callOf("VFIO_IOAS", { ioas_id: 0, op: 0, reserved: 0 });
const BIND = callOf("VFIO_BIND", { devfd: 9, argsz: 16, flags: 0, iommufd: -1 });
const MOCK = callOf("MOCK_DOMAIN", { pt_id: 5 });

const ON_THE_WIRE: readonly [call: IoctlCall, command: number, bytes: string][] = [
  [callOf("DESTROY", { id: 0xffff_fffe }), 0x3b80, "08000000 feffffff"],
  [callOf("IOAS_ALLOC", { flags: 1 }), 0x3b81, "0c000000 01000000 00000000"],
  [
    callOf("IOAS_COPY", {
      flags: 6,
      dst_ioas_id: 1,
      src_ioas_id: 2,
      length: length(3n),
      dst_iova: iova(4n),
      src_iova: iova(0x8000_0000_0000_0005n),
    }),
    0x3b83,
    "28000000 06000000 01000000 02000000 0300000000000000 0400000000000000 0500000000000080",
  ],
  [RANGES, 0x3b84, "20000000 01000000 02000000 00000000 0000000001000000 0000000000000000"],
  [
    MAP,
    0x3b85,
    "28000000 07000000 04030201 d0c0b0a0 0000700000200000 0010000000000000 1032547698badcfe",
  ],
  [UNMAP, 0x3b86, "18000000 02000000 0000000000000000 ffffffffffffffff"],
  [
    callOf("OPTION", { option_id: 1, op: 0x0203, reserved: 0x0405, object_id: 6, val64: 7n }),
    0x3b87,
    "18000000 01000000 0302 0504 06000000 0700000000000000",
  ],
  [callOf("VFIO_IOAS", { ioas_id: 1, op: 2, reserved: 3 }), 0x3b88, "0c000000 01000000 0200 0300"],
  [BIND, 0x3b76, "10000000 00000000 ffffffff 00000000"],
  // The struct ends where the kernel stops reading, whatever argsz says.
  [
    callOf("VFIO_ATTACH", { devfd: 9, argsz: 100, flags: 1, pt_id: 4 }),
    0x3b77,
    "64000000 01000000 04000000",
  ],
  [callOf("VFIO_DETACH", { devfd: 9, argsz: 8, flags: 0 }), 0x3b78, "08000000 00000000"],
  [
    callOf("ADD_RESERVED", { ioas_id: 7, start: iova(0x1_0000n), length: length(0x800n) }),
    0x3ba0,
    `48000000 01000000 07000000 00000000 0000010000000000 0008000000000000 ${zeros(40)}`,
  ],
  [MOCK, 0x3ba0, `48000000 02000000 05000000 00000000 ${zeros(56)}`],
  [
    callOf("MD_CHECK_MAP", { hwpt_id: 7, iova: iova(1n), length: length(2n), uptr: va(3n) }),
    0x3ba0,
    "48000000 03000000 07000000 00000000" +
      `0100000000000000 0200000000000000 0300000000000000 ${zeros(32)}`,
  ],
  [
    callOf("MD_CHECK_REFS", { length: length(0x1000n), uptr: va(0x2000_0000_0000n), refs: 9 }),
    0x3ba0,
    "48000000 04000000 00000000 00000000" +
      `0010000000000000 0000000000200000 09000000 ${zeros(36)}`,
  ],
  [
    callOf("MOCK_DOMAIN_REPLACE", { stdev_id: 3, pt_id: 4 }),
    0x3ba0,
    `48000000 0a000000 03000000 00000000 04000000 ${zeros(52)}`,
  ],
  [
    callOf("MOCK_DOMAIN_FLAGS", { pt_id: 5, dev_flags: 2 }),
    0x3ba0,
    `48000000 0c000000 05000000 00000000 ${zeros(12)} 02000000 ${zeros(40)}`,
  ],
];

test.each(ON_THE_WIRE.map((row) => [row[0].call, ...row] as const))("%s as bytes", (...row) => {
  const [, call, command, expected] = row;
  const encoded = encodeCall(call);
  expect(encoded.command).toBe(command);
  expect(hex(encoded.bytes)).toBe(plain(expected));
  expect(encoded.array).toBeUndefined();
});

test("IOAS_ALLOW_IOVAS carries what is readable at its pointer", () => {
  const { command, bytes, array } = encodeCall(
    callOf("IOAS_ALLOW_IOVAS", {
      ioas_id: 1,
      num_iovas: 3,
      reserved: 0,
      allowed_iovas: va(0x1_0000_0000n),
      array: [
        [iova(0x1000n), iova(0x1fffn)],
        [iova(5n), iova(U64_MAX)],
      ],
    }),
  );
  expect(command).toBe(0x3b82);
  expect(hex(bytes)).toBe(plain("18000000 01000000 03000000 00000000 0000000001000000"));
  expect(hex(array ?? new Uint8Array())).toBe(
    plain("0010000000000000 ff1f000000000000 0500000000000000 ffffffffffffffff"),
  );
});

test("a call that is no ioctl has no struct", () => {
  expect(isIoctlCall({ call: "OPEN", proc: 0, thread: 0, fd: -1, in: {} })).toBe(false);
  expect(isIoctlCall(MAP)).toBe(true);
});

// -- outputs -------------------------------------------------------------------------------------

test("outputs are read from where the callee wrote them", () => {
  const mapped = raw(`${zeros(32)} 0020020100000000`);
  expect(decodeOutputs(MAP, mapped)).toEqual({ iova: 0x102_2000n });
  expect(decodeOutputs(UNMAP, raw(`${zeros(16)} 0030000000000000`))).toEqual({ length: 0x3000n });
  expect(decodeOutputs(BIND, raw(`${zeros(12)} 03000000`))).toEqual({ out_devid: 3 });
  expect(decodeOutputs(MOCK, raw(`${zeros(16)} 02000000 04000000 03000000`))).toEqual({
    out_stdev_id: 2,
    out_hwpt_id: 4,
    out_idev_id: 3,
  });
});

test("VFIO_IOAS answers to GET only", () => {
  const bytes = raw("0c000000 04000000 00000000");
  expect(decodeOutputs(GET, bytes)).toEqual({ ioas_id: 4 });
  expect(decodeOutputs({ ...GET, in: { ...GET.in, op: 1 } }, bytes)).toEqual({});
});

test("IOAS_IOVA_RANGES: no more elements than were asked for, exist and fit", () => {
  const memory = raw("00 01 02 03 04 05 06 07".repeat(6));
  const elem = [0x0706_0504_0302_0100n, 0x0706_0504_0302_0100n];
  const answer = (total: string): Uint8Array =>
    raw(`20000000 01000000 ${total} ${zeros(12)} 0008000000000000`);
  const out = (total: number, array: unknown): unknown => ({
    num_iovas: total,
    out_iova_alignment: 0x800n,
    array,
  });
  expect(decodeOutputs(RANGES, answer("01000000"), memory)).toEqual(out(1, [elem]));
  expect(decodeOutputs(RANGES, answer("03000000"), memory)).toEqual(out(3, [elem, elem]));
  expect(decodeOutputs(RANGES, answer("02000000"), memory.subarray(0, 31))).toEqual(out(2, [elem]));
  expect(decodeOutputs(RANGES, answer("02000000"))).toEqual(out(2, []));
});
