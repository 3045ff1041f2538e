/**
 * Calls that break two rules: 6.12 answers by the first of its ladder, and elsewhere either errno
 * is right (UNS-07). So each rule has to see what is wrong without those before it.
 */
import { describe, expect, test } from "@jest/globals";
import type { CallName } from "../spec/calls";
import { FD_NOT_OPEN } from "../spec/calls";
import type { Errno } from "../spec/errno";
import { MOCK_PLATFORM, type Platform, VFIO_PLATFORM } from "../spec/platform";
import type { Profile } from "../spec/verdict";
import { Bench, buf } from "./fixture";

const U64 = 0xffff_ffff_ffff_ffffn;
const NOBODY = 99;
const AT = 0x1000_0000n;

/** IOAS 1 maps a page read-only at AT, IOAS 2 is empty; neither has a domain. */
const mappings = (profile: Profile, platform: Platform = MOCK_PLATFORM): Bench => {
  const b = new Bench(platform, profile);
  for (const _ of [1, 2]) b.done("IOAS_ALLOC", {});
  b.done("IOAS_MAP", { ioas_id: 1, flags: 5, user_va: buf(0), length: 0x1000n, iova: AT });
  return b;
};

type Case = readonly [call: CallName, wrong: string, args: object, first: Errno, second: Errno];

const MAP = { ioas_id: 1, flags: 5, user_va: buf(0), length: 0x1000n, iova: AT };
const COPY = {
  flags: 5,
  dst_ioas_id: 2,
  src_ioas_id: 1,
  length: 0x1000n,
  src_iova: AT,
  dst_iova: AT,
};
const GET_DIRTY = { hwpt_id: NOBODY, iova: AT, length: 0x1000n, page_size: 0x1000n, prefill: "00" };
const ALLOW = { ioas_id: NOBODY, num_iovas: 1 };

const PAIRS: readonly Case[] = [
  [
    "IOAS_MAP",
    "unknown IOAS, IOVA that wraps",
    { ...MAP, ioas_id: NOBODY, iova: U64 - 0xffn },
    "ENOENT",
    "EOVERFLOW",
  ],
  [
    "IOAS_MAP",
    "unknown flag, unknown IOAS",
    { ...MAP, flags: 13, ioas_id: NOBODY },
    "EOPNOTSUPP",
    "ENOENT",
  ],
  [
    "IOAS_MAP",
    "unknown IOAS, length 0",
    { ...MAP, ioas_id: NOBODY, length: 0n },
    "ENOENT",
    "EINVAL",
  ],
  [
    "IOAS_MAP",
    "IOVA that wraps, over a mapping",
    { ...MAP, length: U64 - 0x2000n, user_va: 0n },
    "EOVERFLOW",
    "EEXIST",
  ],
  ["IOAS_UNMAP", "unknown IOAS, length 0", { ioas_id: NOBODY }, "ENOENT", "EINVAL"],
  [
    "IOAS_UNMAP",
    "unknown IOAS, iova 2^64-1",
    { ioas_id: NOBODY, iova: U64, length: 1n },
    "ENOENT",
    "EOVERFLOW",
  ],
  [
    "IOAS_UNMAP",
    "unknown IOAS, range that wraps",
    { ioas_id: NOBODY, iova: U64 - 1n, length: 9n },
    "ENOENT",
    "EOVERFLOW",
  ],
  [
    "IOAS_COPY",
    "unknown source, length 0",
    { ...COPY, src_ioas_id: NOBODY, length: 0n },
    "ENOENT",
    "EINVAL",
  ],
  [
    "IOAS_COPY",
    "unknown source, range that wraps",
    { ...COPY, src_ioas_id: NOBODY, src_iova: U64 - 1n },
    "ENOENT",
    "EOVERFLOW",
  ],
  [
    "IOAS_COPY",
    "length 0, unknown destination",
    { ...COPY, dst_ioas_id: NOBODY, length: 0n },
    "EINVAL",
    "ENOENT",
  ],
  [
    "IOAS_COPY",
    "hole in the source, onto a mapping",
    { ...COPY, dst_ioas_id: 1, length: 0x2000n },
    "ENOENT",
    "EEXIST",
  ],
  [
    "IOAS_COPY",
    "unknown destination, more rights than its MAP",
    { ...COPY, dst_ioas_id: NOBODY, flags: 7 },
    "ENOENT",
    "EPERM",
  ],
  [
    "IOAS_ALLOW_IOVAS",
    "unknown IOAS, inverted range",
    { ...ALLOW, array: [[9n, 1n]] },
    "ENOENT",
    "EINVAL",
  ],
  ["IOAS_ALLOW_IOVAS", "unknown IOAS, unreadable range", ALLOW, "ENOENT", "EFAULT"],
  [
    "OPTION",
    "RLIMIT_MODE of an object, bad value",
    { op: 0, object_id: 1, val64: 2n },
    "EOPNOTSUPP",
    "EINVAL",
  ],
  [
    "OPTION",
    "RLIMIT_MODE while there are objects, bad value",
    { op: 0, val64: 2n },
    "EBUSY",
    "EINVAL",
  ],
  [
    "OPTION",
    "HUGE_PAGES of no IOAS, bad value",
    { option_id: 1, object_id: NOBODY, val64: 2n },
    "ENOENT",
    "EINVAL",
  ],
  [
    "OPTION",
    "HUGE_PAGES of no IOAS, unknown op",
    { option_id: 1, object_id: NOBODY, op: 7 },
    "ENOENT",
    "EOPNOTSUPP",
  ],
  [
    "GET_HW_INFO",
    "unknown device, unwritable buffer",
    { dev_id: NOBODY, data_len: 8 },
    "ENOENT",
    "EFAULT",
  ],
  [
    "HWPT_ALLOC",
    "unknown device, unknown flag",
    { dev_id: NOBODY, flags: 8 },
    "ENOENT",
    "EOPNOTSUPP",
  ],
  [
    "HWPT_GET_DIRTY_BITMAP",
    "unknown table, length 0",
    { ...GET_DIRTY, length: 0n },
    "ENOENT",
    "EINVAL",
  ],
  [
    "HWPT_GET_DIRTY_BITMAP",
    "unknown table, range that wraps",
    { ...GET_DIRTY, iova: U64 - 0xfffn, length: 0x2000n },
    "ENOENT",
    "EOVERFLOW",
  ],
  [
    "HWPT_GET_DIRTY_BITMAP",
    "unknown table, page_size 0",
    { ...GET_DIRTY, page_size: 0n },
    "ENOENT",
    "EINVAL",
  ],
  ["ACCESS_PAGES", "no in-kernel user, length 0", { access_fd: -1 }, "EBADFD", "EINVAL"],
  [
    "ACCESS_RW",
    "no in-kernel user, range that wraps",
    { access_fd: -1, iova: U64, length: 2n },
    "EBADFD",
    "EOVERFLOW",
  ],
  ["VFIO_MAP_DMA", "no container, length 0", { argsz: 32, flags: 3 }, "ENODEV", "EINVAL"],
  ["VFIO_UNMAP_DMA", "no container, length 0", { argsz: 24 }, "ENODEV", "EINVAL"],
  [
    "VFIO_UNMAP_DMA",
    "no container, range that wraps",
    { argsz: 24, iova: U64, size: 2n },
    "ENODEV",
    "EOVERFLOW",
  ],
];

