import { describe, expect, test } from "@jest/globals";
import type { Call, Outcome } from "../../spec/calls";
import { Bench, blamed, buf, make } from "../fixture";

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

describe("DUP", () => {
  const duplicated = () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", {});
    return { b, fd: b.done("DUP", {}).fd };
  };

  test("gives one more number of the same context", () => {
    const { b, fd } = duplicated();
    expect(b.fails("DUP", {}, "EBADF", {}, 77)).toBeUndefined();
    expect(blamed(b.ok("DUP", {}, { fd: 0 }))).toBe("GEN-22");
    expect(b.ok("IOAS_ALLOC", {}, { out_ioas_id: 2 }, fd)).toBeUndefined();
    expect(b.ok("DESTROY", { id: 1 }, {}, fd)).toBeUndefined();
    expect(blamed(b.ok("DESTROY", { id: 1 }))).toBe("DES-01");
  });

  test("keeps the context until its last number is closed", () => {
    const { b, fd } = duplicated();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("IOAS_MAP", map(0n, 2n), fd);
    const pinned = (VmPin_pages: number) => ({ VmPin_pages, VmLck_pages: 0 });
    expect(b.ok("CLOSE", {})).toBeUndefined();
    expect(b.counts("OBJ-07")).toEqual([0, 0]);
    expect(b.fails("IOAS_ALLOC", {}, "EBADF")).toBeUndefined();
    expect(blamed(b.ok("PROC_STATUS", {}, pinned(0)))).toBe("ACT-04");
    expect(b.ok("PROC_STATUS", {}, pinned(2))).toBeUndefined();
    expect(b.ok("CLOSE", {}, {}, fd)).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, pinned(0))).toBeUndefined();
  });

  test("gives a number to the process that asks, and a child inherits it", () => {
    const { b, fd } = duplicated();
    b.done("FORK", { child: 1 });
    const by = (proc: number, call: Call) => ({ ...call, proc }) as Call;
    const none = { errno: "EBADF" } as const;
    const judge = (
      proc: number,
      name: "DUP" | "CLOSE" | "IOAS_ALLOC",
      on: number,
      outcome: object,
    ) => b.model.judge(by(proc, make(name, {}, on)), outcome as Outcome);
    expect(judge(1, "DUP", fd, { errno: 0, out: { fd: 9 } })).toBeUndefined();
    expect(judge(0, "IOAS_ALLOC", 9, none)).toBeUndefined();
    expect(judge(1, "CLOSE", 0, { errno: 0 })).toBeUndefined();
    expect(judge(1, "CLOSE", fd, { errno: 0 })).toBeUndefined();
    expect(judge(1, "IOAS_ALLOC", 9, { errno: 0, out: { out_ioas_id: 2 } })).toBeUndefined();
    expect(judge(1, "IOAS_ALLOC", 0, none)).toBeUndefined();
    expect(judge(0, "IOAS_ALLOC", 0, { errno: 0, out: { out_ioas_id: 3 } })).toBeUndefined();
  });
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
