import { describe, expect, test } from "@jest/globals";
import type { Call, Outcome } from "./calls";
import { malformed, plainOutcome } from "./outcome";

const call = (name: string): Call =>
  ({ call: name, proc: 0, thread: 0, fd: 0, in: {} }) as unknown as Call;

const PAGE_FAULT = {
  flags: 2,
  dev_id: 4,
  pasid: 0,
  grpid: 5,
  perm: 2,
  reserved: 0,
  addr: 0x100_7000n,
  length: 0,
  cookie: 1,
};
const INFO = {
  argsz: 72,
  flags: 3,
  iova_pgsizes: 4096n,
  cap_offset: 24,
  caps: [
    { id: 3, version: 1, at: 24, next: 40, avail: 9 },
    { id: 1, version: 1, at: 40, next: 0, ranges: [[0n, 1n]] },
  ],
  bytes: "",
};

describe("answers that are outcomes", () => {
  test.each([
    ["IOAS_ALLOC", { errno: 0, out: { out_ioas_id: 1 } }],
    ["IOAS_ALLOC", { errno: "ENOMEM" }],
    ["CLOSE", { errno: 0 }],
    ["IOAS_IOVA_RANGES", { errno: "EMSGSIZE", out: { num_iovas: 2 } }],
    ["VFIO_IOAS", { errno: 0 }],
    ["DMA", { errno: 0, out: { fault: 1 } }],
    ["HWPT_GET_DIRTY_BITMAP", { errno: 0 }],
    ["FAULT_READ", { errno: 0, out: { records: [PAGE_FAULT] } }],
    ["VFIO_IOMMU_GET_INFO", { errno: 0, out: INFO }],
    [
      "PAGE_REFS",
      {
        errno: 0,
        out: {
          refs: [
            [0, 3],
            ["EFAULT", 1],
          ],
        },
      },
    ],
  ])("%s %j", (name, outcome) => {
    expect(malformed(call(name), outcome as Outcome)).toBeUndefined();
  });
});

