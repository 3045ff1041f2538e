/**
 * DMA of a VFIO device: 64 bytes of its own and memory, through the domain of its group.
 *
 * The whole group goes through one HWPT, whichever of its devices is attached (DEV-15, DEV-41);
 * without one, everything is blocked (DEV-07). Elsewhere a device may have a domain of its own,
 * and be blocked as long as it is not attached itself. Where a byte is blocked, memory stays as it
 * was.
 * What else a transfer does that is blocked at some byte is open: a read leaves the device's
 * buffer open, a write may reach the bytes that are mapped or not.
 */
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import { fact, judge, never, rule } from "../judge";
import { pinAt } from "../pinning";
import { firstFrom } from "../state/ioas";
import type { MachineState } from "../state/machine";
import { type Page, readBytes, writeBytes } from "../state/memory";
import type {
  AnyHwpt,
  Area,
  BoundDevice,
  Cdev,
  DeviceBuffer,
  PhysicalDevice,
} from "../state/objects";
import { countSeen } from "../state/seen";

interface View {
  readonly machine: MachineState;
  readonly cdev: Cdev | undefined;
  readonly device: PhysicalDevice | undefined;
  readonly hwpt: AnyHwpt | undefined;
  readonly toDevice: boolean;
  readonly iova: bigint;
  readonly length: number;
  readonly offset: number;
  /** The transfer, cut where the page or the mapping behind it changes. */
  readonly stretches: readonly Stretch[];
  /** Why the first blocked byte is blocked; undefined: none is. */
  readonly blocked: ClauseId | undefined;
  after: DeviceBuffer | undefined;
}

/** Bytes [from, to) of the transfer; no page: blocked. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly page: Page | undefined;
  readonly offset: number;
}

const BUFFER_BYTES = 64;

/** What a device holds after power-on is its own affair. */
const bufferOf = (device: PhysicalDevice): DeviceBuffer => {
  device.buffer ??= {
    bytes: new Uint8Array(BUFFER_BYTES),
    open: new Uint8Array(BUFFER_BYTES).fill(1),
  };
  return device.buffer;
};

const walk = (
  machine: MachineState,
  hwpt: AnyHwpt | undefined,
  toDevice: boolean,
  iova: bigint,
  length: number,
): Pick<View, "stretches" | "blocked"> => {
  const stretches: Stretch[] = [];
  let blocked: ClauseId | undefined;
  const areas = hwpt?.ioas.areas ?? [];
  let i = firstFrom(areas, iova);
  for (let from = 0; from < length; ) {
    const at = iova + BigInt(from);
    const next = areas[i];
    const area = next !== undefined && next.first <= at ? next : undefined;
    const reason = whyBlocked(hwpt, area, toDevice);
    blocked ??= reason;
    // Up to the end of the page or of the area, or up to the next area.
    let offset = 0;
    let bytes = length - from;
    if (area !== undefined) {
      offset = Number((area.startByte + (at - area.first)) % machine.page);
      bytes = Math.min(bytes, machine.pageSize - offset, bytesTo(area.last, at) + 1);
    } else if (next !== undefined) bytes = Math.min(bytes, bytesTo(next.first, at));
    const page =
      reason === undefined && area !== undefined ? pinAt(machine, area, at)?.page : undefined;
    stretches.push({ from, to: from + bytes, page, offset });
    from += bytes;
    if (area !== undefined && area.last < at + BigInt(bytes)) i++;
  }
  return { stretches, blocked };
};

/** How far it is; exact where it is less than a page. */
const bytesTo = (iova: bigint, from: bigint): number => Number(iova - from);

const whyBlocked = (
  hwpt: AnyHwpt | undefined,
  area: Area | undefined,
  toDevice: boolean,
): ClauseId | undefined => {
  if (hwpt === undefined) return "DEV-07";
  if (area === undefined) return "DOM-01";
  return (toDevice ? area.readable : area.writeable) ? undefined : "DOM-09";
};

const fitsBuffer = (v: View): boolean => v.offset + v.length <= BUFFER_BYTES;

/** The device's buffer after the transfer. */
const bufferAfter = (v: View): DeviceBuffer => {
  if (v.after !== undefined) return v.after;
  const before = v.device && bufferOf(v.device);
  const bytes = before?.bytes.slice() ?? new Uint8Array(0);
  const open = before?.open.slice() ?? new Uint8Array(0);
  const end = v.offset + v.length;
  if (v.toDevice && v.blocked !== undefined) open.fill(1, v.offset, end);
  else if (v.toDevice) {
    bytes.fill(0, v.offset, end);
    open.fill(0, v.offset, end);
    for (const { from, to, page, offset } of v.stretches) {
      const [a, b] = [v.offset + from, v.offset + to];
      if (page !== undefined) readBytes(page, offset, bytes.subarray(a, b), open.subarray(a, b));
    }
  }
  v.after = { bytes, open };
  return v.after;
};

/** Where an answer's bytes begin: it shows the whole buffer, or the part that was transferred. */
const shownFrom = (v: View, hex: string): number => (hex.length === 2 * v.length ? v.offset : 0);

