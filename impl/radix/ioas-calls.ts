/**
 * The calls on IOASs: their exact order of checks (families IAL, RNG, ALW, MAP, UNM, CPY), and
 * what they answer. What they do is in io_pagetable.
 */
import type { OutcomeOf } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import {
  MAP_FIXED_IOVA,
  MAP_FLAGS,
  MAP_READABLE,
  MAP_WRITEABLE,
  PERM_READ,
  PERM_WRITE,
} from "../../spec/uapi/flags";
import { type Bytes, type Iova, type IovaRange, U64_MAX, wraps } from "../../spec/units";
import type { AccountMode, Process } from "./accounting";
import { done, fail, type OnIommufd } from "./call";
import type { IommufdCtx } from "./ctx";
import { IommufdIoas } from "./hw-pagetable";
import { IoptPages } from "./iopt-pages";
import { IovaSpans } from "./iova-spans";
import { offsetInPage, pageOf } from "./page-math";

export const ioasAlloc: OnIommufd<"IOAS_ALLOC"> = (ctx, { flags }, _process, { platform }) => {
  if (flags !== 0) return fail("EOPNOTSUPP");
  const ioas = new IommufdIoas(ctx.takeId(), platform.pageSize, platform.thpSize);
  return { errno: 0, out: { out_ioas_id: ctx.publish(ioas).id } };
};

export const ioasIovaRanges: OnIommufd<"IOAS_IOVA_RANGES"> = (ctx, args) => {
  if (args.reserved !== 0) return fail("EOPNOTSUPP");
  const iopt = ctx.ioas(args.ioas_id)?.iopt;
  if (iopt === undefined) return fail("ENOENT");
  const array: IovaRange[] = [];
  let total = 0;
  let faulted = false;
  iopt.reserved.findHole(0n, U64_MAX, 1n, (start, last) => {
    if (total < args.num_iovas) {
      faulted ||= total >= args.writable_elems;
      if (!faulted) array.push([start as Iova, last as Iova]);
    }
    total += 1;
    return undefined;
  });
  if (faulted) return array.length === 0 ? fail("EFAULT") : { errno: "EFAULT", out: { array } };
  const errno = total > args.num_iovas ? "EMSGSIZE" : 0;
  return {
    errno,
    out: { num_iovas: total, out_iova_alignment: iopt.alignment as Bytes, array },
  };
};

export const ioasAllowIovas: OnIommufd<"IOAS_ALLOW_IOVAS"> = (ctx, args) => {
  if (args.reserved !== 0) return fail("EOPNOTSUPP");
  const ioas = ctx.ioas(args.ioas_id);
  if (ioas === undefined) return fail("ENOENT");
  const allowed = new IovaSpans();
  for (let i = 0; i < args.num_iovas; i += 1) {
    const element = args.array[i];
    if (element === undefined) return fail("EFAULT");
    const [start, last] = element;
    if (start >= last || allowed.intersects(start, last)) return fail("EINVAL");
    allowed.add(start, last);
  }
  return done(ioas.iopt.setAllowed(allowed));
};

export const ioasMap: OnIommufd<"IOAS_MAP"> = (ctx, args, process) => {
  const { flags, length, user_va: userVa } = args;
  if ((flags & ~MAP_FLAGS) !== 0 || args.reserved !== 0) return fail("EOPNOTSUPP");
  if (args.iova === U64_MAX || length === U64_MAX) return fail("EOVERFLOW");
  if ((flags & (MAP_READABLE | MAP_WRITEABLE)) === 0) return fail("EINVAL");
  const ioas = ctx.ioas(args.ioas_id);
  if (ioas === undefined) return fail("ENOENT");
  const pages = allocPages(ctx, process, userVa, length, (flags & MAP_WRITEABLE) !== 0);
  if (typeof pages === "string") return fail(pages);
  const startByte = BigInt(offsetInPage(userVa, pages.pageSize));
  const at = ioas.iopt.map(
    [{ pages, startByte, length }],
    length,
    (flags & MAP_FIXED_IOVA) === 0 ? undefined : args.iova,
    permOf(flags),
  );
  return typeof at === "string" ? fail(at) : { errno: 0, out: { iova: at as Iova } };
};

export const ioasCopy: OnIommufd<"IOAS_COPY"> = (ctx, args) => {
  const { flags, length, src_iova: srcIova, dst_iova: dstIova } = args;
  if ((flags & ~MAP_FLAGS) !== 0) return fail("EOPNOTSUPP");
  if (length === U64_MAX || srcIova === U64_MAX || dstIova === U64_MAX) return fail("EOVERFLOW");
  if ((flags & (MAP_READABLE | MAP_WRITEABLE)) === 0) return fail("EINVAL");
  const source = ctx.ioas(args.src_ioas_id);
  if (source === undefined) return fail("ENOENT");
  if (length === 0n) return fail("EINVAL");
  if (wraps(srcIova, length)) return fail("EOVERFLOW");
  const pieces = source.iopt.piecesOf(srcIova, srcIova + length - 1n);
  if (typeof pieces === "string") return fail(pieces);
  const destination = ctx.ioas(args.dst_ioas_id);
  if (destination === undefined) return fail("ENOENT");
  const fixed = (flags & MAP_FIXED_IOVA) === 0 ? undefined : dstIova;
  const at = destination.iopt.map(pieces, length, fixed, permOf(flags));
  return typeof at === "string" ? fail(at) : { errno: 0, out: { dst_iova: at as Iova } };
};

export const ioasUnmap: OnIommufd<"IOAS_UNMAP"> = (ctx, { ioas_id, iova, length }) => {
  const iopt = ctx.ioas(ioas_id)?.iopt;
  if (iopt === undefined) return fail("ENOENT");
  // UNM-02: everything. An IOAS without mappings is fine then.
  if (iova === 0n && length === U64_MAX) return unmapped(iopt.unmap(0n, U64_MAX));
  if (iova === U64_MAX || length === U64_MAX) return fail("EOVERFLOW");
  if (length === 0n) return fail("EINVAL");
  if (wraps(iova, length)) return fail("EOVERFLOW");
  const result = iopt.unmap(iova, iova + length - 1n);
  return result.errno === 0 && result.unmapped === 0n ? fail("ENOENT") : unmapped(result);
};

const unmapped = (result: {
  readonly errno: 0 | Errno;
  readonly unmapped: bigint;
}): OutcomeOf<"IOAS_UNMAP"> =>
  result.errno === 0 ? { errno: 0, out: { length: result.unmapped as Bytes } } : fail(result.errno);

const permOf = (flags: number): number =>
  ((flags & MAP_READABLE) === 0 ? 0 : PERM_READ) | ((flags & MAP_WRITEABLE) === 0 ? 0 : PERM_WRITE);

/** MAP-05, MAP-06; ACT-01: who pays is decided now, for the life of the pages. */
export const allocPages = (
  ctx: IommufdCtx,
  process: Process,
  userVa: bigint,
  length: bigint,
  writable: boolean,
): IoptPages | Errno => {
  const pageSize = BigInt(process.memory.pageSize);
  if (length === 0n || length > U64_MAX - pageSize) return "EINVAL";
  if (userVa + length > U64_MAX) return "EOVERFLOW";
  const firstPage = pageOf(userVa, process.memory.pageSize);
  let mode: AccountMode = "none";
  if (!process.hasIpcLock) mode = ctx.accountPerProcess ? "mm" : "user";
  return new IoptPages(process, firstPage, writable, mode);
};
