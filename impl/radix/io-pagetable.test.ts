import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Bytes, Iova } from "../../spec/units";
import { Process } from "./accounting";
import { IoPagetable } from "./io-pagetable";
import { Iommu } from "./iommu";
import { type IommuDomain, ioPfnOf, permOf } from "./iommu-domain";
import { type IoptArea, IoptPages } from "./iopt-pages";
import { nodePool } from "./node-pool";
import { PhysicalMemory } from "./physical-memory";
import { makeMemoryObject, UserMemory } from "./user-memory";

const PAGE = 4096;
const FIRST_PAGE = 1000;
const USER_PAGES = 8;
const APERTURE: readonly [Iova, Iova] = [0x1000n as Iova, 0xf_ffffn as Iova];

/** A few IOASs over a small memory, and what must hold for them at any time. */
class World {
  readonly physical = new PhysicalMemory(PAGE);
  readonly memory = new UserMemory(this.physical);
  readonly process = new Process(
    { uid: 0, capabilities: ["IPC_LOCK"], memlock: null },
    { lockedPages: 0 },
    this.memory,
  );
  readonly iopts = [0, 1].map(() => new IoPagetable(BigInt(PAGE), 0x20_0000n));
  readonly domains: IommuDomain[][] = [[], []];
  readonly #iommus = [2048, 4096].map(
    (ioPageSize) => new Iommu({ ioPageSize, aperture: APERTURE }),
  );
  /** Which page an iopt_pages has pinned, by index. */
  #pinned = new Map<IoptPages, Map<number, number>>();

  constructor() {
    this.renew(0, USER_PAGES);
  }

  /** New memory at the old address. */
  renew(page: number, count: number): void {
    const object = makeMemoryObject("anon-shared");
    this.memory.map(FIRST_PAGE + page, count, "rw", object, 0);
  }

  map(ioas: number, page: number, offset: number, length: bigint, iova: bigint | undefined): void {
    const pages = new IoptPages(this.process, FIRST_PAGE + page, true, "none");
    const piece = { pages, startByte: BigInt(offset), length };
    this.iopts[ioas]?.map([piece], length, iova, 3);
  }

  copy(from: number, to: number, iova: bigint, length: bigint, perm: number): void {
    const pieces = this.iopts[from]?.piecesOf(iova, iova + length - 1n) ?? "ENOENT";
    if (pieces !== "ENOENT" && typeof pieces !== "string") {
      this.iopts[to]?.map(pieces, length, undefined, perm);
    }
  }

  addDomain(ioas: number, iommu: number): void {
    const domain = this.#iommus[iommu]?.allocDomain();
    if (domain === undefined || this.iopts[ioas]?.addDomain(domain) !== 0) return;
    this.domains[ioas]?.push(domain);
  }

  removeDomain(ioas: number, position: number): void {
    const domains = this.domains[ioas] ?? [];
    const [domain] = domains.splice(position % Math.max(1, domains.length), 1);
    if (domain !== undefined) this.iopts[ioas]?.removeDomain(domain);
  }

  check(): void {
    const pinned = new Map<IoptPages, Map<number, number>>();
    for (const [i, iopt] of this.iopts.entries()) {
      for (const domain of this.domains[i] ?? []) {
        const expected = new Map<number, number>();
        for (const area of iopt.areas) this.#checkArea(area, domain, pinned, expected);
        const actual = new Map<number, number>();
        domain.walk(0, 2 ** 20, (ioPage, count, iopte) => {
          for (let i = 0; i < count; i += 1) actual.set(ioPage + i, iopte);
        });
        expect([...actual.keys()]).toEqual([...expected.keys()]);
      }
    }
    this.#checkPins(pinned);
    this.#pinned = pinned;
  }

  /** DOM-01, DOM-08, DOM-10: every IO page of the area leads to the one page of its index. */
  #checkArea(
    area: IoptArea,
    domain: IommuDomain,
    pinned: Map<IoptPages, Map<number, number>>,
    expected: Map<number, number>,
  ): void {
    const pfns = pinned.get(area.pages) ?? new Map<number, number>();
    pinned.set(area.pages, pfns);
    for (let iova = area.iova; iova <= area.last; iova += BigInt(domain.ioPageSize)) {
      const byte = Number(area.startByteAt(iova));
      const index = Math.floor(byte / PAGE);
      const iopte = domain.iopteAt(domain.ioPageOf(iova));
      const pa = ioPfnOf(iopte) * domain.ioPageSize;
      const pfn = pfns.get(index) ?? Math.floor(pa / PAGE);
      pfns.set(index, pfn);
      expect(pa).toBe(pfn * PAGE + (byte % PAGE));
      expect(permOf(iopte)).toBe(area.perm);
      expected.set(domain.ioPageOf(iova), pa);
    }
  }

  /** PIN-01, PIN-02, PIN-04, ACT-04 */
  #checkPins(pinned: Map<IoptPages, Map<number, number>>): void {
    const pins = new Map<number, number>();
    let total = 0;
    for (const [pages, pfns] of pinned) {
      for (const [index, pfn] of pfns) {
        pins.set(pfn, (pins.get(pfn) ?? 0) + 1);
        expect(this.#pinned.get(pages)?.get(index) ?? pfn).toBe(pfn);
      }
      total += pfns.size;
    }
    for (const [pfn, count] of pins) expect(this.physical.pinsOf(pfn)).toBe(count);
    expect(this.process.pinnedPages).toBe(total);
  }

  close(): void {
    for (const [i, iopt] of this.iopts.entries()) {
      iopt.unmap(0n, 2n ** 64n - 1n);
      while ((this.domains[i]?.length ?? 0) > 0) this.removeDomain(i, 0);
    }
    expect(this.process.pinnedPages).toBe(0);
    this.memory.dispose();
    this.physical.dispose();
  }
}

