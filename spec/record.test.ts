import { expect, test } from "@jest/globals";
import { recordedFiles } from "../properties/testdata/recorded";
import type { Prot } from "./fields";
import { Handle } from "./handle";
import { MOCK_PLATFORM, type Platform, type Process, SCRATCH, VFIO_PLATFORM } from "./platform";
import { recordHistory } from "./record";
import { type Recording, readRecordings } from "./recording";
import type { History, Step } from "./trace";
import type { Bytes, Iova, UserVa } from "./units";

const GENERATOR = { seed: 1, mix: "random" };

/** A recording as a history without handles. */
const historyOf = ({ platform, steps }: Recording): History => {
  return {
    trace: {
      platform,
      steps: steps.map(({ call: { call, fd, in: args } }) => ({ call, fd, in: args }) as Step),
    },
    outcomes: steps.map(({ outcome }) => outcome),
  };
};

const [ROOT] = MOCK_PLATFORM.processes as [Process];

test.each(recordedFiles())(
  "what is read of %s is written and read again the same",
  (_file, recordings) => {
    expect(recordings.length).toBeGreaterThan(0);
    for (const recording of recordings) {
      const history = historyOf(recording);
      const recorded = recordHistory(history, recording.name, GENERATOR);
      if (typeof recorded === "string") throw new Error(recorded);
      expect(recorded.cut).toBeUndefined();
      const [again] = readRecordings(recorded.line, "again");
      expect(again && historyOf(again)).toEqual(history);
    }
  },
);

test("raw calls and poisoned buffers come back as they were", () => {
  const raw = (memory: Prot, bytes: string): Step => ({
    call: "RAW",
    fd: 0,
    in: { nr: 0xc000_3b80, bytes, memory, arg: (memory === "none" ? 1n : 0n) as UserVa },
  });
  const history: History = {
    trace: {
      platform: { ...MOCK_PLATFORM, processes: [{ ...ROOT, memory: [] }] },
      steps: [
        { call: "OPEN", fd: -1, in: {} },
        raw("rw", "0800000001000000"),
        raw("r", "08"),
        raw("rw", ""),
        raw("none", ""),
        { call: "VFIO_IOMMU_GET_INFO", fd: 0, in: { argsz: 24 } },
      ],
    },
    outcomes: [
      { errno: 0, out: { fd: 0 } },
      ...Array.from({ length: 4 }, () => ({ errno: "EFAULT" }) as const),
      { errno: "ENODEV" },
    ],
  };
  const { line } = recordHistory(history, "raw-1", GENERATOR) as { line: string };
  const [again] = readRecordings(line, "again");
  expect(again && historyOf(again)).toEqual({
    ...history,
    trace: { ...history.trace, platform: expect.anything() },
  });
});

const fd = new Handle("fd0");
const ALLOC: Step = { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} };
const MAP: Step = {
  call: "IOAS_MAP",
  fd,
  in: {
    flags: 7,
    ioas_id: new Handle("ioas0"),
    user_va: new Handle("buf1"),
    length: 0x1000n as Bytes,
    iova: 0x2000n as Iova,
  },
};

test("handles become numbers, and files are counted as the recorder counts them", () => {
  const history: History = {
    trace: {
      platform: MOCK_PLATFORM,
      steps: [{ call: "OPEN", as: "fd0", in: {} }, ALLOC, MAP, { call: "CLOSE", fd, in: {} }],
    },
    outcomes: [
      { errno: 0, out: { fd: 17 } },
      { errno: 0, out: { out_ioas_id: 5 } },
      { errno: "EEXIST" },
      { errno: 0 },
    ],
  };
  const recorded = recordHistory(history, "core-1", GENERATOR) as { line: string };
  const { steps, ...rest } = JSON.parse(recorded.line);
  expect(rest).toMatchObject({ trace: "core-1", generator: GENERATOR });
  expect(rest.memory[0]).toEqual({
    va: "0x200000000000",
    length: "0x20000",
    prot: "rw",
    kind: "anon-shared",
  });
  const args = { flags: 7, ioas_id: 5, user_va: "0x200000100000", length: "0x1000" };
  expect(steps).toEqual([
    { op: "OPEN", fd: 0, in: {}, errno: 0, rc: 0 },
    { op: "IOAS_ALLOC", fd: 0, in: {}, errno: 0, rc: 0, out: { out_ioas_id: 5 } },
    { op: "IOAS_MAP", fd: 0, in: { ...args, iova: "0x2000" }, errno: "EEXIST", rc: -1 },
    { op: "CLOSE", fd: 0, in: {}, errno: 0, rc: 0 },
  ]);
});

test("how much of a buffer is accessible comes back as it was", () => {
  const rw = { access_fd: 3, length: 8n as Bytes, uptr: SCRATCH.va, accessible_bytes: 1 };
  const history: History = {
    trace: {
      platform: MOCK_PLATFORM,
      steps: [
        { call: "OPEN", as: "fd0", in: {} },
        { call: "ACCESS_RW", fd, in: rw },
      ],
    },
    outcomes: [{ errno: 0, out: { fd: 0 } }, { errno: "EFAULT" }],
  };
  const { line } = recordHistory(history, "rw-1", GENERATOR) as { line: string };
  const [again] = readRecordings(line, "again");
  expect(again?.steps[1]?.call.in).toMatchObject(rw);
});

test("a further number of an iommufd has no word in the format", () => {
  const history: History = {
    trace: {
      platform: MOCK_PLATFORM,
      steps: [{ call: "OPEN", as: "fd0", in: {} }, { call: "DUP", fd, in: {} }, ALLOC],
    },
    outcomes: [
      { errno: 0, out: { fd: 0 } },
      { errno: 0, out: { fd: 1 } },
      { errno: 0, out: { out_ioas_id: 1 } },
    ],
  };
  const recorded = recordHistory(history, "dup-1", GENERATOR) as { line: string; cut: string };
  expect(JSON.parse(recorded.line).steps).toHaveLength(1);
  expect(recorded.cut).toBe("a further number of an iommufd");
});

test("what the format cannot say ends a recording, and says why", () => {
  const [first] = VFIO_PLATFORM.devices;
  const platform: Platform = {
    ...VFIO_PLATFORM,
    iommus: VFIO_PLATFORM.iommus.slice(0, 1),
    devices: first === undefined ? [] : [first],
  };
  const open: Step = { call: "DEVICE_OPEN", in: { dev: 0 } };
  const history: History = {
    trace: { platform, steps: [open, open] },
    outcomes: [
      { errno: 0, out: { devfd: 3 } },
      { errno: 0, out: { devfd: 4 } },
    ],
  };
  const recorded = recordHistory(history, "x", GENERATOR);
  if (typeof recorded === "string") throw new Error(recorded);
  expect(recorded.cut).toBe("a device that is open twice");
  expect(JSON.parse(recorded.line).steps).toHaveLength(1);
  const several = { ...history, trace: { platform: VFIO_PLATFORM, steps: [] }, outcomes: [] };
  expect(recordHistory(several, "x", GENERATOR)).toMatch(/several IOMMUs/);
});
