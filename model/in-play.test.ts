/** A clause counts as kept only by a call that could have broken it. */
import { describe, expect, test } from "@jest/globals";
import type { ClauseId } from "../spec/clauses/registry";
import { VFIO_PLATFORM } from "../spec/platform";
import { Bench, buf, make } from "./fixture";

const U64 = 0xffff_ffff_ffff_ffffn;
const MAP = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
const LAZY = { ...MAP, user_va: 0x1000n };

const bench = (domain: boolean) => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  if (domain) b.done("MOCK_DOMAIN", { pt_id: 1 });
  return b;
};

/** Makes a MAP that succeeds, and says whether the clause was kept by it. */
const keeps = (clause: ClauseId, b: Bench, args: typeof MAP): boolean => {
  const before = b.counts(clause)[0];
  expect(b.ok("IOAS_MAP", args, { iova: args.iova })).toBeUndefined();
  return b.counts(clause)[0] > before;
};

describe("MAP keeps", () => {
  test.each(["MAP-08", "MAP-09a", "MAP-13", "MAP-11a"] as const)(
    "%s only where a domain makes demands",
    (clause) => {
      expect(keeps(clause, bench(false), MAP)).toBe(false);
      expect(keeps(clause, bench(true), MAP)).toBe(true);
    },
  );

  test.each([
    ["MAP-05", { length: 1n }],
    ["MAP-05", { length: U64 - 0x1000n, iova: 0n, user_va: 0n }],
    ["MAP-06", { user_va: U64 - 0x1000n }],
    ["MAP-10a", { iova: U64 - 0xfffn }],
  ] as const)("%s only at the edge", (clause, edge) => {
    expect(keeps(clause, bench(false), LAZY)).toBe(false);
    expect(keeps(clause, bench(false), { ...LAZY, ...edge })).toBe(true);
  });

  test("MAP-12a only beside another mapping", () => {
    const b = bench(false);
    expect(keeps("MAP-12a", b, MAP)).toBe(false);
    expect(keeps("MAP-12a", b, { ...MAP, iova: MAP.iova + 0x1000n })).toBe(true);
  });
});

test("UNMAP keeps UNM-05 only at the end of the address space", () => {
  const b = bench(false);
  for (const iova of [0n, U64 - 0xfffn]) {
    b.done("IOAS_MAP", { ...LAZY, iova });
    expect(b.counts("UNM-05")).toEqual([0, 0]);
    const unmap = { ioas_id: 1, iova, length: 0x1000n };
    expect(b.ok("IOAS_UNMAP", unmap, { length: 0x1000n })).toBeUndefined();
  }
  expect(b.counts("UNM-05")).toEqual([1, 0]);
});

test("a failure shows that nothing is written back only where something could be", () => {
  const b = bench(false);
  b.fails("DESTROY", { id: 77 }, "ENOENT");
  b.fails("MEM_READ", { va: 0x1000n, length: 4 }, "EFAULT", { bytes: "" });
  expect(b.counts("GEN-15")).toEqual([0, 0]);
  b.fails("IOAS_MAP", { ...MAP, ioas_id: 77 }, "ENOENT");
  expect(b.counts("GEN-15")).toEqual([0, 1]);
  const documented = new Bench(undefined, "documented");
  documented.fails("IOAS_MAP", { ...MAP, ioas_id: 77 }, "ENOENT");
  expect(documented.counts("GEN-15")).toEqual([0, 0]);
});

test("closing a device shows that it was detached, binding it does not", () => {
  const b = new Bench(VFIO_PLATFORM);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("DEVICE_OPEN", { dev: 0 });
  const { model } = b;
  const judged = (name: "VFIO_BIND" | "VFIO_ATTACH", args: object, out: object) =>
    model.judge(make(name, args), { errno: 0, out } as never);
  expect(judged("VFIO_BIND", { argsz: 16 }, { out_devid: 2 })).toBeUndefined();
  expect(judged("VFIO_ATTACH", { argsz: 12, pt_id: 1 }, { pt_id: 3 })).toBeUndefined();
  expect(b.counts("VFD-08")).toEqual([0, 0]);
  expect(b.ok("DEVICE_CLOSE", { devfd: 0 })).toBeUndefined();
  const all = { num_iovas: 1, out_iova_alignment: 1n, array: [[0n, U64]] as never };
  const ask = { ioas_id: 1, num_iovas: 4, writable_elems: 4 };
  expect(b.ok("IOAS_IOVA_RANGES", ask, all)).toBeUndefined();
  expect(b.counts("VFD-08")).toEqual([1, 0]);
});
