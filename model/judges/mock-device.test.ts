import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  return b;
};

const refs = (b: Bench, pins: number) =>
  b.ok("PAGE_REFS", { uptr: buf(0), length: 0x1000n }, { refs: [[pins, 1]] });

describe("MOCK_DOMAIN", () => {
  const ids = { out_stdev_id: 2, out_hwpt_id: 4, out_idev_id: 3 };

  test("answers three unused ids, whichever", () => {
    expect(bench().ok("MOCK_DOMAIN", { pt_id: 1 }, ids)).toBeUndefined();
    const high = { out_stdev_id: 900, out_hwpt_id: 7, out_idev_id: 0xffff_ffff };
    expect(bench().ok("MOCK_DOMAIN", { pt_id: 1 }, high)).toBeUndefined();
  });

  test.each([
    ["a live id", { ...ids, out_idev_id: 1 }, "OBJ-01"],
    ["id 0", { ...ids, out_stdev_id: 0 }, "OBJ-02"],
    ["one id twice", { ...ids, out_idev_id: 2 }, "OBJ-01"],
  ])("must not answer %s", (_, out, clause) => {
    expect(blamed(bench().ok("MOCK_DOMAIN", { pt_id: 1 }, out))).toBe(clause);
  });

  test("uses the HWPT that is there", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const second = { out_stdev_id: 5, out_hwpt_id: 4, out_idev_id: 6 };
    const other = { ...second, out_hwpt_id: 7 };
    expect(blamed(b.ok("MOCK_DOMAIN", { pt_id: 1 }, other))).toBe("DEV-12");
    expect(b.fails("MOCK_DOMAIN", { pt_id: 5 }, "EINVAL")).toBeUndefined();
    expect(b.ok("MOCK_DOMAIN", { pt_id: 4 }, { ...second, out_stdev_id: 8 })).toBeDefined();
  });

  test.each([
    ["no object", 9, "ENOENT", "DEV-10"],
    ["an object of another kind", 2, "EINVAL", "DEV-11"],
  ] as const)("does not attach to %s", (_, pt_id, errno, clause) => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    expect(b.fails("MOCK_DOMAIN", { pt_id }, errno)).toBeUndefined();
    expect(blamed(b.ok("MOCK_DOMAIN", { pt_id }, ids))).toBe(clause);
  });

  test("may find its own device at a pt_id that names nothing yet", () => {
    const sparse = (profile: Profile) => {
      const b = new Bench(MOCK_PLATFORM, profile);
      b.done("OPEN", {});
      expect(b.ok("IOAS_ALLOC", { flags: 0 }, { out_ioas_id: 70 }, 1)).toBeUndefined();
      return b;
    };
    const answers = ["EINVAL", "ENOENT", "EBUSY"] as const;
    const accepted = (profile: Profile, pt_id: number) =>
      answers.filter(
        (e) => sparse(profile).fails("MOCK_DOMAIN", { pt_id }, e, {}, 1) === undefined,
      );
    for (const pt_id of [2, 71, 0xffff]) {
      expect(accepted("documented", pt_id)).toEqual(["EINVAL", "ENOENT"]);
    }
    expect(accepted("documented", 0)).toEqual(["ENOENT"]);
    // In linux-6.12 only the id that it would take.
    expect(accepted("linux-6.12", 2)).toEqual(["EINVAL", "ENOENT"]);
    expect(accepted("linux-6.12", 71)).toEqual(["ENOENT"]);
    const taken = { out_stdev_id: 71, out_idev_id: 72, out_hwpt_id: 73 };
    expect(blamed(sparse("documented").ok("MOCK_DOMAIN", { pt_id: 72 }, taken, 1))).toBe("DEV-10");
  });

  test.each([
    ["misaligned", { length: 0x801n, iova: 0x1000_0000n }, "EADDRINUSE", "ALN-03"],
    ["outside the aperture", { length: 0x800n, iova: 0n }, "EADDRINUSE", "DOM-02"],
    ["of missing memory", { user_va: 0x1000n, iova: 0x1000_0000n }, "EFAULT", "DOM-04"],
  ] as const)("is refused over a mapping %s, and nothing stays", (_, wrong, errno, clause) => {
    const b = bench();
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, ...wrong };
    b.done("IOAS_MAP", map);
    expect(b.fails("MOCK_DOMAIN", { pt_id: 1 }, errno)).toBeUndefined();
    expect(b.counts(clause)).toEqual([0, 1]);
    const ranges = { num_iovas: 1, out_iova_alignment: 1n, array: [[0n, 2n ** 64n - 1n]] as never };
    const ask = { ioas_id: 1, num_iovas: 1, writable_elems: 1 };
    expect(b.ok("IOAS_IOVA_RANGES", ask, ranges)).toBeUndefined();
    expect(b.counts("DEV-17")).toEqual([0, 1]);
  });

  test("pins what was mapped before, DESTROY unpins it", () => {
    const b = bench();
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    expect(refs(b, 0)).toBeUndefined();
    const { out_stdev_id, out_hwpt_id } = b.done("MOCK_DOMAIN", { pt_id: 1 });
    expect(refs(b, 1)).toBeUndefined();
    expect(b.fails("DESTROY", { id: out_hwpt_id }, "EBUSY")).toBeUndefined();
    expect(b.fails("DESTROY", { id: 1 }, "EBUSY")).toBeUndefined();
    expect(b.ok("DESTROY", { id: out_stdev_id })).toBeUndefined();
    expect(refs(b, 0)).toBeUndefined();
    expect(b.counts("DOM-07")).toEqual([1, 0]);
    expect(b.fails("DESTROY", { id: out_hwpt_id }, "ENOENT")).toBeUndefined();
    expect(b.counts("DEV-20")).toEqual([1, 0]);
    expect(b.ok("DESTROY", { id: 1 })).toBeUndefined();
  });

  test("a pin that leaks is found", () => {
    const b = bench();
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    const { out_stdev_id } = b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("DESTROY", { id: out_stdev_id });
    expect(blamed(refs(b, 1))).toBe("PIN-03");
    const status = { VmPin_pages: 1, VmLck_pages: 0 };
    expect(blamed(b.ok("PROC_STATUS", {}, status))).toBe("ACT-04");
  });
});

