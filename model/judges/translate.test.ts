import { describe, expect, test } from "@jest/globals";
import type { Translation } from "../../spec/fields";
import { Bench, blamed, buf } from "../fixture";

const AT = 0x1000_0000n;

/** HWPT 4 translates two pages read-write at AT and half a page read-only at AT + 0x4000. */
const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  const map = { ioas_id: 1, user_va: buf(0) };
  b.done("IOAS_MAP", { ...map, flags: 7, length: 0x2000n, iova: AT });
  const half = { ...map, user_va: buf(0, 0x5800n), iova: AT + 0x4000n };
  b.done("IOAS_MAP", { ...half, flags: 5, length: 0x800n });
  return b;
};

type Run = readonly [at: bigint, length: bigint, perm: number, pa: bigint];
const runs = (...list: Run[]) => ({
  runs: list.map(([iova, length, perm, pa]) => ({ iova, length, perm, pa }) as Translation),
});
const look = (b: Bench, answer: ReturnType<typeof runs>, hwpt_id = 4) =>
  b.ok("TRANSLATE", { hwpt_id, iova: AT, last: AT + 0xffffn }, answer);

const RIGHT: Run[] = [
  [AT, 0x1000n, 3, 0x7000n],
  [AT + 0x1000n, 0x1000n, 3, 0x9000n],
  [AT + 0x4000n, 0x800n, 1, 0x3800n],
];

describe("TRANSLATE", () => {
  test("shows what is mapped, wherever the pages are", () => {
    expect(look(bench(), runs(...RIGHT))).toBeUndefined();
    const cut: Run[] = [
      [AT, 0x1000n, 3, 0x7000n],
      [AT + 0x1000n, 0x800n, 3, 0x9000n],
      [AT + 0x1800n, 0x800n, 3, 0x9800n],
      [AT + 0x4000n, 0x800n, 1, 0x3800n],
    ];
    expect(look(bench(), runs(...cut))).toBeUndefined();
    const joined: Run[] = [
      [AT, 0x2000n, 3, 0x7000n],
      [AT + 0x4000n, 0x800n, 1, 0x3800n],
    ];
    expect(look(bench(), runs(...joined))).toBeUndefined();
  });

  test("may show a mapping without rights, or leave it out", () => {
    const b = bench();
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const args = { argsz: 32, vaddr: buf(0), iova: AT + 0x6000n, size: 0x1000n };
    b.done("VFIO_MAP_DMA", args);
    expect(look(b, runs(...RIGHT))).toBeUndefined();
    expect(look(b, runs(...RIGHT, [AT + 0x6000n, 0x1000n, 0, 0x7000n]))).toBeUndefined();
    const beside = look(b, runs(...RIGHT, [AT + 0x8000n, 0x1000n, 0, 0x7000n]));
    expect(beside?.clauses[0]).toBe("DOM-01");
  });

  test.each<[string, Run[], string]>([
    ["a missing page", RIGHT.slice(1), "DOM-01"],
    ["a byte beside", [...RIGHT, [AT + 0x8000n, 1n, 3, 0n]], "DOM-01"],
    [
      "a whole page for half of one",
      [...RIGHT.slice(0, 2), [AT + 0x4000n, 0x1000n, 1, 0x3000n]],
      "DOM-01",
    ],
    ["a right to write", [...RIGHT.slice(0, 2), [AT + 0x4000n, 0x800n, 3, 0x3800n]], "DOM-09"],
    ["a right that is missing", [[AT, 0x1000n, 1, 0x7000n], ...RIGHT.slice(1)], "DOM-01"],
    [
      "another offset in the page",
      [...RIGHT.slice(0, 2), [AT + 0x4000n, 0x800n, 1, 0x3000n]],
      "MAP-23",
    ],
    ["one page for two", [[AT, 0x1000n, 3, 0x9000n], ...RIGHT.slice(1)], "MAP-23"],
  ])("%s is refused", (_, wrong, clause) => {
    expect(blamed(look(bench(), runs(...wrong)))).toBe(clause);
  });

  test("a pinned page stays where it is, and keeps its number to itself", () => {
    const b = bench();
    look(b, runs(...RIGHT));
    expect(look(b, runs(...RIGHT))).toBeUndefined();
    expect(b.counts("PIN-04")).toEqual([1, 0]);
    const moved: Run[] = [[AT, 0x1000n, 3, 0xb000n], ...RIGHT.slice(1)];
    expect(blamed(look(b, runs(...moved)))).toBe("MAP-23");
  });

  test("an unpinned page may move", () => {
    const b = bench();
    look(b, runs(...RIGHT));
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: AT, length: 0x2000n });
    b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x2000n, iova: AT });
    const moved: Run[] = [[AT, 0x2000n, 3, 0xb000n], ...RIGHT.slice(2)];
    expect(look(b, runs(...moved))).toBeUndefined();
  });

  test("after munmap the page that was pinned is still the target", () => {
    const b = bench();
    look(b, runs(...RIGHT));
    b.done("MUNMAP", { va: buf(0), length: 0x1000n });
    expect(look(b, runs(...RIGHT))).toBeUndefined();
    expect(b.counts("MAP-30")).toEqual([1, 0]);
    const moved: Run[] = [[AT, 0x1000n, 3, 0xb000n], ...RIGHT.slice(1)];
    expect(blamed(look(b, runs(...moved)))).toBe("MAP-30");
  });

  test("two addresses of one memfd page are one page", () => {
    const b = bench();
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: 0n, length: 0xffff_ffff_ffff_ffffn });
    const map = { ioas_id: 1, flags: 7, length: 0x1000n };
    b.done("IOAS_MAP", { ...map, user_va: buf(4, 0x4000n), iova: AT });
    b.done("IOAS_MAP", { ...map, user_va: buf(5), iova: AT + 0x1000n });
    const one: Run[] = [
      [AT, 0x1000n, 3, 0x7000n],
      [AT + 0x1000n, 0x1000n, 3, 0x7000n],
    ];
    expect(look(b, runs(...one))).toBeUndefined();
    const two: Run[] = [
      [AT, 0x1000n, 3, 0x7000n],
      [AT + 0x1000n, 0x1000n, 3, 0x8000n],
    ];
    expect(look(b, runs(...two))).toBeDefined();
  });

  test("what is unmapped is gone, and a copy outlives its source", () => {
    const b = bench();
    const copy = { flags: 7, dst_ioas_id: 1, src_ioas_id: 1, length: 0x2000n };
    b.done("IOAS_COPY", { ...copy, src_iova: AT, dst_iova: AT + 0x20000n });
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: AT, length: 0x2000n });
    expect(look(b, runs(...RIGHT.slice(2)))).toBeUndefined();
    expect(b.counts("UNM-26")).toEqual([1, 0]);
    const there = { hwpt_id: 4, iova: AT + 0x20000n, last: AT + 0x21fffn };
    const answer = runs([AT + 0x20000n, 0x2000n, 3, 0x7000n]);
    expect(b.ok("TRANSLATE", there, answer)).toBeUndefined();
    expect(b.counts("CPY-22")).toEqual([1, 0]);
    const gone = { hwpt_id: 4, iova: AT, last: AT + 0x1fffn };
    expect(blamed(b.ok("TRANSLATE", gone, runs([AT, 1n, 3, 0n])))).toBe("UNM-26");
  });

  test("of no domain is ENOENT", () => {
    expect(bench().fails("TRANSLATE", { hwpt_id: 1 }, "ENOENT")).toBeUndefined();
    expect(look(bench(), runs(), 1)).toBeDefined();
  });
});
