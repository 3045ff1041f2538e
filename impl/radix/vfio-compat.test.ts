import { describe, expect, test } from "@jest/globals";
import { type Call, type CallName, type In, type OutcomeOf, shapeOf } from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
import { MOCK_PLATFORM, type Platform, VFIO_PLATFORM } from "../../spec/platform";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { RadixMachine } from "./machine";

const BUF = 0x2000_0000_0000n as UserVa;
const LOW = 0x100_0000n;
const TYPE1 = 1n;
const TYPE1v2 = 3n;

/** An iommufd with IOAS 1; unless told otherwise it stands in for a container. */
const boot = (platform: Platform = MOCK_PLATFORM, container = true) => {
  const machine = new RadixMachine(platform);
  const call = <K extends CallName>(name: K, given: Partial<In<K>> = {}) => {
    const args: Record<string, unknown> = { ...given };
    for (const [field, type] of Object.entries(shapeOf(name).in)) args[field] ??= ABSENT[type];
    const made = { call: name, proc: 0, thread: 0, fd: 0, in: args };
    return machine.call(made as unknown as Call) as OutcomeOf<K>;
  };
  call("OPEN");
  call("IOAS_ALLOC");
  if (container) call("VFIO_IOAS", { op: 1, ioas_id: 1 });
  const map = (iova: bigint, size: bigint, flags = 3, argsz = 32) =>
    call("VFIO_MAP_DMA", { argsz, flags, vaddr: BUF, iova: iova as Iova, size: size as Bytes });
  const unmap = (iova: bigint, size: bigint, flags = 0, argsz = 24) =>
    call("VFIO_UNMAP_DMA", { argsz, flags, iova: iova as Iova, size: size as Bytes });
  const type = (arg: bigint) => call("VFIO_SET_IOMMU", { arg });
  return { call, map, unmap, type };
};

describe("what needs a container", () => {
  test("version and extensions", () => {
    const { call } = boot(MOCK_PLATFORM, false);
    const has = (arg: bigint) => call("VFIO_CHECK_EXTENSION", { arg });
    expect(call("VFIO_GET_API_VERSION", { arg: 77n })).toEqual({ errno: 0, out: { rc: 0 } });
    for (const arg of [1n, 3n, 9n]) expect(has(arg).out).toEqual({ rc: 1 });
    for (const arg of [0n, 2n, 6n, 8n, 10n, U64_MAX, 2n ** 32n + 1n]) {
      expect(has(arg).out).toEqual({ rc: 0 });
    }
    expect(has(4n).errno).toBe("ENODEV");
    call("VFIO_IOAS", { op: 1, ioas_id: 1 });
    expect(has(4n).out).toEqual({ rc: 1 });
    call("MOCK_DOMAIN", { pt_id: 1 });
    expect(has(4n).out).toEqual({ rc: 0 });
  });

  test("arguments come first (VCC-03, VCC-10, VCC-11, VCC-20)", () => {
    const { call, map, unmap, type } = boot(MOCK_PLATFORM, false);
    expect(type(0n).errno).toBe("EINVAL");
    expect(type(TYPE1).errno).toBe("ENODEV");
    expect(map(LOW, 0x1000n, 4).errno).toBe("EINVAL");
    expect(map(LOW, 0x1000n, 3, 31).errno).toBe("EINVAL");
    expect(map(LOW, 0x1000n).errno).toBe("ENODEV");
    expect(unmap(LOW, 0x1000n, 1).errno).toBe("EINVAL");
    expect(unmap(LOW, 0x1000n, 0, 23).errno).toBe("EINVAL");
    expect(unmap(LOW, 0x1000n)).toEqual({ errno: "ENODEV" });
    expect(call("VFIO_IOMMU_GET_INFO", { argsz: 15 }).errno).toBe("EINVAL");
    expect(call("VFIO_IOMMU_GET_INFO", { argsz: 16 }).errno).toBe("ENODEV");
  });
});

