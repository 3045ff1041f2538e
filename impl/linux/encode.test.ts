import { expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM, SCRATCH, VFIO_PLATFORM } from "../../spec/platform";
import type { RawEdits } from "../../spec/raw";
import { LOST } from "../../spec/resolve";
import type { Step } from "../../spec/trace";
import type { Bytes, Iova, UserVa } from "../../spec/units";
import { encodeRun } from "./encode";
import { ARRAY, FILE, FRAME, IOCTL_HEADER, OP, RUN } from "./protocol";

interface Relocation {
  readonly offset: number;
  readonly width: number;
  readonly slot: number;
  readonly add: bigint;
  readonly lost: bigint;
}

interface SentCall {
  readonly op: number;
  readonly process: number;
  readonly failNth: number;
  readonly body: Buffer;
  readonly relocations: readonly Relocation[];
  readonly stores: readonly { offset: number; width: number; slot: number }[];
}

/** Reads a run as the agent does (agent/run.c). */
const read = (frame: Buffer): { id: number; flags: number; regions: Buffer; calls: SentCall[] } => {
  expect(frame.readUInt32LE(0)).toBe(frame.length - 4);
  expect(frame.readUInt32LE(4)).toBe(FRAME.run);
  const [id, flags, regions, count] = [8, 12, 16, 20].map((at) => frame.readUInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ];
  let at = 28 + 32 * regions;
  const calls: SentCall[] = [];
  for (let i = 0; i < count; i++) {
    const [op, relocations, stores, process] = [0, 1, 2, 3].map((j) => frame.readUInt8(at + j)) as [
      number,
      number,
      number,
      number,
    ];
    const length = frame.readUInt32LE(at + 4);
    const failNth = frame.readUInt32LE(at + 8);
    const body = frame.subarray(at + 12, at + 12 + length);
    at += 12 + length;
    const call: SentCall = {
      op,
      process,
      failNth,
      body,
      relocations: Array.from({ length: relocations }, (_, r) => {
        const from = at + 24 * r;
        return {
          offset: frame.readUInt16LE(from),
          width: frame.readUInt8(from + 2),
          slot: frame.readUInt32LE(from + 4),
          add: frame.readBigUInt64LE(from + 8),
          lost: frame.readBigUInt64LE(from + 16),
        };
      }),
      stores: Array.from({ length: stores }, (_, s) => {
        const from = at + 24 * relocations + 8 * s;
        return {
          offset: frame.readUInt16LE(from),
          width: frame.readUInt8(from + 2),
          slot: frame.readUInt32LE(from + 4),
        };
      }),
    };
    at += 24 * relocations + 8 * stores;
    calls.push(call);
  }
  expect(at).toBe(frame.length);
  return { id, flags, regions: frame.subarray(28, 28 + 32 * regions), calls };
};

const send = (steps: readonly Step[], platform = MOCK_PLATFORM): SentCall[] =>
  read(encodeRun({ platform, steps }, { id: 1 })).calls;

const OPEN: Step = { call: "OPEN", as: "fd0", in: {} };
const fd = new Handle("fd0");
const ALLOC: Step = { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} };

test("a run carries its id, whether it is stepwise, and the memory of the platform and its layout", () => {
  const { id, flags, regions } = read(
    encodeRun({ platform: MOCK_PLATFORM, steps: [] }, { id: 77, stepwise: true }),
  );
  expect([id, flags]).toEqual([77, 1]);
  const layouts = (["contiguous", "scattered"] as const).map((physical) =>
    encodeRun({ platform: { ...MOCK_PLATFORM, physical }, steps: [] }, { id: 1 }),
  );
  expect(layouts.map((run) => read(run).flags)).toEqual([2, 4]);
  const memory = MOCK_PLATFORM.processes[0]?.memory ?? [];
  expect(regions).toHaveLength(32 * memory.length);
  // buf5: 0x8000 bytes of memfd 0 from 0x4000, rw.
  const last = regions.subarray(-32);
  expect(last.readBigUInt64LE(0)).toBe(0x2000_0050_0000n);
  expect(last.readBigUInt64LE(16)).toBe(0x4000n);
  expect([last.readUInt8(28), last.readUInt8(29)]).toEqual([2, 2]);
});

test("a step says which of its allocations is to fail", () => {
  const calls = send([OPEN, { ...ALLOC, failNth: 3 }]);
  expect(calls.map(({ failNth }) => failNth)).toEqual([0, 3]);
});

test("a duplicate is made of the number that its handle had, and has a number of its own", () => {
  const [, dup, alloc] = send([
    OPEN,
    { call: "DUP", as: "fd1", fd, in: {} },
    { ...ALLOC, fd: new Handle("fd1") },
  ]);
  expect(dup).toMatchObject({ op: OP.dup, stores: [{ offset: 0, width: 4, slot: 1 }] });
  expect(dup?.relocations).toMatchObject([{ offset: 0, slot: 0 }]);
  expect(alloc?.relocations).toMatchObject([{ offset: 0, slot: 1 }]);
});

