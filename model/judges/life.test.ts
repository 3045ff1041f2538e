import { describe, expect, test } from "@jest/globals";
import type { CallName, In, Out, Outcome } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { Bench, blamed, buf, make } from "../fixture";

const PAGE = 0x1000n;
const IOVA = 0x100_0000n;
const CHILD = 3;

type Given<T> = { readonly [K in keyof T]?: T[K] extends bigint ? bigint : T[K] };

/** Judges a call of a process. */
const as = <K extends CallName>(
  b: Bench,
  proc: number,
  name: K,
  given: Given<In<K>>,
  errno: 0 | Errno,
  out?: Given<Out<K>>,
) => {
  const call = { ...make(name, given as never), proc };
  return b.model.judge(call, { errno, ...(out && { out }) } as Outcome);
};

/** Process 0 with an IOAS, and its child. */
const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", {});
  b.done("FORK", { child: CHILD });
  return b;
};

const map = { ioas_id: 1, flags: 7, user_va: buf(1), length: PAGE, iova: IOVA };

describe("FORK", () => {
  test("gives the child the files of its parent, and keeps later ones apart", () => {
    const b = bench();
    expect(as(b, CHILD, "IOAS_ALLOC", {}, 0, { out_ioas_id: 2 })).toBeUndefined();
    expect(as(b, CHILD, "OPEN", {}, 0, { fd: 1 })).toBeUndefined();
    expect(blamed(b.ok("IOAS_ALLOC", {}, { out_ioas_id: 1 }, 1))).toBe("GEN-22");
    expect(b.fails("IOAS_ALLOC", {}, "EBADF", {}, 1)).toBeUndefined();
  });

  test("makes a process only once", () => {
    const b = bench();
    expect(blamed(b.ok("FORK", { child: CHILD }))).toBe("GEN-22");
    expect(as(b, CHILD, "EXIT", {}, 0)).toBeUndefined();
    expect(b.fails("FORK", { child: CHILD }, "EINVAL")).toBeUndefined();
    expect(b.fails("FORK", { child: 0 }, "EINVAL")).toBeUndefined();
  });

  test("copies private memory and shares the rest", () => {
    const b = new Bench();
    b.done("MEM_WRITE", { va: buf(0), bytes: "aa" });
    b.done("MEM_WRITE", { va: buf(1), bytes: "aa" });
    b.done("FORK", { child: CHILD });
    b.done("MEM_WRITE", { va: buf(0), bytes: "bb" });
    b.done("MEM_WRITE", { va: buf(1), bytes: "bb" });
    const read = (va: bigint, bytes: string) =>
      as(b, CHILD, "MEM_READ", { va: va as never, length: 1 }, 0, { bytes });
    expect(read(buf(0), "bb")).toBeUndefined();
    expect(read(buf(1), "aa")).toBeUndefined();
    expect(blamed(read(buf(1), "bb"))).toBe("MAP-23");
  });
});

describe("EXIT", () => {
  test("ends the process for good", () => {
    const b = bench();
    expect(as(b, CHILD, "EXIT", {}, 0)).toBeUndefined();
    expect(as(b, CHILD, "IOAS_ALLOC", {}, "ESRCH")).toBeUndefined();
    expect(as(b, 9, "EXIT", {}, "ESRCH")).toBeUndefined();
    expect(blamed(as(b, CHILD, "EXIT", {}, 0))).toBe("GEN-23");
  });

  test("closes a file only where nobody else has it", () => {
    const b = bench();
    expect(as(b, 0, "EXIT", {}, 0)).toBeUndefined();
    expect(as(b, CHILD, "DESTROY", { id: 1 }, 0)).toBeUndefined();
    const c = bench();
    c.done("CLOSE", {});
    expect(c.fails("DESTROY", { id: 1 }, "EBADF")).toBeUndefined();
    expect(as(c, CHILD, "DESTROY", { id: 1 }, 0)).toBeUndefined();
  });

  test("leaves pinned pages pinned, and the rest of its mappings without memory (MAP-33)", () => {
    const b = bench();
    expect(as(b, CHILD, "IOAS_MAP", map as never, 0, { iova: IOVA })).toBeUndefined();
    expect(as(b, CHILD, "EXIT", {}, 0)).toBeUndefined();
    expect(blamed(b.ok("MOCK_DOMAIN", { pt_id: 1 }))).toBe("DOM-04");
    expect(b.fails("MOCK_DOMAIN", { pt_id: 1 }, "EFAULT")).toBeUndefined();
    expect(b.counts("MAP-33")[1]).toBe(1);
    const c = bench();
    c.done("MOCK_DOMAIN", { pt_id: 1 });
    const shared = { ...map, user_va: buf(0) };
    expect(as(c, CHILD, "IOAS_MAP", shared as never, 0, { iova: IOVA })).toBeUndefined();
    expect(as(c, CHILD, "EXIT", {}, 0)).toBeUndefined();
    const refs = { uptr: buf(0), length: PAGE };
    expect(blamed(c.ok("PAGE_REFS", refs, { refs: [[0, 1]] }))).toBe("PIN-01");
    expect(c.ok("PAGE_REFS", refs, { refs: [[1, 1]] })).toBeUndefined();
    expect(c.counts("MAP-33")[0]).toBe(1);
    const unmap = { ioas_id: 1, iova: IOVA, length: PAGE };
    expect(c.ok("IOAS_UNMAP", unmap, { length: PAGE })).toBeUndefined();
  });

  test("leaves pinned pages to in-kernel users, even a single one (ACC-22)", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const shared = { ...map, user_va: buf(0) };
    expect(as(b, CHILD, "IOAS_MAP", shared as never, 0, { iova: IOVA })).toBeUndefined();
    b.done("CREATE_ACCESS", { ioas_id: 1, flags: 0 });
    expect(as(b, CHILD, "EXIT", {}, 0)).toBeUndefined();
    const read = { access_fd: 0, iova: IOVA, length: 1n, accessible_bytes: 1 };
    expect(blamed(b.fails("ACCESS_RW", read, "EFAULT"))).toBe("ACC-20");
    expect(b.ok("ACCESS_RW", read, { data: "00" })).toBeUndefined();
  });

  test("gives back what was charged to its user", () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", {});
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("SETRLIMIT_MEMLOCK", { cur: PAGE, max: PAGE });
    b.done("SETUID", { uid: 1000 });
    b.done("FORK", { child: CHILD });
    expect(as(b, CHILD, "IOAS_MAP", map as never, 0, { iova: IOVA })).toBeUndefined();
    expect(as(b, CHILD, "EXIT", {}, 0)).toBeUndefined();
    const again = { ...map, iova: IOVA + PAGE };
    expect(b.fails("IOAS_MAP", again, "ENOMEM")).toBeUndefined();
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: IOVA, length: PAGE });
    expect(b.ok("IOAS_MAP", again, { iova: again.iova })).toBeUndefined();
  });
});
