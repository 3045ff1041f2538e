import { describe, expect, test } from "@jest/globals";
import { type Call, type CallName, type In, type OutcomeOf, shapeOf } from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
import { MOCK_PLATFORM, type Platform, VFIO_PLATFORM } from "../../spec/platform";
import { type RawEdits, rawCall } from "../../spec/raw";
import type { Bytes, Iova, UserVa } from "../../spec/units";
import { RadixMachine } from "./machine";

const BUF = 0x2000_0000_0000n as UserVa;

/** An iommufd with IOAS 1. */
const boot = (platform: Platform = MOCK_PLATFORM) => {
  const machine = new RadixMachine(platform);
  const typed = <K extends CallName>(name: K, given: Partial<In<K>> = {}): Call => {
    const args: Record<string, unknown> = { ...given };
    for (const [field, type] of Object.entries(shapeOf(name).in)) args[field] ??= ABSENT[type];
    return { call: name, proc: 0, thread: 0, fd: 0, in: args } as unknown as Call;
  };
  const call = <K extends CallName>(name: K, given: Partial<In<K>> = {}) =>
    machine.call(typed(name, given)) as OutcomeOf<K>;
  const raw = <K extends CallName>(name: K, edits: RawEdits = {}, given: Partial<In<K>> = {}) =>
    machine.call(rawCall(typed(name, given), edits)) as OutcomeOf<"RAW">;
  const command = (nr: number, memory: In<"RAW">["memory"] = "rw", bytes = "") =>
    call("RAW", { nr, bytes, memory });
  call("OPEN");
  call("IOAS_ALLOC");
  return { call, raw, command };
};

const SIZE = { IOAS_ALLOC: "0c000000" };

describe("which command", () => {
  test("inside the table the first word is read before anything else (GEN-05, GEN-06)", () => {
    const { raw, command } = boot();
    for (const nr of [0x3b81, 0x3b90, 0x3a81, 0x4000_3b81]) {
      expect(command(nr, "none")).toEqual({ errno: "EFAULT" });
      expect(command(nr, "rw", "0c00")).toEqual({ errno: "EFAULT" });
    }
    for (const nr of [0x3b90, 0x3a81, 0x4000_3b81, 0xc00c_3b81]) {
      expect(raw("IOAS_ALLOC", { nr })).toEqual({ errno: "ENOTTY" });
    }
  });

  test("outside the table nothing is touched (GEN-03, GEN-04, VCC-26)", () => {
    const { command } = boot();
    for (const nr of [0x3b00, 0x3b6a, 0x3b75, 0x3ba1, 0x3bff, 0x3c70]) {
      expect(command(nr, "none")).toEqual({ errno: "ENOTTY" });
    }
    const withoutMock = boot(VFIO_PLATFORM);
    expect(withoutMock.command(0x3ba0, "none")).toEqual({ errno: "ENOTTY" });
    expect(withoutMock.command(0x3b8e, "none")).toEqual({ errno: "EFAULT" });
  });
});

describe("size", () => {
  test("below the first version is EINVAL, even where it cannot be read (GEN-07)", () => {
    const { command } = boot();
    expect(command(0x3b81, "rw", "0b000000").errno).toBe("EINVAL");
    expect(command(0x3b81, "rw", SIZE.IOAS_ALLOC).errno).toBe("EFAULT");
  });

  test("surplus: zero is nothing, else E2BIG before anything is judged (GEN-09..12)", () => {
    const { raw } = boot();
    const flags = { flags: 1 };
    const grown = { size: 16, tail: "00000000" };
    expect(raw("IOAS_ALLOC", grown)).toEqual({
      errno: 0,
      out: { bytes: "10000000000000000200000000000000" },
    });
    expect(raw("IOAS_ALLOC", grown, flags)).toEqual({ errno: "EOPNOTSUPP" });
    expect(raw("IOAS_ALLOC", { ...grown, tail: "00000001" }, flags).errno).toBe("E2BIG");
    expect(raw("IOAS_ALLOC", { ...grown, size: 17 }, flags).errno).toBe("EFAULT");
    // What comes first is found first.
    expect(raw("IOAS_ALLOC", { size: 17, tail: "00000001" }, flags).errno).toBe("E2BIG");
    expect(raw("IOAS_ALLOC", { size: 8192, tail: "00".repeat(8180) }).errno).toBe(0);
    // Bytes behind the size are none of the command's business.
    expect(raw("IOAS_ALLOC", { tail: "ff" }).out?.bytes).toBe("0c0000000000000004000000ff");
  });

  test("the mock driver's operation is looked at behind the frame", () => {
    const { raw } = boot();
    const op = (value: string): RawEdits => ({ put: [[4, value]] });
    expect(raw("ADD_RESERVED", op("63000000"), { ioas_id: 1 }).errno).toBe("EOPNOTSUPP");
    expect(raw("ADD_RESERVED", {}, { ioas_id: 1 }).errno).toBe("EINVAL");
    const made = raw("MOCK_DOMAIN", {}, { pt_id: 1 });
    expect(made.out?.bytes?.slice(2 * 16, 2 * 28)).toBe("020000000400000003000000");
  });
});

