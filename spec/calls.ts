/**
 * Every call a trace can hold: its arguments, its outputs, and what it needs.
 *
 * Names of calls and fields are the uAPI's own, without leading underscores. This one table
 * gives the TypeScript types, the JSON form, the resolver of handles and the step tables.
 * `on` says what the call is made on; `handle` is the prefix of the handles it creates, and the
 * first output is what a bare handle means.
 */
import type { Errno } from "./errno";
import type { Fields, Values } from "./fields";
import type { Need } from "./needs";

export interface CallShape {
  /** iommufd: an ioctl (or close) on a file of /dev/iommu, named by the call's `fd`. */
  readonly on: "iommufd" | "process";
  readonly in: Fields;
  readonly out: Fields;
  readonly needs: readonly Need[];
  readonly handle?: string;
  /** True for calls that only observe: they never change any state. */
  readonly probe?: true;
}

export const CALLS = {
  // -- the iommufd itself ---------------------------------------------------------------------
  OPEN: { on: "process", in: {}, out: { fd: "fd" }, needs: [], handle: "fd" },
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
    needs: [],
  },

  // -- VFIO device cdevs ----------------------------------------------------------------------
  // dev: index into platform.devices. Each DEVICE_OPEN is a further open file of that device.
  DEVICE_OPEN: {
    on: "process",
    in: { dev: "u32" },
    out: { devfd: "fd" },
    needs: ["vfio"],
    handle: "cdev",
  },
  DEVICE_CLOSE: { on: "process", in: { devfd: "fd" }, out: {}, needs: ["vfio"] },
  VFIO_BIND: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32", iommufd: "s32" },
    out: { out_devid: "id" },
    needs: ["vfio"],
    handle: "dev",
  },
  VFIO_ATTACH: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32", pt_id: "id" },
    out: { pt_id: "id" },
    needs: ["vfio"],
    handle: "pt",
  },
  VFIO_DETACH: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32" },
    out: {},
    needs: ["vfio"],
  },
  /**
   * The device moves bytes between its own 64-byte buffer, from device_offset, and memory at
   * iova. EINVAL before BIND: nobody gets at the device then. Fields of the outcome are what the
   * IUT can see; a field it cannot see is left out. fault: 1 when the IOMMU blocked any byte.
   * bytes: what arrived in the device's buffer, after a to_device that was not blocked.
   */
  DMA: {
    on: "process",
    in: { devfd: "fd", dir: "direction", iova: "iova", length: "u32", device_offset: "u32" },
    out: { fault: "u8", bytes: "hex" },
    needs: ["dma"],
  },

  // -- the mock driver (TEST_CMD) -------------------------------------------------------------
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

  // -- process memory -------------------------------------------------------------------------
  /** mmap(MAP_FIXED) of fresh zero memory over whatever is there. */
  MMAP: {
    on: "process",
    in: { va: "va", length: "bytes", prot: "prot", kind: "backing" },
    out: {},
    needs: [],
  },
  MUNMAP: { on: "process", in: { va: "va", length: "bytes" }, out: {}, needs: [] },
  MPROTECT: {
    on: "process",
    in: { va: "va", length: "bytes", prot: "prot" },
    out: {},
    needs: [],
  },
  /** CPU stores; EFAULT at the first byte that cannot be written, after the bytes before it. */
  MEM_WRITE: { on: "process", in: { va: "va", bytes: "hex" }, out: {}, needs: [] },
  MEM_READ: {
    on: "process",
    in: { va: "va", length: "u32" },
    out: { bytes: "hex" },
    needs: [],
    probe: true,
  },

  // -- probes ---------------------------------------------------------------------------------
  /** Pins of the pages now at a user address, page by page. */
  PAGE_REFS: {
    on: "iommufd",
    in: { uptr: "va", length: "bytes" },
    out: { refs: "pins" },
    needs: ["page-refs"],
    probe: true,
  },
  /** Pages pinned for, and locked memory charged to, the calling process. */
  PROC_STATUS: {
    on: "process",
    in: {},
    out: { VmPin_pages: "u32", VmLck_pages: "u32" },
    needs: ["proc-status"],
    probe: true,
  },
  /** Everything one domain translates within [iova, last], in maximal runs. ENOENT: no such domain. */
  TRANSLATE: {
    on: "iommufd",
    in: { hwpt_id: "id", iova: "iova", last: "iova" },
    out: { runs: "translations" },
    needs: ["translate"],
    probe: true,
  },
} as const satisfies Record<string, CallShape>;

export type CallName = keyof typeof CALLS;
export const CALL_NAMES = Object.keys(CALLS) as CallName[];
export const isCallName = (name: string): name is CallName => Object.hasOwn(CALLS, name);
/** The shape of a call, without the literal types. */
export const shapeOf = (name: CallName): CallShape => CALLS[name];

export type In<K extends CallName> = Values<(typeof CALLS)[K]["in"]>;
export type Out<K extends CallName> = Values<(typeof CALLS)[K]["out"]>;

/** A call as an IUT gets it: every handle resolved to the numbers of this very run. */
export interface CallOf<K extends CallName> {
  readonly call: K;
  /** Index of the calling process, and of the thread in it. */
  readonly proc: number;
  readonly thread: number;
  /** The iommufd it is made on; -1 where the call is on the process. */
  readonly fd: number;
  readonly in: In<K>;
}
export type Call = { [K in CallName]: CallOf<K> }[CallName];

/**
 * What the IUT answered. `out` on success: exactly the outputs of the call. `out` on failure:
 * only what the uAPI writes nevertheless (IOAS_IOVA_RANGES with EMSGSIZE); mostly absent.
 */
export interface OutcomeOf<K extends CallName> {
  readonly errno: 0 | Errno;
  readonly out?: Partial<Out<K>>;
}
export type Outcome = { [K in CallName]: OutcomeOf<K> }[CallName];

/** Success without outputs. */
export const OK: { readonly errno: 0 } = Object.freeze({ errno: 0 });

/**
 * Numbers for `iommufd` of VFIO_BIND that are not an iommufd of the trace. A process has one
 * other file open, which is not an iommufd; an IUT that works with real files translates.
 */
export const FD_NOT_OPEN = 0x7fff_0000;
export const FD_NOT_AN_IOMMUFD = 0x7fff_0001;
