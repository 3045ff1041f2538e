import { expect, test } from "@jest/globals";
import { isStarved, type Shares, sharesOf } from "./starved";

const shares = (...threads: (readonly [ran: number, waited: number])[]): Shares =>
  new Map(threads.map(([ran, waited], thread) => [String(thread), { ran, waited }]));

test.each([
  ["sleeps", shares([5, 5]), shares([5.1, 5.9]), false],
  ["gets all of a CPU", shares([0, 0]), shares([8, 0]), false],
  ["gets a third of a CPU", shares([0, 0]), shares([2.7, 5.3]), false],
  ["gets next to nothing", shares([0, 0]), shares([0.5, 7.5]), true],
  ["waited long before", shares([1, 100]), shares([1, 101]), false],
  ["has a thread that waits, and a CPU that runs", shares([0, 0]), shares([0, 3], [8, 0]), false],
  ["has just begun", shares(), shares([0.1, 0.2], [0.1, 7]), true],
  ["is on a system that tells nothing", shares(), shares(), false],
])("starved or not: a process that %s", (_, before, after, expected) => {
  expect(isStarved(before, after)).toBe(expected);
});

test("this process has run, and has waited for its CPU", () => {
  const own = sharesOf(process.pid).get(String(process.pid));
  expect(own?.ran).toBeGreaterThan(0);
  expect(own?.waited).toBeGreaterThan(0);
  expect(sharesOf(undefined).size).toBe(0);
});
