import type { CallShape } from "./shape";

/** The iommufd itself: its files, objects, address spaces and options. */
export const IOMMUFD_CALLS = {
  OPEN: { on: "process", in: {}, out: { fd: "fd" }, needs: [], handle: "fd" },
  /** dup(2): one more number of the same file, which is open until all its numbers are closed. */
  DUP: { on: "iommufd", in: {}, out: { fd: "fd" }, needs: ["dup"], handle: "fd" },
  CLOSE: { on: "iommufd", in: {}, out: {}, needs: [] },
  DESTROY: { on: "iommufd", in: { id: "id" }, out: {}, needs: [] },
  IOAS_ALLOC: {
    on: "iommufd",
    in: { flags: "u32" },
    out: { out_ioas_id: "id" },
    needs: [],
    handle: "ioas",
  },
  IOAS_IOVA_RANGES: {
    on: "iommufd",
    // writable_elems: how many elements can be stored at allowed_iovas before it faults.
    in: {
      ioas_id: "id",
      num_iovas: "u32",
      reserved: "u32",
      allowed_iovas: "va",
      writable_elems: "u32",
    },
    out: { num_iovas: "u32", out_iova_alignment: "bytes", array: "ranges" },
    needs: [],
    probe: true,
  },
  IOAS_ALLOW_IOVAS: {
    on: "iommufd",
    // array: the elements that are readable at allowed_iovas; reading a later one faults.
    in: {
      ioas_id: "id",
      num_iovas: "u32",
      reserved: "u32",
      allowed_iovas: "va",
      array: "ranges",
    },
    out: {},
    needs: [],
  },
  IOAS_MAP: {
    on: "iommufd",
    in: {
      flags: "u32",
      ioas_id: "id",
      reserved: "u32",
      user_va: "va",
      length: "bytes",
      iova: "iova",
    },
    out: { iova: "iova" },
    needs: [],
    handle: "map",
  },
  IOAS_COPY: {
    on: "iommufd",
    in: {
      flags: "u32",
      dst_ioas_id: "id",
      src_ioas_id: "id",
      length: "bytes",
      dst_iova: "iova",
      src_iova: "iova",
    },
    out: { dst_iova: "iova" },
    needs: [],
    handle: "copy",
  },
  IOAS_UNMAP: {
    on: "iommufd",
    in: { ioas_id: "id", iova: "iova", length: "bytes" },
    out: { length: "bytes" },
    needs: [],
  },
  OPTION: {
    on: "iommufd",
    in: { option_id: "u32", op: "u16", reserved: "u16", object_id: "id", val64: "u64" },
    out: { val64: "u64" },
    needs: [],
  },
  VFIO_IOAS: {
    on: "iommufd",
    in: { ioas_id: "id", op: "u16", reserved: "u16" },
    // Written by op GET only.
    out: { ioas_id: "id" },
    optional: ["ioas_id"],
    needs: [],
  },
} as const satisfies Record<string, CallShape>;
