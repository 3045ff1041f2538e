import { describe, expect, test } from "@jest/globals";
import { isCallName, shapeOf } from "./calls";
import { mayHaveEffect, readRecordings } from "./recording";

const PLATFORM = {
  kernel: "6.12.117",
  page_size: 4096,
  iommu: "mock",
  mock_io_page_size: 2048,
  mock_aperture: ["0x1000000", "0x7fffffff"],
  thp_size: "0x200000",
  user: "uid 1000 memlock=see SETRLIMIT_MEMLOCK steps",
};
const read = (step: object, platform: object = PLATFORM) => {
  const open = { op: "OPEN", fd: 0, in: {}, errno: 0, rc: 0 };
  const trace = { trace: "t-1", platform, memory: [], steps: [open, step] };
  return readRecordings(`\n${JSON.stringify(trace)}\n`, "f.jsonl");
};
type RecordedJson = { readonly op: string; readonly [field: string]: unknown };
const readStep = (step: RecordedJson) => {
  const isOnIommufd = isCallName(step.op) && shapeOf(step.op).on === "iommufd";
  const fd = isOnIommufd ? { fd: 0 } : {};
  const recorded = read({ errno: 0, rc: 0, in: {}, ...fd, ...step })[0]?.steps[1];
  if (recorded === undefined) throw new Error("the step is not there");
  return recorded;
};

describe("what a recording has that this version does not know", () => {
  test.each<[string, RecordedJson, string]>([
    ["a call", { op: "IOAS_MOP" }, "f.jsonl: line 2, step 1 (IOAS_MOP): unknown call"],
    ["an argument", { op: "DESTROY", in: { di: 1 } }, "step 1 (DESTROY), in.di: unknown field"],
    ["an output", { op: "DESTROY", out: { id: 1 } }, "step 1 (DESTROY), out.id: unknown field"],
    ["a part of a step", { op: "DESTROY", why: 1 }, "step 1 (DESTROY), why: unknown field"],
    ["an errno", { op: "DESTROY", errno: "EWHAT" }, "step 1 (DESTROY), errno: unknown errno"],
    [
      "a field of a record",
      { op: "FAULT_READ", rc: 40, out: { records: [{ cookie: 1 }] } },
      "step 1 (FAULT_READ), out.records: expected a list of",
    ],
    ["a return value", { op: "DESTROY", rc: 7 }, "step 1 (DESTROY), rc: expected 0"],
    ["a poison", { op: "VFIO_IOMMU_GET_INFO" }, "in.poison: expected"],
    [
      "a size of its own",
      { op: "RAW", in: { nr: "0x3b80", bytes: "0800000001000000", size_field: 9 } },
      "step 1 (RAW), in.size_field: expected what the leading bytes say",
    ],
  ])("%s is named with its place", (_, step, message) => {
    expect(() => readStep(step)).toThrow(message);
  });

  test("a field of the platform is named, and so is a user that is none", () => {
    expect(() => read({}, { ...PLATFORM, cpus: 2 })).toThrow("platform, cpus: unknown field");
    expect(() => read({}, { ...PLATFORM, user: "me" })).toThrow("platform, user: expected");
  });
});

describe("recorded steps as calls", () => {
  test("what a recorder leaves out of memory behind pointers is filled in", () => {
    const scratchEnd = "0x10000fff8";
    const entries = { data: "02", data_total: 8, entry_num: 1, entry_len: 8 };
    const read = (data_uptr: string) =>
      readStep({ op: "HWPT_INVALIDATE", in: { data_uptr, ...entries }, out: { entry_num: 1 } }).call
        .in;
    expect(read(scratchEnd)).toMatchObject({ data: "0200000000000000" });
    expect(read("0x300000000000")).toMatchObject({ data: "" });
    const dirty = { iova: "0x0", length: "0x9000", page_size: "0x800", bitmap: "01" };
    expect(
      readStep({ op: "DIRTY", in: { ...dirty, uptr: "0x100000000" }, out: { out_nr_dirty: "0x1" } })
        .call.in,
    ).toMatchObject({ bitmap: "010000" });
    const info = { op: "GET_HW_INFO", in: { data_uptr: "0x10000fff0" } };
    expect(readStep(info).call.in).toMatchObject({ writable_bytes: 16 });
    expect(readStep(info).outcome.out).toMatchObject({ data: "" });
  });

  test("a return value may be missing where the outputs say it", () => {
    const step = { op: "MEM_READ", rc: undefined, in: { length: 1 }, out: { bytes: "00" } };
    expect(readStep(step).outcome).toEqual({ errno: 0, out: { bytes: "00" } });
  });

  test("return values become outputs where they answer something", () => {
    const extension = { op: "VFIO_CHECK_EXTENSION", in: { arg: 9 }, rc: 1 };
    expect(readStep(extension)).toMatchObject({
      call: { in: { arg: 9n } },
      outcome: { out: { rc: 1 } },
    });
    expect(readStep({ op: "FAULT_READ" }).outcome).toEqual({ errno: 0, out: { records: [] } });
  });

  test("raw calls say what memory they find", () => {
    const bytes = "0800000001000000";
    const raw = { op: "RAW", errno: "EFAULT", rc: -1 };
    const given = { nr: "0x3b80", bytes, size_field: 8 };
    expect(readStep({ ...raw, in: given }).call.in).toEqual({
      nr: 0x3b80,
      bytes,
      memory: "rw",
      arg: 0n,
    });
    const readonly = readStep({ ...raw, in: { ...given, readonly: true } });
    expect(readonly.call.in).toMatchObject({ memory: "r" });
    expect(mayHaveEffect(readonly)).toBe(true);
    const nothing = readStep({ ...raw, in: { nr: "0x3b80", arg: "0x1" } });
    expect(nothing.call.in).toEqual({ nr: 0x3b80, bytes: "", memory: "none", arg: 1n });
    expect(mayHaveEffect(nothing)).toBe(false);
    expect(readStep({ ...raw, in: { nr: "0x3b80", arg: "0x100100ffe" } }).call.in).toMatchObject({
      bytes: "0000",
      memory: "rw",
    });
    expect(readStep({ op: "RAW", in: given }).outcome).toEqual({ errno: 0, out: { bytes } });
  });

  test("a file number that was -1 is -1 again", () => {
    const replace = {
      op: "ACCESS_REPLACE_IOAS",
      in: { access_fd: 0xffff_ffff },
      errno: "EBADFD",
      rc: -1,
    };
    expect(readStep(replace).call.in).toEqual({ access_fd: -1, ioas_id: 0 });
  });
});
