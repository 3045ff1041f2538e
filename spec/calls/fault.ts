import type { CallShape } from "./shape";

/** Page faults delivered to user space: the queue, and the file that it is read and answered by. */
export const FAULT_CALLS = {
  FAULT_QUEUE_ALLOC: {
    on: "iommufd",
    in: { flags: "u32" },
    out: { out_fault_id: "id", out_fault_fd: "fd" },
    needs: ["fault-queue"],
    handle: "fault",
  },
  /**
   * read(2) of `count` bytes. The handle names the cookies: `read0.cookie1` is that of the
   * second record. The return value is the size of the records.
   */
  FAULT_READ: {
    on: "process",
    in: { fault_fd: "fd", count: "u32" },
    out: { records: "faults" },
    needs: ["fault-queue"],
    handle: "read",
  },
  /** write(2) of the first `count` bytes of `responses`. rc: bytes that were taken. */
  FAULT_WRITE: {
    on: "process",
    in: { fault_fd: "fd", count: "u32", responses: "responses" },
    out: { rc: "u32" },
    needs: ["fault-queue"],
  },
  /** poll(2) without waiting; revents is 0 if none of the events is there. */
  FAULT_POLL: {
    on: "process",
    in: { fault_fd: "fd", events: "u16" },
    out: { revents: "u16" },
    needs: ["fault-queue"],
    probe: true,
  },
  CLOSE_FAULT: { on: "process", in: { fault_fd: "fd" }, out: {}, needs: ["fault-queue"] },
} as const satisfies Record<string, CallShape>;