describe("mapping", () => {
  test("needs no permission, and no alignment where none is asked for (VCC-10)", () => {
    const { map } = boot();
    expect(map(LOW, 0x1000n, 0)).toEqual({ errno: 0 });
    expect(map(LOW, 0x1000n).errno).toBe("EEXIST");
    expect(map(U64_MAX, 1n).errno).toBe(0);
    expect(map(U64_MAX, 2n).errno).toBe("EOVERFLOW");
  });

  test("is undone natively and the other way round (VCC-28)", () => {
    const { call, map, unmap } = boot();
    map(LOW, 0x1000n);
    const native = { ioas_id: 1, iova: LOW as Iova, length: 0x1000n as Bytes };
    expect(call("IOAS_UNMAP", native).errno).toBe(0);
    expect(call("IOAS_MAP", { ...native, flags: 7, user_va: BUF }).errno).toBe(0);
    expect(unmap(LOW, 0x1000n).out).toEqual({ size: 0x1000n });
  });
});

describe("unmapping", () => {
  test("nothing is a success (VCC-13), and size is stored past the arguments (VCC-18)", () => {
    const { map, unmap } = boot();
    expect(unmap(LOW, 0x1000n)).toEqual({ errno: 0, out: { size: 0n } });
    expect(unmap(LOW, 0n)).toEqual({ errno: "EINVAL" });
    expect(unmap(U64_MAX, 2n)).toEqual({ errno: "EOVERFLOW", out: { size: 0n } });
    map(LOW, 0x1000n);
    map(LOW + 0x1000n, 0x2000n);
    expect(unmap(LOW, 0x2000n)).toEqual({ errno: "ENOENT", out: { size: 0x1000n } });
    expect(unmap(0n, 1n, 2)).toEqual({ errno: "EINVAL" });
    expect(unmap(0n, 0n, 2)).toEqual({ errno: 0, out: { size: 0x2000n } });
  });

  test("TYPE1 cuts, and every piece stays what it was (VCC-15)", () => {
    const { call, map, unmap, type } = boot();
    expect(type(TYPE1)).toEqual({ errno: 0, out: { rc: 0 } });
    const { out } = call("MOCK_DOMAIN", { pt_id: 1 });
    expect(map(LOW, 0x4000n).errno).toBe(0);
    const runs = () =>
      call("TRANSLATE", { hwpt_id: Number(out?.out_hwpt_id), last: U64_MAX as Iova }).out?.runs;
    const pa = runs()?.[0]?.pa ?? 0n;
    expect(unmap(LOW + 0x1000n, 0x1000n)).toEqual({ errno: 0, out: { size: 0x1000n } });
    expect(runs()?.map(({ iova }) => iova)).toEqual([LOW, LOW + 0x2000n]);
    expect(runs()?.[1]?.pa).toBe(pa + 0x2000n);
    expect(call("PAGE_REFS", { uptr: BUF, length: 0x4000n as Bytes }).out?.refs).toEqual([
      [1, 1],
      [0, 1],
      [1, 2],
    ]);
    expect(unmap(LOW + 0x2000n, 0x800n).errno).toBe("EINVAL");
    expect(unmap(LOW, 0x8000n)).toEqual({ errno: 0, out: { size: 0x3000n } });
    expect(call("PROC_STATUS").out?.VmPin_pages).toBe(0);
  });

  test("cuts stay if the unmap fails, also at the end that wraps (VCC-16)", () => {
    const { call, map, unmap, type } = boot();
    type(TYPE1);
    map(LOW, 0x4000n);
    expect(unmap(LOW + 0x1000n, 0n)).toEqual({ errno: "EINVAL" });
    expect(unmap(LOW + 0x3000n, 2n ** 64n - 0x1000n).errno).toBe("EOVERFLOW");
    call("OPTION", { option_id: 1, op: 0, object_id: 1, val64: 1n });
    expect(unmap(LOW, 0x1800n)).toEqual({ errno: "ENOENT", out: { size: 0x1000n } });
    for (const at of [0x1000n, 0x2000n, 0x3000n]) expect(unmap(LOW + at, 0x1000n).errno).toBe(0);
  });

  test("the option decides whether there are cuts, not the type (VCC-17)", () => {
    const { call, map, unmap, type } = boot();
    type(TYPE1);
    map(LOW, 0x2000n);
    call("OPTION", { option_id: 1, op: 0, object_id: 1, val64: 1n });
    expect(unmap(LOW, 0x1000n).errno).toBe("ENOENT");
    expect(type(TYPE1).errno).toBe(0);
    expect(unmap(LOW, 0x1000n).errno).toBe(0);
  });

  test("TYPE1 is refused as turning huge pages off is (VCC-03)", () => {
    const { call, map, type } = boot();
    map(LOW, 0x800n);
    expect(type(TYPE1).errno).toBe("EADDRINUSE");
    call("MOCK_DOMAIN", { pt_id: 1 });
    expect(type(TYPE1).errno).toBe("EINVAL");
    expect(type(TYPE1v2).errno).toBe(0);
  });
});