const ioas = fc.integer({ min: 0, max: 1 });
const iova = fc.integer({ min: 0, max: 24 }).map((i) => 0x1000n + BigInt(i) * 0x800n);
const length = fc.integer({ min: 1, max: 6 }).map((i) => BigInt(i) * 0x800n);
const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(ioas, fc.nat(USER_PAGES), fc.constantFrom(0, 2048), length, fc.option(iova))
      .map(
        ([i, page, offset, bytes, at]) =>
          (w: World) =>
            w.map(i, page, offset, bytes, at ?? undefined),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(ioas, ioas, iova, length, fc.constantFrom(1, 3)).map(
      ([from, to, at, bytes, perm]) =>
        (w: World) =>
          w.copy(from, to, at, bytes, perm),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(ioas, iova, length).map(([i, at, bytes]) => (w: World) => {
      w.iopts[i]?.unmap(at, at + bytes - 1n);
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(ioas, ioas).map(
      ([i, k]) =>
        (w: World) =>
          w.addDomain(i, k),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(ioas, fc.nat(3)).map(
      ([i, k]) =>
        (w: World) =>
          w.removeDomain(i, k),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(USER_PAGES - 2).map((page) => (w: World) => w.renew(page, 2)),
  },
  {
    weight: 1,
    arbitrary: fc.nat(USER_PAGES - 1).map((page) => (w: World) => {
      w.memory.unmap(FIRST_PAGE + page, 1);
    }),
  },
);

describe("IoPagetable", () => {
  test("keeps every domain a mirror and every page pinned once, whatever happens", () => {
    const before = nodePool.lent;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const world = new World();
        for (const act of steps) {
          act(world);
          world.check();
        }
        world.close();
        expect(nodePool.lent).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  test("a fill that fails half way leaves no IOPTE and no pin of its own (MAP-28)", () => {
    const world = new World();
    world.map(1, 0, 0, 0x4000n, 0x1000n);
    world.addDomain(0, 0);
    world.addDomain(0, 1);
    world.copy(1, 0, 0x2000n, 0x1000n, 3);
    world.check();
    world.memory.unmap(FIRST_PAGE + 3, 1);
    const [target, source] = world.iopts;
    const pieces = source?.piecesOf(0x1000n, 0x4fffn);
    if (typeof pieces !== "object") throw new Error("all of it is mapped");
    // Page 0 is pinned on the way, page 1 taken from its holder, page 2 pinned, page 3 is gone.
    expect(target?.map(pieces, 0x4000n, 0x8000n, 3)).toBe("EFAULT");
    world.check();
    const pins = [0, 1, 2].map((i) => world.physical.pinsOf(world.memory.present(FIRST_PAGE + i)));
    expect(pins).toEqual([0, 1, 0]);
    world.close();
  });

  test("a fill that nobody can pay for leaves no IOPTE, pin or charge (MAP-15, MAP-28)", () => {
    const world = new World();
    const user = { lockedPages: 0 };
    const memlock = (2n * BigInt(PAGE)) as Bytes;
    const limited = { uid: 1000, capabilities: [], memlock };
    const process = new Process(limited, user, world.memory);
    world.addDomain(0, 1);
    const pages = new IoptPages(process, FIRST_PAGE, true, "user");
    const map = (length: bigint) =>
      world.iopts[0]?.map([{ pages, startByte: 0n, length }], length, 0x8000n, 3);
    expect(map(0x3000n)).toBe("ENOMEM");
    expect([user.lockedPages, process.pinnedPages]).toEqual([0, 0]);
    expect(world.physical.pinsOf(world.memory.present(FIRST_PAGE))).toBe(0);
    world.check();
    expect(map(0x2000n)).toBe(0x8000n);
    expect([user.lockedPages, process.pinnedPages]).toEqual([2, 2]);
    world.iopts[0]?.unmap(0n, 2n ** 64n - 1n);
    expect([user.lockedPages, process.pinnedPages]).toEqual([0, 0]);
    world.close();
  });

  test("a domain that cannot be filled leaves nothing behind (DOM-02)", () => {
    const world = new World();
    world.map(0, 0, 0, 0x2000n, 0x1000n);
    world.map(0, USER_PAGES - 1, 0, 0x2000n, 0x3000n);
    world.addDomain(0, 1);
    expect(world.domains[0]).toEqual([]);
    expect(world.iopts[0]?.alignment).toBe(1n);
    expect(world.iopts[0]?.reserved.count).toBe(0);
    world.check();
    world.close();
  });
});
