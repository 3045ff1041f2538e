/** Page faults for user space: FAULT_QUEUE_ALLOC, and the file of a queue (family FLT). */
import { POLLIN, POLLOUT, POLLRDNORM, RESPONSE_INVALID } from "../../spec/uapi/flags";
import { PAGE_FAULT, PAGE_RESPONSE } from "../../spec/uapi/layouts";
import type { Process } from "./accounting";
import { done, fail, type OnIommufd, type OnProcess } from "./call";
import { IommufdFault } from "./fault";
import { FaultFile } from "./fault-file";
import type { Kernel } from "./kernel";

export const faultQueueAlloc: OnIommufd<"FAULT_QUEUE_ALLOC"> = (
  ctx,
  { flags },
  process,
  { anonFiles },
) => {
  if (flags !== 0) return fail("EOPNOTSUPP");
  const fault = ctx.publish(new IommufdFault(ctx.takeId()));
  const fd = anonFiles.openLowest(new FaultFile(fault, ctx), process);
  return { errno: 0, out: { out_fault_id: fault.id, out_fault_fd: fd } };
};

/** What read and write of Linux pass on of a count that is larger (MAX_RW_COUNT). */
const COUNT_MAX = 0x7fff_f000;

export const faultRead: OnProcess<"FAULT_READ"> = (kernel, args, process) => {
  const { fault_fd } = args;
  const count = Math.min(args.count, COUNT_MAX);
  const fault = queueOf(kernel, fault_fd, process);
  if (fault === undefined) return fail("EBADF");
  if (count % PAGE_FAULT.size !== 0) return fail("ESPIPE");
  const records = fault.read(count / PAGE_FAULT.size);
  return typeof records === "string" ? fail(records) : { errno: 0, out: { records } };
};

/** FLT-04: what was taken before something bad counts. */
export const faultWrite: OnProcess<"FAULT_WRITE"> = (kernel, args, process) => {
  const { responses } = args;
  const count = Math.min(args.count, COUNT_MAX);
  const fault = queueOf(kernel, args.fault_fd, process);
  if (fault === undefined) return fail("EBADF");
  if (count % PAGE_RESPONSE.size !== 0) return fail("ESPIPE");
  let rc = 0;
  for (; rc < count; rc += PAGE_RESPONSE.size) {
    const response = responses[rc / PAGE_RESPONSE.size];
    if (response === undefined) return rc === 0 ? fail("EFAULT") : { errno: 0, out: { rc } };
    if (response.code > RESPONSE_INVALID || !fault.answer(response.cookie)) {
      return rc === 0 ? fail("EINVAL") : { errno: 0, out: { rc } };
    }
  }
  return { errno: 0, out: { rc } };
};

/** FLT-05 */
export const faultPoll: OnProcess<"FAULT_POLL"> = (kernel, { fault_fd, events }, process) => {
  const fault = queueOf(kernel, fault_fd, process);
  if (fault === undefined) return fail("EBADF");
  const ready = fault.isReadable ? POLLOUT | POLLIN | POLLRDNORM : POLLOUT;
  return { errno: 0, out: { revents: ready & events } };
};

export const closeFault: OnProcess<"CLOSE_FAULT"> = (kernel, { fault_fd }, process) => {
  if (queueOf(kernel, fault_fd, process) === undefined) return fail("EBADF");
  return done(kernel.anonFiles.close(fault_fd, process) ? 0 : "EBADF");
};

/** The queue that a file of the process belongs to. */
const queueOf = ({ anonFiles }: Kernel, fd: number, process: Process): IommufdFault | undefined => {
  const file = anonFiles.get(fd, process);
  return file instanceof FaultFile ? file.fault : undefined;
};
