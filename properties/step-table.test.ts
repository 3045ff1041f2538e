import { expect, test } from "@jest/globals";
import { Coverage } from "../spec/coverage";
import { Handle } from "../spec/handle";
import { MOCK_PLATFORM } from "../spec/platform";
import type { History, Step } from "../spec/trace";
import type { UserVa } from "../spec/units";
import { InvariantTally } from "./invariants/watch";
import { judgeHistory } from "./oracle";
import { stepRows } from "./step-table";

const fd = new Handle("fd0");
const OPEN: Step = { as: "fd0", call: "OPEN", in: {} };
const OPENED = { errno: 0, out: { fd: 3 } } as const;

const callOf = (step: Step): string => {
  const history = { trace: { platform: MOCK_PLATFORM, steps: [OPEN, step] }, outcomes: [OPENED] };
  return stepRows(history as History, undefined)[1]?.call ?? "";
};

test.each<[string, Step["call"], object]>([
  ["IOAS_MAP(fd=3, flags=FIXED_IOVA|WRITEABLE, ioas_id=1)", "IOAS_MAP", { flags: 3, ioas_id: 1 }],
  [
    "IOAS_MAP(fd=3, flags=READABLE|0x80000008, ioas_id=1)",
    "IOAS_MAP",
    { flags: 0x8000_000c, ioas_id: 1 },
  ],
  ["IOAS_MAP(fd=3, flags=8, ioas_id=1)", "IOAS_MAP", { flags: 8, ioas_id: 1 }],
  ["OPTION(fd=3, option_id=RLIMIT_MODE, op=SET, object_id=0)", "OPTION", {}],
  ["OPTION(fd=3, option_id=7, op=GET, object_id=0)", "OPTION", { option_id: 7, op: 1 }],
  ["VFIO_CHECK_EXTENSION(fd=3, arg=TYPE1v2_IOMMU)", "VFIO_CHECK_EXTENSION", { arg: 3n }],
  [
    "VFIO_CHECK_EXTENSION(fd=3, arg=0xffffffffffffffff)",
    "VFIO_CHECK_EXTENSION",
    { arg: 2n ** 64n - 1n },
  ],
  [
    "RAW(fd=3, nr=IOAS_UNMAP, bytes=00, memory=rw)",
    "RAW",
    { nr: 0x3b86, bytes: "00", memory: "rw" },
  ],
  ["RAW(fd=3, nr=TEST_CMD, bytes=00, memory=rw)", "RAW", { nr: 0x3ba0, bytes: "00", memory: "rw" }],
])("numbers that have names: %s", (shown, call, args) => {
  expect(callOf({ call, fd, in: args } as Step)).toBe(shown);
});

test("a raw call is shown as what it was made from, and how", () => {
  const raw = { keep: 8, size: 0x18, put: [[4, "ff"]], nr: 0x3bff, memory: "none" } as const;
  expect(callOf({ call: "IOAS_UNMAP", fd, in: { ioas_id: 2 }, raw })).toBe(
    "IOAS_UNMAP(fd=3, ioas_id=2) as bytes with only the first 8 of them, size=24, ff at 4, " +
      "nr=0x3bff, memory=none",
  );
  expect(callOf({ call: "IOAS_UNMAP", fd, in: { ioas_id: 2 }, raw: {} })).toMatch(
    /nothing changed$/,
  );
});

test("outputs have names as well", () => {
  const poll: Step = { call: "FAULT_POLL", in: { fault_fd: 4, events: 5 } };
  const history = {
    trace: { platform: MOCK_PLATFORM, steps: [poll] },
    outcomes: [{ errno: 0, out: { revents: 4 } }],
  };
  expect(stepRows(history as History, undefined)).toEqual([
    {
      step: 0,
      call: "FAULT_POLL(fault_fd=4, events=POLLIN|POLLOUT)",
      expected: "ok revents=POLLOUT",
      actual: "ok revents=POLLOUT",
      deviates: false,
    },
  ]);
});

test("a call of another process than the first says whose it is", () => {
  const steps: Step[] = [{ call: "EXIT", proc: 1, in: {} }];
  const history = { trace: { platform: MOCK_PLATFORM, steps }, outcomes: [{ errno: 0 }] };
  expect(stepRows(history as History, undefined)[0]?.call).toBe("EXIT(proc=1)");
});

test("lists and records are shown without quotes", () => {
  const read: Step = { call: "FAULT_READ", in: { fault_fd: 4, count: 40 } };
  const ranges: Step = { call: "IOAS_IOVA_RANGES", fd: 3, in: {} };
  const history = {
    trace: { platform: MOCK_PLATFORM, steps: [read, ranges] },
    outcomes: [
      { errno: 0, out: { records: [{ addr: 0x1000n, cookie: 1 }] } },
      { errno: 0, out: { ranges: [[0n, 0xfffn]] } },
    ],
  };
  expect(stepRows(history as unknown as History, undefined).map(({ actual }) => actual)).toEqual([
    "ok records=[{addr=0x1000, cookie=1}]",
    "ok ranges=[[0x0, 0xfff]]",
  ]);
});

test.each([
  ["hasOwnProperty", 1],
  ["__defineGetter__", 1],
  ["constructor", 1],
])("an output that is called %s has no name for its value", (field, value) => {
  const steps: Step[] = [{ call: "IOAS_MAP", fd: 0, in: { flags: 6 } }];
  const outcomes = [{ errno: 0, out: { [field]: value } }];
  const history = { trace: { platform: MOCK_PLATFORM, steps }, outcomes };
  expect(stepRows(history as unknown as History, undefined)[0]?.actual).toBe(`ok ${field}=1`);
});

test.each([-1, -5n, 1.5, Number.NaN])("%s is no set of bits", (revents) => {
  const steps: Step[] = [{ call: "FAULT_POLL", in: { fault_fd: 4 } }];
  const history = {
    trace: { platform: MOCK_PLATFORM, steps },
    outcomes: [{ errno: 0, out: { revents } }],
  };
  expect(stepRows(history as unknown as History, undefined)[0]?.actual).not.toMatch(/POLL/);
});

test("a raw call is shown without pointers, which lead nowhere", () => {
  const args = { ioas_id: 1, num_iovas: 4, allowed_iovas: 0x1000n, writable_elems: 4 };
  const step = { call: "IOAS_IOVA_RANGES", fd, in: args, raw: {} } as Step;
  expect(callOf(step)).toBe(
    "IOAS_IOVA_RANGES(fd=3, ioas_id=1, num_iovas=4) as bytes with nothing changed",
  );
});

test("an answer of megabytes is shown by its beginning, wherever it stands", () => {
  const bytes = "ab".repeat(2 ** 24);
  const read: Step = { call: "MEM_READ", in: { va: 0x2000_0000_0000n as UserVa, length: 1 } };
  const history: History = {
    trace: { platform: MOCK_PLATFORM, steps: [read] },
    outcomes: [{ errno: 0, out: { bytes } }],
  };
  const finding = judgeHistory(history, "linux-6.12", new Coverage(), new InvariantTally());
  expect(finding?.deviation.actual).toMatch(/^bytes (ab){10,}… \(\d+ characters in all\)$/);
  const [row] = stepRows(history, undefined);
  expect(row?.actual).toMatch(/^ok bytes=(ab){10,}… \(33554432 characters in all\)$/);
});