describe("info", () => {
  test("the chain is what IOVA_RANGES says, and nothing is stored past argsz (VCC-23..25)", () => {
    const { call } = boot();
    call("ADD_RESERVED", { ioas_id: 1, start: 0x1000n as Iova, length: 0x1000n as Bytes });
    const info = (argsz: number) => call("VFIO_IOMMU_GET_INFO", { argsz }).out;
    const all = info(88);
    expect(all).toMatchObject({ argsz: 88, flags: 3, cap_offset: 24 });
    expect(all?.caps?.[1]?.ranges).toEqual([
      [0n, 0xfffn],
      [0x2000n, U64_MAX],
    ]);
    for (const argsz of [16, 20, 24, 35, 36, 40, 56, 72, 87]) {
      const some = info(argsz);
      expect(some).toMatchObject({ argsz: 88, flags: 3 });
      expect((some?.bytes?.length ?? 0) / 2).toBeLessThanOrEqual(argsz);
      expect(some?.caps).toBeUndefined();
    }
    expect(info(35)?.bytes?.length).toBe(2 * 24);
    expect(info(36)?.bytes?.length).toBe(2 * 36);
    expect(info(72)?.bytes?.slice(2 * 40, 2 * 56)).toBe("a5".repeat(16));
  });

  test("page sizes are those that all domains have (VCC-22)", () => {
    const { call } = boot();
    const sizes = () => call("VFIO_IOMMU_GET_INFO", { argsz: 24 }).out?.iova_pgsizes;
    expect(sizes()).toBe(0xffff_ffff_ffff_f000n);
    const huge = call("MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: 2 }).out;
    expect(sizes()).toBe(0x10_1000n);
    call("IOAS_ALLOC");
    call("MOCK_DOMAIN", { pt_id: Number(huge?.out_hwpt_id) });
    expect(sizes()).toBe(0x10_1000n);
  });

  test("a PCI device says how many regions and interrupts it has, once it is bound", () => {
    const { call } = boot(VFIO_PLATFORM);
    call("DEVICE_OPEN", { dev: 0 });
    expect(call("VFIO_GET_INFO", { devfd: 0, argsz: 24 }).errno).toBe("EINVAL");
    call("VFIO_BIND", { devfd: 0, argsz: 16 });
    expect(call("VFIO_GET_INFO", { devfd: 0, argsz: 15 }).errno).toBe("EINVAL");
    expect(call("VFIO_GET_INFO", { devfd: 0, argsz: 20 }).out).toMatchObject({ argsz: 20 });
    expect(call("VFIO_GET_INFO", { devfd: 1, argsz: 24 }).errno).toBe("EBADF");
  });
});
