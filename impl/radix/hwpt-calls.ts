/**
 * The calls on HW page tables: HWPT_ALLOC, HWPT_INVALIDATE, and GET_HW_INFO, which says what a
 * device's IOMMU can do (families HWP, INV, HWI). Checks are in the order of the clauses.
 */
import type { In } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { decodeStruct } from "../../spec/uapi/codec";
import {
  HW_CAP_DIRTY_TRACKING,
  HW_INFO_TYPE_NONE,
  HWPT_DATA_MOCK,
  HWPT_DATA_NONE,
  HWPT_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  INVALIDATE_DATA_MOCK,
} from "../../spec/uapi/flags";
import { LAYOUTS, MOCK_INVALIDATE_ENTRY, MOCK_NESTED_DATA, WIDTH } from "../../spec/uapi/layouts";
import { fail, type OnIommufd } from "./call";
import type { IommufdCtx } from "./ctx";
import { IommufdDevice } from "./device";
import { IommufdFault } from "./fault";
import { fromHex, toHex } from "./hex";
import {
  type IommufdHwpt,
  IommufdHwptNested,
  IommufdHwptPaging,
  IommufdIoas,
} from "./hw-pagetable";
import { NestedDomain } from "./nested-domain";

type AllocArgs = In<"HWPT_ALLOC">;

export const hwptAlloc: OnIommufd<"HWPT_ALLOC"> = (ctx, given) => {
  const { size } = given;
  if (size !== 0 && size < LAYOUTS.HWPT_ALLOC.min) return fail("EINVAL");
  const args = size === 0 ? given : knownPart(given);
  if (args.reserved !== 0) return fail("EOPNOTSUPP");
  if ((args.data_type === HWPT_DATA_NONE) !== (args.data_len === 0)) return fail("EINVAL");
  const device = ctx.get(args.dev_id);
  if (!(device instanceof IommufdDevice)) return fail("ENOENT");
  const hwpt = allocOn(ctx, args, device);
  return typeof hwpt === "string" ? fail(hwpt) : { errno: 0, out: { out_hwpt_id: hwpt.id } };
};

/** Bytes that the caller's struct does not reach count as zero (GEN-08, HWP-29). */
const knownPart = (args: AllocArgs): AllocArgs => {
  const known: Record<string, unknown> = { ...args };
  let isElsewhere = false;
  for (const { name, offset, type } of LAYOUTS.HWPT_ALLOC.fields) {
    if (!(name in known) || offset + WIDTH[type] <= args.size) continue;
    const bits = 8 * Math.max(0, args.size - offset);
    const value = known[name] as number | bigint;
    const low = BigInt.asUintN(bits, BigInt(value));
    known[name] = typeof value === "bigint" ? low : Number(low);
    // A pointer that is cut short leads to other memory, unless it lost nothing but zeros.
    isElsewhere ||= name === "data_uptr" && (low === 0n || low !== value);
  }
  return { ...(known as AllocArgs), ...(isElsewhere && { data: "" }) };
};

const allocOn = (ctx: IommufdCtx, args: AllocArgs, device: IommufdDevice): IommufdHwpt | Errno => {
  const pt = ctx.get(args.pt_id);
  if (pt instanceof IommufdIoas) return allocPaging(ctx, args, device, pt);
  if (pt instanceof IommufdHwptPaging) return allocNested(ctx, args, device, pt);
  return "EINVAL";
};

/** HWP-06..10; the mock driver takes no data either. */
const allocPaging = (
  ctx: IommufdCtx,
  { flags, data_len }: AllocArgs,
  { host }: IommufdDevice,
  ioas: IommufdIoas,
): IommufdHwptPaging | Errno => {
  if ((flags & ~(HWPT_NEST_PARENT | HWPT_DIRTY_TRACKING)) !== 0) return "EOPNOTSUPP";
  const tracksDirty = (flags & HWPT_DIRTY_TRACKING) !== 0;
  const nestParent = (flags & HWPT_NEST_PARENT) !== 0;
  if (tracksDirty && !host.tracksDirty) return "EOPNOTSUPP";
  if ((nestParent && !host.iommu.nests) || data_len !== 0) return "EOPNOTSUPP";
  const domain = host.iommu.allocDomain(host.ioPageSizes, tracksDirty);
  const kind = nestParent ? "nest-parent" : "manual";
  const hwpt = new IommufdHwptPaging(ctx.takeId(), ioas, domain, kind);
  const errno = hwpt.addToIoas();
  if (errno === 0) return ctx.publish(hwpt);
  ctx.freeId(hwpt.id);
  return errno;
};

