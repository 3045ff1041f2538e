/**
 * What the documents leave to an implementation: right in profile `documented`, and wrong in
 * linux-6.12, which has a rule of its own there. Somebody met each who wrote an implementation
 * from the clauses alone.
 */
import { describe, expect, test } from "@jest/globals";
import type { Errno } from "../spec/errno";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../spec/platform";
import { rawCall } from "../spec/raw";
import type { Deviation, Profile } from "../spec/verdict";
import { Bench, buf, make } from "./fixture";

const [V2, TYPE1] = [3n, 1n];
const PAGE = 0x1000n;
const AT = 0x10_0000n;

/** Two IOASs. */
const mock = (profile: Profile): Bench => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", {});
  b.done("IOAS_ALLOC", {});
  return b;
};

/** A page of IOAS 1 at AT. */
const mapped = (profile: Profile, ioas = 1): Bench => {
  const b = mock(profile);
  b.done("IOAS_MAP", { ioas_id: ioas, flags: 7, user_va: buf(0), length: PAGE, iova: AT });
  return b;
};

const allow = (b: Bench, first: bigint, last: bigint): void => {
  const array = [[first, last]] as never;
  b.done("IOAS_ALLOW_IOVAS", { ioas_id: 2, num_iovas: 1, allowed_iovas: 0x1_0000n, array });
};

const automaticCopy = { flags: 6, dst_ioas_id: 2, src_ioas_id: 1, length: PAGE, src_iova: AT };

/** The compat IOAS of a TYPE1 or TYPE1v2 container, with a page at 0. */
const container = (profile: Profile, type: bigint): Bench => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", {});
  b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
  b.done("VFIO_SET_IOMMU", { arg: type });
  b.done("VFIO_MAP_DMA", { argsz: 32, flags: 3, vaddr: buf(0), iova: 0n, size: PAGE });
  return b;
};

/** Devices 0 and 1 are one group; the first is attached, the second only bound. */
const group = (profile: Profile): Bench => {
  const b = new Bench(VFIO_PLATFORM, profile);
  b.done("IOAS_ALLOC", {});
  for (const dev of [2, 3]) {
    const { devfd } = b.done("DEVICE_OPEN", { dev });
    b.done("VFIO_BIND", { devfd, argsz: 16, iommufd: 0 });
  }
  b.done("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 1 });
  b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: PAGE, iova: AT });
  return b;
};

/** Device 4 of the mock driver, and HWPT 6 made by hand, which does not track. */
const table = (profile: Profile): Bench => {
  const b = mock(profile);
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("HWPT_ALLOC", { dev_id: 4, pt_id: 1 });
  return b;
};

const judgeRaw = (b: Bench, call: ReturnType<typeof make>, errno: Errno): Deviation | undefined =>
  b.model.judge(rawCall(call, { memory: "r" }), { errno });

type Choice = (profile: Profile) => Deviation | undefined;

const CHOICES: readonly (readonly [what: string, choice: Choice])[] = [
  [
    "an automatic copy at IOVA 0 (UNS-16)",
    (profile) => {
      const b = mapped(profile);
      allow(b, 0n, PAGE - 1n);
      return b.ok("IOAS_COPY", automaticCopy, { dst_iova: 0n });
    },
  ],
  [
    "that there is no room for a copy of nothing (UNS-07)",
    (profile) => {
      const b = mapped(profile);
      allow(b, 0n, 0xfffn);
      const copy = { ...automaticCopy, src_iova: 2n * AT, length: 2n * PAGE };
      return b.fails("IOAS_COPY", copy, "ENOSPC");
    },
  ],
  [
    "a VFIO mapping of the last page of all addresses (MAP-06)",
    (profile) => {
      const b = container(profile, V2);
      const vaddr = 2n ** 64n - PAGE;
      return b.ok("VFIO_MAP_DMA", { argsz: 32, flags: 3, vaddr, iova: AT, size: PAGE });
    },
  ],
  [
    "TYPE1 while there are a domain and a mapping (OPT-13)",
    (profile) => {
      const b = container(profile, V2);
      b.done("VFIO_UNMAP_DMA", { argsz: 24, iova: 0n, size: PAGE });
      b.done("MOCK_DOMAIN", { pt_id: 1 });
      const at = { iova: 0x100_0000n, size: PAGE };
      b.done("VFIO_MAP_DMA", { argsz: 32, flags: 3, vaddr: buf(0), ...at });
      return b.ok("VFIO_SET_IOMMU", { arg: TYPE1 }, { rc: 0 });
    },
  ],
  [
    "a cut behind the first byte that is refused as any other (VCC-15)",
    (profile) => {
      const cut = { argsz: 24, iova: 1n, size: PAGE - 1n };
      return container(profile, TYPE1).fails("VFIO_UNMAP_DMA", cut, "EINVAL");
    },
  ],
  [
    "a device that is blocked as long as it is not attached itself (DEV-07)",
    (profile) => {
      const dma = { devfd: 1, dir: "from_device", iova: AT, length: 4 } as const;
      return group(profile).ok("DMA", dma, { fault: 1 });
    },
  ],
  [
    "a reserved word of SET_DIRTY_TRACKING that is looked at (DTY-05)",
    (profile) => {
      const set = { hwpt_id: 77, reserved: 1 };
      return table(profile).fails("HWPT_SET_DIRTY_TRACKING", set, "EOPNOTSUPP");
    },
  ],
  [
    "tracking that cannot be switched on, and can be off (DTY-03)",
    (profile) => table(profile).ok("HWPT_SET_DIRTY_TRACKING", { hwpt_id: 6 }),
  ],
  [
    "invalidations without a bound, up to the one that cannot be read (INV-02)",
    (profile) => {
      const b = mock(profile);
      b.done("MOCK_DOMAIN", { pt_id: 1 });
      b.done("HWPT_ALLOC", { dev_id: 4, pt_id: 1, flags: 1 });
      const data = { data_type: 0xdead, data_len: 4, data: "07000000" };
      b.done("HWPT_ALLOC", { dev_id: 4, pt_id: 6, ...data });
      const entries = { entry_len: 8, entry_num: 2 ** 19 + 1, data: "0000000000000000" };
      const call = { hwpt_id: 7, data_uptr: 0x1_0000n, data_type: 0xdead_beef, ...entries };
      return b.fails("HWPT_INVALIDATE", call, "EFAULT", { entry_num: 1 });
    },
  ],
  [
    "an answer that cannot be stored, before what else is wrong (UNS-07)",
    (profile) => {
      const unmap = make("IOAS_UNMAP", { ioas_id: 9, iova: 0n, length: PAGE });
      return judgeRaw(mock(profile), unmap, "EFAULT");
    },
  ],
];

describe("Free is", () => {
  test.each(CHOICES)("%s", (_what, choice) => {
    expect(choice("documented")).toBeUndefined();
    expect(choice("linux-6.12")).toBeDefined();
  });

  test("where an automatic map went whose answer could not be stored (GEN-16)", () => {
    const b = mock("documented");
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const map = make("IOAS_MAP", { ioas_id: 1, flags: 6, user_va: buf(0), length: PAGE });
    expect(judgeRaw(b, map, "EFAULT")).toBeUndefined();
    const somewhere = { ioas_id: 1, iova: 0x200_0000n, length: PAGE };
    expect(b.ok("IOAS_UNMAP", somewhere, { length: PAGE })).toBeUndefined();
    expect(b.model.isLost).toBe(true);
  });
});
