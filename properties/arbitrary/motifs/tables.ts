/** HW page tables by hand, in the states that random calls reach too rarely. */
import { Handle } from "../../../spec/handle";
import { SCRATCH } from "../../../spec/platform";
import {
  DIRTY_NO_CLEAR,
  DIRTY_TRACKING_ENABLE,
  HWPT_DATA_MOCK,
  HWPT_DIRTY_TRACKING,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  INVALIDATE_DATA_MOCK,
  INVALIDATE_DATA_MOCK_INVALID,
} from "../../../spec/uapi/flags";
import type { Bytes, Iova, UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeRefs } from "../probes";
import { PAGE } from "../values";
import type { IoasView, MockView } from "../view";
import { copy, destroy, freshMotif, look, map, PLACE, start, unmap } from "./steps";
import { letGo, newAccess, pin } from "./users";

const UNIT = 2048n;

const mockDevice = (c: Composer, fd: number, pt: number): MockView | undefined => {
  c.make({ call: "MOCK_DOMAIN", fd: c.iommufd(fd), in: { pt_id: c.object(fd, pt) } });
  return c.scene.mocks.at(-1);
};

const replace = (c: Composer, { fd, stdev }: MockView, pt: number): void => {
  const args = { stdev_id: c.object(fd, stdev), pt_id: c.object(fd, pt) };
  c.make({ call: "MOCK_DOMAIN_REPLACE", fd: c.iommufd(fd), in: args });
};

const paging = (c: Composer, { fd, id }: IoasView, idev: number, flags: number): number => {
  const args = { flags, dev_id: c.object(fd, idev), pt_id: c.object(fd, id) };
  const { outcome } = c.make({ call: "HWPT_ALLOC", fd: c.iommufd(fd), in: args });
  return (outcome.out as { out_hwpt_id: number } | undefined)?.out_hwpt_id ?? 0;
};

const nested = (c: Composer, fd: number, idev: number, parent: number, queue?: number): number => {
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
    },
  });
  return (outcome.out as { out_hwpt_id: number } | undefined)?.out_hwpt_id ?? 0;
};

const track = (c: Composer, fd: number, hwpt: number, flags: number): void => {
  const args = { flags, hwpt_id: c.object(fd, hwpt) };
  c.make({ call: "HWPT_SET_DIRTY_TRACKING", fd: c.iommufd(fd), in: args });
};

const write = (c: Composer, fd: number, hwpt: number, bitmap: string): void => {
  const range = { iova: PLACE as Iova, length: (4n * PAGE) as Bytes, page_size: UNIT as Bytes };
  const args = { hwpt_id: c.object(fd, hwpt), ...range, uptr: SCRATCH.va, bitmap };
  c.make({ call: "DIRTY", fd: c.iommufd(fd), in: args });
};

interface Reading {
  readonly flags?: number;
  readonly from?: bigint;
  readonly bytes?: bigint;
  readonly page?: bigint;
  readonly prefill?: string;
}

const read = (c: Composer, fd: number, hwpt: number, how: Reading = {}): void => {
  const { draw } = c;
  // Finer bits make bitmaps of many bytes, of which the first ones may be clean.
  const fine = draw.chance(25) ? draw.of(1n, 64n, 128n, 256n) : UNIT;
  const { flags = 0, from = 0n, bytes = 4n * PAGE, page = fine, prefill = "00" } = how;
  c.make({
    call: "HWPT_GET_DIRTY_BITMAP",
    fd: c.iommufd(fd),
    in: {
      hwpt_id: c.object(fd, hwpt),
      flags,
      iova: (PLACE + from) as Iova,
      length: bytes as Bytes,
      page_size: page as Bytes,
      data: (SCRATCH.va + draw.of(0n, 0n, 1n, 0xffdn)) as UserVa,
      prefill,
    },
  });
};

const openQueue = (c: Composer, fd: number): { id: number; file: number } => {
  const { outcome } = c.make({ call: "FAULT_QUEUE_ALLOC", fd: c.iommufd(fd), in: {} });
  const out = outcome.out as { out_fault_id: number; out_fault_fd: number } | undefined;
  return { id: out?.out_fault_id ?? 0, file: out?.out_fault_fd ?? -1 };
};

/** INV-02 … INV-06: with so many entries, of a type that is known or not. */
const invalidate = (c: Composer, fd: number, hwpt: number, entries: number): void => {
  const { draw } = c;
  const args = {
    hwpt_id: c.object(fd, hwpt),
    data_uptr: SCRATCH.va,
    data_type: draw.chance(60) ? INVALIDATE_DATA_MOCK : INVALIDATE_DATA_MOCK_INVALID,
    entry_len: draw.chance(70) ? 8 : 0,
    entry_num: entries,
    data: "0000000001000000".repeat(entries),
  };
  c.make({ call: "HWPT_INVALIDATE", fd: c.iommufd(fd), in: args });
};

