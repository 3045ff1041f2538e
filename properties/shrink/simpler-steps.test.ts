import { describe, expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import { LOST } from "../../spec/resolve";
import type { Step } from "../../spec/trace";
import { mergeHandle, renumber } from "./handles";
import { simplerSteps } from "./simpler-steps";

const simpler = (step: Step): Step[] => [...simplerSteps(step, [])];

test("a step of another process is tried in the first one", () => {
  const step: Step = { call: "DESTROY", proc: 2, fd: 0, in: { id: 1 } };
  expect(simpler(step)).toContainEqual({ call: "DESTROY", fd: 0, in: { id: 1 } });
});

describe("a step with byte edits", () => {
  const step: Step = {
    call: "DESTROY",
    fd: 0,
    in: { id: 1 },
    raw: {
      size: 9,
      tail: "01",
      put: [
        [0, "00"],
        [1, "01"],
      ],
    },
  };

  test("is tried as its typed call first", () => {
    expect(simpler(step)[0]).toEqual({ call: "DESTROY", fd: 0, in: { id: 1 } });
  });

  test("is not tried as another call, whose bytes nobody can edit", () => {
    const raw: Step = {
      call: "ACCESS_REPLACE_IOAS",
      fd: 0,
      in: { access_fd: 1 },
      raw: { size: 9 },
    };
    const calls = simpler(raw).map((other) => [other.call, other.raw]);
    expect(calls).toContainEqual(["ACCESS_REPLACE_IOAS", undefined]);
    expect(calls.map(([call]) => call)).not.toContain("CLOSE_ACCESS");
    expect(simpler({ call: raw.call, fd: 0, in: raw.in })[0]?.call).toBe("CLOSE_ACCESS");
  });

  test("is tried with one edit less", () => {
    const edits = simpler(step).flatMap(({ raw }) => (raw === undefined ? [] : [raw]));
    expect(edits).toContainEqual({
      tail: "01",
      put: [
        [0, "00"],
        [1, "01"],
      ],
    });
    expect(edits).toContainEqual({
      size: 9,
      put: [
        [0, "00"],
        [1, "01"],
      ],
    });
    expect(edits).toContainEqual({ size: 9, tail: "01" });
    expect(edits).toContainEqual({ size: 9, tail: "01", put: [[1, "01"]] });
  });

  test("without any edit left is tried as its typed call only", () => {
    expect(simpler({ ...step, in: {}, raw: {} })).toEqual([{ call: "DESTROY", fd: 0, in: {} }]);
  });
});

describe("page responses", () => {
  const answer: Step = {
    call: "FAULT_WRITE",
    in: {
      responses: [
        { cookie: new Handle("read1", "cookie0"), code: 0 },
        { cookie: 7, code: 1 },
      ],
    },
  };

  test("are dropped one by one", () => {
    const lists = simpler(answer).map((step) => (step.in as { responses?: unknown }).responses);
    expect(lists).toContainEqual([{ cookie: 7, code: 1 }]);
    expect(lists).toContainEqual([{ cookie: new Handle("read1", "cookie0"), code: 0 }]);
  });

  test("follow the record when handles are renamed or merged", () => {
    const read = (as: string): Step => ({ call: "FAULT_READ", as, in: {} });
    const of = (name: string) => ({
      responses: [
        { cookie: new Handle(name, "cookie0"), code: 0 },
        { cookie: 7, code: 1 },
      ],
    });
    expect(renumber([read("read1"), answer])[1]?.in).toEqual(of("read0"));
    expect(mergeHandle([read("read0"), read("read1"), answer], "read1", "read0")?.[1]?.in).toEqual(
      of("read0"),
    );
    const walk: Step = { call: "TRANSLATE", in: { hwpt_id: new Handle("hwpt0", "") } };
    expect(mergeHandle([walk], "hwpt0", "mock0")?.[0]?.in).toEqual({
      hwpt_id: new Handle("mock0", "out_hwpt_id"),
    });
    expect(mergeHandle([walk], "hwpt0", "ioas0")).toBeUndefined();
  });
});

test("a lost handle of pinned pages becomes the number that is never given", () => {
  const unpin: Step = {
    call: "DESTROY_ACCESS_PAGES",
    fd: 0,
    in: { access_pages_id: new Handle("pages0") },
  };
  expect(simpler(unpin)).toContainEqual({ ...unpin, in: { access_pages_id: LOST.item } });
});

describe("a call is tried", () => {
  const fd = new Handle("fd0");
  const OPEN: Step = { call: "OPEN", as: "fd0", in: {} };
  const made = (call: Step["call"], as: string, args: object = {}, on = fd): Step =>
    ({ call, as, fd: on, in: args }) as Step;
  const ioas = (n: number): Handle => new Handle(`ioas${n}`);
  const tried = (call: Step["call"], args: object, before: readonly Step[] = []): unknown[] =>
    [...simplerSteps({ call, fd, in: args } as Step, [OPEN, ...before])].map((step) => step.in);

  test.each<[string, Step["call"], object, object]>([
    ["an ordinary mapping", "IOAS_MAP", { flags: 7 }, { flags: 6 }],
    ["an ordinary mapping, where it has no flags", "IOAS_MAP", { flags: 0 }, { flags: 6 }],
    ["an ordinary copy", "IOAS_COPY", { flags: 4 }, { flags: 6 }],
    ["an ordinary mapping of the container", "VFIO_MAP_DMA", { flags: 1 }, { flags: 3 }],
    ["an empty bitmap", "HWPT_GET_DIRTY_BITMAP", { prefill: "a5" }, { prefill: "00" }],
    ["no limit", "SETRLIMIT_MEMLOCK", { max: 0x1000n }, { max: 0n }],
    ["any memory", "ACCESS_PAGES", { uptr: new Handle("buf0") }, {}],
    [
      "fewer ranges",
      "IOAS_ALLOW_IOVAS",
      { num_iovas: 1, array: [[0n, 1n]] },
      { num_iovas: 0, array: [] },
    ],
    [
      "fewer responses",
      "FAULT_WRITE",
      { count: 8, responses: [{ cookie: 1, code: 0 }] },
      { count: 0, responses: [] },
    ],
    [
      "another code",
      "FAULT_WRITE",
      { responses: [{ cookie: 1, code: 1 }] },
      { responses: [{ cookie: 1, code: 0 }] },
    ],
    [
      "half of a large number",
      "HWPT_INVALIDATE",
      { entry_num: 0xffff_ffff },
      { entry_num: 0x7fff_ffff },
    ],
    ["any smaller device", "DEVICE_OPEN", { dev: 10 }, { dev: 4 }],
    ["the lowest bit lower", "IOAS_MAP", { length: 0x1800n }, { length: 0x1400n }],
    [
      "the same end",
      "IOAS_UNMAP",
      { iova: 0x1000n, length: 0x3000n },
      { iova: 0x3000n, length: 0x1000n },
    ],
    ["bytes that are all 0", "HWPT_ALLOC", { data: "efbe0000" }, { data: "00000000" }],
    ["a byte less", "HWPT_ALLOC", { data: "efbe0000" }, { data: "be0000" }],
  ])("with %s", (_, call, args, simple) => {
    expect(tried(call, args)).toContainEqual(simple);
  });

  test.each([
    ["MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: 1 }, "MOCK_DOMAIN", { pt_id: 1 }],
    [
      "DESTROY_ACCESS_PAGES",
      { access_fd: 1, access_pages_id: 0 },
      "CLOSE_ACCESS",
      { access_fd: 1 },
    ],
    ["MMAP", { va: 0n, length: 1n, prot: "r" }, "MUNMAP", { va: 0n, length: 1n }],
    ["MPROTECT", { va: 0n, length: 1n, prot: "r" }, "MUNMAP", { va: 0n, length: 1n }],
  ] as const)("%s: as its plainer sister", (call, args, sister, rest) => {
    expect(simpler({ call, in: args } as unknown as Step)[0]).toMatchObject({
      call: sister,
      in: rest,
    });
  });

  test("with what was made earlier", () => {
    const cdevs = [made("DEVICE_OPEN", "cdev0"), made("DEVICE_OPEN", "cdev1")];
    const devfd = new Handle("cdev1");
    expect(tried("VFIO_DETACH", { devfd }, cdevs)).toContainEqual({ devfd: new Handle("cdev0") });
    const tables = [
      made("MOCK_DOMAIN", "mock0"),
      made("HWPT_ALLOC", "hwpt0"),
      made("MOCK_DOMAIN_REPLACE", "pt0"),
    ];
    const names = tried("TRANSLATE", { hwpt_id: new Handle("pt0") }, tables);
    expect(names).toContainEqual({ hwpt_id: new Handle("hwpt0") });
    expect(names).toContainEqual({ hwpt_id: new Handle("mock0", "out_hwpt_id") });
  });

  test("with a place in a mapping instead of a number", () => {
    const before = [made("IOAS_ALLOC", "ioas0"), made("IOAS_MAP", "map0", { ioas_id: ioas(0) })];
    const args = { ioas_id: ioas(0), iova: 0x100_1000n };
    const iova = new Handle("map0", "", 0x1000n);
    expect(tried("IOAS_UNMAP", args, before)).toContainEqual({ ...args, iova });
  });

  test("with nothing that another file, or another address space, has given a number", () => {
    const other = new Handle("fd1");
    const spaces = [
      made("IOAS_ALLOC", "ioas0", {}, other),
      made("IOAS_ALLOC", "ioas1"),
      made("IOAS_ALLOC", "ioas2"),
    ];
    const ids = tried("IOAS_MAP", { ioas_id: ioas(2) }, spaces);
    expect(ids).toContainEqual({ ioas_id: ioas(1) });
    expect(ids).not.toContainEqual({ ioas_id: ioas(0) });
    const maps = [1, 2].map((n) => made("IOAS_MAP", `map${n}`, { ioas_id: ioas(n) }));
    const copy = {
      dst_ioas_id: ioas(1),
      src_ioas_id: ioas(2),
      src_iova: new Handle("map2"),
      dst_iova: 0n,
    };
    const copies = tried("IOAS_COPY", copy, [...spaces, ...maps]);
    expect(copies).not.toContainEqual({ ...copy, src_iova: new Handle("map1") });
    expect(copies).toContainEqual({ ...copy, dst_iova: new Handle("map1") });
  });

  test("with no handle that cannot be written down", () => {
    const args = { iova: new Handle("map0", "", 0x2000n), length: 2n ** 64n - 1n };
    const adds = tried("MD_CHECK_MAP", args, [made("IOAS_MAP", "map0")]).flatMap((one) => {
      const { iova } = one as { iova?: unknown };
      return iova instanceof Handle ? [iova.add] : [];
    });
    expect(adds).toContain(2n ** 64n - 1n);
    expect(adds.filter((add) => add >= 2n ** 64n)).toEqual([]);
  });
});
