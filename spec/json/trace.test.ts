import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Outcome } from "../calls";
import type { Capsule } from "../capsule";
import { Handle } from "../handle";
import { malformed, plainOutcome } from "../outcome";
import { PLATFORMS, VFIO_PLATFORM } from "../platform";
import type { History, Trace } from "../trace";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../units";
import {
  decodeCapsule,
  decodeHistory,
  decodeTrace,
  encodeCapsule,
  encodeHistory,
  encodeTrace,
  parseDocument,
} from "./trace";

const fd = new Handle("fd0");
const HISTORY: History = {
  trace: {
    platform: VFIO_PLATFORM,
    steps: [
      { call: "OPEN", as: "fd0", in: {} },
      { call: "IOAS_ALLOC", as: "ioas0", fd, thread: 2, in: {} },
      {
        call: "IOAS_ALLOW_IOVAS",
        fd,
        in: { ioas_id: new Handle("ioas0"), num_iovas: 1, array: [[1n as Iova, U64_MAX as Iova]] },
      },
      {
        call: "IOAS_MAP",
        as: "map0",
        fd,
        in: { user_va: new Handle("buf1", "", 0x800n), iova: new Handle("map7", "iova", -1n) },
      },
      { call: "TRANSLATE", fd, in: { hwpt_id: 3, last: U64_MAX as Iova } },
      { call: "MEM_WRITE", in: { va: 4096n as UserVa, bytes: "00ff" } },
      {
        call: "FAULT_WRITE",
        in: {
          responses: [
            { cookie: new Handle("read0", "cookie0"), code: 1 },
            { cookie: 2, code: 0 },
          ],
        },
      },
    ],
  },
  outcomes: [
    { errno: 0, out: { fd: 0 } },
    { errno: 0, out: { out_ioas_id: 1 } },
    { errno: 0 },
    { errno: "ENOENT" },
    { errno: 0, out: { runs: [{ iova: 0n as Iova, length: 1n as Bytes, perm: 3, pa: 9n }] } },
  ],
  ending: { kind: "crash", reason: "it died" },
};

const reread = (json: unknown) => parseDocument(JSON.stringify(json), "f.json").json;

describe("JSON of traces", () => {
  test.each(PLATFORMS)("platform $name comes back as it was", (platform) => {
    const trace: Trace = { platform, steps: [] };
    expect(decodeTrace(reread(encodeTrace(trace)), "f.json")).toEqual(trace);
  });

  test("an answer that was no outcome is still none when it comes back", () => {
    const answers = [undefined, { errno: 0, out: { fd: 1n } }, { errno: 22 }, { errno: 0 }];
    const trace: Trace = { platform: VFIO_PLATFORM, steps: [{ call: "OPEN", in: {} }] };
    for (const answer of answers) {
      const json = reread(encodeHistory({ trace, outcomes: [plainOutcome(answer)] }));
      const [back] = decodeHistory(json, "f.json").outcomes;
      expect(malformed({ call: "OPEN" }, back as Outcome)).toBeDefined();
    }
  });

  test("a history comes back as it was, handles and endings included", () => {
    expect(decodeHistory(reread(encodeHistory(HISTORY)), "f.json")).toEqual(HISTORY);
  });

  test("a capsule comes back as it was", () => {
    const capsule: Capsule = {
      iut: "radix",
      profile: "linux-6.12",
      deviation: { clauses: ["MAP-12a"], kind: "errno", expected: "EEXIST", actual: "ok" },
      step: 3,
      history: HISTORY,
      found: { version: "0.1.0", seed: -5, path: "17" },
    };
    expect(decodeCapsule(reread(encodeCapsule(capsule)), "f.json")).toEqual(capsule);
  });

  test("every u64 survives, in a literal and in a handle", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), (value) => {
        const trace: Trace = {
          platform: VFIO_PLATFORM,
          steps: [
            {
              call: "IOAS_UNMAP",
              fd: 0,
              in: { iova: value as Iova, length: new Handle("map0", "", value) as never },
            },
          ],
        };
        expect(decodeTrace(reread(encodeTrace(trace)), "f.json")).toEqual(
          value === 0n
            ? { ...trace, steps: [{ ...trace.steps[0], in: { length: new Handle("map0") } }] }
            : trace,
        );
      }),
    );
  });

  test("a history with too few outcomes and no ending is refused", () => {
    const { ending: _, ...rest } = HISTORY;
    expect(() => decodeHistory(reread(encodeHistory(rest)), "f.json")).toThrow(
      "f.json: outcomes: 7 steps need as many outcomes",
    );
  });

  test("text that is not JSON is one line with the file in it", () => {
    expect(() => parseDocument("{", "f.json")).toThrow(/^f\.json: line 1: not JSON \(/);
    const other = "\n# a title\n\nAnd a text.\n";
    expect(() => parseDocument(other, "f.md")).toThrow(/^f\.md: line 2: not JSON \(/);
  });
});