test("outputs become slots, and handles relocations that fall back on what is lost", () => {
  const [open, alloc, map, unmap] = send([
    OPEN,
    ALLOC,
    {
      call: "IOAS_MAP",
      as: "map0",
      fd,
      in: { ioas_id: new Handle("ioas0"), user_va: new Handle("buf0", "", 0x800n) },
    },
    {
      call: "IOAS_UNMAP",
      fd,
      in: { ioas_id: new Handle("ioas0"), iova: new Handle("map0", "iova", -0x1000n) },
    },
  ]);
  expect(open).toMatchObject({ op: OP.open, stores: [{ offset: 0, width: 4, slot: 0 }] });
  expect(alloc).toMatchObject({ op: OP.ioctl, stores: [{ offset: 8, width: 4, slot: 1 }] });
  expect(alloc?.relocations).toEqual([
    { offset: 0, width: 4, slot: 0, add: 0n, lost: 0xffff_ffffn },
  ]);
  expect(map?.stores).toEqual([{ offset: 32, width: 8, slot: 2 }]);
  expect(map?.body.readBigUInt64LE(IOCTL_HEADER + 16)).toBe(0x2000_0000_0800n);
  expect(unmap?.relocations).toEqual([
    { offset: 0, width: 4, slot: 0, add: 0n, lost: 0xffff_ffffn },
    { offset: IOCTL_HEADER + 4, width: 4, slot: 1, add: 0n, lost: 0n },
    {
      offset: IOCTL_HEADER + 8,
      width: 8,
      slot: 2,
      add: 0x1_0000_0000_0000_0000n - 0x1000n,
      lost: LOST.u64,
    },
  ]);
});

test("a handle that cannot mean anything there is lost from the start", () => {
  const [, alloc, map] = send([
    OPEN,
    ALLOC,
    // A 64-bit field from an id, an id from an address, an output that is none, a name unheard of.
    {
      call: "IOAS_MAP",
      fd: new Handle("fd9"),
      in: {
        ioas_id: new Handle("buf0"),
        length: new Handle("ioas0") as never,
        iova: new Handle("ioas0", "nothing") as never,
      },
    },
  ]);
  expect(alloc?.stores).toEqual([]);
  expect(map?.relocations).toEqual([]);
  expect(map?.body.readInt32LE(0)).toBe(LOST.fd);
  expect(map?.body.readUInt32LE(IOCTL_HEADER + 8)).toBe(LOST.id);
  expect(map?.body.readBigUInt64LE(IOCTL_HEADER + 24)).toBe(LOST.u64);
});

test("the last step of a name is the one that is meant, even if it fails", () => {
  const destroy: Step = { call: "DESTROY", fd, in: { id: new Handle("ioas0") } };
  const [, first, before, second, after] = send([OPEN, ALLOC, destroy, ALLOC, destroy]);
  const slots = [first, second].map((call) => call?.stores[0]?.slot);
  expect(slots).toEqual([before?.relocations[1]?.slot, after?.relocations[1]?.slot]);
  expect(slots[0]).not.toBe(slots[1]);
});

test("arrays travel behind the struct, or as the room that there is for them", () => {
  const [, , allow, ranges] = send([
    OPEN,
    ALLOC,
    {
      call: "IOAS_ALLOW_IOVAS",
      fd,
      in: { num_iovas: 2, allowed_iovas: SCRATCH.va, array: [[1n as Iova, 2n as Iova]] },
    },
    { call: "IOAS_IOVA_RANGES", fd, in: { allowed_iovas: SCRATCH.va, writable_elems: 3 } },
  ]);
  expect([allow?.body.readUInt8(11), allow?.body.readUInt32LE(12)]).toEqual([ARRAY.in, 16]);
  expect(allow?.body.subarray(-16).readBigUInt64LE(8)).toBe(2n);
  expect([ranges?.body.readUInt8(11), ranges?.body.readUInt32LE(12)]).toEqual([ARRAY.out, 48]);
});

test("calls on devices name the device's file, and bind the iommufd too", () => {
  const [, open, bind, dma] = send(
    [
      OPEN,
      { call: "DEVICE_OPEN", as: "cdev0", in: { dev: 1 } },
      { call: "VFIO_BIND", in: { devfd: new Handle("cdev0"), argsz: 16, iommufd: fd } },
      {
        call: "DMA",
        in: { devfd: new Handle("cdev0"), dir: "from_device", iova: 0x1000n as Iova, length: 8 },
      },
    ],
    VFIO_PLATFORM,
  );
  expect(open?.stores).toEqual([{ offset: 0, width: 4, slot: 0 }]);
  // It brings the number of a file.
  expect([bind?.body.readUInt8(10), bind?.body.readUInt8(16)]).toEqual([FILE.device, 8]);
  expect(bind?.relocations.map(({ offset, slot }) => [offset, slot])).toEqual([
    [0, 0],
    [IOCTL_HEADER + 8, 1],
  ]);
  expect(dma).toMatchObject({ op: OP.dma, relocations: [{ offset: 0, width: 4, slot: 0 }] });
  expect(dma?.body.readUInt8(4)).toBe(1);
});

