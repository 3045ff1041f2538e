import { expect, test } from "@jest/globals";
import type { CallOf, In } from "../calls";
import { iova, bytes as length, U64_MAX, userVa as va } from "../units";
import { decodeCaps, decodeFaults, decodeOutputs, encodeCall, encodeResponses } from "./codec";
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
const SCRATCH_VA = va(0x1_0000_0000n);
const HW_INFO = callOf("GET_HW_INFO", {
  size: 0,
  flags: 1,
  dev_id: 4,
  data_len: 12,
  data_uptr: SCRATCH_VA,
  reserved0: 2,
  reserved1: 3,
  reserved2: 4,
  writable_bytes: 64,
});
const READ = callOf("ACCESS_RW", {
  access_fd: 5,
  iova: iova(1n),
  length: length(3n),
  uptr: SCRATCH_VA,
  flags: 4,
  data_repeat: "0102",
  accessible_bytes: 2,
});
const BITMAP = callOf("HWPT_GET_DIRTY_BITMAP", {
  hwpt_id: 1,
  flags: 0,
  reserved: 0,
  iova: iova(0x1000n),
  length: length(0x9000n),
  page_size: length(0x800n),
  data: SCRATCH_VA,
  prefill: "11",
});

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
  [
    callOf("HWPT_SET_DIRTY_TRACKING", { flags: 1, hwpt_id: 6, reserved: 9 }),
    0x3b8b,
    "10000000 01000000 06000000 09000000",
  ],
  [callOf("FAULT_QUEUE_ALLOC", { flags: 2 }), 0x3b8e, "10000000 02000000 00000000 00000000"],
  [
    HW_INFO,
    0x3b8a,
    `28000000 01000000 04000000 0c000000 0000000001000000 00000000 00020304 ${zeros(8)}`,
  ],
  [
    { ...HW_INFO, in: { ...HW_INFO.in, size: 32 } },
    0x3b8a,
    "20000000 01000000 04000000 0c000000 0000000001000000 00000000 00020304",
  ],
  [callOf("VFIO_GET_INFO", { devfd: 1, argsz: 20 }), 0x3b6b, `14000000 ${zeros(20)}`],
  [callOf("VFIO_IOMMU_GET_INFO", { argsz: 256 }), 0x3b70, `00010000 ${zeros(20)}`],
  [
    callOf("VFIO_MAP_DMA", {
      argsz: 32,
      flags: 3,
      vaddr: va(0x2000_0000_0000n),
      iova: iova(0x1000n),
      size: length(0x2000n),
    }),
    0x3b71,
    "20000000 03000000 0000000000200000 0010000000000000 0020000000000000",
  ],
  [
    callOf("VFIO_UNMAP_DMA", { argsz: 24, flags: 2, iova: iova(1n), size: length(2n) }),
    0x3b72,
    "18000000 02000000 0100000000000000 0200000000000000",
  ],
  [
    callOf("CREATE_ACCESS", { ioas_id: 1, flags: 1 }),
    0x3ba0,
    `48000000 05000000 01000000 00000000 00000000 01000000 ${zeros(48)}`,
  ],
  [
    callOf("ACCESS_REPLACE_IOAS", { access_fd: -1, ioas_id: 2 }),
    0x3ba0,
    `48000000 0b000000 ffffffff 00000000 02000000 ${zeros(52)}`,
  ],
  [
    callOf("ACCESS_PAGES", {
      access_fd: 5,
      flags: 1,
      iova: iova(1n),
      length: length(2n),
      uptr: va(3n),
    }),
    0x3ba0,
    "48000000 07000000 05000000 00000000 01000000 00000000" +
      `0100000000000000 0200000000000000 0300000000000000 ${zeros(24)}`,
  ],
  [
    callOf("DESTROY_ACCESS_PAGES", { access_fd: 5, access_pages_id: 6 }),
    0x3ba0,
    `48000000 06000000 05000000 00000000 06000000 ${zeros(52)}`,
  ],
  [
    callOf("MD_CHECK_IOTLB", { hwpt_id: 7, iotlb_id: 3, iotlb: 0x0bad_beef }),
    0x3ba0,
    `48000000 0e000000 07000000 00000000 03000000 efbead0b ${zeros(48)}`,
  ],
  [
    callOf("TRIGGER_IOPF", { dev_id: 1, pasid: 2, grpid: 3, perm: 4, addr: 5n }),
    0x3ba0,
    `48000000 0f000000 00000000 00000000 01000000 02000000 03000000 04000000 0500000000000000 ${zeros(32)}`,
  ],
  [
    READ,
    0x3ba0,
    `48000000 08000000 05000000 00000000 0100000000000000 0300000000000000 0000000001000000 04000000 ${zeros(28)}`,
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

const HWPT = callOf("HWPT_ALLOC", {
  size: 0,
  flags: 4,
  dev_id: 1,
  pt_id: 2,
  reserved: 0,
  data_type: 0xdead,
  data_len: 4,
  data_uptr: SCRATCH_VA,
  fault_id: 3,
  reserved2: 0,
  data: "efbead0b",
});

test.each<[IoctlCall, string, string]>([
  [
    HWPT,
    "30000000 04000000 01000000 02000000 00000000 00000000 adde0000 04000000" +
      "0000000001000000 03000000 00000000",
    "efbead0b",
  ],
  [
    callOf("HWPT_INVALIDATE", {
      hwpt_id: 7,
      data_uptr: va(0x1_0000_fff8n),
      data_type: 0xdead_beef,
      entry_len: 8,
      entry_num: 1,
      reserved: 0,
      data: "0000000003000000",
    }),
    "20000000 07000000 f8ff000001000000 efbeadde 08000000 01000000 00000000",
    "0000000003000000",
  ],
  [
    callOf("DIRTY", {
      hwpt_id: 7,
      iova: iova(1n),
      length: length(2n),
      page_size: length(3n),
      uptr: SCRATCH_VA,
      bitmap: "05",
    }),
    "48000000 0d000000 07000000 00000000 0000000000000000 0100000000000000 0200000000000000" +
      `0300000000000000 0000000001000000 ${zeros(16)}`,
    "05",
  ],
  [
    BITMAP,
    "30000000 01000000 00000000 00000000 0010000000000000 0090000000000000" +
      "0008000000000000 0000000001000000",
    "111111",
  ],
  // As much of the data as there is room for; nobody will read more than the length.
  [
    { ...READ, in: { ...READ.in, flags: 1 } },
    "48000000 08000000 05000000 00000000 0100000000000000 0300000000000000 0000000001000000" +
      `01000000 ${zeros(28)}`,
    "0102",
  ],
])("$call carries what is at its pointer", (call, bytes, array) => {
  const encoded = encodeCall(call);
  expect(hex(encoded.bytes)).toBe(plain(bytes));
  expect(hex(encoded.array ?? new Uint8Array())).toBe(array);
});

test("a caller of an older uAPI passes a shorter struct, and cannot pass what it does not know", () => {
  const old = {
    ...HWPT,
    in: { ...HWPT.in, size: 24, data_type: 0, data_len: 0, fault_id: 0, data_uptr: va(0n) },
  };
  expect(hex(encodeCall(old).bytes)).toBe(
    plain("18000000 04000000 01000000 02000000 00000000 00000000"),
  );
  expect(() => encodeCall({ ...HWPT, in: { ...HWPT.in, size: 24 } })).toThrow("iommu_hwpt_alloc");
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

test("GET_HW_INFO: data as long as the buffer, capabilities if the struct reaches them", () => {
  const answer = raw(
    `28000000 ${zeros(8)} 08000000 ${zeros(8)} efbeedfe 00000000 0100000000000000`,
  );
  const memory = raw("00000000 efbeadde 00000000 a5a5");
  const out = {
    data_len: 8,
    out_data_type: 0xfeed_beef,
    out_max_pasid_log2: 0,
    data: "00000000efbeadde00000000",
  };
  expect(decodeOutputs(HW_INFO, answer, memory)).toEqual({ ...out, out_capabilities: 1n });
  const old = { ...HW_INFO, in: { ...HW_INFO.in, size: 32 } };
  expect(decodeOutputs(old, answer.subarray(0, 32), memory)).toEqual(out);
  const partial = { ...HW_INFO, in: { ...HW_INFO.in, size: 33 } };
  const inPart = { ...out, out_capabilities: 1n };
  expect(decodeOutputs(partial, answer.subarray(0, 33), memory)).toEqual(inPart);
});

test("HWPT_GET_DIRTY_BITMAP and ACCESS_RW answer by what they leave in memory", () => {
  const struct = new Uint8Array(72);
  expect(decodeOutputs(BITMAP, struct, raw("111111"))).toEqual({});
  expect(decodeOutputs(BITMAP, struct, raw("111311"))).toEqual({ bitmap: "111311" });
  expect(decodeOutputs(READ, struct, raw("0a0b0c"))).toEqual({ data: "0a0b0c" });
  const write = { ...READ, in: { ...READ.in, flags: 1 } };
  expect(decodeOutputs(write, struct, raw("0a0b0c"))).toEqual({});
});

// compat-1 steps 15 and 21, compat-3 step 22 of the recordings.
const CHAIN =
  "480000000300000000f0ffffffffffff18000000000000000300010028000000ffffffffa5a5a5a5" +
  "010001000000000001000000000000000000000000000000ffffffffffffffff";
const infoOf = (argsz: number, bytes: string) =>
  decodeOutputs(
    callOf("VFIO_IOMMU_GET_INFO", { argsz }),
    raw(bytes + "a5".repeat(320 - bytes.length / 2)),
  );

test("VFIO_IOMMU_GET_INFO: the chain, and how far the buffer was written", () => {
  const sizes = { argsz: 72, flags: 3, iova_pgsizes: 0xffff_ffff_ffff_f000n };
  expect(infoOf(256, CHAIN)).toEqual({
    ...sizes,
    cap_offset: 24,
    caps: [
      { id: 3, version: 1, at: 24, next: 40, avail: 0xffff_ffff },
      { id: 1, version: 1, at: 40, next: 0, ranges: [[0n, U64_MAX]] },
    ],
    bytes: CHAIN,
  });
  const short = `480000000300000000f0ffffffffffff${zeros(8)}`;
  expect(infoOf(24, short)).toEqual({ ...sizes, cap_offset: 0, bytes: short });
  const shortest = short.slice(0, 32);
  expect(infoOf(16, shortest)).toEqual({ ...sizes, bytes: shortest });
});

test("a chain that goes in circles, or out of the buffer, ends", () => {
  const round = raw(`${zeros(24)}0700010018000000`);
  expect(decodeCaps(round, 24)).toEqual([{ id: 7, version: 1, at: 24, next: 24 }]);
  expect(decodeCaps(round, 30)).toEqual([]);
});

test("page faults and the answers to them", () => {
  const bytes = raw(
    "02000000 04000000 00000000 05000000 02000000 00000000 0070000100000000 00000000 01000000",
  );
  const fault = {
    flags: 2,
    dev_id: 4,
    pasid: 0,
    grpid: 5,
    perm: 2,
    reserved: 0,
    addr: 0x100_7000n,
    length: 0,
    cookie: 1,
  };
  expect(decodeFaults(bytes)).toEqual([fault]);
  expect(decodeFaults(new Uint8Array(0))).toEqual([]);
  expect(
    hex(
      encodeResponses([
        { cookie: 1, code: 0 },
        { cookie: 9, code: 1 },
      ]),
    ),
  ).toBe(plain("01000000 00000000 09000000 01000000"));
});
