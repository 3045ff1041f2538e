/**
 * Command words: which ioctl carries which call (GEN-01, GEN-02).
 *
 * A further command of the uAPI is one entry here and one in layouts.ts.
 */
import type { Call, CallName, CallOf } from "../calls";

/** The type byte of iommufd and of VFIO alike: ";". */
export const IOCTL_TYPE = 0x3b;

/**
 * The command word of `nr`, as the macro of that name makes it. These uAPIs leave the direction
 * and size bits at zero, because structs grow from version to version.
 * @param type the type byte, 0..255
 * @param nr the number within the type, 0..255
 */
export const _IO = (type: number, nr: number): number => type * 0x100 + nr;

const IOMMUFD_CMD_BASE = 0x80;
const VFIO_BASE = 100;
const native = (offset: number): number => _IO(IOCTL_TYPE, IOMMUFD_CMD_BASE + offset);
const vfio = (offset: number): number => _IO(IOCTL_TYPE, VFIO_BASE + offset);

/** The one command of the mock driver; its `op` field says which operation is meant. */
export const TEST_CMD = native(0x20);

export interface Ioctl {
  readonly command: number;
  /** What the struct's `op` field must hold, where that field chooses the call. */
  readonly op?: number;
}

const testOp = (op: number): Ioctl => ({ command: TEST_CMD, op });

/** Every call that is an ioctl with a struct. */
export const IOCTLS = {
  DESTROY: { command: native(0) },
  IOAS_ALLOC: { command: native(1) },
  IOAS_ALLOW_IOVAS: { command: native(2) },
  IOAS_COPY: { command: native(3) },
  IOAS_IOVA_RANGES: { command: native(4) },
  IOAS_MAP: { command: native(5) },
  IOAS_UNMAP: { command: native(6) },
  OPTION: { command: native(7) },
  VFIO_IOAS: { command: native(8) },
  HWPT_ALLOC: { command: native(9) },
  GET_HW_INFO: { command: native(10) },
  HWPT_SET_DIRTY_TRACKING: { command: native(11) },
  HWPT_GET_DIRTY_BITMAP: { command: native(12) },
  HWPT_INVALIDATE: { command: native(13) },
  FAULT_QUEUE_ALLOC: { command: native(14) },

  // The VFIO container's (include/uapi/linux/vfio.h).
  VFIO_IOMMU_GET_INFO: { command: vfio(12) },
  VFIO_MAP_DMA: { command: vfio(13) },
  VFIO_UNMAP_DMA: { command: vfio(14) },

  // On the file of a device (include/uapi/linux/vfio.h).
  VFIO_GET_INFO: { command: vfio(7) },
  VFIO_BIND: { command: vfio(18) },
  VFIO_ATTACH: { command: vfio(19) },
  VFIO_DETACH: { command: vfio(20) },

  // The mock driver (drivers/iommu/iommufd/iommufd_test.h).
  ADD_RESERVED: testOp(1),
  MOCK_DOMAIN: testOp(2),
  MD_CHECK_MAP: testOp(3),
  MD_CHECK_REFS: testOp(4),
  CREATE_ACCESS: testOp(5),
  DESTROY_ACCESS_PAGES: testOp(6),
  ACCESS_PAGES: testOp(7),
  ACCESS_RW: testOp(8),
  SET_TEMP_MEMORY_LIMIT: testOp(9),
  MOCK_DOMAIN_REPLACE: testOp(10),
  ACCESS_REPLACE_IOAS: testOp(11),
  MOCK_DOMAIN_FLAGS: testOp(12),
  DIRTY: testOp(13),
  MD_CHECK_IOTLB: testOp(14),
  TRIGGER_IOPF: testOp(15),
} as const satisfies { readonly [K in CallName]?: Ioctl };

/** Ioctls whose argument is a number, `arg`, and that answer by their return value. */
export const NUMBER_IOCTLS = {
  VFIO_GET_API_VERSION: vfio(0),
  VFIO_CHECK_EXTENSION: vfio(1),
  VFIO_SET_IOMMU: vfio(2),
} as const satisfies { readonly [K in CallName]?: number };

export type IoctlName = keyof typeof IOCTLS;
export type IoctlCall = { [K in IoctlName]: CallOf<K> }[IoctlName];

/** True when `call` is an ioctl with a struct. */
export const isIoctlCall = (call: Call): call is IoctlCall => Object.hasOwn(IOCTLS, call.call);
