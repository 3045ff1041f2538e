import { describe, expect, test } from "@jest/globals";
import {
  type Call,
  type CallName,
  FD_NOT_AN_IOMMUFD,
  FD_NOT_OPEN,
  type In,
  type OutcomeOf,
  shapeOf,
} from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
import { MOCK_PLATFORM, type Platform, VFIO_PLATFORM } from "../../spec/platform";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { RadixMachine } from "./machine";
import { nodePool } from "./node-pool";

const BUF = 0x2000_0000_0000n;
const IOVA = 0x100_0000n as Iova;
const PAGE = 0x1000n as Bytes;
const va = (offset: bigint): UserVa => (BUF + offset) as UserVa;

/** A machine with one open iommufd (0) and one IOAS (1). */
const boot = (platform: Platform) => {
  const machine = new RadixMachine(platform);
  const call = <K extends CallName>(name: K, given: Partial<In<K>> = {}, fd = 0) => {
    const args: Record<string, unknown> = { ...given };
    for (const [field, type] of Object.entries(shapeOf(name).in)) args[field] ??= ABSENT[type];
    const made = { call: name, proc: 0, thread: 0, fd, in: args };
    return machine.call(made as unknown as Call) as OutcomeOf<K>;
  };
  call("OPEN");
  call("IOAS_ALLOC");
  return { machine, call };
};

/** The same with cdevs 0..9 open and bindable. */
const bootVfio = () => {
  const world = boot(VFIO_PLATFORM);
  for (let dev = 0; dev < VFIO_PLATFORM.devices.length; dev += 1)
    world.call("DEVICE_OPEN", { dev });
  const bind = (devfd: number, iommufd = 0) =>
    world.call("VFIO_BIND", { devfd, argsz: 16, iommufd });
  const attach = (devfd: number, pt_id: number) =>
    world.call("VFIO_ATTACH", { devfd, argsz: 12, pt_id });
  const detach = (devfd: number) => world.call("VFIO_DETACH", { devfd, argsz: 8 });
  const dma = (devfd: number, dir: "to_device" | "from_device", iova: bigint, length = 4) =>
    world.call("DMA", { devfd, dir, iova: iova as Iova, length });
  const map = (flags: number, iova: bigint, offset = 0n, length: bigint = PAGE) =>
    world.call("IOAS_MAP", {
      flags: flags | 1,
      ioas_id: 1,
      user_va: va(offset),
      length: length as Bytes,
      iova: iova as Iova,
    });
  const ranges = (ioas_id: number) =>
    world.call("IOAS_IOVA_RANGES", { ioas_id, num_iovas: 16, writable_elems: 16 }).out;
  return { ...world, bind, attach, detach, dma, map, ranges };
};

