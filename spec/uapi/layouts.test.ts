import { expect, test } from "@jest/globals";
import { shapeOf } from "../calls";
import { VFIO_ATTACH_ARGSZ, VFIO_BIND_ARGSZ, VFIO_DETACH_ARGSZ } from "./flags";
import { _IO, IOCTLS, type Ioctl, type IoctlName, TEST_CMD } from "./ioctls";
import { IOVA_RANGE, LAYOUTS, type Layout, WIDTH } from "./layouts";

const NAMES = Object.keys(IOCTLS) as IoctlName[];

/** "full/min offset:name:type …", with `!` after a reserved field and `[n]` for a gap of n bytes. */
const textOf = ({ size, min, fields, gaps = [] }: Layout): string => {
  const parts = [
    ...fields.map(({ offset, name, type, reserved }) => ({
      offset,
      text: `${offset}:${name}:${type}${reserved ? "!" : ""}`,
    })),
    ...gaps.map(([offset, length]) => ({ offset, text: `${offset}:[${length}]` })),
  ];
  parts.sort((a, b) => a.offset - b.offset);
  return [`${size}/${min}`, ...parts.map(({ text }) => text)].join(" ");
};

const testCmd = (id: string, union: string): string =>
  `72/68 0:size:u32 4:op:u32 8:${id}:u32 12:reserved:u32! ${union} 64:last:u32 68:[4]`;

// Written down from the headers, not from layouts.ts.
const EXPECTED: { readonly [K in IoctlName]: string } = {
  DESTROY: "8/8 0:size:u32 4:id:u32",
  IOAS_ALLOC: "12/12 0:size:u32 4:flags:u32 8:out_ioas_id:u32",
  IOAS_ALLOW_IOVAS:
    "24/24 0:size:u32 4:ioas_id:u32 8:num_iovas:u32 12:reserved:u32! 16:allowed_iovas:u64",
  IOAS_COPY:
    "40/40 0:size:u32 4:flags:u32 8:dst_ioas_id:u32 12:src_ioas_id:u32 16:length:u64 " +
    "24:dst_iova:u64 32:src_iova:u64",
  IOAS_IOVA_RANGES:
    "32/32 0:size:u32 4:ioas_id:u32 8:num_iovas:u32 12:reserved:u32! 16:allowed_iovas:u64 " +
    "24:out_iova_alignment:u64",
  IOAS_MAP:
    "40/40 0:size:u32 4:flags:u32 8:ioas_id:u32 12:reserved:u32! 16:user_va:u64 24:length:u64 " +
    "32:iova:u64",
  IOAS_UNMAP: "24/24 0:size:u32 4:ioas_id:u32 8:iova:u64 16:length:u64",
  OPTION:
    "24/24 0:size:u32 4:option_id:u32 8:op:u16 10:reserved:u16! 12:object_id:u32 16:val64:u64",
  VFIO_IOAS: "12/12 0:size:u32 4:ioas_id:u32 8:op:u16 10:reserved:u16!",
  VFIO_BIND: "16/16 0:argsz:u32 4:flags:u32 8:iommufd:s32 12:out_devid:u32",
  VFIO_ATTACH: "12/12 0:argsz:u32 4:flags:u32 8:pt_id:u32",
  VFIO_DETACH: "8/8 0:argsz:u32 4:flags:u32",
  ADD_RESERVED: testCmd("ioas_id", "16:start:u64 24:length:u64 32:[32]"),
  MOCK_DOMAIN: testCmd(
    "pt_id",
    "16:out_stdev_id:u32 20:out_hwpt_id:u32 24:out_idev_id:u32 28:[36]",
  ),
  MOCK_DOMAIN_FLAGS: testCmd(
    "pt_id",
    "16:out_stdev_id:u32 20:out_hwpt_id:u32 24:out_idev_id:u32 28:dev_flags:u32 32:[32]",
  ),
  MOCK_DOMAIN_REPLACE: testCmd("stdev_id", "16:pt_id:u32 20:[44]"),
  MD_CHECK_MAP: testCmd("hwpt_id", "16:iova:u64 24:length:u64 32:uptr:u64 40:[24]"),
  MD_CHECK_REFS: testCmd("id", "16:length:u64 24:uptr:u64 32:refs:u32 36:[28]"),
};