describe("plain outcomes", () => {
  test("keep what was answered when the machine goes on to use the object", () => {
    const array = [[1n, 2n]];
    const answer = { errno: 0, out: { array } } as unknown as Outcome;
    const kept = plainOutcome(answer);
    array[0] = [7n, 8n];
    (answer as { errno: unknown }).errno = "EIO";
    expect(kept).toEqual({ errno: 0, out: { array: [[1n, 2n]] } });
  });

  test("hold what a getter said once", () => {
    let asked = 0;
    const answer = {
      errno: 0,
      out: {
        get length() {
          return BigInt(++asked);
        },
      },
    };
    const kept = plainOutcome(answer as unknown as Outcome);
    expect([kept.out, kept.out]).toEqual([{ length: 1n }, { length: 1n }]);
  });

  test.each([undefined, null, 7, "ok", 0, "ENOENT"])(
    "are made of %p, to be malformed",
    (answer) => {
      const actual = malformed(call("CLOSE"), plainOutcome(answer))?.actual;
      expect(actual).toContain("instead of {errno, out}");
    },
  );

  test("read a list by its indexes and call nothing of the machine's", () => {
    const evil = () => {
      throw new Error("called");
    };
    const array = Object.assign([[1n, 2n]], { map: evil, [Symbol.iterator]: evil, toJSON: evil });
    const kept = plainOutcome({ errno: 0, out: { array } });
    expect(kept).toEqual({ errno: 0, out: { array: [[1n, 2n]] } });
  });

  const shared = new Array(2 ** 16).fill([1n, 2n]);
  const deep = (levels: number): unknown => (levels === 0 ? 0n : [deep(levels - 1)]);
  const round: unknown[] = [];
  round.push(round);
  test.each([
    ["a list without end", new Array(2 ** 32 - 1)],
    ["lists of lists", new Array(2 ** 16).fill(shared)],
    ["a deep list", deep(1000)],
    ["a list that holds itself", round],
    ["many fields", [Object.fromEntries(shared.entries())]],
  ])("give up on %s", (_, array) => {
    const kept = plainOutcome({ errno: 0, out: { array } });
    expect(malformed(call("IOAS_IOVA_RANGES"), kept)?.actual).toContain("more than 65536 elements");
  });

  /** 16 MiB, the most that ACCESS_RW reads. */
  const longest = "ab".repeat(2 ** 24);
  test.each([
    ["text", `${longest}ab`, "more than 33554432 characters"],
    ["a number", 1n << (2n ** 29n), "a number of more than 128 bits"],
    ["a number below 0", -(1n << (2n ** 29n)), "a number of more than 128 bits"],
  ])("do not keep endless %s", (_, endless, instead) => {
    const out = { bytes: endless, list: [endless, [endless]] };
    const kept = plainOutcome({ errno: 0, out });
    expect(kept.out).toEqual({ bytes: instead, list: [instead, [instead]] });
    expect(malformed(call("MEM_READ"), kept)?.actual).toBe(`bytes = "${instead}"`);
  });

  test("keep as many bytes as any call can read", () => {
    const kept = plainOutcome({ errno: 0, out: { bytes: longest } });
    expect(kept.out).toEqual({ bytes: longest });
    expect(malformed(call("MEM_READ"), kept)).toBeUndefined();
  });

  test.each(["E".repeat(2 ** 28), 1n << (2n ** 29n)])(
    "keep the beginning of an endless errno",
    (errno) => {
      const kept = plainOutcome({ errno });
      expect(String(kept.errno).length).toBeLessThan(70);
      expect(malformed(call("CLOSE"), kept)?.actual).toMatch(/^errno "(E{64}…|a number of more)/);
      expect(malformed(call("CLOSE"), { errno } as never)?.actual.length).toBeLessThan(100);
    },
  );
});

const RANGES = { num_iovas: 1, out_iova_alignment: 1n, array: [[1n]] };

describe("answers that are none", () => {
  test.each([
    ["CLOSE", undefined, "undefined"],
    ["CLOSE", "ok", '"ok"'],
    ["CLOSE", {}, "errno undefined"],
    ["CLOSE", { errno: 22 }, "errno 22"],
    ["CLOSE", { errno: "EWHAT" }, 'errno "EWHAT"'],
    ["CLOSE", { errno: 0, out: { surprise: 1 } }, 'output "surprise"'],
    ["IOAS_ALLOC", { errno: 0 }, "no such output"],
    ["IOAS_ALLOC", { errno: 0, out: { out_ioas_id: 2 ** 32 } }, "out_ioas_id = 4294967296"],
    ["IOAS_ALLOC", { errno: 0, out: { out_ioas_id: 1n } }, "out_ioas_id = 1n"],
    ["IOAS_UNMAP", { errno: 0, out: { length: 2n ** 64n } }, "length = 18446744073709551616n"],
    ["IOAS_UNMAP", { errno: 0, out: { length: -1n } }, "length = -1n"],
    ["MEM_READ", { errno: 0, out: { bytes: "0" } }, 'bytes = "0"'],
    ["IOAS_IOVA_RANGES", { errno: 0, out: RANGES }, 'array = [["1n"]]'],
    ["PAGE_REFS", { errno: 0, out: { refs: [[0]] } }, "refs = [[0]]"],
    ["TRANSLATE", { errno: 0, out: { runs: [null] } }, "runs = [null]"],
    ["RAW", { errno: 0 }, "no such output"],
    ["FAULT_READ", { errno: 0, out: { records: [{}] } }, "records = [{}]"],
    ["VFIO_IOMMU_GET_INFO", { errno: 0, out: { ...INFO, caps: [7] } }, "caps = [7]"],
  ])("%s %j", (name, outcome, actual) => {
    expect(malformed(call(name), outcome as unknown as Outcome)?.actual).toBe(actual);
  });

  test("a page fault has more fields, and a capability more ranges, than anything else", () => {
    const zeros = { flags: 0, dev_id: 1, pasid: 0, grpid: 0, perm: 1, reserved: 0, length: 0 };
    const records = [{ ...zeros, addr: 0n, cookie: 1 }];
    const read = { errno: 0, out: { records } };
    expect(plainOutcome(read)).toEqual(read);
    const ranges = Array.from({ length: 16 }, (_, i) => [BigInt(i), BigInt(i)]);
    const info = { errno: 0, out: { caps: [{ id: 1, version: 1, at: 24, next: 0, ranges }] } };
    expect(plainOutcome(info)).toEqual(info);
  });

  test("terminal escapes and endless strings from an IUT come out inert", () => {
    const errno = `\u001b[31m${"x".repeat(10_000)}`;
    const shown = malformed(call("CLOSE"), { errno } as unknown as Outcome)?.actual ?? "";
    expect(shown.length).toBeLessThan(100);
    expect(shown).not.toContain("\u001b");
  });
});

test.each([
  ["a symbol", Symbol("EINVAL")],
  ["an object", { toString: () => "EINVAL" }],
  ["a function", () => "EINVAL"],
])("an errno that is %s is no errno, and nothing of it is called", (_, errno) => {
  const kept = plainOutcome({ errno });
  expect(malformed(call("CLOSE"), kept)?.actual).toMatch(/^errno "a value of type /);
  expect(() => JSON.stringify(kept)).not.toThrow();
});

test("an output that would run code of the machine is kept as text", () => {
  const toJSON = (): never => {
    throw new Error("called");
  };
  const kept = plainOutcome({ errno: 0, out: { toJSON, list: [{ toJSON }] } });
  expect(JSON.stringify(kept)).toContain('"toJSON":"a value of type function"');
});
