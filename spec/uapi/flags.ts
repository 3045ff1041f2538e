/** Flags, option ids and operations of the uAPI (include/uapi/linux/iommufd.h, 6.12). */

/** IOMMU_IOAS_MAP and IOMMU_IOAS_COPY. */
export const MAP_FIXED_IOVA = 1;
export const MAP_WRITEABLE = 2;
export const MAP_READABLE = 4;
export const MAP_FLAGS = MAP_FIXED_IOVA | MAP_WRITEABLE | MAP_READABLE;

/** IOMMU_OPTION. */
export const OPTION_RLIMIT_MODE = 0;
export const OPTION_HUGE_PAGES = 1;
export const OPTION_OP_SET = 0;
export const OPTION_OP_GET = 1;

/** IOMMU_VFIO_IOAS. */
export const VFIO_IOAS_GET = 0;
export const VFIO_IOAS_SET = 1;
export const VFIO_IOAS_CLEAR = 2;

/** MOCK_DOMAIN_FLAGS of the selftest driver. */
export const MOCK_NO_DIRTY = 1;
export const MOCK_HUGE_IOVA = 2;

/** Permission bits of a translation probe. */
export const PERM_READ = 1;
export const PERM_WRITE = 2;

/** Smallest `argsz` of the VFIO device calls (include/uapi/linux/vfio.h, 6.12). */
export const VFIO_BIND_ARGSZ = 16;
export const VFIO_ATTACH_ARGSZ = 12;
export const VFIO_DETACH_ARGSZ = 8;
