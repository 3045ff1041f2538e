import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const COPY = { flags: 7, dst_ioas_id: 2, src_ioas_id: 1, length: 0x2000n, src_iova: 0x1000n };

/** IOAS 1 maps two pages at 0x1000 and one behind them; IOAS 2 is empty. */
const bench = (flags = 7, profile: Profile = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("IOAS_MAP", { ioas_id: 1, flags, user_va: buf(0), length: 0x2000n, iova: 0x1000n });
  b.done("IOAS_MAP", { ioas_id: 1, flags, user_va: buf(1), length: 0x1000n, iova: 0x3000n });
  return b;
};

describe("IOAS_COPY", () => {
  test("shares one pin with its source", () => {
    const b = bench();
    b.done("MOCK_DOMAIN_FLAGS", { pt_id: 2, dev_flags: 0 });
    const at = 0x1000_0000n;
    expect(b.ok("IOAS_COPY", { ...COPY, dst_iova: at }, { dst_iova: at })).toBeUndefined();
    b.done("IOAS_COPY", { ...COPY, dst_iova: at + 0x10000n });
    const refs = (pins: number) =>
      b.ok("PAGE_REFS", { uptr: buf(0), length: 0x2000n }, { refs: [[pins, 2]] });
    expect(refs(1)).toBeUndefined();
    expect(b.counts("CPY-21")).toEqual([1, 0]);
    expect(blamed(refs(2))).toBe("CPY-21");
  });

  test("of several mappings keeps their bounds", () => {
    const b = bench();
    b.done("IOAS_COPY", { ...COPY, length: 0x3000n, dst_iova: 0x10000n });
    const cut = { ioas_id: 2, iova: 0x10000n, length: 0x1000n };
    expect(b.fails("IOAS_UNMAP", cut, "ENOENT")).toBeUndefined();
    const piece = { ioas_id: 2, iova: 0x10000n, length: 0x2000n };
    expect(b.ok("IOAS_UNMAP", piece, { length: 0x2000n })).toBeUndefined();
    expect(b.counts("CPY-25")).toEqual([1, 0]);
  });

  test("cannot write what was mapped read-only", () => {
    const b = bench(5);
    expect(b.fails("IOAS_COPY", { ...COPY, dst_iova: 0x10000n }, "EPERM")).toBeUndefined();
    expect(blamed(b.ok("IOAS_COPY", COPY, { dst_iova: 0n }))).toBe("CPY-10");
  });

  test("regains the rights of the original MAP", () => {
    const b = bench();
    b.done("IOAS_COPY", { ...COPY, flags: 5, dst_iova: 0x10000n });
    const again = { ...COPY, src_ioas_id: 2, src_iova: 0x10000n, dst_iova: 0x20000n };
    expect(b.ok("IOAS_COPY", again, { dst_iova: 0x20000n })).toBeUndefined();
    expect(b.counts("CPY-23")).toEqual([1, 0]);
  });

  test.each([
    ["a hole in the source", { length: 0x4000n }, "ENOENT", "CPY-07"],
    ["a source that wraps", { length: 0xffff_ffff_ffff_f001n }, "EOVERFLOW", "CPY-06"],
    ["length 0 before a bad destination", { length: 0n, dst_ioas_id: 9 }, "EINVAL", "CPY-05"],
    ["a bad destination", { dst_ioas_id: 9 }, "ENOENT", "CPY-08"],
    ["its own source", { dst_ioas_id: 1, dst_iova: 0x2000n }, "EEXIST", "CPY-09"],
  ] as const)("%s is refused", (_, wrong, errno, clause) => {
    const b = bench();
    const args = { ...COPY, dst_iova: 0x10000n, ...wrong };
    expect(b.fails("IOAS_COPY", args, errno)).toBeUndefined();
    expect(blamed(b.ok("IOAS_COPY", args, { dst_iova: args.dst_iova }))).toBe(clause);
  });

  describe("of pieces that meet inside a page, without huge pages", () => {
    /** IOAS 1 maps half a page and one and a half behind it; IOAS 2 has no huge pages. */
    const halves = () => {
      const b = new Bench();
      for (const _ of [1, 2]) b.done("IOAS_ALLOC", { flags: 0 });
      const map = { ioas_id: 1, flags: 7, user_va: buf(0) };
      b.done("IOAS_MAP", { ...map, length: 0x800n, iova: 0x100_0000n });
      b.done("IOAS_MAP", { ...map, length: 0x1800n, iova: 0x100_0800n });
      b.done("OPTION", { option_id: 1, object_id: 2, val64: 0n });
      return b;
    };
    const copy = { ...COPY, src_iova: 0x100_0000n, dst_iova: 0x200_0000n };

    test("is refused where a domain must map them", () => {
      const b = halves();
      b.done("MOCK_DOMAIN", { pt_id: 2 });
      expect(blamed(b.ok("IOAS_COPY", copy, { dst_iova: copy.dst_iova }))).toBe("CPY-11");
      expect(b.fails("IOAS_COPY", copy, "EINVAL")).toBeUndefined();
    });

    test("keeps a domain away that would have to map them", () => {
      const b = halves();
      expect(b.ok("IOAS_COPY", copy, { dst_iova: copy.dst_iova })).toBeUndefined();
      expect(b.fails("MOCK_DOMAIN", { pt_id: 2 }, "EINVAL")).toBeUndefined();
    });
  });

  test("of a part of a mapping may fail where only the documents bind", () => {
    const part = { ...COPY, length: 0x1000n, dst_iova: 0x10000n };
    expect(bench(7, "documented").fails("IOAS_COPY", part, "ENOENT")).toBeUndefined();
    expect(blamed(bench().fails("IOAS_COPY", part, "ENOENT"))).toBe("CPY-24");
    const whole = { ...COPY, dst_iova: 0x10000n };
    expect(blamed(bench(7, "documented").fails("IOAS_COPY", whole, "ENOENT"))).toBe("CPY-24");
  });
});
