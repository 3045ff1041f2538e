import { expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { reordered } from "./order";

const fd = new Handle("fd0");
const OPEN: Step = { call: "OPEN", as: "fd0", in: {} };
const alloc = (as: string): Step => ({ call: "IOAS_ALLOC", as, fd, in: {} });
const domain = (as: string, ioas: string): Step => ({
  call: "MOCK_DOMAIN",
  as,
  fd,
  in: { pt_id: new Handle(ioas) },
});
const map = (as: string, ioas: string, flags = 6): Step => ({
  call: "IOAS_MAP",
  as,
  fd,
  in: { flags, ioas_id: new Handle(ioas) },
});

/** Where all that is offered helps, the order that is left in the end. */
const settled = (steps: readonly Step[]): readonly Step[] => {
  for (let best = steps; ; ) {
    const [next] = reordered(best);
    if (next === undefined) return best;
    best = next;
  }
};

test("what is set up comes first, over any distance", () => {
  const limit: Step = { call: "SET_TEMP_MEMORY_LIMIT", fd, in: { limit: 12 } };
  const [ioas, mock, mapping] = [alloc("ioas0"), domain("mock0", "ioas0"), map("map0", "ioas0")];
  const offered = [...reordered([OPEN, ioas, mapping, limit, mock])];
  expect(offered).toContainEqual([OPEN, ioas, mock, limit, mapping]);
  expect(offered).toContainEqual([OPEN, ioas, mock, mapping, limit]);
});

test("two address spaces that have each other's parts come out the same", () => {
  const one = [OPEN, alloc("ioas0"), alloc("ioas1"), map("map0", "ioas0", 4), map("map1", "ioas1")];
  const other = [
    OPEN,
    alloc("ioas0"),
    alloc("ioas1"),
    map("map0", "ioas0"),
    map("map1", "ioas1", 4),
  ];
  expect(settled(other)).toEqual(settled(one));
});

test("where that takes all of them at once, too", () => {
  const setup = [OPEN, alloc("ioas0"), alloc("ioas1")];
  const domains = [domain("mock0", "ioas0"), domain("mock1", "ioas1")];
  const crossed = [...setup, ...domains, map("map0", "ioas1", 4), map("map1", "ioas0")];
  const right = [...setup, ...domains, map("map0", "ioas0", 4), map("map1", "ioas1")];
  expect(settled(crossed)).toEqual(right);
});

test("nothing is used before it is made", () => {
  const args = { dev_id: new Handle("mock0", "out_idev_id"), pt_id: new Handle("ioas0") };
  const table: Step = { call: "HWPT_ALLOC", as: "hwpt0", fd, in: args };
  const first = [OPEN, alloc("ioas0"), domain("mock0", "ioas0")];
  expect([...reordered([...first, table, domain("mock1", "hwpt0")])]).toEqual([]);
  expect([...reordered([...first, table, domain("mock1", "ioas0")])]).not.toEqual([]);
});

test("a long trace stays as it is", () => {
  const maps = Array.from({ length: 40 }, (_, i) => map(`map${i}`, "ioas0"));
  const steps = [OPEN, alloc("ioas0"), ...maps, domain("mock0", "ioas0")];
  expect([...reordered(steps)]).toEqual([]);
  expect([...reordered([...steps.slice(0, 6), ...steps.slice(-1)])]).not.toEqual([]);
});
