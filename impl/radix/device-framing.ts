/**
 * Commands on the file of a device as bytes (VFD-01..18).
 *
 * Their structs begin with argsz, which must reach the end of the first version; surplus is
 * never looked at. The whole number counts. Before BIND every other command is EINVAL, whatever
 * it is (VFD-18).
 */
import type { Call, OutcomeOf } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { decodeStruct, encodeStruct, type StructValues } from "../../spec/uapi/codec";
import { IOCTLS } from "../../spec/uapi/ioctls";
import { LAYOUTS } from "../../spec/uapi/layouts";
import type { Process } from "./accounting";
import { fail } from "./call";
import { type CarryOut, rawOutcome, typedCall } from "./framing";
import type { Kernel } from "./kernel";
import { UserBuffer } from "./user-buffer";
import type { VfioFile } from "./vfio-devices";

type DeviceRawCall = Extract<Call, { call: "DEVICE_RAW" }>;
type DeviceCommand = "VFIO_BIND" | "VFIO_ATTACH" | "VFIO_DETACH" | "VFIO_GET_INFO";
const COMMANDS: readonly DeviceCommand[] = [
  "VFIO_BIND",
  "VFIO_ATTACH",
  "VFIO_DETACH",
  "VFIO_GET_INFO",
];

export const deviceRaw = (
  kernel: Kernel,
  call: DeviceRawCall,
  process: Process,
  carryOut: CarryOut,
): OutcomeOf<"DEVICE_RAW"> => {
  const file = kernel.vfio.files.get(call.in.devfd, process);
  if (file === undefined) return fail("EBADF");
  const buffer = new UserBuffer(call.in);
  return rawOutcome(carryOutRaw(kernel, file, call, buffer, carryOut), call.in.bytes, buffer);
};

const carryOutRaw = (
  kernel: Kernel,
  file: VfioFile,
  call: DeviceRawCall,
  buffer: UserBuffer,
  carryOut: CarryOut,
): 0 | Errno => {
  const name = COMMANDS.find((command) => IOCTLS[command].command === call.in.nr);
  if (name !== "VFIO_BIND" && file.binding === undefined) return "EINVAL";
  if (name === undefined) return "ENOTTY";
  const layout = LAYOUTS[name];
  const struct = buffer.load(layout.min);
  if (struct === undefined) return "EFAULT";
  const { devfd } = call.in;
  const values = decodeStruct(layout, struct);
  const { errno, out } = carryOut(typedCall(name, { ...values, devfd }, call));
  if (errno !== 0 || out === undefined) return errno;
  // GET_INFO is the one that has grown: the second version is stored if argsz has room for it.
  const length = Math.min(Number(values["argsz"]), layout.size);
  const answer = encodeStruct(layout, { ...values, ...(out as StructValues) }).subarray(0, length);
  if (buffer.store(0, answer)) return 0;
  // VFD-09, VFD-12: what cannot be told is undone, and an attach ends detached.
  if (name === "VFIO_BIND") kernel.vfio.unbind(file);
  if (name === "VFIO_ATTACH") carryOut(typedCall("VFIO_DETACH", { devfd, argsz: length }, call));
  return "EFAULT";
};
