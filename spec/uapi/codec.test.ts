import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type IovaRange, iova, U64_MAX } from "../units";
import { decodeRanges, decodeStruct, encodeRanges, encodeStruct } from "./codec";
import type { IoctlName } from "./ioctls";
import { type IntType, IOVA_RANGE, LAYOUTS, type Layout, WIDTH } from "./layouts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const raw = (text: string): Uint8Array => Buffer.from(text, "hex");
const zeros = (bytes: number): string => "00".repeat(bytes);

// -- the real kernel's bytes: RAW steps of a recorded 6.12.117 --------------------------------------

test.each<[string, IoctlName, string, Record<string, number | bigint>]>([
  ["framing-3 step 9", "DESTROY", "0800000002000000", { size: 8, id: 2 }],
  ["framing-37 step 48", "DESTROY", "0b00000006000000000000", { size: 11, id: 6 }],
  ["framing-8 step 14", "IOAS_ALLOC", "0c0000000000000002000000", { size: 12, out_ioas_id: 2 }],
  [
    "framing-1 step 36",
    "OPTION",
    "180000000100000001000000010000000100000000000000",
    { size: 24, option_id: 1, op: 1, object_id: 1, val64: 1n },
  ],
  [
    "framing-5 step 10",
    "OPTION",
    "1400000001000000010000000100000000000000",
    { size: 20, option_id: 1, op: 1, object_id: 1 },
  ],
  [
    "framing-4 step 29",
    "IOAS_MAP",
    "2b000000070000000100000000000000007000000020000000100000000000000020020100000000000000",
    {
      size: 43,
      flags: 7,
      ioas_id: 1,
      user_va: 0x2000_0000_7000n,
      length: 0x1000n,
      iova: 0x102_2000n,
    },
  ],
  [
    "framing-2 step 48",
    "IOAS_UNMAP",
    "180000000200000000000040000000000010000000000000",
    { size: 24, ioas_id: 2, iova: 0x4000_0000n, length: 0x1000n },
  ],
  ["framing-3 step 6", "VFIO_IOAS", "0c0000000100000001000000", { size: 12, ioas_id: 1, op: 1 }],
  [
    "framing-1 step 31",
    "IOAS_IOVA_RANGES",
    "2300000001000000010000000000000000000000000000000100000000000000000000",
    { size: 35, ioas_id: 1, num_iovas: 1, out_iova_alignment: 1n },
  ],
  [
    "framing-4 step 56",
    "IOAS_IOVA_RANGES",
    "300000000100000001000000000000000000000000000000000800000000000000000000000000000000000000000000",
    { size: 48, ioas_id: 1, num_iovas: 1, out_iova_alignment: 0x800n },
  ],
])("%s: %s, both ways", (_, name, bytes, values) => {
  const layout = LAYOUTS[name];
  expect(hex(encodeStruct(layout, values, bytes.length / 2))).toBe(bytes);
  const absent = Object.fromEntries(
    layout.fields.map((field) => [field.name, field.type === "u64" ? 0n : 0]),
  );
  expect(decodeStruct(layout, raw(bytes))).toEqual({ ...absent, ...values });
});

// -- structs -------------------------------------------------------------------------------------

const MOST: { readonly [T in IntType]: number | bigint } = {
  u8: 0xff,
  u16: 0xffff,
  u32: 0xffff_ffff,
  s32: -1,
  u64: U64_MAX,
};
const ANY: { readonly [T in IntType]: fc.Arbitrary<number | bigint> } = {
  u8: fc.integer({ min: 0, max: 0xff }),
  u16: fc.integer({ min: 0, max: 0xffff }),
  u32: fc.integer({ min: 0, max: 0xffff_ffff }),
  s32: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  u64: fc.bigInt({ min: 0n, max: U64_MAX }),
};
const anyValues = (layout: Layout): fc.Arbitrary<Record<string, number | bigint>> =>
  fc.record(Object.fromEntries(layout.fields.map(({ name, type }) => [name, ANY[type]])));

const ALL = [IOVA_RANGE, ...Object.values(LAYOUTS)];

test.each(ALL)("$name: what was encoded is decoded, at full size and beyond", (layout) => {
  fc.assert(
    fc.property(anyValues(layout), fc.nat(100), (values, surplus) => {
      const bytes = encodeStruct(layout, values);
      expect(bytes).toHaveLength(layout.size);
      expect(decodeStruct(layout, bytes)).toEqual(values);
      const longer = encodeStruct(layout, values, layout.size + surplus);
      expect(hex(longer)).toBe(hex(bytes) + zeros(surplus));
      expect(decodeStruct(layout, longer.fill(0xa5, layout.size))).toEqual(values);
    }),
  );
});

test.each(ALL)("$name: an absent tail counts as zero", (layout) => {
  fc.assert(
    fc.property(anyValues(layout), fc.nat(layout.size), (values, size) => {
      const cut = encodeStruct(layout, values).fill(0, size);
      expect(decodeStruct(layout, cut.subarray(0, size))).toEqual(decodeStruct(layout, cut));
      expect(hex(encodeStruct(layout, decodeStruct(layout, cut), size))).toBe(
        hex(cut.subarray(0, size)),
      );
    }),
  );
});