/** HWP-11..14 */
const allocNested = (
  ctx: IommufdCtx,
  { flags, data_type, data_len, data, fault_id }: AllocArgs,
  { host }: IommufdDevice,
  parent: IommufdHwptPaging,
): IommufdHwptNested | Errno => {
  if ((flags & ~HWPT_FAULT_ID_VALID) !== 0 || data_len === 0) return "EOPNOTSUPP";
  if (!parent.nestParent || parent.domain.iommu !== host.iommu) return "EINVAL";
  if (data_type !== HWPT_DATA_MOCK) return "EOPNOTSUPP";
  if (data_len !== MOCK_NESTED_DATA.size) return "EINVAL";
  const bytes = fromHex(data);
  if (bytes.length < data_len) return "EFAULT";
  const domain = new NestedDomain(
    parent.domain,
    Number(decodeStruct(MOCK_NESTED_DATA, bytes)["iotlb"]),
  );
  let fault: IommufdFault | undefined;
  if ((flags & HWPT_FAULT_ID_VALID) !== 0) {
    const object = ctx.get(fault_id);
    if (!(object instanceof IommufdFault)) return "ENOENT";
    fault = object;
  }
  return ctx.publish(new IommufdHwptNested(ctx.takeId(), parent, domain, fault));
};

export const getHwInfo: OnIommufd<"GET_HW_INFO"> = (ctx, args) => {
  const { size, data_len, writable_bytes } = args;
  const { min } = LAYOUTS.GET_HW_INFO;
  if (size !== 0 && size < min) return fail("EINVAL");
  if ((args.flags | args.reserved0 | args.reserved1 | args.reserved2) !== 0) {
    return fail("EOPNOTSUPP");
  }
  const device = ctx.get(args.dev_id);
  if (!(device instanceof IommufdDevice)) return fail("ENOENT");
  if (data_len > writable_bytes) return fail("EFAULT");
  const { type, data } = device.host.iommu.hwInfo ?? { type: HW_INFO_TYPE_NONE, data: "" };
  const info = fromHex(data);
  const stored = new Uint8Array(data_len); // HWI-03: zeros behind the info
  stored.set(info.subarray(0, data_len));
  const out = {
    data_len: info.length,
    out_data_type: type,
    out_max_pasid_log2: 0,
    data: toHex(stored),
  };
  if (size !== 0 && size <= min) return { errno: 0, out };
  const out_capabilities = device.host.tracksDirty ? HW_CAP_DIRTY_TRACKING : 0n;
  return { errno: 0, out: { ...out, out_capabilities } };
};

/** INV-02: bounds of 6.12. */
const ENTRY_LEN_MAX = 4096;
const ENTRY_NUM_MAX = 2 ** 19;

export const hwptInvalidate: OnIommufd<"HWPT_INVALIDATE"> = (ctx, args) => {
  const { errno, done } = invalidate(ctx, args);
  // INV-06: it is always written back; a failure tells of it where it makes a difference.
  if (errno !== 0 && done === args.entry_num) return fail(errno);
  return { errno, out: { entry_num: done } };
};

const invalidate = (
  ctx: IommufdCtx,
  args: In<"HWPT_INVALIDATE">,
): { readonly errno: 0 | Errno; readonly done: number } => {
  const { entry_num, entry_len } = args;
  let done = 0;
  if (args.reserved !== 0) return { errno: "EOPNOTSUPP", done };
  const isOutOfBounds =
    args.data_uptr === 0n ||
    entry_len === 0 ||
    entry_len > ENTRY_LEN_MAX ||
    entry_num > ENTRY_NUM_MAX;
  if (entry_num !== 0 && isOutOfBounds) return { errno: "EINVAL", done };
  const hwpt = ctx.get(args.hwpt_id);
  if (!(hwpt instanceof IommufdHwptNested)) return { errno: "ENOENT", done };
  if (args.data_type !== INVALIDATE_DATA_MOCK) return { errno: "EINVAL", done };
  const entries = fromHex(args.data);
  for (; done < entry_num; done += 1) {
    if (entry_len !== MOCK_INVALIDATE_ENTRY.size) return { errno: "EINVAL", done };
    const entry = entries.subarray(done * entry_len, (done + 1) * entry_len);
    if (entry.length < entry_len) return { errno: "EFAULT", done };
    const { flags, iotlb_id } = decodeStruct(MOCK_INVALIDATE_ENTRY, entry);
    const errno = hwpt.domain.invalidate(Number(flags), Number(iotlb_id));
    if (errno !== 0) return { errno, done };
  }
  return { errno: 0, done };
};
