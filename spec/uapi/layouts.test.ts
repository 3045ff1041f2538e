import { expect, test } from "@jest/globals";
import { shapeOf } from "../calls";
import { VFIO_ATTACH_ARGSZ, VFIO_BIND_ARGSZ, VFIO_DETACH_ARGSZ } from "./flags";
import { _IO, IOCTLS, type Ioctl, type IoctlName, NUMBER_IOCTLS, TEST_CMD } from "./ioctls";
import {
  INFO_CAP_DMA_AVAIL,
  INFO_CAP_HEADER,
  INFO_CAP_IOVA_RANGE,
  IOVA_RANGE,
  LAYOUTS,
  type Layout,
  MOCK_HW_INFO,
  MOCK_INVALIDATE_ENTRY,
  MOCK_NESTED_DATA,
  PAGE_FAULT,
  PAGE_RESPONSE,
  VTD_HW_INFO,
  WIDTH,
} from "./layouts";

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

const testCmd = (id: string, union: string, type = "u32"): string =>
  `72/68 0:size:u32 4:op:u32 8:${id}:${type} 12:reserved:u32! ${union} 64:last:u32 68:[4]`;

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
  HWPT_ALLOC:
    "48/24 0:size:u32 4:flags:u32 8:dev_id:u32 12:pt_id:u32 16:out_hwpt_id:u32 20:reserved:u32! " +
    "24:data_type:u32 28:data_len:u32 32:data_uptr:u64 40:fault_id:u32 44:reserved2:u32!",
  GET_HW_INFO:
    "40/32 0:size:u32 4:flags:u32 8:dev_id:u32 12:data_len:u32 16:data_uptr:u64 " +
    "24:out_data_type:u32 28:out_max_pasid_log2:u8 29:reserved0:u8! 30:reserved1:u8! " +
    "31:reserved2:u8! 32:out_capabilities:u64",
  HWPT_SET_DIRTY_TRACKING: "16/16 0:size:u32 4:flags:u32 8:hwpt_id:u32 12:reserved:u32!",
  HWPT_GET_DIRTY_BITMAP:
    "48/48 0:size:u32 4:hwpt_id:u32 8:flags:u32 12:reserved:u32! 16:iova:u64 24:length:u64 " +
    "32:page_size:u64 40:data:u64",
  HWPT_INVALIDATE:
    "32/32 0:size:u32 4:hwpt_id:u32 8:data_uptr:u64 16:data_type:u32 20:entry_len:u32 " +
    "24:entry_num:u32 28:reserved:u32!",
  FAULT_QUEUE_ALLOC: "16/16 0:size:u32 4:flags:u32 8:out_fault_id:u32 12:out_fault_fd:s32",
  VFIO_IOMMU_GET_INFO: "24/16 0:argsz:u32 4:flags:u32 8:iova_pgsizes:u64 16:cap_offset:u32 20:[4]",
  VFIO_MAP_DMA: "32/32 0:argsz:u32 4:flags:u32 8:vaddr:u64 16:iova:u64 24:size:u64",
  VFIO_UNMAP_DMA: "24/24 0:argsz:u32 4:flags:u32 8:iova:u64 16:size:u64",
  VFIO_GET_INFO:
    "24/16 0:argsz:u32 4:flags:u32 8:num_regions:u32 12:num_irqs:u32 16:cap_offset:u32 20:[4]",
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
  SET_TEMP_MEMORY_LIMIT: testCmd("id", "16:limit:u32 20:[44]"),
  MOCK_DOMAIN_REPLACE: testCmd("stdev_id", "16:pt_id:u32 20:[44]"),
  MD_CHECK_MAP: testCmd("hwpt_id", "16:iova:u64 24:length:u64 32:uptr:u64 40:[24]"),
  MD_CHECK_REFS: testCmd("id", "16:length:u64 24:uptr:u64 32:refs:u32 36:[28]"),
  CREATE_ACCESS: testCmd("ioas_id", "16:out_access_fd:s32 20:flags:u32 24:[40]"),
  DESTROY_ACCESS_PAGES: testCmd("access_fd", "16:access_pages_id:u32 20:[44]", "s32"),
  ACCESS_PAGES: testCmd(
    "access_fd",
    "16:flags:u32 20:out_access_pages_id:u32 24:iova:u64 32:length:u64 40:uptr:u64 48:[16]",
    "s32",
  ),
  ACCESS_RW: testCmd(
    "access_fd",
    "16:iova:u64 24:length:u64 32:uptr:u64 40:flags:u32 44:[20]",
    "s32",
  ),
  ACCESS_REPLACE_IOAS: testCmd("access_fd", "16:ioas_id:u32 20:[44]", "s32"),
  DIRTY: testCmd(
    "hwpt_id",
    "16:[8] 24:iova:u64 32:length:u64 40:page_size:u64 48:uptr:u64 56:out_nr_dirty:u64",
  ),
  MD_CHECK_IOTLB: testCmd("hwpt_id", "16:iotlb_id:u32 20:iotlb:u32 24:[40]"),
  TRIGGER_IOPF: testCmd(
    "id",
    "16:dev_id:u32 20:pasid:u32 24:grpid:u32 28:perm:u32 32:addr:u64 40:[24]",
  ),
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
  HWPT_ALLOC: { command: 0x3b89 },
  GET_HW_INFO: { command: 0x3b8a },
  HWPT_SET_DIRTY_TRACKING: { command: 0x3b8b },
  HWPT_GET_DIRTY_BITMAP: { command: 0x3b8c },
  HWPT_INVALIDATE: { command: 0x3b8d },
  FAULT_QUEUE_ALLOC: { command: 0x3b8e },
  VFIO_IOMMU_GET_INFO: { command: 0x3b70 },
  VFIO_MAP_DMA: { command: 0x3b71 },
  VFIO_UNMAP_DMA: { command: 0x3b72 },
  VFIO_GET_INFO: { command: 0x3b6b },
  VFIO_BIND: { command: 0x3b76 },
  VFIO_ATTACH: { command: 0x3b77 },
  VFIO_DETACH: { command: 0x3b78 },
  ADD_RESERVED: { command: 0x3ba0, op: 1 },
  MOCK_DOMAIN: { command: 0x3ba0, op: 2 },
  MD_CHECK_MAP: { command: 0x3ba0, op: 3 },
  MD_CHECK_REFS: { command: 0x3ba0, op: 4 },
  CREATE_ACCESS: { command: 0x3ba0, op: 5 },
  DESTROY_ACCESS_PAGES: { command: 0x3ba0, op: 6 },
  ACCESS_PAGES: { command: 0x3ba0, op: 7 },
  ACCESS_RW: { command: 0x3ba0, op: 8 },
  SET_TEMP_MEMORY_LIMIT: { command: 0x3ba0, op: 9 },
  MOCK_DOMAIN_REPLACE: { command: 0x3ba0, op: 10 },
  ACCESS_REPLACE_IOAS: { command: 0x3ba0, op: 11 },
  MOCK_DOMAIN_FLAGS: { command: 0x3ba0, op: 12 },
  DIRTY: { command: 0x3ba0, op: 13 },
  MD_CHECK_IOTLB: { command: 0x3ba0, op: 14 },
  TRIGGER_IOPF: { command: 0x3ba0, op: 15 },
};

