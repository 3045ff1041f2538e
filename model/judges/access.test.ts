import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const IOVA = 0x100_0000n;
const PAGE = 0x1000n;

/** IOAS 1 with two pages of buf0 at IOVA, and a user of it that pins, in file 0. */
const bench = (profile: Profile = "linux-6.12", flags = 7) => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", {});
  b.done("IOAS_MAP", { ioas_id: 1, flags, user_va: buf(0), length: 2n * PAGE, iova: IOVA });
  b.done("CREATE_ACCESS", { ioas_id: 1, flags: 1 });
  return b;
};

const pages = (length = PAGE, iova = IOVA) => ({
  access_fd: 0,
  flags: 1,
  iova,
  length,
  uptr: buf(0) + (iova - IOVA),
});

const refs = (b: Bench, ...runs: readonly (readonly [number, number])[]) => {
  const length = BigInt(runs.reduce((sum, [, count]) => sum + count, 0)) * PAGE;
  return b.ok("PAGE_REFS", { uptr: buf(0), length }, { refs: runs });
};

describe("an in-kernel user", () => {
  test("is a user of its IOAS until its file is closed", () => {
    const b = bench();
    expect(blamed(b.ok("DESTROY", { id: 1 }))).toBe("DES-02");
    expect(b.fails("DESTROY", { id: 1 }, "EBUSY")).toBeUndefined();
    expect(b.counts("ACC-03")).toEqual([0, 1]);
    expect(b.ok("CLOSE_ACCESS", { access_fd: 0 })).toBeUndefined();
    expect(b.ok("DESTROY", { id: 1 })).toBeUndefined();
  });

  test("takes up an id that nobody is told, so that what it leads to is open", () => {
    expect(bench().fails("DESTROY", { id: 2 }, "EBUSY")).toBeUndefined();
    expect(bench().fails("DESTROY", { id: 2 }, "ENOENT")).toBeUndefined();
    expect(blamed(bench().ok("DESTROY", { id: 2 }))).toBe("DES-02");
    expect(bench().ok("IOAS_ALLOC", {}, { out_ioas_id: 2 })).toBeUndefined();
  });

  test("wants page alignment if it pins, and mappings can be in the way of that", () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", {});
    b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x800n, iova: 0n });
    const out = { out_access_fd: 0 };
    expect(blamed(b.ok("CREATE_ACCESS", { ioas_id: 1, flags: 1 }, out))).toBe("ACC-01");
    expect(b.fails("CREATE_ACCESS", { ioas_id: 1, flags: 1 }, "EADDRINUSE")).toBeUndefined();
    expect(b.ok("CREATE_ACCESS", { ioas_id: 1 }, out)).toBeUndefined();
    expect(blamed(b.ok("CREATE_ACCESS", { ioas_id: 1 }, out))).toBe("ACC-01");
  });

  test("keeps a closed iommufd alive", () => {
    const b = bench();
    b.done("ACCESS_PAGES", pages());
    b.done("CLOSE", {});
    b.done("OPEN", {});
    const status = { VmPin_pages: 1, VmLck_pages: 0 };
    expect(b.ok("PROC_STATUS", {}, status)).toBeUndefined();
    b.done("CLOSE_ACCESS", { access_fd: 0 });
    expect(blamed(b.ok("PROC_STATUS", {}, status))).toBe("ACT-04");
  });

  test("lets go of everything when it is moved, and stays where it was if that fails", () => {
    const b = bench();
    b.done("IOAS_ALLOC", {});
    b.done("ACCESS_PAGES", pages());
    expect(blamed(b.ok("ACCESS_REPLACE_IOAS", { access_fd: 0, ioas_id: 9 }))).toBe("ACC-04");
    expect(b.fails("ACCESS_REPLACE_IOAS", { access_fd: 0, ioas_id: 9 }, "ENOENT")).toBeUndefined();
    expect(refs(b, [1, 1])).toBeUndefined();
    expect(b.ok("ACCESS_REPLACE_IOAS", { access_fd: 0, ioas_id: 1 })).toBeUndefined();
    expect(refs(b, [1, 1])).toBeUndefined();
    b.done("ACCESS_REPLACE_IOAS", { access_fd: 0, ioas_id: 3 });
    expect(blamed(refs(b, [1, 1]))).toBe("PIN-03");
    expect(b.ok("DESTROY", { id: 1 })).toBeUndefined();
  });
});