test.each(ALL)("$name: each field fills its own bytes and no others", (layout) => {
  for (const { name, offset, type } of layout.fields) {
    const [first] = layout.fields;
    const size = first?.name === "size" ? { size: 0 } : {};
    const bytes = encodeStruct(layout, { ...size, [name]: MOST[type] });
    expect(hex(bytes)).toBe(
      zeros(offset) + "ff".repeat(WIDTH[type]) + zeros(layout.size - offset - WIDTH[type]),
    );
  }
});

test("size is filled in unless it is given; argsz is not", () => {
  expect(hex(encodeStruct(LAYOUTS.DESTROY, { id: 1 }))).toBe("0800000001000000");
  expect(hex(encodeStruct(LAYOUTS.DESTROY, { id: 1 }, 12))).toBe("0c0000000100000000000000");
  expect(hex(encodeStruct(LAYOUTS.DESTROY, { size: 7, id: 1 }))).toBe("0700000001000000");
  expect(hex(encodeStruct(LAYOUTS.VFIO_DETACH, {}))).toBe("0000000000000000");
});

test("bytes may be a part of a larger buffer", () => {
  const buffer = new Uint8Array([9, 9, 8, 0, 0, 0, 5, 0, 0, 0, 9]);
  expect(decodeStruct(LAYOUTS.DESTROY, buffer.subarray(2, 10))).toEqual({ size: 8, id: 5 });
});

/** A layout with the types that no call of 6.12 has yet. */
const BYTES: Layout = {
  name: "bytes",
  size: 2,
  min: 1,
  fields: [
    { name: "first", offset: 0, type: "u8" },
    { name: "second", offset: 1, type: "u8" },
  ],
};

test("u8 fields", () => {
  expect(hex(encodeStruct(BYTES, { first: 1, second: 0xfe }))).toBe("01fe");
  expect(decodeStruct(BYTES, raw("01fe"))).toEqual({ first: 1, second: 0xfe });
});

const REFUSED: [Layout, Record<string, number | bigint>, number | undefined, string][] = [
  [BYTES, { first: 256 }, undefined, "bytes.first: expected a whole number of 0..255, got 256"],
  [BYTES, { first: 1n }, undefined, "bytes.first: expected a whole number of 0..255, got 1n"],
  [BYTES, { first: 0, second: 1 }, 1, "bytes.second: 1 does not fit into a struct of 1 bytes"],
  [BYTES, { third: 0 }, undefined, "bytes: has no field third"],
  [BYTES, {}, -1, "bytes: expected a size of whole bytes, got -1"],
  [
    LAYOUTS.OPTION,
    { op: 0x1_0000 },
    undefined,
    "iommu_option.op: expected a whole number of 0..65535, got 65536",
  ],
  [
    LAYOUTS.DESTROY,
    { id: -1 },
    undefined,
    "iommu_destroy.id: expected a whole number of 0..4294967295, got -1",
  ],
  [
    LAYOUTS.DESTROY,
    { id: 0.5 },
    undefined,
    "iommu_destroy.id: expected a whole number of 0..4294967295, got 0.5",
  ],
  [
    LAYOUTS.VFIO_BIND,
    { iommufd: 0x8000_0000 },
    undefined,
    "vfio_device_bind_iommufd.iommufd: expected a whole number of -2147483648..2147483647, " +
      "got 2147483648",
  ],
  [
    IOVA_RANGE,
    { start: U64_MAX + 1n },
    undefined,
    "iommu_iova_range.start: expected a bigint of 0..2^64-1, got 18446744073709551616n",
  ],
  [
    IOVA_RANGE,
    { last: -1n },
    undefined,
    "iommu_iova_range.last: expected a bigint of 0..2^64-1, got -1n",
  ],
  [
    IOVA_RANGE,
    { last: 1 },
    undefined,
    "iommu_iova_range.last: expected a bigint of 0..2^64-1, got 1",
  ],
];

test.each(REFUSED.map((row) => [row[3], row] as const))("refused: %s", (message, row) => {
  const [layout, values, size] = row;
  expect(() => encodeStruct(layout, values, size)).toThrow(new RangeError(message));
});

// -- arrays --------------------------------------------------------------------------------------

test("ranges are 16 bytes each", () => {
  const ranges: IovaRange[] = [
    [iova(0n), iova(0xffffn)],
    [iova(0x100_0000n), iova(U64_MAX)],
  ];
  const bytes = "0000000000000000ffff0000000000000000000100000000ffffffffffffffff";
  expect(hex(encodeRanges(ranges))).toBe(bytes);
  expect(decodeRanges(raw(bytes))).toEqual(ranges);
  expect(decodeRanges(raw(bytes), 1)).toEqual(ranges.slice(0, 1));
  expect(decodeRanges(raw(""))).toEqual([]);
  expect(() => decodeRanges(raw(bytes), 3)).toThrow(
    new RangeError("iova ranges: expected 3 elements of 16 bytes, got 32 bytes"),
  );
  expect(() => decodeRanges(raw(bytes).subarray(0, 17))).toThrow(
    new RangeError("iova ranges: expected whole elements of 16 bytes, got 17 bytes"),
  );
});

test("ranges come back as they went", () => {
  const end = fc.bigInt({ min: 0n, max: U64_MAX }).map(iova);
  fc.assert(
    fc.property(fc.array(fc.tuple(end, end)), (ranges) => {
      expect(decodeRanges(encodeRanges(ranges))).toEqual(ranges);
    }),
  );
});
