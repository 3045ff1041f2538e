import { expect, test } from "@jest/globals";
import { type Call, type CallName, type In, type OutcomeOf, shapeOf } from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { RadixMachine } from "./machine";
import { nodePool } from "./node-pool";

const PAGE = 0x1000n as Bytes;
const SHARED = 0x2000_0000_0000n as UserVa;
const PRIVATE = 0x2000_0010_0000n as UserVa;
const LOW = 0x100_0000n as Iova;
const pages = (count: number): Bytes => (BigInt(count) * PAGE) as Bytes;

/** Process 0 has iommufd 0 and in it IOAS 1. */
const boot = (platform = MOCK_PLATFORM) => {
  const machine = new RadixMachine(platform);
  const by =
    (proc: number, fd = 0) =>
    <K extends CallName>(name: K, given: Partial<In<K>> = {}) => {
      const args: Record<string, unknown> = { ...given };
      for (const [field, type] of Object.entries(shapeOf(name).in)) args[field] ??= ABSENT[type];
      const made = { call: name, proc, thread: 0, fd, in: args };
      return machine.call(made as unknown as Call) as OutcomeOf<K>;
    };
  const parent = by(0);
  parent("OPEN");
  parent("IOAS_ALLOC");
  return { machine, by, parent };
};

type Caller = ReturnType<ReturnType<typeof boot>["by"]>;
const map = (call: Caller, user_va: UserVa, count: number, ioas_id = 1) =>
  call("IOAS_MAP", { flags: 6, ioas_id, user_va, length: pages(count) });
/** In an IOAS without a domain, where the domain of a mock device will reach it. */
const mapLow = (call: Caller, user_va: UserVa, count: number, ioas_id = 1) =>
  call("IOAS_MAP", { flags: 7, ioas_id, user_va, length: pages(count), iova: LOW });
const refs = (call: Caller, uptr: UserVa, count: number) =>
  call("PAGE_REFS", { uptr, length: pages(count) }).out?.refs;

test("a context ends with the last number of its file (GEN-22)", () => {
  const { parent, by } = boot();
  expect(by(0, 9)("DUP").errno).toBe("EBADF");
  const fd = parent("DUP").out?.fd ?? -1;
  const other = by(0, fd);
  expect(other("MOCK_DOMAIN", { pt_id: 1 }).errno).toBe(0);
  expect(map(parent, SHARED, 2).errno).toBe(0);
  expect(parent("CLOSE").errno).toBe(0);
  expect(parent("IOAS_ALLOC").errno).toBe("EBADF");
  expect(parent("PROC_STATUS").out?.VmPin_pages).toBe(2);
  expect(other("IOAS_ALLOC").errno).toBe(0);
  expect(other("CLOSE").errno).toBe(0);
  expect(parent("PROC_STATUS").out?.VmPin_pages).toBe(0);
});

test("a child has the numbers that its parent had, and each closes its own", () => {
  const { parent, by } = boot();
  const fd = parent("DUP").out?.fd ?? -1;
  parent("FORK", { child: 1 });
  expect(by(1, fd)("CLOSE").errno).toBe(0);
  expect(by(1, fd)("IOAS_ALLOC").errno).toBe("EBADF");
  expect(by(1)("IOAS_ALLOC").errno).toBe(0);
  expect(by(0, fd)("CLOSE").errno).toBe(0);
  expect(parent("CLOSE").errno).toBe(0);
  expect(by(1)("DESTROY", { id: 1 }).errno).toBe(0);
});

test("a limit binds those without CAP_IPC_LOCK, user-wide, and only what is newly pinned", () => {
  const { parent } = boot();
  parent("MOCK_DOMAIN", { pt_id: 1 });
  parent("SETRLIMIT_MEMLOCK", { cur: pages(4), max: pages(8) });
  expect(map(parent, SHARED, 5).errno).toBe(0);
  expect(parent("SETUID", { uid: 1000 }).errno).toBe(0);
  expect(map(parent, SHARED, 5).errno).toBe("ENOMEM");
  expect(parent("PROC_STATUS").out).toEqual({ VmPin_pages: 5, VmLck_pages: 0 });
  expect(map(parent, SHARED, 4).errno).toBe(0);
  expect(map(parent, SHARED, 1).errno).toBe("ENOMEM");
  // Below what is charged: what costs nothing still goes.
  expect(parent("SETRLIMIT_MEMLOCK", { cur: pages(1), max: pages(8) }).errno).toBe(0);
  expect(parent("MOCK_DOMAIN", { pt_id: 1 }).errno).toBe(0);
  expect(parent("PROC_STATUS").out).toEqual({ VmPin_pages: 9, VmLck_pages: 0 });
});

