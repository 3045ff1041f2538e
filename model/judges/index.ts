/** The judge of every call. */
import type { Call, CallName } from "../../spec/calls";
import type { Judge } from "../judge";
import { nameOf, type RawCall } from "../raw/frame";
import { FRAME_ONLY, framed } from "../raw/raw";
import { ACCESS_REPLACE_IOAS, CLOSE_ACCESS, CREATE_ACCESS } from "./access";
import { ACCESS_PAGES, DESTROY_ACCESS_PAGES } from "./access-pages";
import { ACCESS_RW } from "./access-rw";
import { ADD_RESERVED } from "./add-reserved";
import { MMAP, MPROTECT, MUNMAP } from "./address-space";
import { IOAS_ALLOW_IOVAS } from "./allow-iovas";
import { IOAS_COPY } from "./copy";
import { DESTROY } from "./destroy";
import { HWPT_GET_DIRTY_BITMAP } from "./dirty-bitmap";
import { DIRTY, HWPT_SET_DIRTY_TRACKING } from "./dirty-tracking";
import { DMA } from "./dma";
import { FAULT_READ, FAULT_WRITE } from "./fault-file";
import { CLOSE_FAULT, FAULT_POLL, FAULT_QUEUE_ALLOC, TRIGGER_IOPF } from "./fault-queue";
import { GET_HW_INFO } from "./hw-info";
import { HWPT_ALLOC } from "./hwpt-alloc";
import { HWPT_INVALIDATE, MD_CHECK_IOTLB } from "./invalidate";
import { IOAS_ALLOC } from "./ioas-alloc";
import { IOAS_IOVA_RANGES } from "./iova-ranges";
import { EXIT, FORK } from "./life";
import { IOAS_MAP } from "./map";
import { MD_CHECK_MAP, MD_CHECK_REFS } from "./md-check";
import { MEM_READ, MEM_WRITE } from "./memory";
import { SET_TEMP_MEMORY_LIMIT } from "./memory-limit";
import { MOCK_DOMAIN, MOCK_DOMAIN_FLAGS, MOCK_DOMAIN_REPLACE } from "./mock-device";
import { CLOSE, DUP, OPEN } from "./open-close";
import { OPTION } from "./option";
import { PAGE_REFS, PROC_STATUS } from "./pins";
import { SETRLIMIT_MEMLOCK, SETUID } from "./process";
import { TRANSLATE } from "./translate";
import { IOAS_UNMAP } from "./unmap";
import { VFIO_CHECK_EXTENSION, VFIO_GET_API_VERSION, VFIO_SET_IOMMU } from "./vfio-container";
import { DEVICE_CLOSE, DEVICE_OPEN, VFIO_ATTACH, VFIO_BIND, VFIO_DETACH } from "./vfio-device";
import { VFIO_GET_INFO } from "./vfio-device-info";
import { VFIO_IOAS } from "./vfio-ioas";
import { VFIO_IOMMU_GET_INFO } from "./vfio-iommu-info";
import { VFIO_MAP_DMA } from "./vfio-map-dma";
import { VFIO_UNMAP_DMA } from "./vfio-unmap-dma";

/** Calls that have none yet cannot be judged; `hasJudge` says which. */
const JUDGES: { readonly [K in CallName]?: Judge } = {
  OPEN,
  DUP,
  CLOSE,
  DESTROY,
  IOAS_ALLOC,
  IOAS_IOVA_RANGES,
  IOAS_ALLOW_IOVAS,
  IOAS_MAP,
  IOAS_COPY,
  IOAS_UNMAP,
  OPTION,
  VFIO_IOAS,
  HWPT_ALLOC,
  GET_HW_INFO,
  HWPT_SET_DIRTY_TRACKING,
  HWPT_GET_DIRTY_BITMAP,
  HWPT_INVALIDATE,
  FAULT_QUEUE_ALLOC,
  FAULT_READ,
  FAULT_WRITE,
  FAULT_POLL,
  CLOSE_FAULT,
  VFIO_GET_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_SET_IOMMU,
  VFIO_IOMMU_GET_INFO,
  VFIO_MAP_DMA,
  VFIO_UNMAP_DMA,
  DEVICE_OPEN,
  DEVICE_CLOSE,
  VFIO_BIND,
  VFIO_GET_INFO,
  VFIO_ATTACH,
  VFIO_DETACH,
  DMA,
  ADD_RESERVED,
  MOCK_DOMAIN,
  MOCK_DOMAIN_FLAGS,
  MOCK_DOMAIN_REPLACE,
  SET_TEMP_MEMORY_LIMIT,
  MD_CHECK_MAP,
  MD_CHECK_REFS,
  DIRTY,
  MD_CHECK_IOTLB,
  TRIGGER_IOPF,
  CREATE_ACCESS,
  CLOSE_ACCESS,
  ACCESS_REPLACE_IOAS,
  ACCESS_PAGES,
  DESTROY_ACCESS_PAGES,
  ACCESS_RW,
  SETRLIMIT_MEMLOCK,
  SETUID,
  FORK,
  EXIT,
  MMAP,
  MUNMAP,
  MPROTECT,
  MEM_WRITE,
  MEM_READ,
  PAGE_REFS,
  PROC_STATUS,
  TRANSLATE,
};

export const hasJudge = ({ call }: Call): boolean =>
  call === "RAW" || call === "DEVICE_RAW" || JUDGES[call] !== undefined;

/** Judges of raw calls, by the typed call they come to. */
const RAW_JUDGES = new Map<CallName | undefined, Judge>();

const rawJudgeOf = (call: RawCall): Judge => {
  const name = nameOf(call);
  const known = RAW_JUDGES.get(name);
  if (known !== undefined) return known;
  const judge = framed((name && JUDGES[name]) ?? FRAME_ONLY);
  RAW_JUDGES.set(name, judge);
  return judge;
};

/** @throws Error for a call without a judge */
export const judgeOf = (call: Call): Judge => {
  if (call.call === "RAW" || call.call === "DEVICE_RAW") return rawJudgeOf(call);
  const judge = JUDGES[call.call];
  if (judge === undefined) throw new Error(`the model cannot judge ${call.call} yet`);
  return judge;
};