describe("the answer", () => {
  test("has the inputs as they were (GEN-14)", () => {
    const { raw } = boot();
    const given = { flags: 7, ioas_id: 1, user_va: BUF, length: 1n as Bytes, iova: 0x77n as Iova };
    const { out } = raw("IOAS_MAP", {}, given);
    expect(out?.bytes).toBe(
      "2800000007000000010000000000000000000000002000000100000000000000" + "7700000000000000",
    );
  });

  test("that cannot be stored undoes what it would have named, and only that (GEN-16)", () => {
    const { call, raw } = boot();
    const memory = "r";
    expect(raw("IOAS_ALLOC", { memory })).toEqual({ errno: "EFAULT" });
    expect(raw("MOCK_DOMAIN", { memory }, { pt_id: 1 })).toEqual({ errno: "EFAULT" });
    expect(call("IOAS_ALLOC").out).toEqual({ out_ioas_id: 2 });
    expect(raw("DESTROY", { memory }, { id: 2 }).errno).toBe(0);
    const map = { flags: 7, ioas_id: 1, user_va: BUF, length: 0x1000n as Bytes };
    expect(raw("IOAS_MAP", { memory }, map)).toEqual({ errno: "EFAULT" });
    expect(call("IOAS_MAP", map).errno).toBe("EEXIST");
    expect(raw("OPTION", { memory }, { option_id: 1, object_id: 1 }).errno).toBe("EFAULT");
    const huge = call("OPTION", { option_id: 1, op: 1, object_id: 1 });
    expect(huge).toEqual({ errno: 0, out: { val64: 0n } });
    // What fails before it answers fails as ever.
    expect(raw("IOAS_ALLOC", { memory }, { flags: 1 })).toEqual({ errno: "EOPNOTSUPP" });
  });

  test("of a failure is there where the uAPI says so (GEN-15)", () => {
    const { raw } = boot();
    expect(raw("IOAS_IOVA_RANGES", {}, { ioas_id: 1 })).toEqual({
      errno: "EMSGSIZE",
      out: { bytes: "2000000001000000010000000000000000000000000000000100000000000000" },
    });
    const one = raw("IOAS_IOVA_RANGES", {}, { ioas_id: 1, num_iovas: 1 });
    expect(one).toEqual({ errno: "EFAULT" });
  });
});

