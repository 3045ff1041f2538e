import type { CallShape } from "./shape";

/** HW page tables: manual and nested ones, their dirty bits, and what a device's IOMMU can do. */
export const HWPT_CALLS = {
  // size: what the caller believes the struct's size to be; 0 is the full one (GEN-08).
  // data: the bytes that are readable at data_uptr; reading a later one faults.
  HWPT_ALLOC: {
    on: "iommufd",
    in: {
      size: "u32",
      flags: "u32",
      dev_id: "id",
      pt_id: "id",
      reserved: "u32",
      data_type: "u32",
      data_len: "u32",
      data_uptr: "va",
      fault_id: "id",
      reserved2: "u32",
      data: "hex",
    },
    out: { out_hwpt_id: "id" },
    needs: ["hwpt"],
    handle: "hwpt",
  },
  // writable_bytes: how many bytes can be stored at data_uptr before it faults.
  // data: what has been stored there. out_capabilities only if the caller's size reaches it.
  GET_HW_INFO: {
    on: "iommufd",
    in: {
      size: "u32",
      flags: "u32",
      dev_id: "id",
      data_len: "u32",
      data_uptr: "va",
      reserved0: "u8",
      reserved1: "u8",
      reserved2: "u8",
      writable_bytes: "u32",
    },
    out: {
      data_len: "u32",
      out_data_type: "u32",
      out_max_pasid_log2: "u8",
      out_capabilities: "u64",
      data: "hex",
    },
    optional: ["out_capabilities"],
    needs: ["hwpt"],
    probe: true,
  },
  HWPT_SET_DIRTY_TRACKING: {
    on: "iommufd",
    in: { flags: "u32", hwpt_id: "id", reserved: "u32" },
    out: {},
    needs: ["dirty"],
  },
  /**
   * prefill: the byte that fills the bitmap before the call; "": nothing at `data` is
   * accessible. bitmap: its ceil(bits / 8) bytes after the call; absent: as before.
   */
  HWPT_GET_DIRTY_BITMAP: {
    on: "iommufd",
    in: {
      hwpt_id: "id",
      flags: "u32",
      reserved: "u32",
      iova: "iova",
      length: "bytes",
      page_size: "bytes",
      data: "va",
      prefill: "hex",
    },
    out: { bitmap: "hex" },
    optional: ["bitmap"],
    needs: ["dirty"],
  },
  // data: the bytes that are readable at data_uptr; reading a later one faults.
  // entry_num is written on failure as well (INV-06).
  HWPT_INVALIDATE: {
    on: "iommufd",
    in: {
      hwpt_id: "id",
      data_uptr: "va",
      data_type: "u32",
      entry_len: "u32",
      entry_num: "u32",
      reserved: "u32",
      data: "hex",
    },
    out: { entry_num: "u32" },
    needs: ["nesting"],
  },
} as const satisfies Record<string, CallShape>;