describe("ACCESS_PAGES", () => {
  test("pins the pages once, together with a domain and with itself", () => {
    const b = bench();
    b.done("ACCESS_PAGES", pages());
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("ACCESS_PAGES", pages(2n * PAGE));
    expect(blamed(refs(b, [3, 1], [1, 1]))).toBe("PIN-01");
    expect(refs(b, [1, 2])).toBeUndefined();
    expect(b.counts("ACC-13")).toEqual([1, 0]);
  });

  test("is undone range by range", () => {
    const b = bench();
    b.done("ACCESS_PAGES", pages());
    b.done("ACCESS_PAGES", pages());
    b.done("DESTROY_ACCESS_PAGES", { access_fd: 0, access_pages_id: 0 });
    expect(refs(b, [1, 1], [0, 1])).toBeUndefined();
    const gone = { access_fd: 0, access_pages_id: 0 };
    expect(blamed(b.ok("DESTROY_ACCESS_PAGES", gone))).toBe("ACC-14");
    expect(b.fails("DESTROY_ACCESS_PAGES", gone, "ENOENT")).toBeUndefined();
    b.done("DESTROY_ACCESS_PAGES", { access_fd: 0, access_pages_id: 1 });
    expect(blamed(refs(b, [1, 1]))).toBe("PIN-03");
  });

  test("does not outlive the mapping", () => {
    const b = bench();
    b.done("ACCESS_PAGES", pages());
    const all = { ioas_id: 1, iova: 0n, length: 0xffff_ffff_ffff_ffffn };
    expect(b.ok("IOAS_UNMAP", all, { length: 2n * PAGE })).toBeUndefined();
    expect([b.counts("UNM-27")[0], b.counts("UNM-30")[0], b.counts("ACC-30")[0]]).toEqual([
      1, 1, 1,
    ]);
    expect(refs(b, [0, 2])).toBeUndefined();
    const gone = { access_fd: 0, access_pages_id: 0 };
    expect(b.fails("DESTROY_ACCESS_PAGES", gone, "ENOENT")).toBeUndefined();
    expect(b.counts("ACC-30")[1]).toBe(1);
  });

  test.each([
    ["length 0", pages(0n), "EINVAL", "ACC-10"],
    ["a range that wraps", pages(2n, 0xffff_ffff_ffff_ffffn), "EOVERFLOW", "ACC-10"],
    ["a start inside a page", pages(PAGE, IOVA + 0x800n), "EINVAL", "ACC-11"],
    ["a hole", pages(3n * PAGE), "ENOENT", "ACC-10"],
    ["more than 16 MiB", pages(0x100_0001n), "ENOMEM", "ACC-32"],
    ["an unknown flag", { ...pages(), flags: 3 }, "EOPNOTSUPP", "ACC-32"],
    ["a file that is no access", { ...pages(), access_fd: 7 }, "EBADFD", "ACC-32"],
    ["other pages at uptr", { ...pages(), uptr: buf(1) }, "EBADE", "ACC-32"],
    ["nothing at uptr", { ...pages(), uptr: 0x1000n }, "EFAULT", "ACC-32"],
  ] as const)("refuses %s", (_, args, errno, clause) => {
    expect(bench().fails("ACCESS_PAGES", args, errno)).toBeUndefined();
    expect(blamed(bench().ok("ACCESS_PAGES", args, { out_access_pages_id: 0 }))).toBe(clause);
    const other = errno === "EINVAL" ? "EPERM" : "EINVAL";
    expect(bench().fails("ACCESS_PAGES", args, other)).toBeDefined();
  });

  test("needs the right of the mapping", () => {
    const readOnly = bench("linux-6.12", 5);
    const out = { out_access_pages_id: 0 };
    expect(blamed(readOnly.ok("ACCESS_PAGES", pages(), out))).toBe("ACC-12");
    expect(readOnly.fails("ACCESS_PAGES", pages(), "EPERM")).toBeUndefined();
    expect(readOnly.ok("ACCESS_PAGES", { ...pages(), flags: 0 }, out)).toBeUndefined();
  });
});