test("who pays is settled by the MAP, whoever the process becomes (ACT-01)", () => {
  const { parent } = boot();
  mapLow(parent, SHARED, 2);
  parent("SETRLIMIT_MEMLOCK", { cur: pages(1), max: pages(1) });
  parent("SETUID", { uid: 1000 });
  expect(parent("MOCK_DOMAIN", { pt_id: 1 }).errno).toBe(0);
});

test("by process, locked memory of the process counts (ACT-03)", () => {
  const { parent } = boot();
  parent("DESTROY", { id: 1 });
  expect(parent("OPTION", { option_id: 0, op: 0, val64: 1n }).errno).toBe(0);
  parent("SETRLIMIT_MEMLOCK", { cur: pages(4), max: pages(4) });
  parent("SETUID", { uid: 7 });
  parent("IOAS_ALLOC");
  parent("MOCK_DOMAIN", { pt_id: 1 });
  expect(map(parent, SHARED, 4).errno).toBe(0);
  expect(parent("PROC_STATUS").out).toEqual({ VmPin_pages: 4, VmLck_pages: 4 });
  expect(map(parent, SHARED, 1).errno).toBe("ENOMEM");
  expect(parent("IOAS_UNMAP", { ioas_id: 1, length: U64_MAX as Bytes }).errno).toBe(0);
  expect(parent("PROC_STATUS").out).toEqual({ VmPin_pages: 0, VmLck_pages: 0 });
});

test("the charge of a user comes from all processes of that user", () => {
  const { by, parent } = boot();
  const child = by(1);
  parent("MOCK_DOMAIN", { pt_id: 1 });
  parent("SETRLIMIT_MEMLOCK", { cur: pages(4), max: pages(4) });
  parent("SETUID", { uid: 7 });
  parent("FORK", { child: 1 });
  expect(map(parent, SHARED, 3).errno).toBe(0);
  expect(map(child, SHARED, 2).errno).toBe("ENOMEM");
  expect(map(child, SHARED, 1).errno).toBe(0);
  expect(child("PROC_STATUS").out).toEqual({ VmPin_pages: 1, VmLck_pages: 0 });
});

test("limits and users change one way", () => {
  const { parent } = boot();
  const limit = (cur: bigint, max: bigint) =>
    parent("SETRLIMIT_MEMLOCK", { cur: cur as Bytes, max: max as Bytes }).errno;
  expect(limit(2n, 1n)).toBe("EINVAL");
  expect(limit(1n, 1n)).toBe(0);
  expect(limit(1n, 2n)).toBe(0);
  expect(parent("SETUID", { uid: 0 }).errno).toBe(0);
  expect(parent("SETUID", { uid: 7 }).errno).toBe(0);
  expect(limit(1n, 3n)).toBe("EPERM");
  expect(limit(2n, 2n)).toBe(0);
  expect(parent("SETUID", { uid: 7 }).errno).toBe(0);
  expect(parent("SETUID", { uid: 0 }).errno).toBe("EPERM");
});

test("a child has the files that its parent had, and each closes its own", () => {
  const { by, parent } = boot();
  const child = by(9);
  expect(child("IOAS_ALLOC")).toEqual({ errno: "ESRCH" });
  expect(parent("FORK", { child: 9 })).toEqual({ errno: 0 });
  expect(parent("FORK", { child: 9 })).toEqual({ errno: "EINVAL" });
  expect(child("FORK", { child: 0 })).toEqual({ errno: "EINVAL" });
  expect(child("IOAS_ALLOC").out).toEqual({ out_ioas_id: 2 });
  expect(child("OPEN").out).toEqual({ fd: 1 });
  expect(by(0, 1)("IOAS_ALLOC")).toEqual({ errno: "EBADF" });
  expect(parent("CLOSE")).toEqual({ errno: 0 });
  expect(parent("CLOSE")).toEqual({ errno: "EBADF" });
  expect(child("DESTROY", { id: 2 })).toEqual({ errno: 0 });
  expect(child("EXIT")).toEqual({ errno: 0 });
  expect(child("EXIT")).toEqual({ errno: "ESRCH" });
  expect(parent("FORK", { child: 9 })).toEqual({ errno: "EINVAL" });
});

