import { describe, expect, test } from "@jest/globals";
import type { Call } from "./calls";
import { Handle } from "./handle";
import {
  decodeHistory,
  decodeTrace,
  encodeHistory,
  encodeTrace,
  parseDocument,
} from "./json/trace";
import { MOCK_PLATFORM } from "./platform";
import type { RawEdits } from "./raw";
import { Resolver } from "./resolve";
import type { History, Step } from "./trace";
import type { Iova, UserVa } from "./units";

const unmap = (raw?: RawEdits): Step => ({
  call: "IOAS_UNMAP",
  fd: 3,
  in: { ioas_id: new Handle("ioas0"), iova: 0x1122n as Iova },
  ...(raw !== undefined && { raw }),
});

const resolve = (step: Step): Call => {
  const resolver = new Resolver(MOCK_PLATFORM);
  resolver.note(
    { call: "IOAS_ALLOC", as: "ioas0", fd: 3, in: {} },
    { errno: 0, out: { out_ioas_id: 7 } },
  );
  return resolver.resolve(step);
};

const rawOf = (edits: RawEdits): Call["in"] => resolve(unmap(edits)).in;

const UNMAP_BYTES = "18000000070000002211000000000000" + "0000000000000000";

describe("a typed step with byte edits", () => {
  test("is the typed call without them, and its bytes with none", () => {
    expect(resolve(unmap()).call).toBe("IOAS_UNMAP");
    expect(resolve(unmap({}))).toEqual({
      call: "RAW",
      proc: 0,
      thread: 0,
      fd: 3,
      in: { nr: 0x3b86, bytes: UNMAP_BYTES, memory: "rw", arg: 0n },
    });
  });

  test.each<[string, RawEdits, Partial<Record<string, unknown>>]>([
    ["cuts", { keep: 6 }, { bytes: "180000000700" }],
    ["adds a tail", { tail: "0102", size: 26 }, { bytes: `1a${UNMAP_BYTES.slice(2)}0102` }],
    ["changes bytes", { put: [[4, "ffff"]] }, { bytes: `18000000ffff${UNMAP_BYTES.slice(12)}` }],
    ["drops what lies beyond the end", { keep: 2, size: 0x11223344 }, { bytes: "4433" }],
    ["takes another command word", { nr: 0xc0003b86 }, { nr: 0xc0003b86 }],
    ["makes memory read-only", { memory: "r" }, { memory: "r" }],
    ["points to nothing", { memory: "none", arg: 1n as UserVa }, { memory: "none", arg: 1n }],
  ])("%s", (_, edits, expected) => {
    expect(rawOf(edits)).toMatchObject(expected);
  });

  test("has NULL where a pointer leads to an array, and addresses of memory to be mapped", () => {
    const ranges: Step = {
      call: "IOAS_IOVA_RANGES",
      fd: 0,
      in: { ioas_id: 1, num_iovas: 2, allowed_iovas: 0x1_0000_0000n as UserVa },
      raw: {},
    };
    expect(resolve(ranges).in).toMatchObject({
      bytes: "2000000001000000020000000000000000000000000000000000000000000000",
    });
    const map: Step = { call: "IOAS_MAP", fd: 0, in: { user_va: 0x1000n as UserVa }, raw: {} };
    expect(resolve(map).in).toMatchObject({
      bytes: `28000000${"00".repeat(12)}0010000000000000${"00".repeat(16)}`,
    });
  });

  test("on the file of a device is a call on that file", () => {
    const bind: Step = {
      call: "VFIO_DETACH",
      in: { devfd: 5, argsz: 8 },
      raw: { memory: "r" },
    };
    expect(resolve(bind)).toMatchObject({
      call: "DEVICE_RAW",
      fd: -1,
      in: { devfd: 5, nr: 0x3b78, bytes: "0800000000000000", memory: "r" },
    });
  });

  test("has the outputs of its call, read from the bytes it left", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    const step: Step = { call: "IOAS_ALLOC", as: "ioas0", fd: 0, in: {}, raw: {} };
    resolver.note(step, { errno: 0, out: { bytes: "0c0000000000000009000000" } });
    const destroy: Step = { call: "DESTROY", fd: 0, in: { id: new Handle("ioas0") } };
    expect(resolver.resolve(destroy).in).toEqual({ id: 9 });
    resolver.note(step, { errno: "EFAULT" });
    expect(resolver.resolve(destroy).in).toEqual({ id: 0 });
  });

  test("that is no ioctl is refused", () => {
    expect(() => resolve({ call: "OPEN", in: {}, raw: {} })).toThrow("OPEN has no bytes to edit");
  });
});

describe("JSON of byte edits", () => {
  const history: History = {
    trace: {
      platform: MOCK_PLATFORM,
      steps: [
        unmap({
          keep: 1,
          tail: "00",
          size: 2,
          put: [[3, "04"]],
          nr: 5,
          memory: "none",
          arg: 6n as UserVa,
        }),
        unmap({}),
      ],
    },
    outcomes: [{ errno: "EFAULT" }, { errno: 0, out: { bytes: UNMAP_BYTES } }],
  };
  const reread = (json: unknown) => parseDocument(JSON.stringify(json), "f.json").json;

  test("comes back as it was, with outcomes of raw calls", () => {
    expect(decodeHistory(reread(encodeHistory(history)), "f.json")).toEqual(history);
  });

  test.each([
    ["an unknown edit", "IOAS_UNMAP", { tial: "00" }, "/steps/0/raw: unknown field tial"],
    ["bytes that are none", "IOAS_UNMAP", { tail: "0" }, "/steps/0/raw/tail"],
    ["a call that is no ioctl", "MUNMAP", {}, "/steps/0"],
  ])("names the place of %s", (_, call, raw, message) => {
    const json = {
      ...encodeTrace({ platform: MOCK_PLATFORM, steps: [] }),
      steps: [{ call, fd: 0, raw }],
    };
    expect(() => decodeTrace(reread(json), "f.json")).toThrow(message);
  });
});