test("what fits no struct, and what no kernel answers, is refused", () => {
  const length = 0x1_0000_0000_0000_0000n as Bytes;
  expect(() => send([{ call: "IOAS_MAP", in: { length } }])).toThrow(RangeError);
  expect(() => send([{ call: "TRANSLATE", in: {} }])).toThrow(/cannot be made on a kernel/);
  expect(() => send([{ call: "MEM_READ", in: { va: 1n as UserVa, length: 4 } }])).not.toThrow();
});

test("a raw call keeps what its edits leave of a handle", () => {
  const edited = (raw: RawEdits): SentCall | undefined =>
    send([OPEN, ALLOC, { call: "IOAS_MAP", fd, in: { ioas_id: new Handle("ioas0") }, raw }])[2];
  const parts = (call: SentCall | undefined) =>
    call?.relocations.slice(1).map(({ offset, width }) => [offset - IOCTL_HEADER, width]);
  expect(parts(edited({}))).toEqual([[8, 4]]);
  expect(parts(edited({ put: [[9, "0000"]] }))).toEqual([
    [8, 1],
    [11, 1],
  ]);
  expect(edited({ put: [[8, "000000"]] })?.relocations).toHaveLength(2);
  expect(parts(edited({ keep: 8 }))).toEqual([]);
  expect(parts(edited({ memory: "none" }))).toEqual([]);
});

test("the numbers of files and the pointer of a struct are told, as far as it has them", () => {
  const words = (step: Step): number[] =>
    [16, 17, 18].map((at) => send([OPEN, step])[1]?.body.readUInt8(at) ?? -1);
  expect(words({ call: "CREATE_ACCESS", fd, in: {} })).toEqual([0, 16, 0]);
  expect(words({ call: "ACCESS_RW", fd, in: {} })).toEqual([8, 0, 32]);
  expect(words({ call: "ACCESS_RW", fd, in: {}, raw: { keep: 20 } })).toEqual([8, 0, 0]);
  expect(words({ call: "FAULT_QUEUE_ALLOC", fd, in: {} })).toEqual([0, 12, 0]);
  expect(words({ call: "DESTROY", fd, in: {} })).toEqual([0, 0, 0]);
});

const cookie = (name: string) => ({ cookie: new Handle("read0", name), code: 0 });

test("answers to page faults name them by cookies that were read before", () => {
  const [, read, write] = send([
    { call: "FAULT_QUEUE_ALLOC", as: "fault0", in: {} },
    { call: "FAULT_READ", as: "read0", in: { count: 80 } },
    {
      call: "FAULT_WRITE",
      in: { count: 16, responses: [1, 0].map((n) => cookie(`cookie${n}`)) },
    },
  ]);
  expect(read?.stores.map(({ offset, width }) => [offset, width])).toEqual([
    [76, 4],
    [36, 4],
  ]);
  expect(write?.relocations.map(({ offset }) => offset)).toEqual([8, 16]);
});

test("a struct of an older caller says so, and NULL stays NULL where it counts", () => {
  const [, alloc, dirty] = send([
    OPEN,
    { call: "HWPT_ALLOC", fd, in: { size: 24, data_type: 1, data: "00" } },
    { call: "DIRTY", fd, in: { bitmap: "ff" } },
  ]);
  expect(alloc?.body.readUInt32LE(IOCTL_HEADER)).toBe(24);
  expect(dirty?.body.readUInt8(11)).toBe(ARRAY.none);
});

test("calls name the process that is to make them, and a trace says whether it has several", () => {
  const run = (steps: readonly Step[]) =>
    read(encodeRun({ platform: MOCK_PLATFORM, steps }, { id: 1 }));
  const fork: Step = { call: "FORK", in: { child: 2 } };
  const { flags, calls } = run([OPEN, fork, { ...ALLOC, proc: 2 }, { ...ALLOC, proc: 4000 }]);
  expect(flags).toBe(RUN.processes);
  expect(calls.map(({ process }) => process)).toEqual([0, 0, 2, 0xff]);
  expect(calls[1]).toMatchObject({ op: OP.fork, body: Buffer.from([2, 0, 0, 0]) });
  // What one process made, another uses.
  expect(calls[2]?.relocations[0]?.slot).toBe(calls[0]?.stores[0]?.slot);
  expect(run([OPEN, { call: "EXIT", in: {} }]).flags).toBe(RUN.processes);
  expect(run([OPEN, ALLOC]).flags).toBe(0);
});
