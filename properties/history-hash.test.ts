import { describe, expect, test } from "@jest/globals";
import { Handle } from "../spec/handle";
import type { Run } from "../spec/iut";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../spec/platform";
import type { Trace } from "../spec/trace";
import type { Bytes, Iova } from "../spec/units";
import { fingerprint } from "./history-hash";

const unmap = (iova: unknown, length = 0x1000n): Trace => ({
  platform: MOCK_PLATFORM,
  steps: [{ call: "IOAS_UNMAP", fd: 0, in: { iova: iova as Iova, length: length as Bytes } }],
});
const done = (length: bigint): Run => ({
  outcomes: [{ errno: 0, out: { length: length as Bytes } }],
});

describe("the fingerprint of a history", () => {
  const base = fingerprint(unmap(1n), done(5n));

  test("is the same for the same history", () => {
    expect(fingerprint(unmap(1n), done(5n))).toBe(base);
    expect(base).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each<[string, Trace, Run]>([
    ["an argument", unmap(2n), done(5n)],
    ["the upper half of an argument", unmap(1n + (1n << 32n)), done(5n)],
    ["a handle for a literal", unmap(new Handle("map0")), done(5n)],
    ["two arguments swapped", unmap(0x1000n, 1n), done(5n)],
    ["an output", unmap(1n), done(6n)],
    ["the errno", unmap(1n), { outcomes: [{ errno: "ENOENT" }] }],
    ["a missing answer", unmap(1n), { outcomes: [] }],
    ["the platform", { ...unmap(1n), platform: VFIO_PLATFORM }, done(5n)],
    ["the ending", unmap(1n), { ...done(5n), ending: { kind: "crash", reason: "x" } }],
  ])("differs by %s", (_, trace, run) => {
    expect(fingerprint(trace, run)).not.toBe(base);
  });

  test("tells handles apart by name, output and constant", () => {
    const handles = [
      new Handle("map0"),
      new Handle("map1"),
      new Handle("map0", "iova"),
      new Handle("map0", "", 1n),
    ];
    const prints = handles.map((handle) => fingerprint(unmap(handle), done(5n)));
    expect(new Set(prints).size).toBe(handles.length);
  });
});
