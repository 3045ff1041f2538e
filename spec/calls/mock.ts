import type { CallShape } from "./shape";

/** The mock driver (TEST_CMD): devices, reserved ranges, and checks of its page tables. */
export const MOCK_CALLS = {
  ADD_RESERVED: {
    on: "iommufd",
    in: { ioas_id: "id", start: "iova", length: "bytes" },
    out: {},
    needs: ["mock"],
  },
  MOCK_DOMAIN: {
    on: "iommufd",
    in: { pt_id: "id" },
    out: { out_stdev_id: "id", out_hwpt_id: "id", out_idev_id: "id" },
    needs: ["mock"],
    handle: "mock",
  },
  MOCK_DOMAIN_FLAGS: {
    on: "iommufd",
    in: { pt_id: "id", dev_flags: "u32" },
    out: { out_stdev_id: "id", out_hwpt_id: "id", out_idev_id: "id" },
    needs: ["mock"],
    handle: "mock",
  },
  MOCK_DOMAIN_REPLACE: {
    on: "iommufd",
    in: { stdev_id: "id", pt_id: "id" },
    out: { pt_id: "id" },
    needs: ["mock"],
    handle: "pt",
  },
  /** limit: bytes that 6.12 allocates at a time for a list of pages, of the whole machine. */
  SET_TEMP_MEMORY_LIMIT: {
    on: "iommufd",
    in: { limit: "u32" },
    out: {},
    needs: ["mock", "small-batches"],
  },
  MD_CHECK_MAP: {
    on: "iommufd",
    in: { hwpt_id: "id", iova: "iova", length: "bytes", uptr: "va" },
    out: {},
    needs: ["mock"],
    probe: true,
  },
  MD_CHECK_REFS: {
    on: "iommufd",
    in: { length: "bytes", uptr: "va", refs: "u32" },
    out: {},
    needs: ["mock"],
    probe: true,
  },
  /**
   * Makes pages dirty, as if the device had written to them: those whose bit is set in `bitmap`,
   * bit 0 for the page at iova. bitmap: the bytes that are readable at uptr. The mock driver
   * takes iova / page_size for the number of a page of its own, so that only page_size = its own
   * page means the IOVA that is written there.
   */
  DIRTY: {
    on: "iommufd",
    in: {
      hwpt_id: "id",
      iova: "iova",
      length: "bytes",
      page_size: "bytes",
      uptr: "va",
      bitmap: "hex",
    },
    out: { out_nr_dirty: "u64" },
    needs: ["mock", "dirty"],
  },
  MD_CHECK_IOTLB: {
    on: "iommufd",
    in: { hwpt_id: "id", iotlb_id: "u32", iotlb: "u32" },
    out: {},
    needs: ["mock", "nesting"],
    probe: true,
  },
  /** The device reports a page fault. */
  TRIGGER_IOPF: {
    on: "iommufd",
    in: { dev_id: "id", pasid: "u32", grpid: "u32", perm: "u32", addr: "u64" },
    out: {},
    needs: ["mock", "fault-queue"],
  },
} as const satisfies Record<string, CallShape>;
