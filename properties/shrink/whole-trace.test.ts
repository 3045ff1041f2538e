import { expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import type { Bytes, Iova } from "../../spec/units";
import { flattened, inOrderOfBirth, shortened, unfixed } from "./whole-trace";

const fd = new Handle("fd0");
const fork = (child?: number, proc?: number): Step => ({
  call: "FORK",
  ...(proc !== undefined && { proc }),
  in: child === undefined ? {} : { child },
});

test("processes are numbered as they are born", () => {
  const status = (proc: number): Step => ({ call: "PROC_STATUS", proc, in: {} });
  const first: Step = { call: "PROC_STATUS", in: {} };
  expect(inOrderOfBirth([fork(3), status(3), fork(2, 3), status(2), first])).toEqual([
    fork(1),
    ...[status(1), fork(2, 1), status(2), first],
  ]);
  const right = [fork(1), status(1)];
  expect(inOrderOfBirth(right)).toBe(right);
});

test("the first process keeps its number, whatever is born", () => {
  const first: Step = { call: "PROC_STATUS", in: {} };
  expect(inOrderOfBirth([first, fork(), fork(2), fork(2)])).toEqual([
    ...[first, fork(), fork(1), fork(1)],
  ]);
});

const map = (length: bigint, more: object = {}): Step => ({
  call: "IOAS_MAP",
  as: "map0",
  fd,
  in: { flags: 6, length: length as Bytes, ...more },
});
const unmap = (iova: unknown): Step =>
  ({ call: "IOAS_UNMAP", fd, in: { iova, length: 0x1000n } }) as Step;

test("a mapping is shorter, and places in it as far from its end as before", () => {
  const offered = [...shortened([map(0x10000n), unmap(new Handle("map0", "", 0xf000n))])];
  expect(offered).toContainEqual([map(0x2000n), unmap(new Handle("map0", "", 0x1000n))]);
  expect(offered).toContainEqual([map(0x1000n), unmap(new Handle("map0"))]);
});

test("an automatic place: what lies in it or a page beside it goes with it", () => {
  const fixed = map(0x1000n, { flags: 7, iova: 0x5000n as Iova });
  const at = (iova: bigint): unknown => {
    const [steps] = unfixed([fixed, unmap(iova)]);
    return (steps?.[1]?.in as { iova?: unknown } | undefined)?.iova;
  };
  expect(at(0x5800n)).toEqual(new Handle("map0", "", 0x800n));
  expect(at(0x4001n)).toEqual(new Handle("map0", "", -0xfffn));
  expect(at(0x6fffn)).toEqual(new Handle("map0", "", 0x1fffn));
  expect([at(0x3fffn), at(0x7000n)]).toEqual([0x3fffn, 0x7000n]);
});

test("all places are the first byte of what they are in, those before it as well", () => {
  const [flat = []] = flattened([map(0x2000n), unmap(new Handle("map0", "", -0xfffn))]);
  expect(flat).toEqual([map(0x1000n), unmap(new Handle("map0"))]);
});
