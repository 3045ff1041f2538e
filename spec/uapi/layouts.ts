/**
 * Struct layouts of the uAPI as data (include/uapi/linux/{iommufd,vfio}.h and iommufd_test.h of
 * 6.12). Offsets and sizes are in bytes and little-endian, the same for 32-bit and 64-bit tasks.
 *
 * Fields have the names they have in spec/calls.ts: the uAPI's own, without leading underscores.
 */
import type { IoctlName } from "./ioctls";

export type IntType = "u8" | "u16" | "u32" | "s32" | "u64";

/** Bytes of each integer type. */
export const WIDTH: { readonly [T in IntType]: number } = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 };

export interface FieldLayout {
  readonly name: string;
  readonly offset: number;
  readonly type: IntType;
  /** Must be 0 today (GEN-17). It is still a field: a trace may set it, to see it refused. */
  readonly reserved?: true;
}

/** Bytes that belong to the struct but to none of its fields. Written as 0, never read. */
export type Gap = readonly [offset: number, length: number];

export interface Layout {
  /** The struct's name in C. */
  readonly name: string;
  /** sizeof in 6.12. */
  readonly size: number;
  /** The smallest size that a caller may pass: everything the first version had (GEN-07). */
  readonly min: number;
  /** In ascending order of offsets. */
  readonly fields: readonly FieldLayout[];
  readonly gaps?: readonly Gap[];
}

const field =
  (type: IntType) =>
  (offset: number, name: string): FieldLayout => ({ name, offset, type });
const u16 = field("u16");
const u32 = field("u32");
const s32 = field("s32");
const u64 = field("u64");
const reserved = (offset: number, type: IntType): FieldLayout => ({
  name: "reserved",
  offset,
  type,
  reserved: true,
});

/** An element of the arrays of IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS; both ends inclusive. */
export const IOVA_RANGE: Layout = {
  name: "iommu_iova_range",
  size: 16,
  min: 16,
  fields: [u64(0, "start"), u64(8, "last")],
};

/** A struct that has not grown since its first version. */
const struct = (name: string, size: number, fields: readonly FieldLayout[]): Layout => ({
  name,
  size,
  min: size,
  fields,
});

/**
 * One variant of struct iommu_test_cmd. The header's field at 8, `id` in C, has the name of what
 * the operation takes it for. The union is 48 bytes, its largest variant; `last` is the last
 * field that must be there, and four bytes of padding follow it, for the alignment of a u64.
 */
const testCmd = (variant: string, id: string, unionFields: readonly FieldLayout[]): Layout => {
  const used = Math.max(...unionFields.map((member) => member.offset + WIDTH[member.type]));
  return {
    name: `iommu_test_cmd.${variant}`,
    size: 72,
    min: 68,
    fields: [
      u32(0, "size"),
      u32(4, "op"),
      u32(8, id),
      reserved(12, "u32"),
      ...unionFields,
      u32(64, "last"),
    ],
    gaps: [
      [used, 64 - used],
      [68, 4],
    ],
  };
};

const mockDomainOutputs = [
  u32(16, "out_stdev_id"),
  u32(20, "out_hwpt_id"),
  u32(24, "out_idev_id"),
] as const;

/** The struct of each call that is an ioctl. */
export const LAYOUTS: { readonly [K in IoctlName]: Layout } = {
  DESTROY: struct("iommu_destroy", 8, [u32(0, "size"), u32(4, "id")]),
  IOAS_ALLOC: struct("iommu_ioas_alloc", 12, [
    u32(0, "size"),
    u32(4, "flags"),
    u32(8, "out_ioas_id"),
  ]),
  IOAS_ALLOW_IOVAS: struct("iommu_ioas_allow_iovas", 24, [
    u32(0, "size"),
    u32(4, "ioas_id"),
    u32(8, "num_iovas"),
    reserved(12, "u32"),
    u64(16, "allowed_iovas"),
  ]),
  IOAS_COPY: struct("iommu_ioas_copy", 40, [
    u32(0, "size"),
    u32(4, "flags"),
    u32(8, "dst_ioas_id"),
    u32(12, "src_ioas_id"),
    u64(16, "length"),
    u64(24, "dst_iova"),
    u64(32, "src_iova"),
  ]),
  IOAS_IOVA_RANGES: struct("iommu_ioas_iova_ranges", 32, [
    u32(0, "size"),
    u32(4, "ioas_id"),
    u32(8, "num_iovas"),
    reserved(12, "u32"),
    u64(16, "allowed_iovas"),
    u64(24, "out_iova_alignment"),
  ]),
  IOAS_MAP: struct("iommu_ioas_map", 40, [
    u32(0, "size"),
    u32(4, "flags"),
    u32(8, "ioas_id"),
    reserved(12, "u32"),
    u64(16, "user_va"),
    u64(24, "length"),
    u64(32, "iova"),
  ]),
  IOAS_UNMAP: struct("iommu_ioas_unmap", 24, [
    u32(0, "size"),
    u32(4, "ioas_id"),
    u64(8, "iova"),
    u64(16, "length"),
  ]),
  OPTION: struct("iommu_option", 24, [
    u32(0, "size"),
    u32(4, "option_id"),
    u16(8, "op"),
    reserved(10, "u16"),
    u32(12, "object_id"),
    u64(16, "val64"),
  ]),
  VFIO_IOAS: struct("iommu_vfio_ioas", 12, [
    u32(0, "size"),
    u32(4, "ioas_id"),
    u16(8, "op"),
    reserved(10, "u16"),
  ]),

  // argsz is an argument of the call: unlike `size`, a surplus it announces is never looked at.
  VFIO_BIND: struct("vfio_device_bind_iommufd", 16, [
    u32(0, "argsz"),
    u32(4, "flags"),
    s32(8, "iommufd"),
    u32(12, "out_devid"),
  ]),
  VFIO_ATTACH: struct("vfio_device_attach_iommufd_pt", 12, [
    u32(0, "argsz"),
    u32(4, "flags"),
    u32(8, "pt_id"),
  ]),
  VFIO_DETACH: struct("vfio_device_detach_iommufd_pt", 8, [u32(0, "argsz"), u32(4, "flags")]),

  ADD_RESERVED: testCmd("add_reserved", "ioas_id", [u64(16, "start"), u64(24, "length")]),
  MOCK_DOMAIN: testCmd("mock_domain", "pt_id", mockDomainOutputs),
  MOCK_DOMAIN_FLAGS: testCmd("mock_domain_flags", "pt_id", [
    ...mockDomainOutputs,
    u32(28, "dev_flags"),
  ]),
  MOCK_DOMAIN_REPLACE: testCmd("mock_domain_replace", "stdev_id", [u32(16, "pt_id")]),
  MD_CHECK_MAP: testCmd("check_map", "hwpt_id", [
    u64(16, "iova"),
    u64(24, "length"),
    u64(32, "uptr"),
  ]),
  // Needs no object: `id` stays 0.
  MD_CHECK_REFS: testCmd("check_refs", "id", [u64(16, "length"), u64(24, "uptr"), u32(32, "refs")]),
};
