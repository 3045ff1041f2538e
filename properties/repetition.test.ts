import { describe, expect, test } from "@jest/globals";
import type { Outcome } from "../spec/calls";
import { Handle } from "../spec/handle";
import { MOCK_PLATFORM } from "../spec/platform";
import type { History, Step } from "../spec/trace";
import { behavedAlike } from "./repetition";

const fd = new Handle("fd0");
const ioas_id = new Handle("ioas0");
const STEPS: readonly Step[] = [
  { call: "OPEN", as: "fd0", in: {} },
  { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} },
  { call: "IOAS_ALLOC", as: "ioas1", fd, in: {} },
  { call: "IOAS_MAP", as: "map0", fd, in: { ioas_id, flags: 6, length: 1n as never } },
  { call: "TRANSLATE", fd, in: { hwpt_id: 3 } },
  { call: "DESTROY", fd, in: { id: 8 } },
  { call: "IOAS_UNMAP", fd, in: { ioas_id, length: 2n as never } },
];

interface Choices {
  readonly ids?: readonly [number, number];
  readonly iova?: bigint;
  readonly pages?: readonly [bigint, bigint];
  readonly length?: bigint;
}

const history = ({ ids = [1, 2], iova = 0n, pages = [7n, 8n], length = 1n }: Choices): History => {
  const run = (at: bigint, page: bigint) => ({
    iova: at,
    length: 0x1000n,
    perm: 3,
    pa: page << 12n,
  });
  const outcomes = [
    { errno: 0, out: { fd: ids[0] + 40 } },
    { errno: 0, out: { out_ioas_id: ids[0] } },
    { errno: 0, out: { out_ioas_id: ids[1] } },
    { errno: 0, out: { iova } },
    { errno: 0, out: { runs: [run(0n, pages[0]), run(0x1000n, pages[1])] } },
    { errno: ids.includes(8) ? 0 : "ENOENT" },
    { errno: 0, out: { length } },
  ];
  return { trace: { platform: MOCK_PLATFORM, steps: STEPS }, outcomes: outcomes as Outcome[] };
};
const until = (steps: number, reason: string): History => {
  const whole = history({});
  return { ...whole, outcomes: whole.outcomes.slice(0, steps), ending: { kind: "crash", reason } };
};

const FAULTS: readonly Step[] = [
  { call: "OPEN", as: "fd0", in: {} },
  { call: "FAULT_QUEUE_ALLOC", as: "fault0", fd, in: {} },
  { call: "FAULT_READ", as: "read0", in: { fault_fd: new Handle("fault0", "out_fault_fd") } },
  { call: "IOAS_ALLOC", as: "ioas0", fd, in: {}, raw: {} },
  { call: "IOAS_MAP", as: "map0", fd, in: { ioas_id, flags: 6, length: 1n as never }, raw: {} },
];

/** A fault of device `id`, and an IOAS of that number that comes in bytes. */
const faulting = (id: number, addr: bigint, iova = 0x1000n): History => {
  const rest = { flags: 2, pasid: 0, grpid: 1, perm: 1, reserved: 0, length: 0 };
  const word = (value: number) => Buffer.from([value, 0, 0, 0]).toString("hex");
  const at = Buffer.alloc(8);
  at.writeBigUInt64LE(iova);
  const map = `28000000${word(6)}${word(id)}00000000${"00".repeat(8)}01${"00".repeat(7)}`;
  const outcomes = [
    { errno: 0, out: { fd: id } },
    { errno: 0, out: { out_fault_id: id, out_fault_fd: id } },
    { errno: 0, out: { records: [{ ...rest, dev_id: id, cookie: id, addr }] } },
    { errno: 0, out: { bytes: `0c00000000000000${word(id)}` } },
    { errno: 0, out: { bytes: `${map}${at.toString("hex")}` } },
  ];
  return { trace: { platform: MOCK_PLATFORM, steps: FAULTS }, outcomes: outcomes as Outcome[] };
};

describe("two runs of one trace are alike", () => {
  test("with other devices and cookies in faults, and other ids in bytes", () => {
    expect(behavedAlike(faulting(3, 0x1000n), faulting(9, 0x1000n))).toBe(true);
    expect(behavedAlike(faulting(3, 0x1000n), faulting(3, 0x2000n))).toBe(false);
    expect(behavedAlike(faulting(3, 0x1000n), faulting(3, 0x1000n, 0x5000n))).toBe(true);
  });

  const once = history({});

  test.each<[string, History, boolean]>([
    ["when they are equal", history({}), true],
    ["with other ids and file descriptors", history({ ids: [70, 60] }), true],
    ["with other physical pages", history({ pages: [3n, 99n] }), true],
    ["but not when two pages become one", history({ pages: [3n, 3n] }), false],
    ["but not with another number of bytes", history({ length: 2n }), false],
    ["up to another automatic IOVA", history({ iova: 0x4000n, length: 2n }), true],
    ["up to a literal id that names something in one of them", history({ ids: [8, 9] }), true],
    ["but not when one crashes", until(3, "x"), false],
  ])("%s", (_, again, alike) => {
    expect(behavedAlike(once, again)).toBe(alike);
    expect(behavedAlike(again, once)).toBe(alike);
  });

  test("when they crash alike", () => {
    expect(behavedAlike(until(3, "x"), until(3, "x"))).toBe(true);
    expect(behavedAlike(until(3, "x"), until(3, "y"))).toBe(false);
  });

  // Seed 705 of the real kernel: its pages lay side by side in one of the runs only.
  test("up to a slow write that failed in small batches", () => {
    const write = (limited: boolean, first: string): History => {
      const steps = [
        { call: "OPEN", as: "fd0", in: {} },
        { call: "SET_TEMP_MEMORY_LIMIT", fd, in: { limit: limited ? 40 : 1 } },
        { call: "ACCESS_RW", fd, in: { access_fd: 4, flags: 5 } },
        { call: "MEM_READ", in: { length: 1 } },
      ] as Step[];
      const outcomes = [
        { errno: 0, out: { fd: 3 } },
        { errno: limited ? 0 : "EINVAL" },
        { errno: "EFAULT" },
        { errno: 0, out: { bytes: first } },
      ] as Outcome[];
      return { trace: { platform: MOCK_PLATFORM, steps }, outcomes };
    };
    expect(behavedAlike(write(true, "00"), write(true, "c0"))).toBe(true);
    expect(behavedAlike(write(false, "00"), write(false, "c0"))).toBe(false);
  });
});
