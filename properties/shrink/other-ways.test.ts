import { describe, expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { type Bytes, type Iova, U64_MAX } from "../../spec/units";
import { byDomain, mappedAgain, natively, tightened, unmapped } from "./other-ways";

const fd = new Handle("fd0");
const [ioas0, map0, access0] = ["ioas0", "map0", "access0"].map((name) => new Handle(name)) as [
  Handle,
  Handle,
  Handle,
];
const PAGE = 0x1000n as Bytes;
const OPEN: Step = { call: "OPEN", as: "fd0", in: {} };
const ALLOC: Step = { call: "IOAS_ALLOC", as: "ioas0", fd, in: {} };
const MAP: Step = {
  call: "IOAS_MAP",
  as: "map0",
  fd,
  in: { flags: 6, ioas_id: ioas0, user_va: new Handle("buf1"), length: PAGE },
};

/** The traces that are offered, without what stays as it is. */
const offered = (
  ways: (steps: readonly Step[]) => Iterable<readonly Step[]>,
  steps: readonly Step[],
): Step[][] => [...ways(steps)].map((other) => other.filter((step) => !steps.includes(step)));

describe("natively", () => {
  test("a mapping of the container is one of the iommufd, at the same place", () => {
    const args = { argsz: 32, flags: 3, vaddr: new Handle("buf0"), iova: 0n as Iova, size: PAGE };
    const [[made] = []] = offered(natively, [OPEN, ALLOC, { call: "VFIO_MAP_DMA", fd, in: args }]);
    expect(made).toMatchObject({
      call: "IOAS_MAP",
      fd,
      in: { flags: 7, ioas_id: ioas0, user_va: new Handle("buf0"), iova: 0n, length: PAGE },
    });
  });

  test("what the container unmaps is unmapped by the iommufd, a range or all", () => {
    const range: Step = { call: "VFIO_UNMAP_DMA", fd, in: { argsz: 24, iova: map0, size: PAGE } };
    const all: Step = { call: "VFIO_UNMAP_DMA", fd, in: { argsz: 24, flags: 2 } };
    expect(offered(natively, [OPEN, ALLOC, MAP, range, all])).toEqual([
      [{ call: "IOAS_UNMAP", fd, in: { ioas_id: ioas0, length: PAGE, iova: map0 } }],
      [{ call: "IOAS_UNMAP", fd, in: { ioas_id: ioas0, length: U64_MAX } }],
    ]);
  });
});

test("unmapped: instead of a device that goes", () => {
  const gone: Step = { call: "DESTROY", fd, in: { id: new Handle("mock0") } };
  expect(offered(unmapped, [OPEN, ALLOC, MAP, gone])).toEqual([
    [{ call: "IOAS_UNMAP", fd, in: { ioas_id: ioas0, length: U64_MAX } }],
  ]);
});

test("mappedAgain: a copy maps the same memory, and has a new name", () => {
  const args = { flags: 2, dst_ioas_id: ioas0, src_ioas_id: ioas0, length: PAGE, src_iova: map0 };
  const copy: Step = { call: "IOAS_COPY", as: "copy0", fd, in: args };
  const unmap = (iova: Handle): Step => ({ call: "IOAS_UNMAP", fd, in: { ioas_id: ioas0, iova } });
  const [[made, used] = []] = offered(mappedAgain, [
    ...[OPEN, ALLOC, MAP, copy],
    unmap(new Handle("copy0")),
  ]);
  const memory = { user_va: new Handle("buf1"), length: PAGE };
  expect(made).toMatchObject({ call: "IOAS_MAP", in: { flags: 2, ioas_id: ioas0, ...memory } });
  expect(made?.as).toMatch(/^map/);
  expect(used).toEqual(unmap(new Handle(made?.as ?? "")));
});

test("byDomain: a device pins instead of an in-kernel user, and lets go instead of it", () => {
  const steps: readonly Step[] = [
    ...[OPEN, ALLOC, MAP],
    { call: "CREATE_ACCESS", as: "access0", fd, in: { ioas_id: ioas0, flags: 1 } },
    {
      call: "ACCESS_PAGES",
      as: "pages0",
      fd,
      in: { access_fd: access0, iova: map0, length: PAGE },
    },
    { call: "CLOSE_ACCESS", in: { access_fd: access0 } },
  ];
  const [pinned = [], ...inApertures] = offered(byDomain, steps);
  const [domain, gone] = pinned;
  expect(pinned).toHaveLength(2);
  expect(domain).toMatchObject({ call: "MOCK_DOMAIN", fd, in: { pt_id: ioas0 } });
  expect(gone).toEqual({ call: "DESTROY", fd, in: { id: new Handle(domain?.as ?? "") } });
  // Where the mapping came by itself no domain may have it.
  expect(inApertures.flat().some(({ call }) => call === "IOAS_MAP")).toBe(true);
});

test("byDomain: each device has a name of its own", () => {
  const user = (n: number): Step[] => [
    { call: "CREATE_ACCESS", as: `access${n}`, fd, in: { ioas_id: ioas0, flags: 1 } },
    { call: "ACCESS_PAGES", as: `pages${n}`, fd, in: { access_fd: new Handle(`access${n}`) } },
  ];
  const [first = []] = byDomain([OPEN, ALLOC, ...user(0), ...user(1)]);
  const [both = []] = byDomain(first);
  const devices = both.flatMap(({ call, as }) => (call === "MOCK_DOMAIN" ? [as] : []));
  expect(new Set(devices).size).toBe(2);
});

test("tightened: no limit has to be filled, and mappings need one page", () => {
  const limit: Step = { call: "SETRLIMIT_MEMLOCK", in: { cur: 0x2000n as Bytes } };
  const big: Step = { ...MAP, in: { ...MAP.in, length: 0x3000n as Bytes } } as Step;
  const none = { call: "SETRLIMIT_MEMLOCK", in: {} };
  expect(offered(tightened, [limit, MAP])).toContainEqual([none]);
  expect(offered(tightened, [limit, big])).toContainEqual([
    none,
    { ...MAP, in: { ...MAP.in, user_va: new Handle("buf0") } },
  ]);
});