describe("a call with two faults", () => {
  test.each(PAIRS)("%s: %s", (call, _, args, first, second) => {
    const judged = (profile: Profile, errno: Errno) => mappings(profile).fails(call, args, errno);
    expect(judged("linux-6.12", first)).toBeUndefined();
    expect(judged("linux-6.12", second)).toMatchObject({ kind: "errno", actual: second });
    expect(judged("documented", first)).toBeUndefined();
    expect(judged("documented", second)).toBeUndefined();
    // Not every errno is right, and failing is not optional.
    expect(judged("documented", "EIO")).toMatchObject({ kind: "errno", actual: "EIO" });
    expect(mappings("documented").ok(call, args)).toMatchObject({ actual: "success" });
  });
});

describe("host and framing come first in every profile", () => {
  test.each([
    ["IOAS_UNMAP", "length 0 on a closed file", {}, "EBADF", "EINVAL"],
    [
      "HWPT_ALLOC",
      "a struct too small, a reserved field",
      { size: 20, reserved: 1 },
      "EINVAL",
      "EOPNOTSUPP",
    ],
    ["GET_HW_INFO", "a struct too small, an unknown device", { size: 31 }, "EINVAL", "ENOENT"],
    [
      "FAULT_WRITE",
      "half a response on a closed file",
      { fault_fd: -1, count: 4 },
      "EBADF",
      "ESPIPE",
    ],
    [
      "VFIO_BIND",
      "no iommufd on a closed file",
      { devfd: -1, argsz: 16, iommufd: FD_NOT_OPEN - 1 },
      "EBADF",
      "EINVAL",
    ],
  ] as const)("%s: %s", (call, _, args, first, second) => {
    const fd = first === "EBADF" ? 7 : 0;
    for (const profile of ["linux-6.12", "documented"] as const) {
      const platform = call === "VFIO_BIND" ? VFIO_PLATFORM : MOCK_PLATFORM;
      const judged = (errno: Errno) => mappings(profile, platform).fails(call, args, errno, {}, fd);
      expect(judged(first)).toBeUndefined();
      expect(judged(second)).toMatchObject({ kind: "errno", actual: second });
    }
  });
});