export const TABLES: readonly Aim[] = [
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
  // DTY-04, DTY-18 … DTY-25, I-110 … I-115: two domains of one IOAS, each with dirty bits of its own.
  freshMotif("dirty-pages", 5, ["DIRTY", "HWPT_ALLOC", "HWPT_GET_DIRTY_BITMAP"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
    map(c, ioas, { va: start("buf4"), bytes: 2n * PAGE, at: PLACE + 2n * PAGE });
    const one = paging(c, ioas, mock.idev, HWPT_DIRTY_TRACKING);
    const two = paging(c, ioas, mock.idev, HWPT_DIRTY_TRACKING);
    for (const hwpt of [one, two]) track(c, fd, hwpt, DIRTY_TRACKING_ENABLE);
    write(c, fd, one, draw.of("ff", "81", "5a"));
    read(c, fd, two);
    read(c, fd, one, { flags: DIRTY_NO_CLEAR, page: draw.of(UNIT, PAGE, UNIT / 2n) });
    // In two parts, and whole (I-113).
    const cut = draw.of(PAGE, 2n * PAGE, 3n * PAGE);
    if (draw.chance(50)) {
      read(c, fd, one, { bytes: cut });
      read(c, fd, one, { from: cut, bytes: 4n * PAGE - cut, prefill: draw.of("00", "a5") });
    }
    switch (draw.int(0, 3)) {
      case 0:
        track(c, fd, one, 0);
        if (draw.chance(50)) read(c, fd, one);
        track(c, fd, one, DIRTY_TRACKING_ENABLE);
        break;
      case 1:
        unmap(c, ioas, PLACE, 2n * PAGE);
        map(c, ioas, { va: start("buf0"), bytes: 2n * PAGE, at: PLACE });
        break;
      case 2:
        read(c, fd, one, { prefill: "" });
        break;
    }
    read(c, fd, one, { prefill: draw.of("00", "f0") });
    read(c, fd, one);
  }),
  // HWP-12 … HWP-27, RSV-06, DEV-21, I-53, I-117: a nested table keeps its parent, and its parent
  // the IOAS; the device on it has what it reserves in the IOAS.
  freshMotif("nested-tables", 5, ["HWPT_ALLOC", "HWPT_INVALIDATE"], (c, ioas) => {
    const { draw } = c;
    const { fd } = ioas;
    const mock = mockDevice(c, fd, ioas.id);
    if (mock === undefined) return;
    const parent = paging(c, ioas, mock.idev, draw.chance(88) ? HWPT_NEST_PARENT : 0);
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
    if (draw.chance(30)) track(c, fd, child, DIRTY_TRACKING_ENABLE);
    invalidate(c, fd, child, draw.int(0, 2));
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
    const fault = (grpid: number): void => {
      const args = { dev_id: c.object(fd, mock.idev), grpid, perm: 1, addr: 0x5000n };
      c.make({ call: "TRIGGER_IOPF", fd: c.iommufd(fd), in: args });
    };
    const fault_fd = c.faultFile(queue.file);
    for (let n = draw.int(1, 3); n > 0; n--) fault(n);
    c.make({ call: "FAULT_POLL", in: { fault_fd, events: 5 } });
    c.make({ call: "FAULT_READ", in: { fault_fd, count: 40 * draw.of(1, 2, 4) } });
    const read = c.scene.queues.find(({ file }) => file === queue.file)?.unanswered ?? [];
    // FLT-05: those that were read do not wait.
    c.make({ call: "FAULT_POLL", in: { fault_fd, events: 5 } });
    if (draw.chance(50)) replace(c, mock, ioas.id);
    const answer = (...cookies: readonly number[]): void => {
      const responses = cookies.map((n) => ({ cookie: c.cookie(queue.file, n), code: 0 }));
      c.make({ call: "FAULT_WRITE", in: { fault_fd, count: 8 * cookies.length, responses } });
    };
    // FLT-04: those before the first that cannot be answered are.
    const [first] = read;
    if (first !== undefined && draw.chance(40)) answer(first, draw.of(first, 77), ...read.slice(1));
    for (const cookie of read) answer(cookie);
    if (draw.chance(50)) answer(draw.pick(read) ?? 9);
    destroy(c, fd, queue.id);
    if (draw.chance(50)) c.make({ call: "CLOSE_FAULT", in: { fault_fd } });
    destroy(c, fd, queue.id);
    destroy(c, fd, child);
    destroy(c, fd, queue.id);
  }),
  // HWI-10: what an IOMMU can do does not change with what is attached to it.
  freshMotif("hw-info-again", 2, ["GET_HW_INFO"], (c, ioas) => {
    const info = (): void => {
      const device = c.scene.devices.find(({ fd }) => fd === ioas.fd);
      if (device === undefined) return;
      const room = { data_len: 24, data_uptr: SCRATCH.va, writable_bytes: 24 };
      const args = { dev_id: c.object(device.fd, device.id), ...room };
      c.make({ call: "GET_HW_INFO", fd: c.iommufd(ioas.fd), in: args });
    };
    info();
    if (c.can("MOCK_DOMAIN")) mockDevice(c, ioas.fd, ioas.id);
    map(c, ioas, { va: new Handle("buf0"), bytes: PAGE });
    info();
  }),
].map((aim): Aim => ({ ...aim, family: "hwpt" }));