describe("ACCESS_RW", () => {
  const rw = (rest: object = {}) => ({
    access_fd: 0,
    iova: IOVA + 0xffcn,
    length: 8n,
    uptr: 0x1_0000_0000n,
    accessible_bytes: 64,
    ...rest,
  });
  const write = rw({ flags: 1, data_repeat: "a1b2c3" });
  const WRITTEN = "a1b2c3a1b2c3a1b2";

  test("writes and reads byte by byte what the process has there", () => {
    const b = bench();
    expect(b.ok("ACCESS_RW", write)).toBeUndefined();
    const read = { va: buf(0, 0xffcn), length: 8 };
    expect(b.ok("MEM_READ", read, { bytes: WRITTEN })).toBeUndefined();
    expect(b.ok("ACCESS_RW", rw(), { data: WRITTEN })).toBeUndefined();
    expect(blamed(b.ok("ACCESS_RW", rw(), { data: `00${WRITTEN.slice(2)}` }))).toBe("ACC-22");
    expect(blamed(b.ok("ACCESS_RW", rw()))).toBe("ACC-22");
    expect(refs(b, [0, 2])).toBeUndefined();
  });

  test("goes by the hash where a recording has no more", () => {
    const b = bench();
    b.done("ACCESS_RW", rw({ flags: 1, data_repeat: "5a", length: 65n, accessible_bytes: 65 }));
    const read = rw({ length: 65n, accessible_bytes: 65 });
    const data_first16 = "5a".repeat(16);
    const hash = { data_first16, data_fnv1a64: 0xee78_54aa_41d9_7acdn };
    expect(b.ok("ACCESS_RW", read, hash)).toBeUndefined();
    expect(blamed(b.ok("ACCESS_RW", read, { ...hash, data_fnv1a64: 1n }))).toBe("ACC-22");
  });

  test("writes what comes before a fault, and says so", () => {
    const b = bench();
    b.done("MUNMAP", { va: buf(0, PAGE), length: PAGE });
    expect(blamed(b.ok("ACCESS_RW", write))).toBe("ACC-20");
    expect(b.fails("ACCESS_RW", write, "EFAULT")).toBeUndefined();
    const read = { va: buf(0, 0xffcn), length: 4 };
    expect(b.ok("MEM_READ", read, { bytes: WRITTEN.slice(0, 8) })).toBeUndefined();
  });

  test("may have written what comes before a hole or not, whatever the documents' errno", () => {
    for (const errno of ["ENOENT", "EFAULT"] as const) {
      for (const left of ["00000000", WRITTEN.slice(0, 8)]) {
        const b = bench("documented");
        const args = { ...write, iova: IOVA + 0x1ffcn, accessible_bytes: 0 };
        expect(b.fails("ACCESS_RW", args, errno)).toBeUndefined();
        const last = { va: buf(0, 0x1ffcn), length: 4 };
        expect(b.ok("MEM_READ", last, { bytes: left })).toBeUndefined();
        const before = { va: buf(0, 0x1ff8n), length: 4 };
        expect(blamed(b.ok("MEM_READ", before, { bytes: WRITTEN.slice(0, 8) }))).toBeDefined();
      }
    }
  });

  test("takes the pinned pages on its slow path over two pages, and only there", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("ACCESS_RW", write);
    b.done("MMAP", { va: buf(0), length: 2n * PAGE, prot: "rw", kind: "anon-shared" });
    expect(b.ok("ACCESS_RW", rw(), { data: "00".repeat(8) })).toBeUndefined();
    expect(b.ok("ACCESS_RW", rw({ flags: 4 }), { data: WRITTEN })).toBeUndefined();
    const onePage = rw({ flags: 4, length: 4n });
    expect(b.ok("ACCESS_RW", onePage, { data: "00".repeat(4) })).toBeUndefined();
  });

  test.each([
    ["length 0", rw({ length: 0n }), "EINVAL"],
    ["a range that wraps", rw({ iova: 0xffff_ffff_ffff_ffffn }), "EOVERFLOW"],
    ["a hole", rw({ iova: IOVA + 0x1ffcn }), "ENOENT"],
    ["more than 16 MiB", rw({ length: 0x100_0001n }), "ENOMEM"],
    ["an unknown flag", rw({ flags: 2 }), "EOPNOTSUPP"],
    ["a file that is no access", rw({ access_fd: -1 }), "EBADFD"],
    ["nowhere to store", rw({ accessible_bytes: 7 }), "EFAULT"],
  ] as const)("refuses %s", (_, args, errno) => {
    expect(bench().fails("ACCESS_RW", args, errno)).toBeUndefined();
    expect(bench().ok("ACCESS_RW", args, { data: "00".repeat(8) })).toBeDefined();
    expect(bench().fails("ACCESS_RW", args, "EBUSY")).toBeDefined();
  });
});
