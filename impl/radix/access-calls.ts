/** The mock driver's calls on in-kernel users, with the errors that are its own (ACC-32). */
import type { Errno } from "../../spec/errno";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
} from "../../spec/uapi/flags";
import { AccessFile, IommufdAccess, letGo, pfnsOf } from "./access";
import type { Process } from "./accounting";
import { done, fail, type OnIommufd, type OnProcess } from "./call";
import { fromHex, toHex } from "./hex";
import type { Kernel } from "./kernel";
import { hasMockDriver } from "./mock-front-end";
import { pageOf } from "./page-math";
import type { UserMemory } from "./user-memory";

/** 16 MiB */
const MOST_BYTES = 0x100_0000n;

export const createAccess: OnIommufd<"CREATE_ACCESS"> = (ctx, args, process, kernel) => {
  const { ioas_id, flags } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if ((flags & ~ACCESS_NEEDS_PIN_PAGES) !== 0) return fail("EOPNOTSUPP");
  const access = IommufdAccess.attachTo(ctx, ioas_id, (flags & ACCESS_NEEDS_PIN_PAGES) !== 0);
  if (typeof access === "string") return fail(access);
  const fd = kernel.anonFiles.openLowest(new AccessFile(access), process);
  return { errno: 0, out: { out_access_fd: fd } };
};

export const closeAccess: OnProcess<"CLOSE_ACCESS"> = (kernel, { access_fd }, process) => {
  if (accessOf(kernel, access_fd, process) === undefined) return fail("EBADF");
  return done(kernel.anonFiles.close(access_fd, process) ? 0 : "EBADF");
};

export const accessReplaceIoas: OnIommufd<"ACCESS_REPLACE_IOAS"> = (
  _ctx,
  args,
  process,
  kernel,
) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const access = accessOf(kernel, args.access_fd, process);
  return access === undefined ? fail("EBADFD") : done(access.replace(args.ioas_id));
};

export const accessPages: OnIommufd<"ACCESS_PAGES"> = (_ctx, args, process, kernel) => {
  const { flags, iova, length, uptr } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if (length > MOST_BYTES) return fail("ENOMEM");
  if ((flags & ~ACCESS_PAGES_WRITE) !== 0) return fail("EOPNOTSUPP");
  const access = accessOf(kernel, args.access_fd, process);
  if (access === undefined) return fail("EBADFD");
  if (!access.pinsPages) return fail("EOPNOTSUPP");
  const pin = access.pin(iova, length, (flags & ACCESS_PAGES_WRITE) !== 0);
  if (typeof pin === "string") return fail(pin);
  if (uptr !== 0n) {
    const { memory } = process;
    const { pageSize } = memory;
    const firstPage = pageOf(BigInt.asUintN(64, uptr - (iova % BigInt(pageSize))), pageSize);
    const count = pageOf(iova + length - 1n, pageSize) - pageOf(iova, pageSize) + 1;
    const errno = checkPages(memory, firstPage, [...pfnsOf(pin)], count);
    if (errno !== 0) {
      letGo(pin);
      return fail(errno);
    }
  }
  return { errno: 0, out: { out_access_pages_id: access.keep(pin) } };
};

/** Whether `count` pages from `firstPage` on are now these; past their end nothing is the same. */
const checkPages = (
  memory: UserMemory,
  firstPage: number,
  pfns: readonly number[],
  count: number,
): 0 | Errno => {
  for (let i = 0; i < count; i += 1) {
    const page = firstPage + i;
    // Its end is added up before it is looked at, as when it is pinned.
    if (page + 1 === 2 ** 64 / memory.pageSize) return "EOVERFLOW";
    const present = memory.touch(page, false);
    if (present === 0) return "EFAULT";
    if (present !== pfns[i]) return "EBADE";
  }
  return 0;
};

export const destroyAccessPages: OnIommufd<"DESTROY_ACCESS_PAGES"> = (
  _ctx,
  args,
  process,
  kernel,
) => {
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  const access = accessOf(kernel, args.access_fd, process);
  return access === undefined ? fail("EBADFD") : done(access.unpin(args.access_pages_id));
};

export const accessRw: OnIommufd<"ACCESS_RW"> = (_ctx, args, process, kernel) => {
  const { flags, length, accessible_bytes: accessible } = args;
  if (!hasMockDriver(kernel)) return fail("ENOTTY");
  if (length > MOST_BYTES) return fail("ENOMEM");
  if ((flags & ~(ACCESS_RW_WRITE | ACCESS_RW_SLOW_PATH)) !== 0) return fail("EOPNOTSUPP");
  const access = accessOf(kernel, args.access_fd, process);
  if (access === undefined) return fail("EBADFD");
  const write = (flags & ACCESS_RW_WRITE) !== 0;
  if (write && length > accessible) return fail("EFAULT");
  const bytes = new Uint8Array(Number(length));
  if (write) repeat(fromHex(args.data_repeat), bytes);
  const slowPath = (flags & ACCESS_RW_SLOW_PATH) !== 0;
  const errno = access.rw(args.iova, { bytes, write, slowPath, process });
  if (errno !== 0) return fail(errno);
  if (write) return done(0);
  return length > accessible ? fail("EFAULT") : { errno: 0, out: { data: toHex(bytes) } };
};

/** Doubles what is there until it is full: the pattern may be a single byte. */
const repeat = (pattern: Uint8Array, into: Uint8Array): void => {
  if (pattern.length === 0) return;
  into.set(pattern.subarray(0, into.length));
  for (let done = pattern.length; done < into.length; done *= 2) into.copyWithin(done, 0, done);
};

/** The in-kernel user that a file of the process belongs to. */
const accessOf = (
  { anonFiles }: Kernel,
  fd: number,
  process: Process,
): IommufdAccess | undefined => {
  const file = anonFiles.get(fd, process);
  return file instanceof AccessFile ? file.access : undefined;
};
