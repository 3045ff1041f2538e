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
  /** An address of memory that the call reads or writes: an array, a buffer, a bitmap. */
  readonly pointer?: true;
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
const u8 = field("u8");
const u16 = field("u16");
const u32 = field("u32");
const s32 = field("s32");
const u64 = field("u64");
const pointer = (offset: number, name: string): FieldLayout => ({
  name,
  offset,
  type: "u64",
  pointer: true,
});
const reserved = (offset: number, type: IntType, name = "reserved"): FieldLayout => ({
  name,
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

/** A page fault as FAULT_READ answers it, and the answer that FAULT_WRITE takes. */
export const PAGE_FAULT: Layout = {
  name: "iommu_hwpt_pgfault",
  size: 40,
  min: 40,
  fields: [
    u32(0, "flags"),
    u32(4, "dev_id"),
    u32(8, "pasid"),
    u32(12, "grpid"),
    u32(16, "perm"),
    u32(20, "reserved"),
    u64(24, "addr"),
    u32(32, "length"),
    u32(36, "cookie"),
  ],
};
export const PAGE_RESPONSE: Layout = {
  name: "iommu_hwpt_page_response",
  size: 8,
  min: 8,
  fields: [u32(0, "cookie"), u32(4, "code")],
};

/** Data of the mock driver: of a nested HWPT, of an invalidation, and of GET_HW_INFO. */
export const MOCK_NESTED_DATA: Layout = {
  name: "iommu_hwpt_selftest",
  size: 4,
  min: 4,
  fields: [u32(0, "iotlb")],
};
export const MOCK_INVALIDATE_ENTRY: Layout = {
  name: "iommu_hwpt_invalidate_selftest",
  size: 8,
  min: 8,
  fields: [u32(0, "flags"), u32(4, "iotlb_id")],
};
export const MOCK_HW_INFO: Layout = {
  name: "iommu_test_hw_info",
  size: 8,
  min: 8,
  fields: [u32(0, "flags"), u32(4, "test_reg")],
};

/** What VT-d answers to GET_HW_INFO. */
export const VTD_HW_INFO: Layout = {
  name: "iommu_hw_info_vtd",
  size: 24,
  min: 24,
  fields: [u32(0, "flags"), reserved(4, "u32"), u64(8, "cap_reg"), u64(16, "ecap_reg")],
};

/** Capabilities behind struct vfio_iommu_type1_info: the header, and what follows it by id. */
export const INFO_CAP_HEADER: Layout = {
  name: "vfio_info_cap_header",
  size: 8,
  min: 8,
  fields: [u16(0, "id"), u16(2, "version"), u32(4, "next")],
};
export const INFO_CAP_DMA_AVAIL: Layout = {
  name: "vfio_iommu_type1_info_dma_avail",
  size: 12,
  min: 12,
  fields: [u16(0, "id"), u16(2, "version"), u32(4, "next"), u32(8, "avail")],
};
/** Elements of IOVA_RANGE follow it, nr_iovas of them. */
export const INFO_CAP_IOVA_RANGE: Layout = {
  name: "vfio_iommu_type1_info_cap_iova_range",
  size: 16,
  min: 16,
  fields: [
    u16(0, "id"),
    u16(2, "version"),
    u32(4, "next"),
    u32(8, "nr_iovas"),
    reserved(12, "u32"),
  ],
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
const testCmd = (
  variant: string,
  id: string | FieldLayout,
  unionFields: readonly FieldLayout[],
): Layout => {
  const gaps: Gap[] = [];
  let end = 16;
  for (const { offset, type } of unionFields) {
    if (offset > end) gaps.push([end, offset - end]);
    end = offset + WIDTH[type];
  }
  if (end < 64) gaps.push([end, 64 - end]);
  return {
    name: `iommu_test_cmd.${variant}`,
    size: 72,
    min: 68,
    fields: [
      u32(0, "size"),
      u32(4, "op"),
      typeof id === "string" ? u32(8, id) : id,
      reserved(12, "u32"),
      ...unionFields,
      u32(64, "last"),
    ],
    gaps: [...gaps, [68, 4]],
  };
};

/** The access that an operation is for, by the number of its file. */
const accessFd = s32(8, "access_fd");

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
    pointer(16, "allowed_iovas"),
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
    pointer(16, "allowed_iovas"),
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

  HWPT_ALLOC: {
    name: "iommu_hwpt_alloc",
    size: 48,
    min: 24,
    fields: [
      u32(0, "size"),
      u32(4, "flags"),
      u32(8, "dev_id"),
      u32(12, "pt_id"),
      u32(16, "out_hwpt_id"),
      reserved(20, "u32"),
      u32(24, "data_type"),
      u32(28, "data_len"),
      pointer(32, "data_uptr"),
      u32(40, "fault_id"),
      reserved(44, "u32", "reserved2"),
    ],
  },
  GET_HW_INFO: {
    name: "iommu_hw_info",
    size: 40,
    min: 32,
    fields: [
      u32(0, "size"),
      u32(4, "flags"),
      u32(8, "dev_id"),
      u32(12, "data_len"),
      pointer(16, "data_uptr"),
      u32(24, "out_data_type"),
      u8(28, "out_max_pasid_log2"),
      reserved(29, "u8", "reserved0"),
      reserved(30, "u8", "reserved1"),
      reserved(31, "u8", "reserved2"),
      u64(32, "out_capabilities"),
    ],
  },
  HWPT_SET_DIRTY_TRACKING: struct("iommu_hwpt_set_dirty_tracking", 16, [
    u32(0, "size"),
    u32(4, "flags"),
    u32(8, "hwpt_id"),
    reserved(12, "u32"),
  ]),
  HWPT_GET_DIRTY_BITMAP: struct("iommu_hwpt_get_dirty_bitmap", 48, [
    u32(0, "size"),
    u32(4, "hwpt_id"),
    u32(8, "flags"),
    reserved(12, "u32"),
    u64(16, "iova"),
    u64(24, "length"),
    u64(32, "page_size"),
    pointer(40, "data"),
  ]),
  HWPT_INVALIDATE: struct("iommu_hwpt_invalidate", 32, [
    u32(0, "size"),
    u32(4, "hwpt_id"),
    pointer(8, "data_uptr"),
    u32(16, "data_type"),
    u32(20, "entry_len"),
    u32(24, "entry_num"),
    reserved(28, "u32"),
  ]),
  FAULT_QUEUE_ALLOC: struct("iommu_fault_alloc", 16, [
    u32(0, "size"),
    u32(4, "flags"),
    u32(8, "out_fault_id"),
    s32(12, "out_fault_fd"),
  ]),

  VFIO_IOMMU_GET_INFO: {
    name: "vfio_iommu_type1_info",
    size: 24,
    min: 16,
    fields: [u32(0, "argsz"), u32(4, "flags"), u64(8, "iova_pgsizes"), u32(16, "cap_offset")],
    gaps: [[20, 4]],
  },
  VFIO_MAP_DMA: struct("vfio_iommu_type1_dma_map", 32, [
    u32(0, "argsz"),
    u32(4, "flags"),
    u64(8, "vaddr"),
    u64(16, "iova"),
    u64(24, "size"),
  ]),
  VFIO_UNMAP_DMA: struct("vfio_iommu_type1_dma_unmap", 24, [
    u32(0, "argsz"),
    u32(4, "flags"),
    u64(8, "iova"),
    u64(16, "size"),
  ]),

  VFIO_GET_INFO: {
    name: "vfio_device_info",
    size: 24,
    min: 16,
    fields: [
      u32(0, "argsz"),
      u32(4, "flags"),
      u32(8, "num_regions"),
      u32(12, "num_irqs"),
      u32(16, "cap_offset"),
    ],
    gaps: [[20, 4]],
  },
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
  // No object either.
  SET_TEMP_MEMORY_LIMIT: testCmd("memory_limit", "id", [u32(16, "limit")]),
  MOCK_DOMAIN_REPLACE: testCmd("mock_domain_replace", "stdev_id", [u32(16, "pt_id")]),
  MD_CHECK_MAP: testCmd("check_map", "hwpt_id", [
    u64(16, "iova"),
    u64(24, "length"),
    u64(32, "uptr"),
  ]),
  // Needs no object: `id` stays 0.
  MD_CHECK_REFS: testCmd("check_refs", "id", [u64(16, "length"), u64(24, "uptr"), u32(32, "refs")]),
  CREATE_ACCESS: testCmd("create_access", "ioas_id", [s32(16, "out_access_fd"), u32(20, "flags")]),
  DESTROY_ACCESS_PAGES: testCmd("destroy_access_pages", accessFd, [u32(16, "access_pages_id")]),
  ACCESS_PAGES: testCmd("access_pages", accessFd, [
    u32(16, "flags"),
    u32(20, "out_access_pages_id"),
    u64(24, "iova"),
    u64(32, "length"),
    u64(40, "uptr"),
  ]),
  ACCESS_RW: testCmd("access_rw", accessFd, [
    u64(16, "iova"),
    u64(24, "length"),
    pointer(32, "uptr"),
    u32(40, "flags"),
  ]),
  ACCESS_REPLACE_IOAS: testCmd("access_replace_ioas", accessFd, [u32(16, "ioas_id")]),
  // The variant's first word, flags in C, is never looked at.
  DIRTY: testCmd("dirty", "hwpt_id", [
    u64(24, "iova"),
    u64(32, "length"),
    u64(40, "page_size"),
    pointer(48, "uptr"),
    u64(56, "out_nr_dirty"),
  ]),
  MD_CHECK_IOTLB: testCmd("check_iotlb", "hwpt_id", [u32(16, "iotlb_id"), u32(20, "iotlb")]),
  // Needs no object of its own either.
  TRIGGER_IOPF: testCmd("trigger_iopf", "id", [
    u32(16, "dev_id"),
    u32(20, "pasid"),
    u32(24, "grpid"),
    u32(28, "perm"),
    u64(32, "addr"),
  ]),
};
