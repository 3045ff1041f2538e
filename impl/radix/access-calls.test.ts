import { expect, test } from "@jest/globals";
import type { In } from "../../spec/calls";
import { MOCK_PLATFORM } from "../../spec/platform";
import {
  ACCESS_NEEDS_PIN_PAGES,
  ACCESS_PAGES_WRITE,
  ACCESS_RW_SLOW_PATH,
  ACCESS_RW_WRITE,
  MAP_FIXED_IOVA,
  MAP_READABLE,
  MAP_WRITEABLE,
} from "../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { boot } from "./fixture";
import { nodePool } from "./node-pool";

const BUF = 0x2000_0000_0000n as UserVa;
const LOW = 0x100_0000n as Iova;
const PAGE = 0x1000n as Bytes;
const RW = MAP_READABLE | MAP_WRITEABLE;
const FILE = 3;
const pages = (count: number): Bytes => (BigInt(count) * PAGE) as Bytes;
const page = <T extends bigint>(start: T, index: number): T => (start + pages(index)) as T;

/** Access file 3 (object 2) is on IOAS 1, where four pages of the buffer are mapped from LOW on. */
const bootWithAccess = (flags = ACCESS_NEEDS_PIN_PAGES) => {
  const world = boot(MOCK_PLATFORM);
  const { call } = world;
  const map = (iova: Iova, user_va: UserVa, count: number, perm = RW) =>
    call("IOAS_MAP", {
      flags: MAP_FIXED_IOVA | perm,
      ioas_id: 1,
      iova,
      user_va,
      length: pages(count),
    }).errno;
  map(LOW, BUF, 4);
  const create = (ioas_id = 1) => call("CREATE_ACCESS", { ioas_id, flags });
  expect(create().out).toEqual({ out_access_fd: FILE });
  const pin = (first: number, count: number, given: Partial<In<"ACCESS_PAGES">> = {}) =>
    call("ACCESS_PAGES", {
      access_fd: FILE,
      flags: ACCESS_PAGES_WRITE,
      iova: page(LOW, first),
      length: pages(count),
      ...given,
    });
  const unpin = (access_pages_id: number) =>
    call("DESTROY_ACCESS_PAGES", { access_fd: FILE, access_pages_id }).errno;
  const rw = (given: Partial<In<"ACCESS_RW">>) =>
    call("ACCESS_RW", { access_fd: FILE, iova: LOW, accessible_bytes: 0x10000, ...given });
  const refs = (count = 4) => call("PAGE_REFS", { uptr: BUF, length: pages(count) }).out?.refs;
  const vmPin = () => call("PROC_STATUS").out?.VmPin_pages;
  const attach = () => {
    const { out_stdev_id = 0, out_hwpt_id = 0 } = call("MOCK_DOMAIN", { pt_id: 1 }).out ?? {};
    return { out_stdev_id, out_hwpt_id };
  };
  const unmap = (first: number, count: number) =>
    call("IOAS_UNMAP", { ioas_id: 1, iova: page(LOW, first), length: pages(count) }).errno;
  return { ...world, map, create, pin, unpin, rw, refs, vmPin, attach, unmap };
};

test("an access takes an object id, uses its IOAS, and goes with its file", () => {
  const { call, create } = bootWithAccess();
  expect(call("DESTROY", { id: 2 }).errno).toBe("EBUSY");
  expect(call("DESTROY", { id: 1 }).errno).toBe("EBUSY");
  expect(create(2).errno).toBe("ENOENT");
  expect(call("FAULT_QUEUE_ALLOC").out).toEqual({ out_fault_id: 3, out_fault_fd: 4 });
  expect(call("CLOSE_ACCESS", { access_fd: 4 }).errno).toBe("EBADF");
  expect(call("CLOSE_ACCESS", { access_fd: FILE }).errno).toBe(0);
  expect(call("CLOSE_ACCESS", { access_fd: FILE }).errno).toBe("EBADF");
  expect(call("DESTROY", { id: 2 }).errno).toBe("ENOENT");
  expect(call("DESTROY", { id: 1 }).errno).toBe(0);
});

