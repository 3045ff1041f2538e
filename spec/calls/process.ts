import type { CallShape } from "./shape";

/** Processes: their memory, their limits, their lives. */
export const PROCESS_CALLS = {
  /**
   * mmap(MAP_FIXED) of fresh zero memory over whatever is there. EINVAL for an address or a length
   * that is none of whole pages, and for length 0; ENOMEM behind user space, which ends a page below
   * 2^47; EPERM for page 0, unless the user is root.
   */
  MMAP: {
    on: "process",
    in: { va: "va", length: "bytes", prot: "prot", kind: "backing" },
    out: {},
    needs: [],
  },
  /** munmap(2). EINVAL as for MMAP, and behind user space. Where nothing is, nothing is done. */
  MUNMAP: { on: "process", in: { va: "va", length: "bytes" }, out: {}, needs: [] },
  /**
   * mprotect(2). EINVAL for an address of no page. ENOMEM at the first page that is not there, or that lies behind user space, after
   * the pages before it have changed; ENOMEM without any change if the range wraps.
   */
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

  /**
   * setrlimit(RLIMIT_MEMLOCK), in bytes. EINVAL if cur is above max; EPERM if max rises without
   * the capability SYS_RESOURCE.
   */
  SETRLIMIT_MEMLOCK: {
    on: "process",
    in: { cur: "bytes", max: "bytes" },
    out: {},
    needs: ["memlimit"],
  },
  /**
   * setuid(2): the process becomes this user for good; any user but 0 loses every capability.
   * EPERM if it is not root and this is not the user it is already; EINVAL for user 2^32-1.
   */
  SETUID: { on: "process", in: { uid: "u32" }, out: {}, needs: ["privilege"] },
  /**
   * The process makes a child, to which later calls refer by the index `child`: it has all files
   * of its parent, a copy of its memory (shared mappings stay shared), its user and its limits.
   * EINVAL if there is or was a process of that index.
   */
  FORK: { on: "process", in: { child: "u32" }, out: {}, needs: ["second-process"] },
  /**
   * The process ends; its memory goes, and so do its files, unless another process has them. Any
   * call that is made in the name of a process which is not there answers ESRCH.
   */
  EXIT: { on: "process", in: {}, out: {}, needs: ["second-process"] },
} as const satisfies Record<string, CallShape>;
