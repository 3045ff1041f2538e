/**
 * The machine behind the port: takes a call, finds its handler in a table by name, and answers.
 *
 * A process that is not there, or not any more, gets nothing but ESRCH. Calls on an iommufd find
 * their context by file number first; a number that is not open is EBADF before anything else is
 * looked at.
 */
import type { Call, CallName, CallOf, Outcome, OutcomeOf } from "../../spec/calls";
import type { Machine } from "../../spec/iut";
import type { Platform } from "../../spec/platform";
import {
  accessPages,
  accessReplaceIoas,
  accessRw,
  closeAccess,
  createAccess,
  destroyAccessPages,
} from "./access-calls";
import type { Process } from "./accounting";
import { done, fail, type OnIommufd, type OnProcess } from "./call";
import { destroy, dup, open, option, vfioIoas } from "./ctx-calls";
import { deviceRaw } from "./device-framing";
import { hwptGetDirtyBitmap, hwptSetDirtyTracking } from "./dirty-calls";
import { closeFault, faultPoll, faultQueueAlloc, faultRead, faultWrite } from "./fault-calls";
import { raw } from "./framing";
import { getHwInfo, hwptAlloc, hwptInvalidate } from "./hwpt-calls";
import {
  ioasAlloc,
  ioasAllowIovas,
  ioasCopy,
  ioasIovaRanges,
  ioasMap,
  ioasUnmap,
} from "./ioas-calls";
import { Kernel } from "./kernel";
import { memRead, memWrite, mmap, mprotect, munmap } from "./memory-calls";
import {
  addReserved,
  mdCheckMap,
  mdCheckRefs,
  mockDomain,
  mockDomainFlags,
  mockDomainReplace,
  setTempMemoryLimit,
} from "./mock-front-end";
import { dirty, mdCheckIotlb, triggerIopf } from "./mock-hwpt-calls";
import { pageRefs, procStatus, translate } from "./probe-calls";
import { exit, fork, setrlimitMemlock, setuid } from "./process-calls";
import { checkExtension, getApiVersion, getInfo, mapDma, setIommu, unmapDma } from "./vfio-compat";
import {
  deviceClose,
  deviceOpen,
  dma,
  vfioAttach,
  vfioBind,
  vfioDetach,
  vfioGetInfo,
} from "./vfio-front-end";

type Handler<K extends CallName> = (
  kernel: Kernel,
  call: CallOf<K>,
  process: Process,
) => OutcomeOf<K>;

const onIommufd =
  <K extends CallName>(handle: OnIommufd<K>): Handler<K> =>
  (kernel, call, process) => {
    const ctx = kernel.iommufds.get(call.fd, process);
    if (ctx === undefined) return fail("EBADF");
    return handle(ctx, call.in, process, kernel);
  };

const onProcess =
  <K extends CallName>(handle: OnProcess<K>): Handler<K> =>
  (kernel, call, process) =>
    handle(kernel, call.in, process);