test("an access keeps the context and its pins when the iommufd is closed", () => {
  const before = nodePool.lent;
  const { call, machine, pin, attach } = bootWithAccess();
  attach();
  pin(0, 4);
  call("OPEN");
  call("CLOSE");
  const refs = () => call("PAGE_REFS", { uptr: BUF, length: pages(4) }).errno;
  expect(refs()).toBe("EBADF");
  expect(call("PROC_STATUS").out?.VmPin_pages).toBe(4);
  call("CLOSE_ACCESS", { access_fd: FILE });
  expect(call("PROC_STATUS").out?.VmPin_pages).toBe(0);
  machine.end();
  expect(nodePool.lent).toBe(before);
});

test("one that pins needs whole pages, as long as it is there", () => {
  const { call, create } = bootWithAccess();
  const alignment = (ioas_id: number) =>
    call("IOAS_IOVA_RANGES", { ioas_id, num_iovas: 1, writable_elems: 1 }).out?.out_iova_alignment;
  expect(alignment(1)).toBe(PAGE);
  call("CLOSE_ACCESS", { access_fd: FILE });
  expect(alignment(1)).toBe(1n);
  const odd = 0x200_0001n as Iova;
  const length = 1n as Bytes;
  call("IOAS_MAP", { flags: MAP_FIXED_IOVA | RW, ioas_id: 1, iova: odd, user_va: BUF, length });
  expect(create().errno).toBe("EADDRINUSE");
  expect(call("CREATE_ACCESS", { ioas_id: 1 }).errno).toBe(0);
  expect(alignment(1)).toBe(1n);
});

test("however many hold a page, it is pinned and charged once", () => {
  const { call, pin, unpin, refs, vmPin, attach } = bootWithAccess();
  expect(pin(0, 3).out).toEqual({ out_access_pages_id: 0 });
  expect(pin(1, 3).out).toEqual({ out_access_pages_id: 1 });
  expect(pin(1, 3).out).toEqual({ out_access_pages_id: 2 });
  expect([refs(), vmPin()]).toEqual([[[1, 4]], 4]);
  const { out_stdev_id } = attach();
  attach();
  expect([refs(), vmPin()]).toEqual([[[1, 4]], 4]);
  unpin(0);
  expect(unpin(0)).toBe("ENOENT");
  call("DESTROY", { id: out_stdev_id });
  expect(refs()).toEqual([[1, 4]]);
  call("DESTROY", { id: out_stdev_id + 3 });
  expect([refs(), vmPin()]).toEqual([
    [
      [0, 1],
      [1, 3],
    ],
    3,
  ]);
  unpin(1);
  expect(vmPin()).toBe(3);
  unpin(2);
  expect([refs(), vmPin()]).toEqual([[[0, 4]], 0]);
});

test("domains and accesses take pages over from each other, whatever is mapped there now", () => {
  const { call, pin, unpin, attach, vmPin } = bootWithAccess();
  pin(0, 2);
  call("MMAP", { va: BUF, length: pages(4), prot: "rw", kind: "anon-shared" });
  const { out_stdev_id: first, out_hwpt_id } = attach();
  const runs = (hwpt_id: number) => call("TRANSLATE", { hwpt_id, last: U64_MAX as Iova }).out?.runs;
  const held = runs(out_hwpt_id);
  expect(pin(0, 2, { uptr: BUF }).errno).toBe("EBADE");
  expect(pin(2, 2, { uptr: page(BUF, 2) }).errno).toBe(0);
  unpin(0);
  call("MMAP", { va: BUF, length: pages(4), prot: "rw", kind: "anon-shared" });
  expect(pin(0, 4).out).toEqual({ out_access_pages_id: 2 });
  call("DESTROY", { id: first });
  expect(vmPin()).toBe(4);
  expect(runs(attach().out_hwpt_id)).toEqual(held);
});

test("a pin that fails leaves nothing pinned, and its number to the next one", () => {
  const { call, map, pin, refs, vmPin } = bootWithAccess();
  map(page(LOW, 4), page(BUF, 4), 1, MAP_READABLE);
  map(page(LOW, 6), 0x3000_0000_0000n as UserVa, 1);
  expect(pin(0, 0).errno).toBe("EINVAL");
  expect(pin(0, 1, { iova: U64_MAX as Iova, length: 2n as Bytes }).errno).toBe("EOVERFLOW");
  expect(pin(0, 1, { iova: (LOW + 1n) as Iova }).errno).toBe("EINVAL");
  expect(pin(0, 5).errno).toBe("EPERM");
  expect(pin(0, 6, { flags: 0 }).errno).toBe("ENOENT");
  expect(pin(6, 1).errno).toBe("EFAULT");
  expect(pin(0, 2, { uptr: page(BUF, 1) }).errno).toBe("EBADE");
  expect(pin(0, 1, { uptr: 0x3000_0000_0000n as UserVa }).errno).toBe("EFAULT");
  expect(pin(0, 1, { flags: 2 }).errno).toBe("EOPNOTSUPP");
  expect(pin(0, 1, { length: 0x100_0001n as Bytes }).errno).toBe("ENOMEM");
  expect(pin(0, 1, { access_fd: 9 }).errno).toBe("EBADFD");
  expect([refs(5), vmPin()]).toEqual([[[0, 5]], 0]);
  call("SETRLIMIT_MEMLOCK", { cur: pages(1), max: pages(1) });
  expect(pin(0, 5, { flags: 0 }).out).toEqual({ out_access_pages_id: 0 });
});

