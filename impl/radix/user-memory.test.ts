import { describe, expect, test } from "@jest/globals";
import { nodePool } from "./node-pool";
import { PhysicalMemory } from "./physical-memory";
import { PinnedPfns } from "./pinned-pfns";
import { makeMemoryObject, UserMemory } from "./user-memory";

const make = () => {
  const physical = new PhysicalMemory(4096);
  const memory = new UserMemory(physical);
  memory.map(100, 16, "rw", makeMemoryObject("anon-shared"), 0);
  return { physical, memory, pfns: new PinnedPfns() };
};

/** Takes pins back, and the pfns that were stored with them. */
const unpin = (physical: PhysicalMemory, pfns: PinnedPfns, count: number): void => {
  pfns.feed(0, count - 1, {
    run: (_index, run, pfn) => physical.unpin(pfn, run),
    each: (_index, many, entries, from) => physical.unpinEach(many, entries, from),
  });
  pfns.erase(0, count);
};

describe("UserMemory", () => {
  test("a page keeps its identity until it is unmapped", () => {
    const { memory } = make();
    const pfn = memory.touch(103, false);
    expect(memory.touch(103, true)).toBe(pfn);
    memory.protect(102, 3, "r");
    expect(memory.touch(103, true)).toBe(0);
    expect(memory.touch(103, false)).toBe(pfn);
    memory.protect(103, 1, "none");
    expect(memory.touch(103, false)).toBe(0);
    memory.protect(100, 16, "rw");
    expect(memory.touch(103, true)).toBe(pfn);
  });

  test("a pinned page is not reused while it is pinned (MAP-30)", () => {
    const { memory, physical, pfns } = make();
    expect(memory.pin(100, 2, true, pfns, 0)).toBe(2);
    const pfn = pfns.load(0);
    memory.unmap(100, 2);
    memory.map(100, 4, "rw", makeMemoryObject("anon-private"), 0);
    for (let page = 100; page < 104; page += 1) expect(memory.touch(page, true)).not.toBe(pfn);
    expect(physical.pinsOf(pfn)).toBe(1);
    unpin(physical, pfns, 2);
    memory.map(200, 4, "rw", makeMemoryObject("anon-private"), 0);
    const reused = [200, 201, 202, 203].map((page) => memory.touch(page, true));
    expect(reused).toContain(pfn);
  });

  test("a reused page is zero", () => {
    const { memory, physical } = make();
    const pfn = memory.touch(100, true);
    physical.write(pfn, 7, Uint8Array.of(9), 0, 1);
    memory.unmap(100, 1);
    memory.map(100, 1, "rw", makeMemoryObject("anon-shared"), 0);
    expect(memory.touch(100, true)).toBe(pfn);
    const byte = Uint8Array.of(1);
    physical.read(pfn, 7, byte, 0, 1);
    expect(byte).toEqual(Uint8Array.of(0));
  });

  test("two regions of a memfd show the same pages, and unmapping one keeps them", () => {
    const { memory } = make();
    const file = makeMemoryObject("memfd");
    memory.map(300, 8, "rw", file, 0);
    memory.map(400, 4, "r", file, 4);
    const pfn = memory.touch(306, true);
    expect(memory.touch(402, false)).toBe(pfn);
    memory.unmap(300, 8);
    expect(memory.touch(402, false)).toBe(pfn);
  });

  test("pinning ends at what the protection does not permit, or nothing shows (MAP-14)", () => {
    const { memory, physical, pfns } = make();
    memory.protect(110, 1, "r");
    memory.unmap(112, 1);
    expect(memory.pin(110, 2, true, pfns, 0)).toBe(0);
    expect(memory.pin(109, 8, false, pfns, 0)).toBe(3);
    const pins = [109, 110, 111, 113].map((page) => physical.pinsOf(memory.touch(page, false)));
    expect(pins).toEqual([1, 1, 1, 0]);
    expect([0, 1, 2].map((i) => pfns.load(i))).toEqual(
      [109, 110, 111].map((page) => memory.present(page)),
    );
    unpin(physical, pfns, 3);
    expect(physical.pinsOf(memory.touch(109, false))).toBe(0);
  });

  test("a pin that ends at 2^64 overflows, any other one outside user space faults", () => {
    const { memory, physical } = make();
    const pagesOfAll = 2 ** 52;
    // In the memory of another process than the caller it is a fault as well.
    expect(memory.rangeErrno(pagesOfAll - 1, 1, 1)).toBe("EFAULT");
    physical.currentMemory = memory;
    expect(memory.rangeErrno(pagesOfAll - 1, 1, 1)).toBe("EOVERFLOW");
    expect(memory.rangeErrno(pagesOfAll - 2, 1, 1)).toBe("EFAULT");
    expect(memory.rangeErrno(2 ** 35 - 1, 1, 1)).toBe("EFAULT");
    expect(memory.rangeErrno(2 ** 35 - 2, 1, 1)).toBe(0);
    memory.unmapAll();
    expect(memory.rangeErrno(100, 1, 1)).toBe("EFAULT");
  });

  test("mprotect stops at a hole, after what comes before it", () => {
    const { memory } = make();
    memory.unmap(105, 1);
    expect(memory.protect(104, 4, "r")).toBe("ENOMEM");
    expect(memory.touch(104, true)).toBe(0);
    expect(memory.touch(106, true)).not.toBe(0);
    expect(memory.protect(105, 2, "r")).toBe("ENOMEM");
  });

  test("tells readable from unreadable pages", () => {
    const { memory } = make();
    memory.protect(104, 2, "none");
    expect(memory.isReadable(100, 4)).toBe(true);
    expect(memory.isReadable(100, 5)).toBe(false);
    expect(memory.unreadablePages(100, 120)).toBe(0);
    expect(memory.unreadablePages(104, 120)).toBe(2);
    expect(memory.unreadablePages(104, 104)).toBe(1);
    expect(memory.unreadablePages(116, 120)).toBe(5);
    expect(memory.unreadablePages(90, 2 ** 40)).toBe(10);
  });

  test("gives its nodes back when the process is gone", () => {
    const before = nodePool.lent;
    const { physical, memory } = make();
    memory.map(300, 8, "rw", makeMemoryObject("memfd"), 0);
    for (const page of [100, 115, 303]) memory.touch(page, true);
    memory.unmap(300, 8);
    expect(nodePool.lent).toBeGreaterThan(before);
    memory.dispose();
    physical.dispose();
    expect(nodePool.lent).toBe(before);
  });

  describe("with huge pages", () => {
    const [MiB2, GiB] = [512, 512 * 512];

    const makeHuge = (thpPages: number, pages: number) => {
      const physical = new PhysicalMemory(4096, thpPages);
      const memory = new UserMemory(physical);
      memory.map(GiB, pages, "rw", makeMemoryObject("anon-private"), 0);
      return { physical, memory, pfns: new PinnedPfns() };
    };

    const close = ({ physical, memory }: ReturnType<typeof makeHuge>): void => {
      memory.dispose();
      physical.dispose();
    };

    test("a touch brings in what a VMA shows the whole of, aligned", () => {
      const machine = makeHuge(MiB2, 2 * MiB2 + 5);
      const { memory } = machine;
      const pfn = memory.touch(GiB + MiB2 + 7, true);
      expect(pfn % MiB2).toBe(7);
      expect(memory.present(GiB + 2 * MiB2 - 1)).toBe(pfn + MiB2 - 8);
      expect(memory.present(GiB)).toBe(0);
      memory.touch(GiB + 2 * MiB2 + 1, true);
      expect(memory.present(GiB + 2 * MiB2)).toBe(0);
      close(machine);
    });

    test("a page touched before a VMA grew keeps its neighbours small", () => {
      const machine = makeHuge(GiB, GiB);
      const { memory } = machine;
      memory.protect(GiB + 5, 1, "r");
      const pfn = memory.touch(GiB + 5, false);
      memory.protect(GiB + 5, 1, "rw");
      expect(memory.touch(GiB + 5, true)).toBe(pfn);
      expect(memory.present(GiB + 6)).toBe(0);
      close(machine);
    });

    test("64 GiB are pinned in runs", () => {
      const machine = makeHuge(GiB, 64 * GiB);
      const { physical, memory, pfns } = machine;
      const [nodes, large] = [nodePool.lent, nodePool.lentLarge];
      expect(memory.pin(GiB, 64 * GiB, true, pfns, 0)).toBe(64 * GiB);
      // 64 entries each: of the memory object and of pinned_pfns.
      expect(nodePool.lentLarge - large).toBe(2 * 64);
      expect(nodePool.lent - nodes).toBeLessThan(10);
      expect(physical.pinsOf(pfns.load(64 * GiB - 1))).toBe(1);
      unpin(physical, pfns, 64 * GiB);
      expect(physical.pinsOf(memory.present(GiB))).toBe(0);
      close(machine);
      expect(nodePool.lentLarge).toBe(large);
    });

    test("a part of a huge page is pinned, dropped and reused by itself", () => {
      const machine = makeHuge(MiB2, MiB2);
      const { physical, memory, pfns } = machine;
      expect(memory.pin(GiB + 3, 2, true, pfns, 0)).toBe(2);
      const pfn = pfns.load(0);
      expect([-1, 0, 1, 2].map((i) => physical.pinsOf(pfn + i))).toEqual([0, 1, 1, 0]);
      physical.write(pfn - 1, 0, Uint8Array.of(9), 0, 1);
      memory.unmap(GiB, 4);
      memory.map(1000, 4, "rw", makeMemoryObject("anon-private"), 0);
      const reused = [1000, 1001, 1002, 1003].map((page) => memory.touch(page, true));
      expect(reused).toContain(pfn - 1);
      expect(reused).not.toContain(pfn);
      const byte = Uint8Array.of(1);
      physical.read(pfn - 1, 0, byte, 0, 1);
      expect(byte).toEqual(Uint8Array.of(0));
      unpin(physical, pfns, 2);
      expect(memory.present(GiB + 4)).toBe(pfn + 1);
      close(machine);
    });
  });
});
