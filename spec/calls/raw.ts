import type { CallShape } from "./shape";

/**
 * Any ioctl as raw bytes: what a typed step with byte edits (spec/raw.ts) becomes when it is
 * resolved.
 *
 * nr is the whole command word. `bytes` ends exactly where an accessible page ends, so whatever
 * lies behind them faults; `memory` says what may be done with them: "rw" all, "r" nothing is
 * stored there (a response faults), "none" there is nothing, and the pointer is `arg`, an address
 * at which nothing is accessible. Pointers inside the bytes that lead to an array or a buffer
 * lead nowhere (a recording has NULL there); addresses of memory to be mapped are what they are.
 *
 * The output `bytes` is that memory after the call; a failure leaves it out if nothing changed.
 */
export const RAW_CALLS = {
  RAW: {
    on: "iommufd",
    in: { nr: "u32", bytes: "hex", memory: "prot", arg: "va" },
    out: { bytes: "hex" },
    needs: ["raw-bytes"],
  },
  /** The same on the file of a device. */
  DEVICE_RAW: {
    on: "process",
    in: { devfd: "fd", nr: "u32", bytes: "hex", memory: "prot", arg: "va" },
    out: { bytes: "hex" },
    needs: ["vfio", "raw-bytes"],
  },
} as const satisfies Record<string, CallShape>;