describe("MOCK_DOMAIN_REPLACE", () => {
  /** A device on IOAS 1, and IOAS 5. */
  const attached = () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    b.done("IOAS_ALLOC", { flags: 0 });
    return b;
  };

  test("moves the device; the old HWPT goes", () => {
    const b = attached();
    const move = { stdev_id: 2, pt_id: 5 };
    expect(blamed(b.ok("MOCK_DOMAIN_REPLACE", move, { pt_id: 4 }))).toBe("OBJ-01");
    const c = attached();
    expect(c.ok("MOCK_DOMAIN_REPLACE", move, { pt_id: 6 })).toBeUndefined();
    expect(c.ok("DESTROY", { id: 1 })).toBeUndefined();
    expect(c.fails("TRANSLATE", { hwpt_id: 4 }, "ENOENT")).toBeUndefined();
  });

  test("to where it is changes nothing", () => {
    const b = attached();
    for (const pt_id of [1, 4]) {
      const move = { stdev_id: 2, pt_id };
      expect(b.ok("MOCK_DOMAIN_REPLACE", move, { pt_id: 4 })).toBeUndefined();
    }
    expect(b.counts("DEV-31")).toEqual([2, 0]);
    expect(blamed(b.ok("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 1 }, { pt_id: 9 }))).toBe(
      "DEV-31",
    );
  });

  test("keeps shared pages pinned all the while", () => {
    const b = attached();
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    const copy = { flags: 7, src_ioas_id: 1, dst_ioas_id: 5, src_iova: map.iova };
    b.done("IOAS_COPY", { ...copy, length: 0x1000n, dst_iova: map.iova });
    b.done("MMAP", { va: buf(0), length: 0x1000n, prot: "rw", kind: "anon-shared" });
    b.done("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 5 });
    // The new domain has the old page, which is no longer at the address.
    const check = { hwpt_id: 6, iova: map.iova, length: 0x800n, uptr: buf(0) };
    expect(b.fails("MD_CHECK_MAP", check, "EINVAL")).toBeUndefined();
    expect(refs(b, 0)).toBeUndefined();
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 1, VmLck_pages: 0 })).toBeUndefined();
  });

  test("wants a mock device", () => {
    const b = attached();
    const move = { stdev_id: 3, pt_id: 5 };
    expect(b.fails("MOCK_DOMAIN_REPLACE", move, "ENOENT")).toBeUndefined();
    expect(b.counts("GEN-19")).toEqual([0, 1]);
  });

  test("that fails leaves everything where it was", () => {
    const b = attached();
    const map = { ioas_id: 5, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0n };
    b.done("IOAS_MAP", map);
    const move = { stdev_id: 2, pt_id: 5 };
    expect(b.fails("MOCK_DOMAIN_REPLACE", move, "EADDRINUSE")).toBeUndefined();
    expect(b.counts("DEV-34")).toEqual([0, 1]);
    expect(b.fails("DESTROY", { id: 1 }, "EBUSY")).toBeUndefined();
    expect(b.ok("DESTROY", { id: 5 })).toBeUndefined();
  });
});
