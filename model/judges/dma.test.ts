import { describe, expect, test } from "@jest/globals";
import { VFIO_PLATFORM } from "../../spec/platform";
import { Bench, blamed, buf } from "../fixture";

/** Device 0 is bound; IOAS 1 maps a page read-write at 0x1000 and one read-only at 0x3000. */
const bench = (attached = true) => {
  const b = new Bench(VFIO_PLATFORM);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("DEVICE_OPEN", { dev: 0 });
  b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
  if (attached) b.done("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 1 });
  const map = { ioas_id: 1, length: 0x1000n };
  b.done("IOAS_MAP", { ...map, flags: 7, user_va: buf(0), iova: 0x1000n });
  b.done("IOAS_MAP", { ...map, flags: 5, user_va: buf(1), iova: 0x3000n });
  return b;
};

const hex = (byte: string, count: number) => byte.repeat(count);
const load = (iova: bigint, length = 8) => ({ devfd: 0, dir: "to_device", iova, length }) as const;
const save = (iova: bigint, length = 8) =>
  ({ devfd: 0, dir: "from_device", iova, length }) as const;

describe("DMA", () => {
  test("carries bytes from memory to the device and back to memory", () => {
    const b = bench();
    b.done("MEM_WRITE", { va: buf(0), bytes: hex("ab", 8) });
    expect(b.ok("DMA", load(0x1000n), { fault: 0, bytes: hex("ab", 8) })).toBeUndefined();
    expect(b.ok("DMA", save(0x1100n), { fault: 0 })).toBeUndefined();
    const read = { va: buf(0, 0x100n), length: 8 };
    expect(blamed(b.ok("MEM_READ", read, { bytes: hex("00", 8) }))).toBe("MAP-23");
    expect(b.ok("MEM_READ", read, { bytes: hex("ab", 8) })).toBeUndefined();
  });

  test("wrong bytes in the device are the fault of MAP-23", () => {
    const b = bench();
    expect(blamed(b.ok("DMA", load(0x1000n), { fault: 0, bytes: hex("01", 8) }))).toBe("MAP-23");
  });

  test.each([
    ["an IOVA that is not mapped", true, load(0x2000n), "DOM-01"],
    ["a write through a read-only mapping", true, save(0x3000n), "DOM-09"],
    ["a device that is not attached", false, save(0x1000n), "DEV-07"],
  ] as const)("%s is blocked", (_, attached, call, clause) => {
    expect(bench(attached).ok("DMA", call, { fault: 1 })).toBeUndefined();
    expect(blamed(bench(attached).ok("DMA", call, { fault: 0 }))).toBe(clause);
  });

  test("a blocked write leaves memory alone", () => {
    const b = bench();
    b.done("MEM_WRITE", { va: buf(1), bytes: hex("cd", 8) });
    b.ok("DMA", save(0x3000n), { fault: 1 });
    const read = { va: buf(1), length: 8 };
    expect(b.ok("MEM_READ", read, { bytes: hex("cd", 8) })).toBeUndefined();
    expect(b.ok("MEM_READ", read, { bytes: hex("00", 8) })).toBeDefined();
  });

  test("what a half-blocked write did is open, and known once it was read", () => {
    const b = bench();
    expect(b.ok("DMA", save(0x1ffcn), { fault: 1 })).toBeUndefined();
    const read = { va: buf(0, 0xff8n), length: 8 };
    expect(b.ok("MEM_READ", read, { bytes: hex("00", 4) + hex("5a", 4) })).toBeUndefined();
    expect(b.ok("MEM_READ", read, { bytes: hex("00", 8) })).toBeDefined();
  });

  test("reaches the page that was pinned, wherever the address leads now", () => {
    const b = bench();
    b.done("MEM_WRITE", { va: buf(0), bytes: hex("77", 8) });
    b.done("MMAP", { va: buf(0), length: 0x1000n, prot: "rw", kind: "anon-shared" });
    expect(b.ok("DMA", load(0x1000n), { fault: 0, bytes: hex("77", 8) })).toBeUndefined();
  });

  test("on a device that is not bound is blocked or refused", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("DEVICE_OPEN", { dev: 0 });
    expect(b.fails("DMA", load(0n), "EINVAL")).toBeUndefined();
    expect(b.ok("DMA", load(0n), { fault: 1 })).toBeUndefined();
    expect(b.ok("DMA", load(0n), { fault: 0 })).toBeDefined();
    expect(b.fails("DMA", load(0n, 65), "EINVAL")).toBeUndefined();
  });
});