const showsBuffer = (v: View, hex: string): boolean => {
  const { bytes, open } = bufferAfter(v);
  const first = shownFrom(v, hex);
  const answered = Buffer.from(hex, "hex");
  if (first === 0 && answered.length !== v.length && answered.length !== bytes.length) return false;
  return answered.every((byte, i) => open[first + i] === 1 || bytes[first + i] === byte);
};

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const faultFact = (clause: ClauseId, when: (v: View) => boolean, uncounted?: true) =>
  fact<View, { readonly fault?: number }>(clause, {
    ...(uncounted && { uncounted }),
    when: (v, out) => out.fault !== undefined && when(v),
    holds: (v, out) => out.fault === (v.blocked === undefined ? 0 : 1),
    right: (v) => (v.blocked === undefined ? "fault 0" : "fault 1, the IOMMU blocks it"),
  });

const isAttached = (device: BoundDevice | undefined): boolean =>
  device?.group.attached.includes(device) === true;

const isAttachedToAny = (v: View): boolean => v.hwpt !== undefined;

export const DMA = judge<"DMA", View>("DMA", {
  promise: "MAP-23",
  view: (machine, call, claimed, profile) => {
    const { devfd, dir, iova, length, device_offset } = call.in;
    const cdev = machine.cdevs.get(devfd);
    const isBlocked =
      profile === "documented" && claimed?.out?.fault === 1 && !isAttached(cdev?.bound);
    const hwpt = isBlocked ? undefined : cdev?.bound?.group.hwpt;
    const toDevice = dir === "to_device";
    const bytes = cdev === undefined ? 0 : Math.min(length, BUFFER_BYTES);
    const { stretches, blocked } = walk(machine, hwpt, toDevice, iova, bytes);
    return {
      machine,
      cdev,
      device: cdev?.device,
      hwpt,
      toDevice,
      iova,
      length,
      offset: device_offset,
      stretches,
      blocked,
      after: undefined,
    };
  },
  rules: [
    rule("VFD-02", "EBADF", (v) => v.cdev === undefined, { applies: never, hard: true }),
    // The device itself has no more bytes than its buffer.
    rule("VFD-18", "EINVAL", (v) => v.device !== undefined && !fitsBuffer(v), {
      applies: never,
      hard: true,
    }),
  ],
  facts: [
    faultFact("DEV-07", (v) => v.blocked === "DEV-07" && v.cdev?.bound !== undefined),
    faultFact("DEV-07", (v) => v.blocked === "DEV-07", true),
    faultFact("DOM-09", (v) => v.blocked === "DOM-09"),
    faultFact("DOM-01", (v) => v.blocked === "DOM-01"),
    faultFact("MAP-23", (v) => v.blocked === undefined && v.length > 0),
    fact("MAP-23", {
      when: (v, out) => out.bytes !== undefined && v.toDevice,
      holds: (v, out) => showsBuffer(v, out.bytes ?? ""),
      right: (v) => `bytes ${toHex(bufferAfter(v).bytes)}`,
      uncounted: true,
    }),
  ],
  answer: (v) => {
    const fault = v.blocked === undefined ? 0 : 1;
    return v.toDevice ? { fault, bytes: toHex(bufferAfter(v).bytes) } : { fault };
  },
  // Before the bind nothing is attached either; an IUT may as well refuse to drive the device.
  leeway: (v, errno) => (errno === "EINVAL" && v.cdev?.bound === undefined ? "VFD-18" : undefined),
  shown: (v, out, coverage) => {
    const { context } = v.cdev?.bound ?? {};
    if (context !== undefined && !context.open) countSeen(coverage, VFD_16);
    if (!isAttachedToAny(v) || v.blocked !== undefined) return;
    if (v.toDevice && out.bytes !== undefined && v.stretches[0]?.page?.writtenWhilePinned) {
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
  const { bytes, open } = bufferAfter(v);
  const buffer = bufferOf(device);
  buffer.bytes.set(bytes);
  buffer.open.set(open);
  // What an answer says of bytes that nobody knew is what they are.
  if (hex === undefined || !fitsBuffer(v)) return;
  const answered = Buffer.from(hex, "hex");
  const first = shownFrom(v, hex);
  if (first + answered.length > BUFFER_BYTES) return;
  buffer.bytes.set(answered, first);
  buffer.open.fill(0, first, first + answered.length);
};

const storeBuffer = (v: View, device: PhysicalDevice): void => {
  const buffer = bufferOf(device);
  const open = buffer.open.slice();
  if (v.blocked !== undefined) open.fill(1);
  const allKnown = !open.includes(1);
  for (const { from, to, page, offset } of v.stretches) {
    if (page === undefined) continue;
    const [a, b] = [v.offset + from, v.offset + to];
    writeBytes(
      page,
      offset,
      buffer.bytes.subarray(a, b),
      allKnown ? undefined : open.subarray(a, b),
    );
  }
};

const VFD_16 = clauseIndex("VFD-16");
const MAP_31 = clauseIndex("MAP-31");