describe("the container's commands", () => {
  test("take their argument as it is", () => {
    const { raw, call, command } = boot();
    call("VFIO_IOAS", { op: 1, ioas_id: 1 });
    expect(command(0x3b64)).toEqual({ errno: 0, out: { bytes: "" } });
    expect(call("RAW", { nr: 0x3b66, memory: "none", arg: 1n as UserVa }).errno).toBe(0);
    expect(command(0x3b66, "rw", "0100").errno).toBe("EINVAL");
    const map = { argsz: 32, flags: 3, vaddr: BUF, size: 0x2000n as Bytes };
    expect(raw("VFIO_MAP_DMA", { keep: 31 }, map).errno).toBe("EFAULT");
    expect(raw("VFIO_MAP_DMA", { tail: "ff" }, { ...map, argsz: 33 }).errno).toBe(0);
    const unmap = { argsz: 24, size: 0x1000n as Bytes };
    expect(raw("VFIO_UNMAP_DMA", { memory: "r" }, unmap)).toEqual({ errno: "EFAULT" });
    expect(raw("VFIO_UNMAP_DMA", {}, unmap).out?.bytes).toBe(`18${"00".repeat(23)}`);
    expect(raw("VFIO_UNMAP_DMA", { keep: 23 }, unmap).errno).toBe("EFAULT");
  });

  test("GET_INFO stores what it gets to before it faults", () => {
    const { raw, call } = boot();
    call("VFIO_IOAS", { op: 1, ioas_id: 1 });
    const info = (edits: RawEdits, argsz: number) => raw("VFIO_IOMMU_GET_INFO", edits, { argsz });
    expect(info({ keep: 15 }, 24)).toEqual({ errno: "EFAULT" });
    expect(info({}, 24).out?.bytes).toBe(
      `480000000300000000f0ffffffffffff${"00".repeat(4)}${"00".repeat(4)}`,
    );
    expect(info({}, 72)).toEqual({ errno: "EFAULT" });
    expect(info({ tail: "00".repeat(16) }, 72)).toEqual({
      errno: "EFAULT",
      out: { bytes: `48${"00".repeat(23)}0300010000000000ffffffff00000000` },
    });
  });
});

describe("on the file of a device", () => {
  const bootDevice = () => {
    const world = boot(VFIO_PLATFORM);
    world.call("DEVICE_OPEN", { dev: 0 });
    return world;
  };

  test("before BIND everything else is EINVAL, whatever it is (VFD-18)", () => {
    const { call, raw } = bootDevice();
    const device = (nr: number) => call("DEVICE_RAW", { nr, memory: "none" });
    for (const nr of [0x3b77, 0x3b6b, 0x1234]) expect(device(nr)).toEqual({ errno: "EINVAL" });
    expect(device(0x3b76)).toEqual({ errno: "EFAULT" });
    expect(raw("VFIO_BIND", { keep: 15 }, { argsz: 8 })).toEqual({ errno: "EFAULT" });
    expect(raw("VFIO_BIND", {}, { argsz: 15 })).toEqual({ errno: "EINVAL" });
    expect(raw("VFIO_BIND", { tail: "ff" }, { argsz: 17 }).out?.bytes).toBe(
      "11000000000000000000000002000000ff",
    );
    expect(device(0x1234)).toEqual({ errno: "ENOTTY" });
    expect(device(0x3b77)).toEqual({ errno: "EFAULT" });
  });

  test("an answer that cannot be stored leaves unbound or detached (VFD-09, VFD-12)", () => {
    const { call, raw } = bootDevice();
    const memory = "r";
    expect(raw("VFIO_BIND", { memory }, { argsz: 16 })).toEqual({ errno: "EFAULT" });
    expect(call("VFIO_DETACH", { argsz: 8 }).errno).toBe("EINVAL");
    expect(call("VFIO_BIND", { argsz: 16 }).out).toEqual({ out_devid: 2 });
    expect(call("VFIO_ATTACH", { argsz: 12, pt_id: 1 }).errno).toBe(0);
    expect(raw("VFIO_ATTACH", { memory }, { argsz: 12, pt_id: 1 })).toEqual({ errno: "EFAULT" });
    expect(call("DESTROY", { id: 1 }).errno).toBe(0);
    expect(raw("VFIO_DETACH", { memory }, { argsz: 8 }).errno).toBe(0);
  });

  test("GET_INFO stores as much as argsz has room for", () => {
    const { call, raw } = bootDevice();
    call("VFIO_BIND", { argsz: 16 });
    const info = (edits: RawEdits, argsz: number) => raw("VFIO_GET_INFO", edits, { argsz });
    expect(info({ put: [[16, "ff".repeat(8)]] }, 20).out?.bytes).toBe(
      "1400000002000000090000000500000000000000ffffffff",
    );
    expect(info({ keep: 16 }, 16).out?.bytes).toBe("10000000020000000900000005000000");
    expect(info({ keep: 16 }, 24).errno).toBe("EFAULT");
    expect(info({}, 15)).toEqual({ errno: "EINVAL" });
  });
});
