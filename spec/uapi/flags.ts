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
export const VFIO_INFO_ARGSZ = 16;

/** IOMMU_HWPT_ALLOC. */
export const HWPT_NEST_PARENT = 1;
export const HWPT_DIRTY_TRACKING = 2;
export const HWPT_FAULT_ID_VALID = 4;
export const HWPT_DATA_NONE = 0;
export const HWPT_DATA_VTD_S1 = 1;
/** Of the mock driver: of nested HWPTs, of invalidations, and one that it does not know. */
export const HWPT_DATA_MOCK = 0xdead;
export const INVALIDATE_DATA_MOCK = 0xdead_beef;
export const INVALIDATE_DATA_MOCK_INVALID = 0x0dad_beef;
export const INVALIDATE_ALL = 1;
/** Slots of the IOTLB that a nested HWPT of the mock driver has. */
export const MOCK_IOTLB_SLOTS = 4;

/** IOMMU_GET_HW_INFO. */
export const HW_INFO_TYPE_NONE = 0;
export const HW_INFO_TYPE_VTD = 1;
export const HW_INFO_TYPE_MOCK = 0xfeed_beef;
export const HW_CAP_DIRTY_TRACKING = 1n;

/** Dirty tracking. */
export const DIRTY_TRACKING_ENABLE = 1;
export const DIRTY_NO_CLEAR = 1;

/** Page faults and the answers to them. */
export const FAULT_PASID_VALID = 1;
export const FAULT_LAST_PAGE = 2;
export const RESPONSE_SUCCESS = 0;
export const RESPONSE_INVALID = 1;
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLRDNORM = 0x40;

/** In-kernel users of the mock driver. */
export const ACCESS_NEEDS_PIN_PAGES = 1;
export const ACCESS_PAGES_WRITE = 1;
export const ACCESS_RW_WRITE = 1;
export const ACCESS_RW_SLOW_PATH = 4;

/** The VFIO container. */
export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_TYPE1v2_IOMMU = 3;
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_NOIOMMU_IOMMU = 8;
export const VFIO_UNMAP_ALL = 9;
export const DMA_MAP_READ = 1;
export const DMA_MAP_WRITE = 2;
export const DMA_UNMAP_ALL = 2;
export const IOMMU_INFO_PGSIZES = 1;
export const IOMMU_INFO_CAPS = 2;
export const INFO_CAP_ID_IOVA_RANGE = 1;
export const INFO_CAP_ID_DMA_AVAIL = 3;
