import type { CallShape } from "./shape";

/** The VFIO container's ioctls on an iommufd. rc: the return value. */
export const COMPAT_CALLS = {
  VFIO_GET_API_VERSION: {
    on: "iommufd",
    in: { arg: "u64" },
    out: { rc: "u32" },
    needs: ["compat"],
    probe: true,
  },
  VFIO_CHECK_EXTENSION: {
    on: "iommufd",
    in: { arg: "u64" },
    out: { rc: "u32" },
    needs: ["compat"],
    probe: true,
  },
  VFIO_SET_IOMMU: { on: "iommufd", in: { arg: "u64" }, out: { rc: "u32" }, needs: ["compat"] },
  /**
   * The buffer has 320 bytes, which all hold 0xa5 but for argsz. bytes: what it holds afterwards,
   * up to the last byte that is not 0xa5. cap_offset and caps only if argsz leaves room for them;
   * caps are those of the chain that are whole.
   */
  VFIO_IOMMU_GET_INFO: {
    on: "iommufd",
    in: { argsz: "u32" },
    out: {
      argsz: "u32",
      flags: "u32",
      iova_pgsizes: "u64",
      cap_offset: "u32",
      caps: "caps",
      bytes: "hex",
    },
    optional: ["cap_offset", "caps"],
    needs: ["compat"],
    probe: true,
  },
  VFIO_MAP_DMA: {
    on: "iommufd",
    in: { argsz: "u32", flags: "u32", vaddr: "va", iova: "iova", size: "bytes" },
    out: {},
    needs: ["compat"],
  },
  // size is written on failure as well, once areas have been cut (VCC-18).
  VFIO_UNMAP_DMA: {
    on: "iommufd",
    in: { argsz: "u32", flags: "u32", iova: "iova", size: "bytes" },
    out: { size: "bytes" },
    needs: ["compat"],
  },
} as const satisfies Record<string, CallShape>;
