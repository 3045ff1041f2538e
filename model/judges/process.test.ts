import { describe, expect, test } from "@jest/globals";
import { Bench, blamed, buf } from "../fixture";

const PAGE = 0x1000n;
const IOVA = 0x100_0000n;

/** A user without capabilities and with a limit, an IOAS with a domain. */
const bench = (pages: bigint) => {
  const b = new Bench();
  b.done("IOAS_ALLOC", {});
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("SETRLIMIT_MEMLOCK", { cur: pages * PAGE, max: 16n * PAGE });
  b.done("SETUID", { uid: 1000 });
  return b;
};

const map = (page: bigint, pages: bigint) => ({
  ioas_id: 1,
  flags: 7,
  user_va: buf(0, page * PAGE),
  length: pages * PAGE,
  iova: IOVA + page * PAGE,
});

describe("SETRLIMIT_MEMLOCK", () => {
  test("limits what may be pinned, page by page", () => {
    const b = bench(2n);
    const out = (page: bigint) => ({ iova: IOVA + page * PAGE });
    expect(b.ok("IOAS_MAP", map(0n, 2n), out(0n))).toBeUndefined();
    expect(blamed(b.ok("IOAS_MAP", map(2n, 1n), out(2n)))).toBe("MAP-15");
    expect(b.fails("IOAS_MAP", map(4n, 1n), "ENOMEM")).toBeUndefined();
  });

  test("is blamed if it is met before its time", () => {
    const b = bench(2n);
    expect(blamed(b.fails("IOAS_MAP", map(0n, 2n), "ENOMEM"))).toBe("ACT-03");
    expect(blamed(b.fails("IOAS_MAP", map(0n, 2n), "EEXIST"))).toBe("RNG-16");
  });

  test("does not take away what is pinned already", () => {
    const b = bench(2n);
    b.done("IOAS_MAP", map(0n, 2n));
    b.done("SETRLIMIT_MEMLOCK", { cur: 0n, max: 16n * PAGE });
    const copy = { dst_ioas_id: 1, src_ioas_id: 1, flags: 7, length: PAGE, src_iova: IOVA };
    const dst_iova = IOVA + 8n * PAGE;
    expect(blamed(b.fails("IOAS_COPY", { ...copy, dst_iova }, "ENOSPC"))).toBe("CPY-24");
    expect(b.ok("IOAS_COPY", { ...copy, dst_iova }, { dst_iova })).toBeUndefined();
    expect(b.counts("ACT-07")).toEqual([1, 0]);
    expect(b.fails("IOAS_MAP", map(2n, 1n), "ENOMEM")).toBeUndefined();
  });

  test("is raised again only as far as its maximum, without the capability", () => {
    const b = bench(2n);
    const raised = { cur: 17n * PAGE, max: 17n * PAGE };
    expect(blamed(b.ok("SETRLIMIT_MEMLOCK", raised))).toBe("ACT-03");
    expect(b.fails("SETRLIMIT_MEMLOCK", raised, "EPERM")).toBeUndefined();
    expect(b.fails("SETRLIMIT_MEMLOCK", { cur: 2n, max: 1n }, "EINVAL")).toBeUndefined();
    expect(b.ok("SETRLIMIT_MEMLOCK", { cur: 16n * PAGE, max: 16n * PAGE })).toBeUndefined();
  });
});

describe("SETUID", () => {
  test("charges what is mapped from then on, and to that user", () => {
    const b = new Bench();
    b.done("OPTION", { option_id: 0, op: 0, val64: 1n });
    b.done("IOAS_ALLOC", {});
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("IOAS_MAP", map(0n, 2n));
    b.done("SETUID", { uid: 1000 });
    b.done("IOAS_MAP", map(2n, 1n));
    const status = (VmLck_pages: number) => ({ VmPin_pages: 3, VmLck_pages });
    expect(blamed(b.ok("PROC_STATUS", {}, status(3)))).toBe("ACT-02");
    expect(b.ok("PROC_STATUS", {}, status(1))).toBeUndefined();
    expect(b.counts("ACT-01")[0]).toBe(1);
  });

  test("leads nowhere else afterwards", () => {
    const b = bench(2n);
    expect(blamed(b.ok("SETUID", { uid: 0 }))).toBe("ACT-01");
    expect(b.fails("SETUID", { uid: 0 }, "EPERM")).toBeUndefined();
    expect(b.ok("SETUID", { uid: 1000 })).toBeUndefined();
  });
});
