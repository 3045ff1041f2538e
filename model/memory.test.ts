/** User memory, pins and their limits, as calls show them. */
import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM, type Platform } from "../spec/platform";
import type { Bytes } from "../spec/units";
import { Bench, blamed, buf } from "./fixture";

const AT = 0x1000_0000n;
const map = (user_va: bigint, length: bigint, iova = AT, flags = 7) => ({
  ioas_id: 1,
  flags,
  user_va,
  length,
  iova,
});

const bench = (platform: Platform = MOCK_PLATFORM) => {
  const b = new Bench(platform);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  return b;
};

const refs = (b: Bench, uptr: bigint, ...runs: (readonly [number | "EFAULT", number])[]) => {
  const pages = runs.reduce((n, [, count]) => n + count, 0);
  return b.ok("PAGE_REFS", { uptr, length: BigInt(pages) * 0x1000n }, { refs: runs });
};

describe("pins", () => {
  test("of several MAPs of a page add up, those of a copy do not", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(0), 0x800n));
    b.done("IOAS_MAP", map(buf(0, 0x800n), 0x1000n, AT + 0x800n));
    expect(refs(b, buf(0), [2, 1], [1, 1], [0, 1])).toBeUndefined();
    const copy = { flags: 7, dst_ioas_id: 1, src_ioas_id: 1, length: 0x800n };
    b.done("IOAS_COPY", { ...copy, src_iova: AT, dst_iova: AT + 0x10000n });
    expect(refs(b, buf(0), [2, 1], [1, 1])).toBeUndefined();
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: AT, length: 0x800n });
    expect(refs(b, buf(0), [2, 1], [1, 1])).toBeUndefined();
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: AT + 0x10000n, length: 0x800n });
    expect(refs(b, buf(0), [1, 2])).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 2, VmLck_pages: 0 })).toBeUndefined();
  });

  test("may be answered in any runs, but not wrongly", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(0), 0x2000n));
    expect(refs(b, buf(0), [1, 1], [1, 1], [0, 1])).toBeUndefined();
    expect(blamed(refs(b, buf(0), [0, 1], [1, 1]))).toBe("PIN-01");
    expect(blamed(refs(b, buf(0), [1, 2], [1, 1]))).toBe("PIN-03");
    expect(blamed(b.ok("PAGE_REFS", { uptr: buf(0), length: 0x2000n }, { refs: [[1, 1]] }))).toBe(
      "PIN-03",
    );
    expect(b.fails("PAGE_REFS", { uptr: buf(0, 1n), length: 0x1000n }, "EINVAL")).toBeUndefined();
  });

  test("stay with the page when the address gets another", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(0), 0x1000n));
    b.done("MMAP", { va: buf(0), length: 0x1000n, prot: "rw", kind: "anon-shared" });
    expect(refs(b, buf(0), [0, 1])).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 1, VmLck_pages: 0 })).toBeUndefined();
  });

  test("show at every address of the page", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(5), 0x1000n));
    expect(refs(b, buf(4, 0x3000n), [0, 1], [1, 1], [0, 1])).toBeUndefined();
  });

  test("a fault in the middle takes back the pages before it", () => {
    const b = bench();
    b.done("MUNMAP", { va: buf(0, 0x1000n), length: 0x1000n });
    expect(b.fails("IOAS_MAP", map(buf(0), 0x2000n), "EFAULT")).toBeUndefined();
    expect(refs(b, buf(0), [0, 1], ["EFAULT", 1])).toBeUndefined();
    expect(b.counts("MAP-28")).toEqual([0, 1]);
  });
});

