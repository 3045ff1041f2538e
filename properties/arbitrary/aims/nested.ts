/** Nested HW page tables at work: invalidations, and page faults for user space. */
import { SCRATCH } from "../../../spec/platform";
import type { StepOf } from "../../../spec/trace";
import {
  INVALIDATE_ALL,
  INVALIDATE_DATA_MOCK,
  INVALIDATE_DATA_MOCK_INVALID,
  MOCK_IOTLB_SLOTS,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from "../../../spec/uapi/flags";
import { PAGE_FAULT, PAGE_RESPONSE } from "../../../spec/uapi/layouts";
import type { UserVa } from "../../../spec/units";
import { type Aim, makeTwisted, type Twist } from "../aim";
import { otherIds } from "../bogus";
import type { Composer } from "../composer";
import type { HwptView, QueueView, SceneView } from "../view";

const ENTRY = 8;
const NO_FILE = -1;

export const entry = (flags: number, slot: number): string => {
  const bytes = Buffer.alloc(ENTRY);
  bytes.writeUInt32LE(flags);
  bytes.writeUInt32LE(slot, 4);
  return bytes.toString("hex");
};

type InvalidateIn = StepOf<"HWPT_INVALIDATE">["in"];
const withEntry = (a: InvalidateIn, bad: string): InvalidateIn => ({
  ...a,
  entry_num: ((a.entry_num as number) + 1) >>> 0,
  data: `${(a.data as string | undefined) ?? ""}${bad}`,
});

const TWISTS: readonly Twist<"HWPT_INVALIDATE", HwptView>[] = [
  ["INV-01", (a) => ({ ...a, reserved: 1 })],
  ["INV-02", (a) => ({ ...a, entry_len: 0 })],
  ["INV-02", (a) => ({ ...a, data_uptr: 0n as UserVa })],
  ["INV-02", (a, { draw }) => ({ ...a, entry_num: draw.of(0x8_0001, 0xffff_ffff) })],
  // Looked at before the id is.
  ["INV-02", (a) => ({ ...a, entry_len: 0x1001, hwpt_id: 0xffff_ffff })],
  ["INV-03", (a, c, { fd }) => ({ ...a, hwpt_id: otherIds(c, fd) })],
  ["INV-04", (a) => ({ ...a, data_type: INVALIDATE_DATA_MOCK_INVALID })],
  // Even where there is nothing to do.
  ["INV-04", (a) => ({ ...a, data_type: INVALIDATE_DATA_MOCK_INVALID, entry_num: 0, data: "" })],
  ["INV-05", (a, { draw }) => withEntry(a, entry(draw.of(2, 0xff), 0))],
  ["INV-05", (a, { draw }) => withEntry(a, entry(0, draw.of(MOCK_IOTLB_SLOTS, 99)))],
  ["INV-05", (a) => withEntry(a, "")],
  ["INV-05", (a, { draw }) => ({ ...a, entry_len: draw.of(4, 12) })],
];

export const invalidateAim: Aim = {
  name: "invalidate",
  family: "hwpt",
  weight: 8,
  calls: ["HWPT_INVALIDATE"],
  make: (c, scene) => {
    const { draw } = c;
    const hwpt = draw.pick(scene.hwpts.filter(({ iotlb }) => iotlb !== undefined));
    if (hwpt === undefined) return false;
    const entries = Array.from({ length: draw.of(0, 0, 1, 1, 2, 3) }, () =>
      entry(draw.chance(30) ? INVALIDATE_ALL : 0, draw.int(0, MOCK_IOTLB_SLOTS - 1)),
    );
    // A newer caller's entries: what is behind the known fields is zero.
    const more = draw.chance(12) ? draw.of(1, 4, 8) : 0;
    const args: InvalidateIn = {
      hwpt_id: c.object(hwpt.fd, hwpt.id),
      data_uptr: SCRATCH.va,
      data_type: INVALIDATE_DATA_MOCK,
      entry_len: ENTRY + more,
      entry_num: entries.length,
      data: entries.map((bytes) => bytes + "00".repeat(more)).join(""),
    };
    const step = { call: "HWPT_INVALIDATE" as const, fd: c.iommufd(hwpt.fd), in: args };
    makeTwisted(c, step, hwpt, TWISTS);
    checkIotlb(c, hwpt);
    return true;
  },
};

/** Looks into some of the slots: what was cleared of them, and what was not. */
export const checkIotlb = (c: Composer, { fd, id }: Pick<HwptView, "fd" | "id">): void => {
  const hwpt = c.scene.hwpts.find((one) => one.fd === fd && one.id === id);
  if (!c.can("MD_CHECK_IOTLB")) return;
  for (const [slot, value] of hwpt?.iotlb?.entries() ?? []) {
    if (!c.draw.chance(50)) continue;
    const iotlb = c.draw.chance(88) ? value : 0xdead;
    const args = { hwpt_id: c.object(fd, id), iotlb_id: slot, iotlb };
    c.look({ call: "MD_CHECK_IOTLB", fd: c.iommufd(fd), in: args });
  }
};

export const faultQueueAim: Aim = {
  name: "fault-queue",
  family: "hwpt",
  weight: 4,
  calls: ["FAULT_QUEUE_ALLOC"],
  make: (c, scene) => {
    const fd = c.draw.pick(scene.fds);
    if (fd === undefined || scene.queues.length >= 3) return false;
    const flags = c.draw.chance(15) ? c.draw.of(1, 0x8000_0000) : 0;
    c.make({ call: "FAULT_QUEUE_ALLOC", fd: c.iommufd(fd), in: flags === 0 ? {} : { flags } });
    return true;
  },
};

/** Devices whose faults somebody asked for. */
const faulting = (scene: SceneView) =>
  scene.mocks.filter(({ fd, hwpt }) =>
    scene.hwpts.some((one) => one.fd === fd && one.id === hwpt && one.faults),
  );

export const pageFaultAim: Aim = {
  name: "page-fault",
  family: "hwpt",
  weight: 8,
  calls: ["TRIGGER_IOPF"],
  make: (c, scene) => {
    const { draw } = c;
    const mock =
      draw.pick(faulting(scene)) ?? (draw.chance(15) ? draw.pick(scene.mocks) : undefined);
    if (mock === undefined) return false;
    for (let n = draw.int(1, 3); n > 0; n--) {
      const args = {
        dev_id: draw.chance(94) ? c.object(mock.fd, mock.idev) : otherIds(c, mock.fd),
        pasid: draw.of(0, 0, 5),
        grpid: draw.int(0, 3),
        perm: draw.of(1, 2, 3),
        addr: 0x7f8n * BigInt(draw.int(0, 16)),
      };
      c.make({ call: "TRIGGER_IOPF", fd: c.iommufd(mock.fd), in: args });
    }
    return true;
  },
};

const openQueue = (c: Composer, scene: SceneView): (QueueView & { file: number }) | undefined => {
  const open = scene.queues.filter(
    (queue): queue is QueueView & { file: number } => queue.file !== undefined,
  );
  const busy = open.filter((queue) => queue.waiting + queue.unanswered.length > 0);
  return c.draw.pick(busy.length > 0 && c.draw.chance(85) ? busy : open);
};

export const readFaultsAim: Aim = {
  name: "read-faults",
  family: "hwpt",
  weight: 7,
  calls: ["FAULT_READ"],
  make: (c, scene) => {
    const { draw } = c;
    const queue = openQueue(c, scene);
    if (queue === undefined) return false;
    const fault_fd = c.faultFile(queue.file);
    const events = draw.of(POLLIN, POLLIN | POLLOUT, POLLRDNORM);
    if (draw.chance(50)) c.make({ call: "FAULT_POLL", in: { fault_fd, events } });
    const count = PAGE_FAULT.size * draw.of(1, 1, 2, 4) + (draw.chance(20) ? draw.of(1, -1) : 0);
    c.make({
      call: "FAULT_READ",
      in: { fault_fd: draw.chance(96) ? fault_fd : NO_FILE, count: draw.chance(6) ? 0 : count },
    });
    return true;
  },
};

/** More than Linux writes at a time (FLT-04): what is no multiple of a response may be one then. */
const HUGE_COUNTS = [0x7fff_f004, 0x8000_0004, 0xffff_fff8] as const;

export const answerFaultsAim: Aim = {
  name: "answer-faults",
  family: "hwpt",
  weight: 7,
  calls: ["FAULT_WRITE"],
  make: (c, scene) => {
    const { draw } = c;
    const queue = openQueue(c, scene);
    if (queue === undefined) return false;
    const { file, unanswered, gone } = queue;
    const cookies = unanswered.slice(0, draw.int(1, 3));
    if (draw.chance(20)) cookies.push(draw.pick([...gone, ...cookies, 77]) ?? 77);
    if (cookies.length === 0 && !draw.chance(30)) return false;
    const responses = cookies.map((cookie) => ({
      cookie: c.cookie(file, cookie),
      code: draw.chance(80) ? draw.of(RESPONSE_SUCCESS, RESPONSE_INVALID) : 7,
    }));
    const whole = PAGE_RESPONSE.size * responses.length;
    const more = draw.chance(8) ? draw.of(4, 8) : 0;
    const count = draw.chance(4) ? draw.of(...HUGE_COUNTS) : whole + more;
    c.make({ call: "FAULT_WRITE", in: { fault_fd: c.faultFile(file), count, responses } });
    return true;
  },
};

export const closeFaultAim: Aim = {
  name: "close-fault",
  family: "hwpt",
  weight: 1,
  calls: ["CLOSE_FAULT"],
  make: (c, scene) => {
    const queue = openQueue(c, scene);
    if (queue === undefined) return false;
    c.make({ call: "CLOSE_FAULT", in: { fault_fd: c.faultFile(queue.file) } });
    return true;
  },
};