test("files of devices are inherited, and the last one that closes unbinds", () => {
  const { by, parent } = boot(VFIO_PLATFORM);
  const child = by(1);
  parent("DEVICE_OPEN", { dev: 0 });
  parent("VFIO_BIND", { devfd: 0, argsz: 16 });
  parent("FORK", { child: 1 });
  expect(parent("DEVICE_CLOSE", { devfd: 0 }).errno).toBe(0);
  expect(parent("VFIO_DETACH", { devfd: 0, argsz: 8 }).errno).toBe("EBADF");
  expect(child("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 1 }).errno).toBe(0);
  expect(parent("DESTROY", { id: 2 }).errno).toBe("EBUSY");
  child("EXIT");
  expect(parent("DESTROY", { id: 2 }).errno).toBe("ENOENT");
});

test("a child shares shared memory and has a copy of the rest", () => {
  const { by, parent } = boot();
  const child = by(1);
  for (const va of [SHARED, PRIVATE]) parent("MEM_WRITE", { va, bytes: "11" });
  parent("MOCK_DOMAIN", { pt_id: 1 });
  map(parent, PRIVATE, 2);
  map(parent, SHARED, 2);
  parent("FORK", { child: 1 });
  for (const va of [SHARED, PRIVATE]) {
    expect(child("MEM_READ", { va, length: 1 }).out).toEqual({ bytes: "11" });
    child("MEM_WRITE", { va, bytes: "22" });
  }
  expect(parent("MEM_READ", { va: SHARED, length: 1 }).out).toEqual({ bytes: "22" });
  expect(parent("MEM_READ", { va: PRIVATE, length: 1 }).out).toEqual({ bytes: "11" });
  expect(refs(parent, PRIVATE, 2)).toEqual([[1, 2]]);
  expect(refs(child, PRIVATE, 2)).toEqual([[0, 2]]);
  expect(refs(child, SHARED, 2)).toEqual([[1, 2]]);
  // What one of them unmaps, the other keeps.
  child("MUNMAP", { va: SHARED, length: PAGE });
  expect(parent("MEM_READ", { va: SHARED, length: 1 }).out).toEqual({ bytes: "22" });
});

test("pages that are pinned outlive their process; others cannot be pinned any more (MAP-33)", () => {
  const before = nodePool.lent;
  const { machine, by, parent } = boot();
  const child = by(1);
  parent("FORK", { child: 1 });
  parent("IOAS_ALLOC");
  parent("MOCK_DOMAIN", { pt_id: 1 });
  const pinned = map(child, PRIVATE, 2).out?.iova as Iova;
  mapLow(child, PRIVATE, 2, 2);
  child("EXIT");
  expect(parent("MOCK_DOMAIN", { pt_id: 2 }).errno).toBe("EFAULT");
  const copied = parent("IOAS_COPY", {
    flags: 6,
    dst_ioas_id: 1,
    src_ioas_id: 1,
    src_iova: pinned,
    length: pages(2),
  });
  expect(copied.errno).toBe(0);
  expect(parent("IOAS_UNMAP", { ioas_id: 1, length: U64_MAX as Bytes }).errno).toBe(0);
  machine.end();
  expect(nodePool.lent).toBe(before);
});

test("an access reaches what a process has pinned when that is gone, and nothing else", () => {
  const { by, parent } = boot();
  const child = by(1);
  parent("FORK", { child: 1 });
  child("MEM_WRITE", { va: PRIVATE, bytes: "55" });
  expect(mapLow(child, PRIVATE, 2).errno).toBe(0);
  parent("CREATE_ACCESS", { ioas_id: 1, flags: 1 });
  const read = (page: number) => {
    const iova = (LOW + pages(page)) as Iova;
    const length = 1n as Bytes;
    const { errno, out } = parent("ACCESS_RW", { access_fd: 3, iova, length, accessible_bytes: 1 });
    return out?.data ?? errno;
  };
  parent("ACCESS_PAGES", { access_fd: 3, iova: LOW, length: PAGE });
  expect([read(0), read(1)]).toEqual(["55", "00"]);
  child("EXIT");
  expect([read(0), read(1)]).toEqual(["55", "EFAULT"]);
});