describe("the mock driver's own probes", () => {
  test("MD_CHECK_REFS compares page by page", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(0), 0x1000n));
    const check = (length: bigint, count: number) => ({ uptr: buf(0), length, refs: count });
    expect(b.ok("MD_CHECK_REFS", check(0x1000n, 1))).toBeUndefined();
    expect(b.fails("MD_CHECK_REFS", check(0x2000n, 1), "EIO")).toBeUndefined();
    expect(blamed(b.ok("MD_CHECK_REFS", check(0x2000n, 1)))).toBe("TST-04");
    expect(b.fails("MD_CHECK_REFS", { ...check(0n, 0), uptr: 1n }, "EINVAL")).toBeUndefined();
  });

  test("MD_CHECK_MAP compares in units of half a page", () => {
    const b = bench();
    b.done("IOAS_MAP", map(buf(0, 0x800n), 0x800n));
    const check = (iova: bigint, uptr: bigint, length = 0x800n) => ({
      hwpt_id: 4,
      iova,
      uptr,
      length,
    });
    expect(b.ok("MD_CHECK_MAP", check(AT, buf(0, 0x800n)))).toBeUndefined();
    expect(b.fails("MD_CHECK_MAP", check(AT, buf(0)), "EINVAL")).toBeUndefined();
    expect(b.fails("MD_CHECK_MAP", check(AT, buf(0, 0x800n), 0x1000n), "EINVAL")).toBeUndefined();
    expect(b.fails("MD_CHECK_MAP", check(AT, 0x3000_0000_0000n), "EFAULT")).toBeUndefined();
    expect(b.fails("MD_CHECK_MAP", check(AT + 1n, buf(0)), "EINVAL")).toBeUndefined();
    expect(blamed(b.ok("MD_CHECK_MAP", check(AT + 0x800n, buf(0))))).toBe("TST-03");
  });
});

describe("CPU access", () => {
  test("stores up to the byte that faults", () => {
    const b = bench();
    b.done("MPROTECT", { va: buf(0, 0x1000n), length: 0x1000n, prot: "r" });
    const at = buf(0, 0xffen);
    expect(b.fails("MEM_WRITE", { va: at, bytes: "aabbcc" }, "EFAULT")).toBeUndefined();
    expect(b.ok("MEM_READ", { va: at, length: 3 }, { bytes: "aabb00" })).toBeUndefined();
    expect(b.ok("MEM_READ", { va: at, length: 3 }, { bytes: "aabbcc" })).toBeDefined();
    expect(b.fails("MEM_READ", { va: buf(3), length: 1 }, "EFAULT")).toBeUndefined();
  });
});

describe("a locked memory limit", () => {
  const limited: Platform = {
    ...MOCK_PLATFORM,
    processes: MOCK_PLATFORM.processes.map((process) => ({
      ...process,
      uid: 1000,
      capabilities: ["SYS_RESOURCE"] as const,
      memlock: 0x3000n as Bytes,
    })),
  };

  test("counts what the user has pinned, copies once", () => {
    const b = bench(limited);
    b.done("IOAS_MAP", map(buf(0), 0x2000n));
    expect(b.fails("IOAS_MAP", map(buf(1), 0x2000n, AT + 0x8000n), "ENOMEM")).toBeUndefined();
    expect(b.counts("MAP-15")).toEqual([0, 1]);
    const copy = { flags: 7, dst_ioas_id: 1, src_ioas_id: 1, length: 0x2000n, src_iova: AT };
    const twice = { ...copy, dst_iova: AT + 0x10000n };
    expect(b.ok("IOAS_COPY", twice, { dst_iova: AT + 0x10000n })).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 2, VmLck_pages: 0 })).toBeUndefined();
    const third = map(buf(1), 0x1000n, AT + 0x8000n);
    expect(b.ok("IOAS_MAP", third, { iova: third.iova })).toBeUndefined();
  });

  test("by process, shows as locked memory", () => {
    const b = new Bench(limited);
    b.done("OPTION", { option_id: 0, op: 0, val64: 1n });
    b.done("IOAS_ALLOC", { flags: 0 });
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("IOAS_MAP", map(buf(0), 0x3000n));
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 3, VmLck_pages: 3 })).toBeUndefined();
    expect(b.fails("IOAS_MAP", map(buf(1), 1n << 11n, AT + 0x8000n), "ENOMEM")).toBeUndefined();
  });
});