test("pins of an access count against the limit of the one who mapped", () => {
  const { call, map, pin, vmPin, attach } = bootWithAccess();
  call("SETRLIMIT_MEMLOCK", { cur: pages(2), max: pages(2) });
  call("SETUID", { uid: 1000 });
  map(page(LOW, 4), page(BUF, 4), 4);
  expect(pin(4, 3).errno).toBe("ENOMEM");
  expect(vmPin()).toBe(0);
  expect(pin(4, 2).errno).toBe(0);
  expect(pin(5, 1).errno).toBe(0);
  expect(pin(6, 1).errno).toBe("ENOMEM");
  expect(pin(0, 4).errno).toBe(0);
  expect(vmPin()).toBe(6);
  expect(call("MOCK_DOMAIN", { pt_id: 1 }).errno).toBe("ENOMEM");
  call("IOAS_UNMAP", { ioas_id: 1, iova: page(LOW, 4), length: pages(4) });
  attach();
  expect(vmPin()).toBe(4);
});

test("an unmap asks for what it needs, and only for that", () => {
  const { map, pin, unpin, refs, unmap } = bootWithAccess();
  map(page(LOW, 4), page(BUF, 4), 2);
  pin(0, 1);
  pin(3, 2);
  pin(4, 2);
  expect(unmap(0, 3)).toBe("ENOENT");
  expect(unmap(0, 4)).toBe(0);
  expect(refs(6)).toEqual([
    [0, 4],
    [1, 2],
  ]);
  expect([unpin(0), unpin(1)]).toEqual(["ENOENT", "ENOENT"]);
  expect(unmap(4, 2)).toBe(0);
  expect(refs(6)).toEqual([[0, 6]]);
  expect(unpin(2)).toBe("ENOENT");
});

test("a replace lets go of everything; one that fails, or goes nowhere, of nothing", () => {
  const { call, pin, unpin, refs, create } = bootWithAccess();
  call("IOAS_ALLOC");
  const replace = (ioas_id: number) =>
    call("ACCESS_REPLACE_IOAS", { access_fd: FILE, ioas_id }).errno;
  call("IOAS_MAP", { flags: RW, ioas_id: 3, user_va: (BUF + 1n) as UserVa, length: 1n as Bytes });
  pin(0, 4);
  expect([replace(3), replace(9), replace(1)]).toEqual(["EADDRINUSE", "ENOENT", 0]);
  expect(refs()).toEqual([[1, 4]]);
  call("IOAS_UNMAP", { ioas_id: 3, length: U64_MAX as Bytes });
  expect(replace(3)).toBe(0);
  expect(refs()).toEqual([[0, 4]]);
  expect(unpin(0)).toBe("ENOENT");
  expect(call("DESTROY", { id: 1 }).errno).toBe(0);
  expect(create(3).errno).toBe(0);
});

test("a mapping that is pinned cannot be cut", () => {
  const { call, pin, unpin, refs } = bootWithAccess();
  call("VFIO_IOAS", { op: 1, ioas_id: 1 });
  expect(call("VFIO_SET_IOMMU", { arg: 1n }).errno).toBe(0);
  const unmapHalf = () => call("VFIO_UNMAP_DMA", { argsz: 24, iova: LOW, size: pages(2) }).errno;
  pin(3, 1);
  expect(unmapHalf()).toBe("EINVAL");
  expect(refs()).toEqual([
    [0, 3],
    [1, 1],
  ]);
  unpin(0);
  expect(unmapHalf()).toBe(0);
  expect(pin(2, 2).errno).toBe(0);
});

