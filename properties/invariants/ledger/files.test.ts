import { describe, expect, test } from "@jest/globals";
import { VFIO_PLATFORM } from "../../../spec/platform";
import { type Answered, ask, close, destroy, failed, ioas, ok, open } from "../testdata/stream";
import { InvariantTally, InvariantWatch } from "../watch";

const dup = (fd: number, from = 3): Answered => [ask("DUP", {}, from), ok({ fd })];
const on = (fd: number, [call, outcome]: Answered): Answered => [
  { ...call, fd } as Answered[0],
  outcome,
];

/** What the last of these answers is blamed for. */
const blame = (...life: readonly Answered[]): string | undefined => {
  const watch = new InvariantWatch(VFIO_PLATFORM, new InvariantTally());
  const found = life.map(([call, outcome]) => watch.step(call, outcome)?.clauses[0]);
  expect(found.slice(0, -1)).toEqual(life.slice(1).map(() => undefined));
  return found.at(-1);
};

describe("numbers of one file", () => {
  const start = [open(), ioas(1), dup(4)];

  test("are one context for the invariants", () => {
    expect(blame(...start, on(4, ioas(2)))).toBeUndefined();
    expect(blame(...start, on(4, ioas(1)))).toBe("I-51");
    expect(blame(...start, on(4, destroy(1)), ioas(1))).toBeUndefined();
    expect(blame(...start, [ask("DESTROY", { id: 1 }, 4), failed("ENOENT")])).toBe("I-50");
  });

  test("keep it until the last of them is closed", () => {
    const asked: Answered = [ask("DESTROY", { id: 1 }, 4), failed("ENOENT")];
    expect(blame(...start, close(), asked)).toBe("I-50");
    expect(blame(...start, close(), on(4, ioas(1)))).toBe("I-51");
    expect(blame(...start, dup(5, 4), close(), close(4), on(5, ioas(1)))).toBe("I-51");
    expect(blame(...start, close(), close(4), open(4), on(4, ioas(1)))).toBeUndefined();
  });

  test("stand for it in a bind", () => {
    const bind = (iommufd: number, id: number): Answered => [
      ask("VFIO_BIND", { devfd: 100, argsz: 16, iommufd }),
      ok({ out_devid: id }),
    ];
    const opened: Answered = [ask("DEVICE_OPEN", { dev: 0 }), ok({ devfd: 100 })];
    expect(blame(...start, opened, bind(4, 2))).toBeUndefined();
    expect(blame(...start, opened, bind(4, 1))).toBe("I-51");
  });

  test("may come back as the number of another file", () => {
    expect(blame(...start, close(), open(), on(3, ioas(1)))).toBeUndefined();
    expect(blame(...start, close(), open(), on(4, ioas(1)))).toBe("I-51");
  });

  test("belong to each process by themselves", () => {
    const fork: Answered = [ask("FORK", { child: 1 }), ok()];
    const by = (proc: number, [call, outcome]: Answered): Answered => [
      { ...call, proc } as Answered[0],
      outcome,
    ];
    const gone: Answered = [ask("DESTROY", { id: 1 }, 4), failed("ENOENT")];
    expect(blame(...start, fork, close(), close(4), by(1, gone))).toBe("I-50");
    expect(blame(...start, fork, close(), by(1, close(4)), gone)).toBe("I-50");
    const all = [close(), close(4), by(1, close()), by(1, close(4))];
    expect(blame(...start, fork, ...all, open(4), on(4, ioas(1)))).toBeUndefined();
  });
});
