import { expect, test } from "@jest/globals";
import { type Machine, Pool } from "./pool";

class Fake implements Machine {
  isGone = false;
  isStopped = false;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }
}

const poolOf = () => {
  const booted: Fake[] = [];
  const pool = new Pool<Fake>(async () => {
    const machine = new Fake(booted.length);
    booted.push(machine);
    return machine;
  });
  const numberOf = async (): Promise<number> => {
    const machine = await pool.get("mock");
    return typeof machine === "string" ? -1 : machine.number;
  };
  return { pool, booted, numberOf };
};

test("a machine serves until it is retired or gone, and nothing is booted ahead", async () => {
  const { pool, booted, numberOf } = poolOf();
  expect([await numberOf(), await numberOf()]).toEqual([0, 0]);
  await pool.retire("mock");
  expect(await numberOf()).toBe(1);
  for (const machine of booted) machine.isGone = true;
  expect(await numberOf()).toBe(2);
  expect(booted.map(({ isStopped }) => isStopped)).toEqual([true, true, false]);
});

test("once machines are renewed, the next one is there already", async () => {
  const { pool, booted, numberOf } = poolOf();
  await numberOf();
  await pool.renew();
  expect(booted[0]?.isStopped).toBe(true);
  expect(await numberOf()).toBe(1);
  expect(booted).toHaveLength(3);
  await pool.renew();
  expect(await numberOf()).toBe(2);
  expect(booted).toHaveLength(4);
});

test("a spare machine that has died is not given out", async () => {
  const { pool, booted, numberOf } = poolOf();
  await numberOf();
  await pool.renew();
  await numberOf();
  for (const machine of booted.slice(2)) machine.isGone = true;
  await pool.renew();
  expect(await numberOf()).toBe(3);
});

test("a spare machine that cannot be started is started again when it is needed", async () => {
  let asked = 0;
  const pool = new Pool<Fake>(async () => {
    if (asked++ === 2) throw new Error("no memory");
    return new Fake(asked);
  });
  await pool.get("mock");
  await pool.renew();
  await pool.get("mock");
  await pool.renew();
  expect(await pool.get("mock")).toBeInstanceOf(Fake);
  expect(asked).toBe(5);
});

test("nothing is left when the pool is closed, not even a machine that still boots", async () => {
  const { pool, booted, numberOf } = poolOf();
  await numberOf();
  await pool.renew();
  await numberOf();
  await pool.close();
  expect(booted.map(({ isStopped }) => isStopped)).toEqual([true, true, true]);
});

test("why there is no machine is passed on, and asked again", async () => {
  let asked = 0;
  const pool = new Pool<Fake>(async () => `no ${asked++}`);
  expect([await pool.get("vt-d"), await pool.get("vt-d")]).toEqual(["no 0", "no 1"]);
});
