import { expect, test } from "@jest/globals";
import type { Random } from "fast-check";
import { radix } from "../../../impl/radix";
import { MOCK_PLATFORM, SCRATCH } from "../../../spec/platform";
import type { Bytes, UserVa } from "../../../spec/units";
import { availableCalls, Composer } from "../composer";
import { Draw } from "../draw";
import { MEMORY } from "./memory";
import { attach, fresh, map, openIommufd, PLACE } from "./steps";

/** Whether the memory of the only mapping is replaced. */
const replaces = (va: UserVa, bytes: bigint): boolean => {
  const lowest = { nextInt: (min: number) => min } as unknown as Random;
  const calls = availableCalls(MOCK_PLATFORM, radix.info.capabilities);
  const c = new Composer(MOCK_PLATFORM, calls, new Draw(lowest));
  const ioas = fresh(c, openIommufd(c));
  if (ioas === undefined) throw new Error("an IOAS can be made");
  map(c, ioas, { va, bytes, at: PLACE });
  attach(c, ioas);
  const motif = MEMORY.find(({ name }) => name === "replaced-memory");
  return motif?.make(c, c.scene) === true;
};

test("memory that arguments of calls are written to is never replaced", () => {
  const page = 0x1000n as Bytes;
  const [buffer] = MOCK_PLATFORM.processes[0]?.memory ?? [];
  expect(replaces(buffer?.va ?? SCRATCH.va, page)).toBe(true);
  expect(replaces(SCRATCH.va, page)).toBe(false);
  expect(replaces((SCRATCH.va + SCRATCH.length - page) as UserVa, page)).toBe(false);
});