describe("files", () => {
  test("a number that is not open is EBADF", () => {
    const { call } = boot(MOCK_PLATFORM);
    expect(call("IOAS_ALLOC", {}, 7)).toEqual({ errno: "EBADF" });
    expect(call("CLOSE", {}, -1)).toEqual({ errno: "EBADF" });
    expect(call("CLOSE", {}, 0)).toEqual({ errno: 0 });
    expect(call("DESTROY", { id: 1 }, 0)).toEqual({ errno: "EBADF" });
    expect(call("OPEN")).toEqual({ errno: 0, out: { fd: 1 } });
  });

  test("BIND tells the ways to name no iommufd apart (VFD-01, VFD-05)", () => {
    const { call, bind } = bootVfio();
    expect(bind(0, -1).errno).toBe("EINVAL");
    expect(bind(0, FD_NOT_OPEN).errno).toBe("EBADF");
    expect(bind(0, FD_NOT_AN_IOMMUFD).errno).toBe("EBADFD");
    call("CLOSE");
    expect(bind(0, 0).errno).toBe("EBADF");
    expect(bind(77, 0).errno).toBe("EBADF");
  });

  test("a bound device keeps the context, and what it maps, alive (OBJ-08)", () => {
    const before = nodePool.lent;
    const { machine, call, bind, attach, map, dma } = bootVfio();
    bind(0);
    attach(0, 1);
    map(6, IOVA);
    call("CLOSE");
    expect(dma(0, "to_device", IOVA)).toEqual({ errno: 0, out: { fault: 0, bytes: "00000000" } });
    expect(call("PROC_STATUS").out).toEqual({ VmPin_pages: 1, VmLck_pages: 0 });
    call("DEVICE_CLOSE", { devfd: 0 });
    expect(call("PROC_STATUS").out).toEqual({ VmPin_pages: 0, VmLck_pages: 0 });
    machine.end();
    expect(nodePool.lent).toBe(before);
  });

  test("a second file of a device gets a number of its own, and cannot bind it too", () => {
    const { call, bind } = bootVfio();
    expect(call("DEVICE_OPEN", { dev: 0 }).out).toEqual({ devfd: 1000 });
    expect(bind(0)).toEqual({ errno: 0, out: { out_devid: 2 } });
    expect(bind(1000).errno).toBe("EINVAL");
    call("DEVICE_CLOSE", { devfd: 0 });
    expect(bind(1000)).toEqual({ errno: 0, out: { out_devid: 2 } });
    expect(call("DEVICE_OPEN", { dev: 99 }).errno).toBe("ENOENT");
  });

  test("a machine that ends with everything alive returns its memory", () => {
    const before = nodePool.lent;
    const { machine, call } = boot(MOCK_PLATFORM);
    call("MOCK_DOMAIN", { pt_id: 1 });
    call("IOAS_MAP", { flags: 6, ioas_id: 1, user_va: va(0n), length: 0x4000n as Bytes });
    expect(nodePool.lent).toBeGreaterThan(before);
    machine.end();
    expect(nodePool.lent).toBe(before);
  });
});