test("bytes go wherever the mappings lead, across their borders, and leave no pin", () => {
  const { call, map, rw, refs } = bootWithAccess(0);
  map(page(LOW, 4), page(BUF, 8), 1);
  const iova = (page(LOW, 4) - 2n) as Iova;
  for (const flags of [ACCESS_RW_WRITE, ACCESS_RW_WRITE | ACCESS_RW_SLOW_PATH]) {
    const data_repeat = flags === ACCESS_RW_WRITE ? "0102ff" : "0a0b0c";
    expect(rw({ iova, length: 4n as Bytes, flags, data_repeat })).toEqual({ errno: 0 });
    const read = (va: bigint) => call("MEM_READ", { va: va as UserVa, length: 2 }).out?.bytes;
    const [a, b, c] = data_repeat.match(/../g)!;
    expect(read(page(BUF, 4) - 2n)).toBe(`${a}${b}`);
    expect(read(page(BUF, 8))).toBe(`${c}${a}`);
    const back = rw({ iova, length: 4n as Bytes, flags: flags & ACCESS_RW_SLOW_PATH });
    expect(back).toEqual({ errno: 0, out: { data: `${a}${b}${c}${a}` } });
  }
  expect(refs()).toEqual([[0, 4]]);
});

test("a transfer fails like a device's, or for the driver's own reasons", () => {
  const { map, rw } = bootWithAccess(0);
  map(page(LOW, 4), page(BUF, 4), 1, MAP_READABLE);
  const length = 8n as Bytes;
  const write = { length, flags: ACCESS_RW_WRITE };
  expect(rw({}).errno).toBe("EINVAL");
  expect(rw({ iova: U64_MAX as Iova, length }).errno).toBe("EOVERFLOW");
  expect(rw({ ...write, iova: page(LOW, 4) }).errno).toBe("EPERM");
  expect(rw({ length: pages(6) }).errno).toBe("ENOENT");
  expect(rw({ ...write, accessible_bytes: 7 }).errno).toBe("EFAULT");
  expect(rw({ length, accessible_bytes: 7 })).toEqual({ errno: "EFAULT" });
  expect(rw({ length, flags: 2 }).errno).toBe("EOPNOTSUPP");
  expect(rw({ length: 0x100_0001n as Bytes }).errno).toBe("ENOMEM");
  expect(rw({ length, access_fd: 0 }).errno).toBe("EBADFD");
});

test("only the slow path over more than a page takes the pages that are pinned", () => {
  const { call, pin, rw } = bootWithAccess();
  call("MEM_WRITE", { va: page(BUF, 1), bytes: "aa" });
  pin(0, 2);
  call("MMAP", { va: BUF, length: pages(2), prot: "rw", kind: "anon-shared" });
  call("MEM_WRITE", { va: page(BUF, 1), bytes: "bb" });
  const length = 1n as Bytes;
  const slow = { flags: ACCESS_RW_SLOW_PATH };
  expect(rw({ iova: page(LOW, 1), length }).out?.data).toBe("bb");
  expect(rw({ iova: page(LOW, 1), length, ...slow }).out?.data).toBe("bb");
  const two = { iova: (page(LOW, 1) - 1n) as Iova, length: 2n as Bytes };
  expect(rw(two).out?.data).toBe("00bb");
  expect(rw({ ...two, ...slow }).out?.data).toBe("00aa");
});

test("the slow path moves nothing into pages of which one cannot be pinned, and pays nothing", () => {
  const { call, map, rw, vmPin } = bootWithAccess(0);
  call("SETRLIMIT_MEMLOCK", { cur: 0n as Bytes, max: 0n as Bytes });
  call("SETUID", { uid: 1000 });
  map(page(LOW, 4), page(BUF, 4), 4);
  call("MUNMAP", { va: page(BUF, 6), length: PAGE });
  const first = () => call("MEM_READ", { va: page(BUF, 4), length: 1 }).out?.bytes;
  const write = (flags: number, count: number, data_repeat: string) =>
    rw({ iova: page(LOW, 4), length: pages(count), flags: flags | ACCESS_RW_WRITE, data_repeat })
      .errno;
  expect([write(ACCESS_RW_SLOW_PATH, 3, "11"), first()]).toEqual(["EFAULT", "00"]);
  expect([write(0, 3, "22"), first()]).toEqual(["EFAULT", "22"]);
  expect([write(ACCESS_RW_SLOW_PATH, 2, "33"), first(), vmPin()]).toEqual([0, "33", 0]);
});
