import type { CallShape } from "./shape";

/** In-kernel users of an IOAS (iommufd_access), driven by the mock driver (TEST_CMD). */
export const ACCESS_CALLS = {
  // flags: 1 for a user that pins pages. It takes up an object id that nobody is told.
  CREATE_ACCESS: {
    on: "iommufd",
    in: { ioas_id: "id", flags: "u32" },
    out: { out_access_fd: "fd" },
    needs: ["mock", "access"],
    handle: "access",
  },
  CLOSE_ACCESS: {
    on: "process",
    in: { access_fd: "fd" },
    out: {},
    needs: ["mock", "access"],
  },
  ACCESS_REPLACE_IOAS: {
    on: "iommufd",
    in: { access_fd: "fd", ioas_id: "id" },
    out: {},
    needs: ["mock", "access"],
  },
  /** Pins pages. uptr: where the pinned pages must be mapped now (EBADE); 0: not compared. */
  ACCESS_PAGES: {
    on: "iommufd",
    in: { access_fd: "fd", flags: "u32", iova: "iova", length: "bytes", uptr: "va" },
    out: { out_access_pages_id: "item" },
    needs: ["mock", "access"],
    handle: "pages",
  },
  DESTROY_ACCESS_PAGES: {
    on: "iommufd",
    in: { access_fd: "fd", access_pages_id: "item" },
    out: {},
    needs: ["mock", "access"],
  },
  /**
   * Reads or writes (flags 1) bytes through the IOAS. accessible_bytes: how many bytes can be
   * read and stored at uptr before it faults. A write takes data_repeat over and over. A read
   * answers all its bytes in `data`. A recording has `data` of up to 64 bytes; of longer ones,
   * up to 16384, their FNV-1a hash and first 16 bytes; of longer ones nothing.
   */
  ACCESS_RW: {
    on: "iommufd",
    in: {
      access_fd: "fd",
      iova: "iova",
      length: "bytes",
      uptr: "va",
      flags: "u32",
      data_repeat: "hex",
      accessible_bytes: "u32",
    },
    out: { data: "hex", data_fnv1a64: "u64", data_first16: "hex" },
    optional: ["data", "data_fnv1a64", "data_first16"],
    needs: ["mock", "access"],
  },
} as const satisfies Record<string, CallShape>;