describe("devices", () => {
  test("each reason to refuse a bind has its errno (DEV-01..05)", () => {
    const { call, bind } = bootVfio();
    expect([6, 7, 8, 9].map((devfd) => bind(devfd).errno)).toEqual([
      "EINVAL",
      "ENODEV",
      "EPERM",
      "EPERM",
    ]);
    expect(bind(2).errno).toBe(0);
    call("OPEN");
    expect(bind(3, 1).errno).toBe("EPERM");
    call("DEVICE_CLOSE", { devfd: 2 });
    expect(bind(3, 1).errno).toBe(0);
  });

  test("areas that meet inside a page cannot be mapped without huge pages (CPY-11)", () => {
    const { call } = boot(MOCK_PLATFORM);
    const half = 0x800n;
    call("IOAS_ALLOC");
    call("IOAS_ALLOC");
    const map = { flags: 5, ioas_id: 1, user_va: va(0n) };
    call("IOAS_MAP", { ...map, iova: IOVA, length: half as Bytes });
    call("IOAS_MAP", { ...map, iova: (IOVA + half) as Iova, length: (3n * half) as Bytes });
    for (const object_id of [2, 3]) call("OPTION", { option_id: 1, object_id, val64: 0n });
    const args = { flags: 5, src_ioas_id: 1, src_iova: IOVA, length: (2n * PAGE) as Bytes };
    const copy = (dst_ioas_id: number) =>
      call("IOAS_COPY", { ...args, dst_ioas_id, dst_iova: IOVA }).errno;
    call("MOCK_DOMAIN", { pt_id: 2 });
    expect(copy(2)).toBe("EINVAL");
    expect(copy(3)).toBe(0);
    expect(call("MOCK_DOMAIN", { pt_id: 3 }).errno).toBe("EINVAL");
    const pins = call("PAGE_REFS", { uptr: va(0n), length: (2n * PAGE) as Bytes }).out?.refs;
    expect(pins).toEqual([[0, 2]]);
  });

  test("the mock's check adds up where a page ends before it looks at it (TST-03)", () => {
    const { call } = boot(MOCK_PLATFORM);
    call("MOCK_DOMAIN", { pt_id: 1 });
    const check = (uptr: bigint) =>
      call("MD_CHECK_MAP", {
        hwpt_id: 4,
        iova: IOVA,
        length: 0x800n as Bytes,
        uptr: uptr as UserVa,
      }).errno;
    expect(check(U64_MAX - 0xfffn)).toBe("EOVERFLOW");
    expect(check(U64_MAX - 0x1fffn)).toBe("EFAULT");
  });

  test("an IOMMU with pages larger than the CPU's cannot be used (ALN-02)", () => {
    const { call, bind, attach, ranges } = bootVfio();
    bind(5);
    expect(attach(5, 1).errno).toBe("EINVAL");
    expect(ranges(1)?.array).toEqual([[0n, U64_MAX]]);
    expect(call("DESTROY", { id: 1 }).errno).toBe(0);
  });

  test("devices of different IOMMUs get HWPTs of their own in one IOAS (DEV-12, DEV-19)", () => {
    const { call, bind, attach, map, ranges } = bootVfio();
    map(6, IOVA);
    for (const devfd of [0, 1, 4]) bind(devfd);
    const [first, same, other] = [0, 1, 4].map((devfd) => attach(devfd, 1).out?.pt_id);
    expect(same).toBe(first);
    expect(other).not.toBe(first);
    expect(call("PROC_STATUS").out?.VmPin_pages).toBe(1);
    expect(ranges(1)?.array).toEqual([
      [0x1000n, 0xfedf_ffffn],
      [0xfef0_0000n, 0x7f_ffff_ffffn],
    ]);
    const whole = { iova: 0n as Iova, last: U64_MAX as Iova };
    const seen = [first, other].map((id) => call("TRANSLATE", { hwpt_id: id ?? 0, ...whole }).out);
    expect(seen[0]?.runs).toHaveLength(1);
    expect(seen[1]).toEqual(seen[0]);
    expect(attach(4, first ?? 0).errno).toBe("EINVAL");
  });

  test("a group shares one HWPT, and a replace moves all of it (DEV-15, DEV-32)", () => {
    const { call, bind, attach, detach, ranges } = bootVfio();
    call("IOAS_ALLOC");
    for (const devfd of [2, 3]) bind(devfd);
    const hwpt = attach(2, 1).out?.pt_id ?? 0;
    expect(attach(3, 2).errno).toBe("EINVAL");
    expect(attach(3, 1).out?.pt_id).toBe(hwpt);
    expect(ranges(1)?.array).toHaveLength(3);
    expect(attach(2, 2).errno).toBe(0);
    expect(ranges(1)?.array).toHaveLength(1);
    expect(ranges(2)?.array).toHaveLength(3);
    expect(attach(3, hwpt).errno).toBe("ENOENT");
    detach(3);
    expect(ranges(2)?.array).toHaveLength(2);
    expect(call("DESTROY", { id: 1 }).errno).toBe(0);
    expect(call("DESTROY", { id: 2 }).errno).toBe("EBUSY");
  });

  test("a replace that fails leaves both IOASs as they were (DEV-33)", () => {
    const { call, bind, attach, map, ranges, dma } = bootVfio();
    call("IOAS_ALLOC");
    for (const devfd of [2, 3]) bind(devfd);
    attach(2, 2);
    attach(3, 2);
    map(6, 0x200_0000n);
    const before = [ranges(1), ranges(2)];
    expect(attach(3, 1).errno).toBe("EADDRINUSE");
    expect([ranges(1), ranges(2)]).toEqual(before);
    expect(dma(2, "to_device", 0x200_0000n).out?.fault).toBe(1);
  });
});

