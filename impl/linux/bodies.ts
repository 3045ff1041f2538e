/** The arguments of one call as the agent reads them (agent/run.c, agent/calls.c). */
import type { Call, CallName, CallOf } from "../../spec/calls";
import { encodeResponses } from "../../spec/uapi/codec";
import { IOCTLS, type IoctlCall, isIoctlCall, NUMBER_IOCTLS } from "../../spec/uapi/ioctls";
import type { ByteWriter } from "./byte-writer";
import { arrayOf, NO_WORDS, structOf, wordsIn } from "./ioctl";
import { ARRAY, BACKING, FILE, MEMORY, OP, PROT } from "./protocol";

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
  DUP: { "": at(0, 4) },
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
  VFIO_GET_API_VERSION: { "": at(0, 4), arg: at(8, 8) },
  VFIO_CHECK_EXTENSION: { "": at(0, 4), arg: at(8, 8) },
  VFIO_SET_IOMMU: { "": at(0, 4), arg: at(8, 8) },
  FAULT_READ: { fault_fd: at(0, 4), count: at(4, 4) },
  FAULT_WRITE: { fault_fd: at(0, 4), count: at(4, 4) },
  FAULT_POLL: { fault_fd: at(0, 4), events: at(4, 2) },
  CLOSE_FAULT: { fault_fd: at(0, 4) },
  CLOSE_ACCESS: { access_fd: at(0, 4) },
  SETRLIMIT_MEMLOCK: { cur: at(0, 8), max: at(8, 8) },
  SETUID: { uid: at(0, 4) },
  FORK: { child: at(0, 4) },
  EXIT: {},
  DMA: { devfd: at(0, 4), iova: at(8, 8), length: at(16, 4), device_offset: at(20, 4) },
};

/**
 * Writes the body of a call; answers its op.
 * @throws RangeError for an argument that the struct of the call cannot hold
 */
export const writeBody = (w: ByteWriter, call: Call): number =>
  isIoctlCall(call) ? writeIoctl(w, call) : writeOther(w, call);

const writeIoctl = (w: ByteWriter, call: IoctlCall): number => {
  const { command } = IOCTLS[call.call];
  const struct = structOf(call);
  const { kind, length, given } = arrayOf(call);
  const isDevice = "devfd" in call.in;
  w.s32("devfd" in call.in ? call.in.devfd : call.fd).u32(command);
  w.u16(struct.length).u8(isDevice ? FILE.device : FILE.iommufd);
  w.u8(ARRAY[kind]).u32(length);
  const { fileIn, fileOut, pointer } = wordsIn(command, struct);
  w.u8(fileIn).u8(fileOut).u8(pointer).u8(MEMORY.any);
  w.put(struct);
  if (given !== undefined) w.put(given);
  return OP.ioctl;
};

const writeRaw = (w: ByteWriter, call: CallOf<"RAW"> | CallOf<"DEVICE_RAW">): number => {
  const { nr, memory, arg } = call.in;
  const bytes = Buffer.from(call.in.bytes, "hex");
  w.s32(call.call === "RAW" ? call.fd : call.in.devfd).u32(nr);
  w.u16(memory === "none" ? 8 : bytes.length);
  w.u8(call.call === "RAW" ? FILE.iommufd : FILE.device);
  const { fileIn, fileOut, pointer } = memory === "none" ? NO_WORDS : wordsIn(nr, bytes);
  // A pointer of raw bytes leads nowhere: to an array of no bytes.
  w.u8(pointer === 0 ? ARRAY.none : ARRAY.in).u32(0);
  w.u8(fileIn).u8(fileOut).u8(pointer).u8(MEMORY[memory]);
  if (memory === "none") w.u64(arg);
  else w.put(bytes);
  return OP.ioctl;
};

const writeOther = (w: ByteWriter, call: Exclude<Call, IoctlCall>): number => {
  switch (call.call) {
    case "OPEN":
      return OP.open;
    case "DUP":
      w.s32(call.fd);
      return OP.dup;
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
    case "VFIO_GET_API_VERSION":
    case "VFIO_CHECK_EXTENSION":
    case "VFIO_SET_IOMMU":
      w.s32(call.fd).u32(NUMBER_IOCTLS[call.call]).u64(call.in.arg);
      return OP.numberIoctl;
    case "FAULT_READ":
      w.s32(call.in.fault_fd).u32(call.in.count);
      return OP.fileRead;
    case "FAULT_WRITE":
      w.s32(call.in.fault_fd).u32(call.in.count).put(encodeResponses(call.in.responses));
      return OP.fileWrite;
    case "FAULT_POLL":
      w.s32(call.in.fault_fd).u16(call.in.events);
      return OP.filePoll;
    case "CLOSE_FAULT":
      w.s32(call.in.fault_fd).u8(FILE.faults);
      return OP.fileClose;
    case "CLOSE_ACCESS":
      w.s32(call.in.access_fd).u8(FILE.access);
      return OP.fileClose;
    case "SETRLIMIT_MEMLOCK":
      w.u64(call.in.cur).u64(call.in.max);
      return OP.setMemlock;
    case "SETUID":
      w.u32(call.in.uid);
      return OP.setUid;
    case "FORK":
      w.u32(call.in.child);
      return OP.fork;
    case "EXIT":
      return OP.exit;
    case "RAW":
    case "DEVICE_RAW":
      return writeRaw(w, call);
    default:
      throw new RangeError(`${call.call} cannot be made on a kernel`);
  }
};
