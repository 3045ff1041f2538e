/** The arguments of one call as the agent reads them (agent/run.c, agent/calls.c). */
import type { Call, CallName } from "../../spec/calls";
import { encodeCall } from "../../spec/uapi/codec";
import { type IoctlCall, isIoctlCall } from "../../spec/uapi/ioctls";
import type { ByteWriter } from "./byte-writer";
import { ARRAY, BACKING, ON, OP, PROT } from "./protocol";

interface Place {
  readonly offset: number;
  readonly width: number;
}

const at = (offset: number, width: number): Place => ({ offset, width });
const RANGE = { va: at(0, 8), length: at(8, 8) };

/** Where the arguments of calls that are no ioctls stand; "" is the iommufd. */
export const FIXED_BODIES: {
  readonly [K in CallName]?: Readonly<Record<string, Place>>;
} = {
  OPEN: {},
  CLOSE: { "": at(0, 4) },
  MMAP: RANGE,
  MUNMAP: RANGE,
  MPROTECT: RANGE,
  MEM_WRITE: { va: at(0, 8) },
  MEM_READ: { va: at(0, 8), length: at(8, 4) },
  PAGE_REFS: { "": at(0, 4), uptr: at(4, 8), length: at(12, 8) },
  PROC_STATUS: {},
  DEVICE_OPEN: { dev: at(0, 4) },
  DEVICE_CLOSE: { devfd: at(0, 4) },
  DMA: { devfd: at(0, 4), iova: at(8, 8), length: at(16, 4), device_offset: at(20, 4) },
};

/** Elements of iova_range that scratch memory holds. */
const ELEMENT = 16;
const MAX_ELEMENTS = 0x1_0000 / ELEMENT;

/**
 * Writes the body of a call; answers its op.
 * @throws RangeError for an argument that the struct of the call cannot hold
 */
export const writeBody = (w: ByteWriter, call: Call): number =>
  isIoctlCall(call) ? writeIoctl(w, call) : writeOther(w, call);

const writeIoctl = (w: ByteWriter, call: IoctlCall): number => {
  const { command, bytes, array } = encodeCall(call);
  const isDevice = "devfd" in call.in;
  const on = call.call === "VFIO_BIND" ? ON.deviceBind : isDevice ? ON.device : ON.iommufd;
  w.s32("devfd" in call.in ? call.in.devfd : call.fd);
  w.u32(command).u16(bytes.length).u8(on);
  if (call.call === "IOAS_IOVA_RANGES") {
    w.u8(ARRAY.out).u32(Math.min(call.in.writable_elems, MAX_ELEMENTS) * ELEMENT);
  } else if (array !== undefined) {
    w.u8(ARRAY.in).u32(array.length);
  } else {
    w.u8(ARRAY.none).u32(0);
  }
  w.put(bytes);
  if (array !== undefined) w.put(array);
  return OP.ioctl;
};

const writeOther = (w: ByteWriter, call: Exclude<Call, IoctlCall>): number => {
  switch (call.call) {
    case "OPEN":
      return OP.open;
    case "CLOSE":
      w.s32(call.fd);
      return OP.close;
    case "MMAP":
      w.u64(call.in.va).u64(call.in.length).u8(PROT[call.in.prot]).u8(BACKING[call.in.kind]);
      return OP.mmap;
    case "MUNMAP":
      w.u64(call.in.va).u64(call.in.length);
      return OP.munmap;
    case "MPROTECT":
      w.u64(call.in.va).u64(call.in.length).u8(PROT[call.in.prot]);
      return OP.mprotect;
    case "MEM_WRITE":
      w.u64(call.in.va).put(Buffer.from(call.in.bytes, "hex"));
      return OP.memWrite;
    case "MEM_READ":
      w.u64(call.in.va).u32(call.in.length);
      return OP.memRead;
    case "PAGE_REFS":
      w.s32(call.fd).u64(call.in.uptr).u64(call.in.length);
      return OP.pageRefs;
    case "PROC_STATUS":
      return OP.procStatus;
    case "DEVICE_OPEN":
      w.u32(call.in.dev);
      return OP.deviceOpen;
    case "DEVICE_CLOSE":
      w.s32(call.in.devfd);
      return OP.deviceClose;
    case "DMA": {
      const { devfd, dir, iova, length, device_offset } = call.in;
      w.s32(devfd)
        .u8(dir === "from_device" ? 1 : 0)
        .u8(0)
        .u16(0);
      w.u64(iova).u32(length).u32(device_offset);
      return OP.dma;
    }
    default:
      throw new RangeError(`${call.call} cannot be made on a kernel`);
  }
};