const COMMANDS: { readonly [K in IoctlName]: Ioctl } = {
  DESTROY: { command: 0x3b80 },
  IOAS_ALLOC: { command: 0x3b81 },
  IOAS_ALLOW_IOVAS: { command: 0x3b82 },
  IOAS_COPY: { command: 0x3b83 },
  IOAS_IOVA_RANGES: { command: 0x3b84 },
  IOAS_MAP: { command: 0x3b85 },
  IOAS_UNMAP: { command: 0x3b86 },
  OPTION: { command: 0x3b87 },
  VFIO_IOAS: { command: 0x3b88 },
  VFIO_BIND: { command: 0x3b76 },
  VFIO_ATTACH: { command: 0x3b77 },
  VFIO_DETACH: { command: 0x3b78 },
  ADD_RESERVED: { command: 0x3ba0, op: 1 },
  MOCK_DOMAIN: { command: 0x3ba0, op: 2 },
  MD_CHECK_MAP: { command: 0x3ba0, op: 3 },
  MD_CHECK_REFS: { command: 0x3ba0, op: 4 },
  MOCK_DOMAIN_REPLACE: { command: 0x3ba0, op: 10 },
  MOCK_DOMAIN_FLAGS: { command: 0x3ba0, op: 12 },
};

test("command words are those of the headers", () => {
  expect(_IO(0x3b, 0x85)).toBe(0x3b85);
  expect(TEST_CMD).toBe(0x3ba0);
  expect(IOCTLS).toEqual(COMMANDS);
});

test("every struct has the sizes and offsets of the headers", () => {
  expect(Object.fromEntries(NAMES.map((name) => [name, textOf(LAYOUTS[name])]))).toEqual(EXPECTED);
  expect(textOf(IOVA_RANGE)).toBe("16/16 0:start:u64 8:last:u64");
});

test("the VFIO structs are as large as the smallest argsz", () => {
  expect(LAYOUTS.VFIO_BIND.size).toBe(VFIO_BIND_ARGSZ);
  expect(LAYOUTS.VFIO_ATTACH.size).toBe(VFIO_ATTACH_ARGSZ);
  expect(LAYOUTS.VFIO_DETACH.size).toBe(VFIO_DETACH_ARGSZ);
});

test.each([IOVA_RANGE, ...Object.values(LAYOUTS)])(
  "$name: every byte belongs to one field or one gap, and fields are aligned",
  (layout) => {
    const owners: string[][] = Array.from({ length: layout.size }, () => []);
    const claim = (offset: number, length: number, owner: string): void => {
      for (let at = offset; at < offset + length; at++) owners[at]?.push(owner);
      expect(offset + length).toBeLessThanOrEqual(layout.size);
    };
    for (const { name, offset, type } of layout.fields) {
      claim(offset, WIDTH[type], name);
      expect(offset % WIDTH[type]).toBe(0);
    }
    for (const [offset, length] of layout.gaps ?? []) claim(offset, length, "gap");
    expect(owners.filter((all) => all.length !== 1)).toEqual([]);
    expect(new Set(layout.fields.map(({ name }) => name)).size).toBe(layout.fields.length);
    const offsets = layout.fields.map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  },
);

// What a call says beyond its struct: which file it is made on, and memory behind its pointer.
const OUTSIDE_THE_STRUCT = new Set(["devfd", "array", "writable_elems"]);

test.each(NAMES)("%s: every input and output of the call is a field of its struct", (name) => {
  const fields = new Set(LAYOUTS[name].fields.map((field) => field.name));
  const shape = shapeOf(name);
  const missing = [...Object.keys(shape.in), ...Object.keys(shape.out)].filter(
    (field) => !fields.has(field) && !OUTSIDE_THE_STRUCT.has(field),
  );
  expect(missing).toEqual([]);
});

test.each(NAMES)("%s: a field of the struct that the call does not name needs no value", (name) => {
  const ioctl: Ioctl = IOCTLS[name];
  const implied = new Set(["size", ...(ioctl.op === undefined ? [] : ["op", "last", "id"])]);
  const named = new Set([...Object.keys(shapeOf(name).in), ...Object.keys(shapeOf(name).out)]);
  const rest = LAYOUTS[name].fields.filter(
    (field) => !named.has(field.name) && !implied.has(field.name) && !field.reserved,
  );
  expect(rest).toEqual([]);
});
