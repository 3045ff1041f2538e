/** The calls on VFIO device cdevs, and the DMA of the devices behind them. */
import { FD_NOT_AN_IOMMUFD, type OutcomeOf } from "../../spec/calls";
import {
  PERM_READ,
  PERM_WRITE,
  VFIO_ATTACH_ARGSZ,
  VFIO_BIND_ARGSZ,
  VFIO_DETACH_ARGSZ,
  VFIO_INFO_ARGSZ,
} from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { done, fail, type OnProcess } from "./call";
import { IommufdDevice } from "./device";
import { toHex } from "./hex";
import { DEVICE_BUFFER_SIZE, type HostDevice } from "./iommu";
import type { PhysicalMemory } from "./physical-memory";

export const deviceOpen: OnProcess<"DEVICE_OPEN"> = ({ vfio }, { dev }, process) => {
  const devfd = vfio.open(dev, process);
  return devfd === undefined ? fail("ENOENT") : { errno: 0, out: { devfd } };
};

export const deviceClose: OnProcess<"DEVICE_CLOSE"> = ({ vfio }, { devfd }, process) =>
  done(vfio.files.close(devfd, process) ? 0 : "EBADF");

/** VFD-01..07, in this order */
export const vfioBind: OnProcess<"VFIO_BIND"> = ({ vfio, iommufds }, args, process) => {
  const file = vfio.files.get(args.devfd, process);
  if (file === undefined) return fail("EBADF");
  if (args.argsz < VFIO_BIND_ARGSZ || args.flags !== 0 || args.iommufd < 0) return fail("EINVAL");
  if (file.binding !== undefined) return fail("EINVAL");
  if (args.iommufd === FD_NOT_AN_IOMMUFD) return fail("EBADFD");
  const ctx = iommufds.get(args.iommufd, process);
  if (ctx === undefined) return fail("EBADF");
  if (file.vfioDevice.isBound) return fail("EINVAL");
  const device = IommufdDevice.bindTo(ctx, file.vfioDevice.host);
  if (typeof device === "string") return fail(device);
  vfio.bind(file, { ctx, device });
  return { errno: 0, out: { out_devid: device.id } };
};

/** VFD-10, VFD-11, VFD-18: before BIND every other call on the file is EINVAL. */
export const vfioAttach: OnProcess<"VFIO_ATTACH"> = ({ vfio }, args, process) => {
  const file = vfio.files.get(args.devfd, process);
  if (file === undefined) return fail("EBADF");
  if (file.binding === undefined) return fail("EINVAL");
  if (args.argsz < VFIO_ATTACH_ARGSZ || args.flags !== 0) return fail("EINVAL");
  const { device } = file.binding;
  const hwptId = device.isAttached ? device.replace(args.pt_id) : device.attach(args.pt_id);
  return typeof hwptId === "string" ? fail(hwptId) : { errno: 0, out: { pt_id: hwptId } };
};

/** VFD-14 */
export const vfioDetach: OnProcess<"VFIO_DETACH"> = ({ vfio }, args, process) => {
  const file = vfio.files.get(args.devfd, process);
  if (file === undefined) return fail("EBADF");
  if (file.binding === undefined) return fail("EINVAL");
  if (args.argsz < VFIO_DETACH_ARGSZ || args.flags !== 0) return fail("EINVAL");
  const { device } = file.binding;
  if (device.isAttached) device.detach();
  return done(0);
};

/** What the device itself tells: a PCI device (flag 2) with its regions and interrupts. */
const DEVICE_INFO = { flags: 2, num_regions: 9, num_irqs: 5, cap_offset: 0 } as const;

/** VFD-18 */
export const vfioGetInfo: OnProcess<"VFIO_GET_INFO"> = ({ vfio }, { devfd, argsz }, process) => {
  const file = vfio.files.get(devfd, process);
  if (file === undefined) return fail("EBADF");
  if (file.binding === undefined || argsz < VFIO_INFO_ARGSZ) return fail("EINVAL");
  return { errno: 0, out: { argsz, ...DEVICE_INFO } };
};

export const dma: OnProcess<"DMA"> = ({ vfio, physical }, args, process): OutcomeOf<"DMA"> => {
  const file = vfio.files.get(args.devfd, process);
  if (file === undefined) return fail("EBADF");
  const { length, device_offset: offset } = args;
  // Before BIND nobody gets at the device itself (VFD-18).
  if (file.binding === undefined || length + offset > DEVICE_BUFFER_SIZE) return fail("EINVAL");
  const { host } = file.vfioDevice;
  host.buffer ??= new Uint8Array(DEVICE_BUFFER_SIZE);
  const bytes = host.buffer.subarray(offset, offset + length);
  const toDevice = args.dir === "to_device";
  const blocked = transfer(host, args.iova, bytes, toDevice, physical);
  if (!toDevice) return { errno: 0, out: { fault: blocked ? 1 : 0 } };
  if (!blocked) return { errno: 0, out: { fault: 0, bytes: toHex(bytes) } };
  bytes.fill(0);
  return { errno: 0, out: { fault: 1 } };
};

/** Moves the bytes IO page by IO page; a blocked page moves nothing. True: something blocked. */
const transfer = (
  host: HostDevice,
  iova: bigint,
  bytes: Uint8Array,
  toDevice: boolean,
  physical: PhysicalMemory,
): boolean => {
  const { iommu } = host;
  const { pageSize } = physical;
  const perm = toDevice ? PERM_READ : PERM_WRITE;
  let blocked = false;
  for (let at = 0; at < bytes.length; ) {
    const address = iova + BigInt(at);
    const inPage = Number(address & BigInt(iommu.ioPageSize - 1));
    const count = Math.min(bytes.length - at, iommu.ioPageSize - inPage);
    const pa = address > U64_MAX ? -1 : iommu.translate(host, address, perm);
    if (pa < 0) {
      blocked = true;
    } else {
      const pfn = Math.floor(pa / pageSize);
      const offset = pa - pfn * pageSize;
      if (toDevice) physical.read(pfn, offset, bytes, at, count);
      else physical.write(pfn, offset, bytes, at, count);
    }
    at += count;
  }
  return blocked;
};