// Written down from the headers as well: structs that are no ioctl's own.
const PARTS: Readonly<Record<string, readonly [Layout, string]>> = {
  "page fault": [
    PAGE_FAULT,
    "40/40 0:flags:u32 4:dev_id:u32 8:pasid:u32 12:grpid:u32 16:perm:u32 20:reserved:u32 " +
      "24:addr:u64 32:length:u32 36:cookie:u32",
  ],
  "page response": [PAGE_RESPONSE, "8/8 0:cookie:u32 4:code:u32"],
  "nested data of the mock": [MOCK_NESTED_DATA, "4/4 0:iotlb:u32"],
  "invalidation entry of the mock": [MOCK_INVALIDATE_ENTRY, "8/8 0:flags:u32 4:iotlb_id:u32"],
  "hw info of the mock": [MOCK_HW_INFO, "8/8 0:flags:u32 4:test_reg:u32"],
  "hw info of VT-d": [
    VTD_HW_INFO,
    "24/24 0:flags:u32 4:reserved:u32! 8:cap_reg:u64 16:ecap_reg:u64",
  ],
  "capability header": [INFO_CAP_HEADER, "8/8 0:id:u16 2:version:u16 4:next:u32"],
  "capability DMA_AVAIL": [
    INFO_CAP_DMA_AVAIL,
    "12/12 0:id:u16 2:version:u16 4:next:u32 8:avail:u32",
  ],
  "capability IOVA_RANGE": [
    INFO_CAP_IOVA_RANGE,
    "16/16 0:id:u16 2:version:u16 4:next:u32 8:nr_iovas:u32 12:reserved:u32!",
  ],
};

test.each(Object.entries(PARTS))("%s is laid out as in the headers", (_, [layout, text]) => {
  expect(textOf(layout)).toBe(text);
});

test("ioctls that take a number have their words", () => {
  expect(NUMBER_IOCTLS).toEqual({
    VFIO_GET_API_VERSION: 0x3b64,
    VFIO_CHECK_EXTENSION: 0x3b65,
    VFIO_SET_IOMMU: 0x3b66,
  });
});

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

test.each([IOVA_RANGE, ...Object.values(PARTS).map(([part]) => part), ...Object.values(LAYOUTS)])(
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
const OUTSIDE_THE_STRUCT = new Set([
  "devfd",
  "array",
  "writable_elems",
  "writable_bytes",
  "accessible_bytes",
  "prefill",
  "bitmap",
  "data_repeat",
  "data_fnv1a64",
  "data_first16",
  "caps",
  "bytes",
]);
/** `data` is a pointer in one call, and what is at the pointer in others. */
const isOutside = (name: IoctlName, field: string): boolean =>
  OUTSIDE_THE_STRUCT.has(field) || (field === "data" && name !== "HWPT_GET_DIRTY_BITMAP");

test.each(NAMES)("%s: every input and output of the call is a field of its struct", (name) => {
  const fields = new Set(LAYOUTS[name].fields.map((field) => field.name));
  const shape = shapeOf(name);
  const missing = [...Object.keys(shape.in), ...Object.keys(shape.out)].filter(
    (field) => !fields.has(field) && !isOutside(name, field),
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
