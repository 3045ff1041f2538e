/** HW page tables by hand, in the states that random calls reach too rarely. */
import { Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import type { StepOf } from "../../../spec/trace";
import {
  DIRTY_TRACKING_ENABLE,
  HWPT_DATA_MOCK,
  HWPT_DATA_VTD_S1,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  INVALIDATE_ALL,
  INVALIDATE_DATA_MOCK,
  INVALIDATE_DATA_MOCK_INVALID,
  MOCK_IOTLB_SLOTS,
  MOCK_NO_DIRTY,
} from "../../../spec/uapi/flags";
import type { Bytes } from "../../../spec/units";
import type { Aim } from "../aim";
import { checkIotlb, entry } from "../aims/nested";
import type { Composer } from "../composer";
import { probeRefs } from "../probes";
import { PAGE } from "../values";
import type { IoasView, MockView } from "../view";
import { copy, destroy, freshMotif, look, map, PLACE, start, unmap } from "./steps";
import { letGo, newAccess, pin } from "./users";

export const mockDevice = (c: Composer, fd: number, pt: number): MockView | undefined => {
  if (!c.can("MOCK_DOMAIN")) return undefined;
  c.make({ call: "MOCK_DOMAIN", fd: c.iommufd(fd), in: { pt_id: c.object(fd, pt) } });
  return c.scene.mocks.at(-1);
};

const replace = (c: Composer, { fd, stdev }: MockView, pt: number): void => {
  const args = { stdev_id: c.object(fd, stdev), pt_id: c.object(fd, pt) };
  c.make({ call: "MOCK_DOMAIN_REPLACE", fd: c.iommufd(fd), in: args });
};

export const paging = (c: Composer, { fd, id }: IoasView, idev: number, flags: number): number => {
  const args = { flags, dev_id: c.object(fd, idev), pt_id: c.object(fd, id) };
  const { outcome } = c.make({ call: "HWPT_ALLOC", fd: c.iommufd(fd), in: args });
  return (outcome.out as { out_hwpt_id: number } | undefined)?.out_hwpt_id ?? 0;
};

const nested = (
  c: Composer,
  fd: number,
  idev: number,
  parent: number,
  queue?: number,
  wrong: StepOf<"HWPT_ALLOC">["in"] = {},
): number => {
  const { outcome } = c.make({
    call: "HWPT_ALLOC",
    fd: c.iommufd(fd),
    in: {
      dev_id: c.object(fd, idev),
      pt_id: c.object(fd, parent),
      data_type: HWPT_DATA_MOCK,
      data_len: 4,
      data_uptr: SCRATCH.va,
      data: "efbe0000",
      ...(queue !== undefined && {
        flags: HWPT_FAULT_ID_VALID,
        fault_id: c.object(fd, queue),
      }),
      ...wrong,
    },
  });
  return (outcome.out as { out_hwpt_id: number } | undefined)?.out_hwpt_id ?? 0;
};

export const track = (c: Composer, fd: number, hwpt: number, flags: number): void => {
  const args = { flags, hwpt_id: c.object(fd, hwpt) };
  c.make({ call: "HWPT_SET_DIRTY_TRACKING", fd: c.iommufd(fd), in: args });
};

const openQueue = (c: Composer, fd: number): { id: number; file: number } => {
  const { outcome } = c.make({ call: "FAULT_QUEUE_ALLOC", fd: c.iommufd(fd), in: {} });
  const out = outcome.out as { out_fault_id: number; out_fault_fd: number } | undefined;
  return { id: out?.out_fault_id ?? 0, file: out?.out_fault_fd ?? -1 };
};

/** INV-02 … INV-07: up to three entries, in a struct that is mostly as it should be. */
const invalidate = (c: Composer, fd: number, hwpt: number): void => {
  const { draw } = c;
  const slot = (): number => draw.int(0, MOCK_IOTLB_SLOTS - 1);
  const entries = Array.from({ length: draw.int(0, 3) }, () => entry(0, slot()));
  const all = entry(INVALIDATE_ALL, draw.chance(50) ? 0 : slot());
  if (draw.chance(30)) entries.push(draw.of(all, all, entry(2, 0), entry(0, 4)));
  const entry_num = entries.length;
  const wrong = draw.of<StepOf<"HWPT_INVALIDATE">["in"]>(
    {},
    {},
    {},
    { entry_num: entry_num + 1 },
    { entry_num: draw.of(0x8_0000, 0x8_0001) },
    { entry_len: draw.of(0, 4, 12), data: `${entries.join("")}${"00".repeat(48)}` },
    { data_type: INVALIDATE_DATA_MOCK_INVALID },
    { reserved: 1 },
    // The bounds come before the id.
    { entry_num: draw.int(0, 1), entry_len: 0x1001, hwpt_id: 0xffff_ffff },
  );
  const args = {
    hwpt_id: c.object(fd, hwpt),
    data_uptr: SCRATCH.va,
    data_type: INVALIDATE_DATA_MOCK,
    entry_len: 8,
    entry_num,
    data: entries.join(""),
    ...wrong,
  };
  c.make({ call: "HWPT_INVALIDATE", fd: c.iommufd(fd), in: args });
  for (let n = draw.int(1, 3); n > 0; n--) checkIotlb(c, { fd, id: hwpt });
};

export const TABLES: readonly Aim[] = [
  // DEV-21, DES-05: a table by hand stays when its devices have gone, until somebody destroys it.
  freshMotif("outlives-its-device", 1, ["MOCK_DOMAIN_REPLACE", "HWPT_ALLOC"], (c, ioas) => {
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    const hwpt = paging(c, ioas, mock.idev, 0);
    replace(c, mock, hwpt);
    if (c.draw.chance(30)) destroy(c, fd, hwpt);
    destroy(c, fd, mock.stdev);
    look(c, ioas);
    destroy(c, fd, hwpt);
  }),
  // DEV-20, DOM-07, PIN-05: the first of two domains goes, and what an in-kernel user has pinned as
  // well is kept by the second.
  freshMotif("first-domain-goes", 3, ["MOCK_DOMAIN_REPLACE", "HWPT_ALLOC"], (c, ioas) => {
    const { draw } = c;
    const mock = mockDevice(c, ioas.fd, ioas.id);
    if (mock === undefined) return;
    map(c, ioas, { va: start("buf0"), bytes: 4n * PAGE, at: PLACE });
    const table = paging(c, ioas, mock.idev, 0);
    const user = c.can("ACCESS_PAGES") && draw.chance(70) ? newAccess(c, ioas) : undefined;
    const item = user && pin(c, user, PLACE, draw.of(1n, 2n, 4n) * PAGE);
    replace(c, mock, table);
    look(c, ioas);
    if (user !== undefined && item !== undefined && draw.chance(70)) letGo(c, user, item);
    copy(c, ioas, { src: ioas, from: PLACE + PAGE, bytes: 2n * PAGE, at: PLACE + 8n * PAGE });
    if (draw.chance(70)) unmap(c, ioas, PLACE, 4n * PAGE);
    probeRefs(c, ioas.fd, start("buf0"), (4n * PAGE) as Bytes);
    look(c, ioas);
  }),
  // HWP-12 … HWP-27, RSV-06, DEV-21, I-53, I-117: a nested table keeps its parent, and its parent
  // the IOAS; the device on it has what it reserves in the IOAS.
  freshMotif("nested-tables", 5, ["HWPT_ALLOC", "HWPT_INVALIDATE"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    const parent = paging(c, ioas, mock.idev, draw.chance(88) ? HWPT_NEST_PARENT : 0);
    // HWP-13: data of another form.
    if (draw.chance(40)) {
      const wrong = draw.of<StepOf<"HWPT_ALLOC">["in"]>(
        { data_len: 8, data: "efbe000000000000" },
        { data_len: 3 },
        { data_type: HWPT_DATA_VTD_S1 },
        { data: "ef" },
        // HWP-14: no fault queue.
        { flags: HWPT_FAULT_ID_VALID, fault_id: draw.of(0, 0xffff) },
      );
      nested(c, fd, mock.idev, parent, undefined, wrong);
    }
    const child = nested(c, fd, mock.idev, parent);
    // HWP-15: one whose id cannot be stored.
    if (draw.chance(30) && c.can("RAW")) {
      const given = { dev_id: c.object(fd, mock.idev), pt_id: c.object(fd, ioas.id) };
      c.make({ call: "HWPT_ALLOC", fd: c.iommufd(fd), in: given, raw: { memory: "r" } });
    }
    if (draw.chance(20)) nested(c, fd, mock.idev, child);
    replace(c, mock, draw.chance(80) ? child : parent);
    look(c, ioas);
    map(c, ioas, { va: start("buf0"), bytes: PAGE, at: PLACE });
    for (const id of [parent, child, ioas.id]) if (draw.chance(60)) destroy(c, fd, id);
    if (draw.chance(30)) track(c, fd, draw.of(child, parent), draw.of(0, DIRTY_TRACKING_ENABLE));
    for (let n = draw.int(1, 2); n > 0; n--) invalidate(c, fd, child);
    replace(c, mock, draw.chance(50) ? ioas.id : parent);
    for (const id of [ioas.id, parent, child, parent, ioas.id]) {
      if (draw.chance(60)) destroy(c, fd, id);
    }
    look(c, ioas);
  }),
  // FLT-03 … FLT-07, I-58: faults are read and answered, or their device leaves before that.
  freshMotif("page-faults", 5, ["FAULT_QUEUE_ALLOC", "TRIGGER_IOPF", "HWPT_ALLOC"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    const parent = paging(c, ioas, mock.idev, HWPT_NEST_PARENT);
    const queue = openQueue(c, fd);
    const child = nested(c, fd, mock.idev, parent, queue.id);
    replace(c, mock, child);
    // Another device, whose faults wait in the same queue.
    const other = draw.chance(40) ? mockDevice(c, fd, ioas.id) : undefined;
    if (other !== undefined) replace(c, other, child);
    const fault = ({ idev }: MockView, grpid: number): void => {
      const report = { pasid: draw.of(0, 0, 5), grpid, perm: 1, addr: draw.of(0x5000n, 0x5ff8n) };
      const args = { dev_id: c.object(fd, idev), ...report };
      c.make({ call: "TRIGGER_IOPF", fd: c.iommufd(fd), in: args });
    };
    const fault_fd = c.faultFile(queue.file);
    const poll = (): void => {
      c.make({ call: "FAULT_POLL", in: { fault_fd, events: 5 } });
    };
    const read = (records: number): readonly number[] => {
      const odd = draw.chance(8) ? draw.of(8, -8, 1) : 0;
      c.make({ call: "FAULT_READ", in: { fault_fd, count: Math.max(0, 40 * records + odd) } });
      return c.scene.queues.find(({ file }) => file === queue.file)?.unanswered ?? [];
    };
    const write = (cookies: readonly number[], code: number, odd = 0): void => {
      const responses = cookies.map((n) => ({ cookie: c.cookie(queue.file, n), code }));
      const count = Math.max(0, 8 * cookies.length + odd);
      c.make({ call: "FAULT_WRITE", in: { fault_fd, count, responses } });
    };
    for (let n = draw.int(1, 3); n > 0; n--) fault(mock, n);
    if (other !== undefined) fault(other, 4);
    poll();
    // FLT-03: no room for the first one.
    if (draw.chance(15)) read(0);
    const taken = read(draw.of(1, 2, 4));
    // FLT-05: those that were read do not wait.
    poll();
    const leaves = draw.chance(50);
    if (leaves) replace(c, mock, ioas.id);
    // FLT-04: what is refused answers nothing, and those before the first that cannot be answered are.
    const [first] = taken;
    if (draw.chance(30)) write(taken, draw.of(2, 7, 0xffff_ffff));
    if (draw.chance(20)) write(taken, 0, draw.of(-4, 4, 8));
    if (draw.chance(10)) write([], 0, 8);
    if (first !== undefined && draw.chance(40)) {
      write([first, draw.of(first, 77), ...taken.slice(1)], draw.of(0, 1));
    }
    const answered = draw.of(taken, taken.slice(1), taken.slice(0, -1));
    for (const cookie of answered) write([cookie], draw.of(0, 1));
    if (draw.chance(50)) write([draw.pick(taken) ?? 9], 0);
    // FLT-06: a further fault, while some that came before it wait for their answers.
    if (draw.chance(40) && !leaves) {
      fault(mock, 6);
      read(2);
    }
    // FLT-06, FLT-07: what is left comes under other cookies, but for that of a device that left.
    if (draw.chance(60)) {
      if (!leaves) fault(mock, 5);
      poll();
      for (const cookie of read(4)) write([cookie], 0);
    }
    destroy(c, fd, queue.id);
    if (draw.chance(50)) c.make({ call: "CLOSE_FAULT", in: { fault_fd } });
    destroy(c, fd, queue.id);
    destroy(c, fd, child);
    destroy(c, fd, queue.id);
  }),
  // HWI-07, HWI-10: what an IOMMU can do does not change with what is attached to it, and may
  // differ from device to device.
  freshMotif("hw-info-again", 2, ["GET_HW_INFO"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const info = (): void => {
      const device = c.scene.devices.findLast((one) => one.fd === fd);
      if (device === undefined) return;
      const room = { data_len: 24, data_uptr: SCRATCH.va, writable_bytes: 24 };
      // HWI-09: an older caller.
      const older = draw.chance(20) ? { size: 32 } : {};
      const args = { dev_id: c.object(fd, device.id), ...room, ...older };
      c.make({ call: "GET_HW_INFO", fd: c.iommufd(fd), in: args });
    };
    info();
    if (c.can("MOCK_DOMAIN_FLAGS") && draw.chance(50)) {
      const untracked = { pt_id: c.object(fd, ioas.id), dev_flags: MOCK_NO_DIRTY };
      c.make({ call: "MOCK_DOMAIN_FLAGS", fd: c.iommufd(fd), in: untracked });
    } else mockDevice(c, fd, ioas.id);
    map(c, ioas, { va: new Handle("buf0"), bytes: PAGE });
    info();
  }),
].map((aim): Aim => ({ ...aim, family: "hwpt" }));
