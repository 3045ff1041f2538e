import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM, type Platform } from "../../spec/platform";
import { Bench, blamed, buf } from "../fixture";

/** IOAS 1 with device 2, binding 3 and HWPT 4, which maps two pages of buf0. */
const bench = (platform: Platform = MOCK_PLATFORM) => {
  const b = new Bench(platform);
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x2000n, iova: 0x100_0000n };
  b.done("IOAS_MAP", map);
  return b;
};
const CHECK = { hwpt_id: 4, iova: 0x100_0000n, length: 0x800n, uptr: buf(0) };

describe("MD_CHECK_MAP", () => {
  test("finds what is mapped", () => {
    expect(bench().ok("MD_CHECK_MAP", CHECK)).toBeUndefined();
    expect(blamed(bench().fails("MD_CHECK_MAP", CHECK, "EINVAL"))).toBe("MAP-23");
  });

  test.each([
    ["another page", { uptr: buf(0, 0x1000n) }, "EINVAL"],
    ["a hole", { iova: 0x200_0000n }, "EINVAL"],
    ["half a unit", { length: 0x400n }, "EINVAL"],
    ["no HWPT", { hwpt_id: 1 }, "ENOENT"],
    ["memory that is not there", { uptr: 0x1000n }, "EFAULT"],
    ["the first page of the upper half", { uptr: 1n << 63n }, "EFAULT"],
    ["the last page but one", { uptr: 2n ** 64n - 0x2000n }, "EFAULT"],
    ["the last page", { uptr: 2n ** 64n - 0x1000n }, "EOVERFLOW"],
    ["the last bytes", { uptr: 2n ** 64n - 0x800n }, "EINVAL"],
  ] as const)("%s is refused", (_, wrong, errno) => {
    const args = { ...CHECK, ...wrong };
    expect(bench().fails("MD_CHECK_MAP", args, errno)).toBeUndefined();
    expect(bench().fails("MD_CHECK_MAP", args, "EIO")).toBeDefined();
    expect(bench().ok("MD_CHECK_MAP", args)).toBeDefined();
  });
});

describe("MD_CHECK_REFS", () => {
  const refs = { uptr: buf(0), length: 0x2000n };
  test("compares the pins of every page", () => {
    expect(bench().ok("MD_CHECK_REFS", { ...refs, refs: 1 })).toBeUndefined();
    expect(bench().fails("MD_CHECK_REFS", { ...refs, refs: 2 }, "EIO")).toBeUndefined();
    expect(blamed(bench().fails("MD_CHECK_REFS", { ...refs, refs: 1 }, "EIO"))).toBe("PIN-01");
  });
});