const HANDLERS: { readonly [K in CallName]: Handler<K> } = {
  OPEN: onProcess(open),
  CLOSE: ({ iommufds }, { fd }, process) => done(iommufds.close(fd, process) ? 0 : "EBADF"),
  DUP: onIommufd(dup),
  DESTROY: onIommufd(destroy),
  IOAS_ALLOC: onIommufd(ioasAlloc),
  IOAS_IOVA_RANGES: onIommufd(ioasIovaRanges),
  IOAS_ALLOW_IOVAS: onIommufd(ioasAllowIovas),
  IOAS_MAP: onIommufd(ioasMap),
  IOAS_COPY: onIommufd(ioasCopy),
  IOAS_UNMAP: onIommufd(ioasUnmap),
  OPTION: onIommufd(option),
  VFIO_IOAS: onIommufd(vfioIoas),
  HWPT_ALLOC: onIommufd(hwptAlloc),
  GET_HW_INFO: onIommufd(getHwInfo),
  HWPT_SET_DIRTY_TRACKING: onIommufd(hwptSetDirtyTracking),
  HWPT_GET_DIRTY_BITMAP: onIommufd(hwptGetDirtyBitmap),
  HWPT_INVALIDATE: onIommufd(hwptInvalidate),
  FAULT_QUEUE_ALLOC: onIommufd(faultQueueAlloc),
  FAULT_READ: onProcess(faultRead),
  FAULT_WRITE: onProcess(faultWrite),
  FAULT_POLL: onProcess(faultPoll),
  CLOSE_FAULT: onProcess(closeFault),
  DEVICE_OPEN: onProcess(deviceOpen),
  DEVICE_CLOSE: onProcess(deviceClose),
  VFIO_BIND: onProcess(vfioBind),
  VFIO_ATTACH: onProcess(vfioAttach),
  VFIO_DETACH: onProcess(vfioDetach),
  VFIO_GET_INFO: onProcess(vfioGetInfo),
  DMA: onProcess(dma),
  VFIO_GET_API_VERSION: onIommufd(getApiVersion),
  VFIO_CHECK_EXTENSION: onIommufd(checkExtension),
  VFIO_SET_IOMMU: onIommufd(setIommu),
  VFIO_IOMMU_GET_INFO: onIommufd(getInfo),
  VFIO_MAP_DMA: onIommufd(mapDma),
  VFIO_UNMAP_DMA: onIommufd(unmapDma),
  ADD_RESERVED: onIommufd(addReserved),
  MOCK_DOMAIN: onIommufd(mockDomain),
  MOCK_DOMAIN_FLAGS: onIommufd(mockDomainFlags),
  MOCK_DOMAIN_REPLACE: onIommufd(mockDomainReplace),
  SET_TEMP_MEMORY_LIMIT: onIommufd(setTempMemoryLimit),
  MD_CHECK_MAP: onIommufd(mdCheckMap),
  MD_CHECK_REFS: onIommufd(mdCheckRefs),
  MD_CHECK_IOTLB: onIommufd(mdCheckIotlb),
  DIRTY: onIommufd(dirty),
  TRIGGER_IOPF: onIommufd(triggerIopf),
  CREATE_ACCESS: onIommufd(createAccess),
  CLOSE_ACCESS: onProcess(closeAccess),
  ACCESS_REPLACE_IOAS: onIommufd(accessReplaceIoas),
  ACCESS_PAGES: onIommufd(accessPages),
  DESTROY_ACCESS_PAGES: onIommufd(destroyAccessPages),
  ACCESS_RW: onIommufd(accessRw),
  MMAP: onProcess(mmap),
  MUNMAP: onProcess(munmap),
  MPROTECT: onProcess(mprotect),
  MEM_WRITE: onProcess(memWrite),
  MEM_READ: onProcess(memRead),
  SETRLIMIT_MEMLOCK: onProcess(setrlimitMemlock),
  SETUID: onProcess(setuid),
  FORK: onProcess(fork),
  EXIT: onProcess(exit),
  RAW: (kernel, call, process) => {
    const ctx = kernel.iommufds.get(call.fd, process);
    if (ctx === undefined) return fail("EBADF");
    return raw(kernel, ctx, call, (typed) => carryOut(kernel, typed, process));
  },
  DEVICE_RAW: (kernel, call, process) =>
    deviceRaw(kernel, call, process, (typed) => carryOut(kernel, typed, process)),
  PAGE_REFS: onIommufd(pageRefs),
  PROC_STATUS: onProcess(procStatus),
  TRANSLATE: onIommufd(translate),
};

const carryOut = (kernel: Kernel, call: Call, process: Process): Outcome => {
  const handle = HANDLERS[call.call] as Handler<CallName>;
  return handle(kernel, call, process);
};

export class RadixMachine implements Machine {
  readonly #kernel: Kernel;

  constructor(platform: Platform) {
    this.#kernel = new Kernel(platform);
  }

  call(call: Call): Outcome {
    const process = this.#kernel.process(call.proc);
    if (process === undefined) return fail("ESRCH");
    this.#kernel.physical.currentMemory = process.memory;
    return carryOut(this.#kernel, call, process);
  }

  end(): void {
    this.#kernel.shutDown();
  }
}
