import { describe, expect, test } from "@jest/globals";
import { Handle, parseHandle } from "./handle";
import { MOCK_PLATFORM } from "./platform";
import { LOST, Resolver } from "./resolve";
import type { Step } from "./trace";
import { U64_MAX } from "./units";

const unmap = (iova: Handle): Step => ({
  call: "IOAS_UNMAP",
  fd: new Handle("fd0"),
  in: { ioas_id: new Handle("ioas0"), iova: iova as never },
});
const ALLOC: Step = { call: "IOAS_ALLOC", as: "ioas0", fd: 0, in: {} };
const MAP: Step = { call: "IOAS_MAP", as: "map0", fd: 0, in: {} };

const argsOf = (resolver: Resolver, step: Step) =>
  resolver.resolve(step).in as unknown as Record<string, unknown>;

describe("the resolver", () => {
  test("fills what is left out with zeros", () => {
    expect(new Resolver(MOCK_PLATFORM).resolve({ call: "IOAS_ALLOC", fd: 3, in: {} })).toEqual({
      call: "IOAS_ALLOC",
      proc: 0,
      thread: 0,
      fd: 3,
      in: { flags: 0 },
    });
  });

  test("a bare handle is the first output of its call, a constant is added modulo 2^64", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    resolver.note(MAP, { errno: 0, out: { iova: U64_MAX as never } });
    resolver.note(ALLOC, { errno: 0, out: { out_ioas_id: 7 } });
    expect(argsOf(resolver, unmap(new Handle("map0")))).toMatchObject({
      ioas_id: 7,
      iova: U64_MAX,
    });
    expect(argsOf(resolver, unmap(new Handle("map0", "iova", 2n)))).toMatchObject({ iova: 1n });
    expect(argsOf(resolver, unmap(new Handle("map0", "", -1n)))).toMatchObject({
      iova: U64_MAX - 1n,
    });
  });

  test("a memory region is its address", () => {
    const region = argsOf(new Resolver(MOCK_PLATFORM), unmap(new Handle("buf1", "", 0x800n)));
    expect(region).toMatchObject({ iova: 0x2000_0010_0800n });
  });

  test("a handle that was never made, failed, or is of the wrong width never works", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    const lost = { ioas_id: LOST.id, iova: LOST.u64 };
    expect(argsOf(resolver, unmap(new Handle("map0")))).toMatchObject(lost);
    expect(resolver.resolve(unmap(new Handle("map0"))).fd).toBe(LOST.fd);
    resolver.note(MAP, { errno: "EINVAL" });
    expect(argsOf(resolver, unmap(new Handle("map0", "iova", 5n)))).toMatchObject(lost);
    resolver.note(ALLOC, { errno: 0, out: { out_ioas_id: 7 } });
    expect(argsOf(resolver, unmap(new Handle("ioas0")))).toMatchObject({ iova: LOST.u64 });
  });

  test("what an in-kernel user pinned is found by its number, which may be 0", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    const unpin: Step = {
      call: "DESTROY_ACCESS_PAGES",
      fd: 0,
      in: { access_pages_id: new Handle("pages0") },
    };
    expect(argsOf(resolver, unpin)).toMatchObject({ access_pages_id: LOST.item });
    const pin: Step = { call: "ACCESS_PAGES", as: "pages0", fd: 0, in: {} };
    resolver.note(pin, { errno: 0, out: { out_access_pages_id: 0 } });
    expect(argsOf(resolver, unpin)).toMatchObject({ access_pages_id: 0 });
  });

  test("a page response names its fault by the record that brought it", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    const read: Step = { call: "FAULT_READ", as: "read0", in: {} };
    const record = {
      flags: 2,
      dev_id: 1,
      pasid: 0,
      grpid: 0,
      perm: 1,
      reserved: 0,
      addr: 0n,
      length: 0,
    };
    const records = [
      { ...record, cookie: 5 },
      { ...record, cookie: 8 },
    ];
    resolver.note(read, { errno: 0, out: { records } });
    const write: Step = {
      call: "FAULT_WRITE",
      in: {
        responses: [
          { cookie: new Handle("read0", "cookie1"), code: 1 },
          { cookie: new Handle("read0", "cookie2"), code: 0 },
          { cookie: 3, code: 0 },
        ],
      },
    };
    expect(argsOf(resolver, write)["responses"]).toEqual([
      { cookie: 8, code: 1 },
      { cookie: LOST.id, code: 0 },
      { cookie: 3, code: 0 },
    ]);
  });

  test("an output that the call does not have never works", () => {
    const resolver = new Resolver(MOCK_PLATFORM);
    resolver.note(MAP, { errno: 0, out: { iova: 1n as never } });
    expect(argsOf(resolver, unmap(new Handle("map0", "nosuch")))).toMatchObject({ iova: LOST.u64 });
  });
});

describe("handles as text", () => {
  test.each(["map3", "map3.iova", "map3.iova + 0x1000", "buf1 - 0x800", "mock0.out_hwpt_id"])(
    "%s reads as it is written",
    (text) => expect(String(parseHandle(text))).toBe(text),
  );

  test.each(["", "map", "3map", "map3.", "map3+0x1", "map3 + 1", "map3 + 0x", "Map3", "map3 "])(
    "%j is no handle",
    (text) => expect(parseHandle(text)).toBeUndefined(),
  );
});
