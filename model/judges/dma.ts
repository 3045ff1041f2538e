/**
 * DMA of a VFIO device: 64 bytes of its own and memory, through the domain of its group.
 *
 * The whole group goes through one HWPT, whichever of its devices is attached (DEV-15, DEV-41);
 * without one, everything is blocked (DEV-07). A blocked read leaves the device's buffer open. A
 * blocked write leaves memory alone; where it is blocked at a later page only, the pages before
 * may have been written or not.
 */
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import { fact, judge, never, rule } from "../judge";
import { pinAt } from "../pinning";
import { areaAt } from "../state/ioas";
import type { MachineState } from "../state/machine";
import { type Page, readByte, writeByte } from "../state/memory";
import type { Cdev, Hwpt, PhysicalDevice } from "../state/objects";
import { countSeen } from "../state/seen";

interface View {
  readonly machine: MachineState;
  readonly cdev: Cdev | undefined;
  readonly device: PhysicalDevice | undefined;
  readonly hwpt: Hwpt | undefined;
  readonly toDevice: boolean;
  readonly iova: bigint;
  readonly length: number;
  readonly offset: number;
  /** The byte of memory behind each byte of the transfer, up to the first that is blocked. */
  readonly reached: readonly Target[];
  /** Why the transfer is blocked; undefined: it is not. */
  readonly blocked: ClauseId | undefined;
}

interface Target {
  readonly page: Page;
  readonly offset: number;
}

const walk = (
  machine: MachineState,
  hwpt: Hwpt | undefined,
  toDevice: boolean,
  iova: bigint,
  length: number,
): { reached: Target[]; blocked: ClauseId | undefined } => {
  const reached: Target[] = [];
  for (let i = 0; i < length; i++) {
    if (hwpt === undefined) return { reached, blocked: "DEV-07" };
    const at = iova + BigInt(i);
    const area = areaAt(hwpt.ioas, at);
    const pin = area && pinAt(machine, area, at);
    if (area === undefined || pin === undefined) return { reached, blocked: "DOM-01" };
    if (toDevice ? !area.readable : !area.writeable) return { reached, blocked: "DOM-09" };
    const offset = Number((area.startByte + (at - area.first)) % machine.page);
    reached.push({ page: pin.page, offset });
  }
  return { reached, blocked: undefined };
};

const bufferBytes = (v: View): number => v.device?.buffer.length ?? 0;
const fitsBuffer = (v: View): boolean => v.offset + v.length <= bufferBytes(v);

/** The device's buffer after the transfer; undefined where nobody knows. */
const bufferAfter = (v: View): (number | undefined)[] => {
  const after: (number | undefined)[] = [];
  const { device } = v;
  if (device === undefined) return after;
  for (let i = 0; i < device.buffer.length; i++) {
    const moved = v.toDevice && i >= v.offset && i < v.offset + v.length;
    if (!moved) after.push(device.unknown[i] === 1 ? undefined : device.buffer[i]);
    else {
      const target = v.blocked === undefined ? v.reached[i - v.offset] : undefined;
      after.push(target && readByte(target.page, target.offset));
    }
  }
  return after;
};

/** `hex` is the whole buffer, or the part that was transferred. */
const showsBuffer = (v: View, hex: string): boolean => {
  let right = bufferAfter(v);
  if (hex.length === 2 * v.length) right = right.slice(v.offset, v.offset + v.length);
  if (hex.length !== 2 * right.length) return false;
  return right.every(
    (byte, i) => byte === undefined || byte === Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16),
  );
};

const toHex = (bytes: readonly (number | undefined)[]): string =>
  bytes.map((byte) => (byte ?? 0).toString(16).padStart(2, "0")).join("");

const faultFact = (clause: ClauseId, when: (v: View) => boolean) =>
  fact<View, { readonly fault?: number }>(clause, {
    when: (v, out) => out.fault !== undefined && when(v),
    holds: (v, out) => out.fault === (v.blocked === undefined ? 0 : 1),
    right: (v) => (v.blocked === undefined ? "fault 0" : "fault 1, the IOMMU blocks it"),
  });