describe("DMA", () => {
  test("goes through the page table of the domain", () => {
    const { call, bind, attach, detach, map, dma } = bootVfio();
    call("MEM_WRITE", { va: va(0xffen), bytes: "01020304" });
    expect(dma(0, "to_device", IOVA)).toEqual({ errno: "EINVAL" });
    bind(0);
    expect(dma(0, "to_device", IOVA)).toEqual({ errno: 0, out: { fault: 1 } });
    attach(0, 1);
    map(6, IOVA, 0n, 0x2000n);
    const read = dma(0, "to_device", IOVA + 0xffen);
    expect(read).toEqual({ errno: 0, out: { fault: 0, bytes: "01020304" } });
    expect(dma(0, "from_device", IOVA + 0x10n)).toEqual({ errno: 0, out: { fault: 0 } });
    expect(call("MEM_READ", { va: va(0xfn), length: 6 }).out?.bytes).toBe("000102030400");
    detach(0);
    expect(dma(0, "to_device", IOVA).out).toEqual({ fault: 1 });
    call("DEVICE_CLOSE", { devfd: 0 });
    expect(dma(0, "to_device", IOVA).errno).toBe("EBADF");
  });

  test("is blocked page by page, by permission and by absence", () => {
    const { call, bind, attach, map, dma } = bootVfio();
    bind(0);
    attach(0, 1);
    map(4, IOVA);
    map(2, IOVA + PAGE, PAGE);
    call("MEM_WRITE", { va: va(0xffen), bytes: "01020304" });
    expect(dma(0, "to_device", IOVA + 0xffcn).out).toEqual({ fault: 0, bytes: "00000102" });
    expect(dma(0, "to_device", IOVA + 0xffen).out).toEqual({ fault: 1 });
    expect(dma(0, "from_device", IOVA + 0xffen).out).toEqual({ fault: 1 });
    // The blocked read left the device's buffer zero; only the writable page took it.
    expect(call("MEM_READ", { va: va(0xffen), length: 4 }).out?.bytes).toBe("01020000");
    expect(dma(0, "to_device", U64_MAX - 1n).out).toEqual({ fault: 1 });
    expect(call("DMA", { devfd: 0, length: 60, device_offset: 5 }).errno).toBe("EINVAL");
  });
});

describe("memory of a process", () => {
  test("CPU accesses stop at the first byte that faults", () => {
    const { call } = boot(MOCK_PLATFORM);
    call("MPROTECT", { va: va(0x1000n), length: PAGE, prot: "r" });
    expect(call("MEM_WRITE", { va: va(0xffen), bytes: "aabbccdd" }).errno).toBe("EFAULT");
    expect(call("MEM_READ", { va: va(0xffdn), length: 4 }).out?.bytes).toBe("00aabb00");
    expect(call("MEM_READ", { va: va(0x1_fffen), length: 0xffff_ffff }).errno).toBe("EFAULT");
    expect(call("MUNMAP", { va: va(1n), length: PAGE }).errno).toBe("EINVAL");
  });

  test("pins are counted per page, holes in one run", () => {
    const { call } = boot(MOCK_PLATFORM);
    call("MOCK_DOMAIN", { pt_id: 1 });
    call("IOAS_MAP", { flags: 4, ioas_id: 1, user_va: va(0x1000n), length: 0x1800n as Bytes });
    call("MUNMAP", { va: va(0x1_f000n), length: PAGE });
    const refs = call("PAGE_REFS", { uptr: va(0n), length: 0x4_0000n as Bytes }).out?.refs;
    expect(refs).toEqual([
      [0, 1],
      [1, 2],
      [0, 28],
      ["EFAULT", 33],
    ]);
  });

  test("pages pinned a few at a time are all there, or none of them (TST-06)", () => {
    const { call } = boot(MOCK_PLATFORM);
    call("MOCK_DOMAIN", { pt_id: 1 });
    for (const limit of [0, 11]) {
      expect(call("SET_TEMP_MEMORY_LIMIT", { limit }).errno).toBe("EINVAL");
    }
    const args = { flags: 4, ioas_id: 1, user_va: va(0n), length: 0x7000n as Bytes };
    const refs = () => call("PAGE_REFS", { uptr: va(0n), length: 0x8000n as Bytes }).out?.refs;
    const whole = () => {
      expect(call("IOAS_MAP", args).errno).toBe(0);
      const seen = call("TRANSLATE", { hwpt_id: 4, iova: 0n as Iova, last: U64_MAX as Iova }).out;
      expect(refs()).toEqual([
        [1, 7],
        [0, 1],
      ]);
      expect(call("IOAS_UNMAP", { ioas_id: 1, length: U64_MAX as Bytes }).errno).toBe(0);
      return seen;
    };
    const usual = whole();
    for (const limit of [12, 16, 24]) {
      expect(call("SET_TEMP_MEMORY_LIMIT", { limit }).errno).toBe(0);
      expect(whole()).toEqual(usual);
    }
    call("MUNMAP", { va: va(0x5000n), length: PAGE });
    expect(call("IOAS_MAP", args).errno).toBe("EFAULT");
    expect(refs()).toEqual([
      [0, 5],
      ["EFAULT", 1],
      [0, 2],
    ]);
  });
});
