/**
 * What the headers call the numbers in a field (include/uapi/linux/{iommufd,vfio}.h and
 * iommufd_test.h of 6.12, without their prefixes): for people who read a trace.
 */
import type { CALLS, CallName } from "../calls";
import * as F from "./flags";
import { IOCTLS, NUMBER_IOCTLS, TEST_CMD } from "./ioctls";

/** undefined: the number has no name. */
type Naming = (value: number) => string | undefined;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** A set of bits: `FIXED_IOVA|WRITEABLE`, and those that nobody has named as a number. */
const bits =
  (names: Readonly<Record<string, number>>): Naming =>
  (value) => {
    const set = Object.entries(names).filter(([, bit]) => (value & bit) !== 0);
    if (set.length === 0) return undefined;
    const rest = set.reduce((left, [, bit]) => left - bit, value);
    return [...set.map(([name]) => name), ...(rest === 0 ? [] : [hex(rest)])].join("|");
  };

const oneOf = (names: Readonly<Record<string, number>>): Naming => {
  const byValue = new Map(Object.entries(names).map(([name, value]) => [value, name]));
  return (value) => byValue.get(value);
};

const MAP = bits({
  FIXED_IOVA: F.MAP_FIXED_IOVA,
  WRITEABLE: F.MAP_WRITEABLE,
  READABLE: F.MAP_READABLE,
});

const CONTAINER_ARG = oneOf({
  TYPE1_IOMMU: F.VFIO_TYPE1_IOMMU,
  TYPE1v2_IOMMU: F.VFIO_TYPE1v2_IOMMU,
  DMA_CC_IOMMU: F.VFIO_DMA_CC_IOMMU,
  NOIOMMU_IOMMU: F.VFIO_NOIOMMU_IOMMU,
  UNMAP_ALL: F.VFIO_UNMAP_ALL,
});

const POLL = bits({ POLLIN: F.POLLIN, POLLOUT: F.POLLOUT, POLLRDNORM: F.POLLRDNORM });

const COMMAND = oneOf({
  ...NUMBER_IOCTLS,
  ...Object.fromEntries(Object.entries(IOCTLS).map(([call, { command }]) => [call, command])),
  // Last, because all calls of the mock driver have this one.
  TEST_CMD,
});

type FieldOf<K extends CallName> = keyof (typeof CALLS)[K]["in"] | keyof (typeof CALLS)[K]["out"];

const NAMES: { readonly [K in CallName]?: { readonly [N in FieldOf<K>]?: Naming } } = {
  IOAS_MAP: { flags: MAP },
  IOAS_COPY: { flags: MAP },
  OPTION: {
    option_id: oneOf({ RLIMIT_MODE: F.OPTION_RLIMIT_MODE, HUGE_PAGES: F.OPTION_HUGE_PAGES }),
    op: oneOf({ SET: F.OPTION_OP_SET, GET: F.OPTION_OP_GET }),
  },
  VFIO_IOAS: {
    op: oneOf({ GET: F.VFIO_IOAS_GET, SET: F.VFIO_IOAS_SET, CLEAR: F.VFIO_IOAS_CLEAR }),
  },
  HWPT_ALLOC: {
    flags: bits({
      NEST_PARENT: F.HWPT_NEST_PARENT,
      DIRTY_TRACKING: F.HWPT_DIRTY_TRACKING,
      FAULT_ID_VALID: F.HWPT_FAULT_ID_VALID,
    }),
    data_type: oneOf({ VTD_S1: F.HWPT_DATA_VTD_S1, SELFTEST: F.HWPT_DATA_MOCK }),
  },
  GET_HW_INFO: {
    out_data_type: oneOf({ INTEL_VTD: F.HW_INFO_TYPE_VTD, SELFTEST: F.HW_INFO_TYPE_MOCK }),
    out_capabilities: bits({ DIRTY_TRACKING: Number(F.HW_CAP_DIRTY_TRACKING) }),
  },
  HWPT_SET_DIRTY_TRACKING: { flags: bits({ ENABLE: F.DIRTY_TRACKING_ENABLE }) },
  HWPT_GET_DIRTY_BITMAP: { flags: bits({ NO_CLEAR: F.DIRTY_NO_CLEAR }) },
  HWPT_INVALIDATE: {
    data_type: oneOf({
      SELFTEST: F.INVALIDATE_DATA_MOCK,
      SELFTEST_INVALID: F.INVALIDATE_DATA_MOCK_INVALID,
    }),
  },
  MOCK_DOMAIN_FLAGS: {
    dev_flags: bits({ NO_DIRTY: F.MOCK_NO_DIRTY, HUGE_IOVA: F.MOCK_HUGE_IOVA }),
  },
  TRIGGER_IOPF: { perm: bits({ READ: 1, WRITE: 2, EXEC: 4, PRIV: 8 }) },
  FAULT_POLL: { events: POLL, revents: POLL },
  CREATE_ACCESS: { flags: bits({ NEEDS_PIN_PAGES: F.ACCESS_NEEDS_PIN_PAGES }) },
  ACCESS_PAGES: { flags: bits({ WRITE: F.ACCESS_PAGES_WRITE }) },
  ACCESS_RW: { flags: bits({ WRITE: F.ACCESS_RW_WRITE, SLOW_PATH: F.ACCESS_RW_SLOW_PATH }) },
  VFIO_CHECK_EXTENSION: { arg: CONTAINER_ARG },
  VFIO_SET_IOMMU: { arg: CONTAINER_ARG },
  VFIO_IOMMU_GET_INFO: {
    flags: bits({ PGSIZES: F.IOMMU_INFO_PGSIZES, CAPS: F.IOMMU_INFO_CAPS }),
  },
  VFIO_MAP_DMA: { flags: bits({ READ: F.DMA_MAP_READ, WRITE: F.DMA_MAP_WRITE }) },
  VFIO_UNMAP_DMA: { flags: bits({ ALL: F.DMA_UNMAP_ALL }) },
  RAW: { nr: COMMAND },
  DEVICE_RAW: { nr: COMMAND },
};

const isWhole = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0;

/** The name of a value of a field of a call; undefined: it has none. */
export const nameOfValue = (call: CallName, field: string, value: unknown): string | undefined => {
  const names = NAMES[call] as Readonly<Record<string, Naming>> | undefined;
  const number = typeof value === "bigint" ? Number(value) : value;
  // Names and values of outputs come from an IUT, which may answer with anything.
  if (names === undefined || !Object.hasOwn(names, field)) return undefined;
  return isWhole(number) ? names[field]?.(number) : undefined;
};

/** The name of a command word, or the word itself. */
export const nameOfCommand = (word: number): string => COMMAND(word) ?? hex(word);