const isAttachedToAny = (v: View): boolean => v.hwpt !== undefined;

export const DMA = judge<"DMA", View>("DMA", {
  promise: "VFD-18",
  view: (machine, call) => {
    const { devfd, dir, iova, length, device_offset } = call.in;
    const cdev = machine.cdevs.get(devfd);
    const hwpt = cdev?.bound?.group.hwpt;
    const toDevice = dir === "to_device";
    const bytes = Math.min(length, cdev?.device.buffer.length ?? 0);
    return {
      machine,
      cdev,
      device: cdev?.device,
      hwpt,
      toDevice,
      iova,
      length,
      offset: device_offset,
      ...walk(machine, hwpt, toDevice, iova, bytes),
    };
  },
  rules: [
    rule("VFD-02", "EBADF", (v) => v.cdev === undefined, { applies: never, hard: true }),
    rule("VFD-18", "EINVAL", (v) => v.cdev !== undefined && v.cdev.bound === undefined, {
      applies: never,
      hard: true,
    }),
    // The device itself has no more bytes than its buffer.
    rule("VFD-18", "EINVAL", (v) => v.device !== undefined && !fitsBuffer(v), {
      applies: never,
      hard: true,
    }),
  ],
  facts: [
    faultFact("DEV-07", (v) => v.blocked === "DEV-07"),
    faultFact("DOM-09", (v) => v.blocked === "DOM-09"),
    faultFact("DOM-01", (v) => v.blocked === "DOM-01"),
    faultFact("MAP-23", (v) => v.blocked === undefined && v.length > 0),
    fact("MAP-23", {
      when: (v, out) => out.bytes !== undefined && v.toDevice,
      holds: (v, out) => showsBuffer(v, out.bytes ?? ""),
      right: (v) => `bytes ${toHex(bufferAfter(v))}`,
      uncounted: true,
    }),
  ],
  answer: (v) => {
    const fault = v.blocked === undefined ? 0 : 1;
    return v.toDevice ? { fault, bytes: toHex(bufferAfter(v)) } : { fault };
  },
  shown: (v, out, coverage) => {
    const { context } = v.cdev?.bound ?? {};
    if (context !== undefined && !context.open) countSeen(coverage, VFD_16);
    if (!isAttachedToAny(v) || v.blocked !== undefined) return;
    if (v.toDevice && out.bytes !== undefined && v.reached[0]?.page.writtenWhilePinned) {
      countSeen(coverage, MAP_31);
    }
  },
  effect: (v, out) => {
    const { device } = v;
    if (device === undefined) return;
    if (v.toDevice) loadBuffer(v, device, out.bytes);
    else storeBuffer(v, device);
  },
});

const loadBuffer = (v: View, device: PhysicalDevice, hex: string | undefined): void => {
  const after = bufferAfter(v);
  for (let i = 0; i < after.length; i++) {
    device.unknown[i] = after[i] === undefined ? 1 : 0;
    device.buffer[i] = after[i] ?? 0;
  }
  // What an answer says of bytes that nobody knew is what they are.
  if (hex === undefined) return;
  const from = hex.length === 2 * after.length ? 0 : v.offset;
  for (let i = 0; 2 * i < hex.length; i++) {
    device.buffer[from + i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    device.unknown[from + i] = 0;
  }
};

const storeBuffer = (v: View, device: PhysicalDevice): void => {
  const blocked = v.blocked !== undefined;
  // The page in which the transfer is blocked stays as it was; those before it are open.
  const blockedAt = v.iova + BigInt(v.reached.length);
  const open = blocked ? v.reached.length - Number(blockedAt % v.machine.page) : v.reached.length;
  for (let i = 0; i < open; i++) {
    const target = v.reached[i];
    const at = v.offset + i;
    if (target === undefined) return;
    const value = blocked || device.unknown[at] === 1 ? undefined : device.buffer[at];
    writeByte(target.page, target.offset, value);
  }
};

const VFD_16 = clauseIndex("VFD-16");
const MAP_31 = clauseIndex("MAP-31");
