import { describe, expect, test } from "@jest/globals";
import { Handle } from "../../spec/handle";
import { LOST } from "../../spec/resolve";
import type { Step } from "../../spec/trace";
import { mergeHandle, renumber } from "./handles";
import { simplerSteps } from "./simpler-steps";

const simpler = (step: Step): Step[] => [...simplerSteps(step, [])];

test("a step of another process is tried in the first one", () => {
  const step: Step = { call: "DESTROY", proc: 2, fd: 0, in: { id: 1 } };
  expect(simpler(step)).toContainEqual({ call: "DESTROY", fd: 0, in: { id: 1 } });
});

describe("a step with byte edits", () => {
  const step: Step = {
    call: "DESTROY",
    fd: 0,
    in: { id: 1 },
    raw: {
      size: 9,
      tail: "01",
      put: [
        [0, "00"],
        [1, "01"],
      ],
    },
  };

  test("is tried as its typed call first", () => {
    expect(simpler(step)[0]).toEqual({ call: "DESTROY", fd: 0, in: { id: 1 } });
  });

  test("is not tried as another call, whose bytes nobody can edit", () => {
    const raw: Step = {
      call: "ACCESS_REPLACE_IOAS",
      fd: 0,
      in: { access_fd: 1 },
      raw: { size: 9 },
    };
    const calls = simpler(raw).map((other) => [other.call, other.raw]);
    expect(calls).toContainEqual(["ACCESS_REPLACE_IOAS", undefined]);
    expect(calls.map(([call]) => call)).not.toContain("CLOSE_ACCESS");
    expect(simpler({ call: raw.call, fd: 0, in: raw.in })[0]?.call).toBe("CLOSE_ACCESS");
  });

  test("is tried with one edit less", () => {
    const edits = simpler(step).flatMap(({ raw }) => (raw === undefined ? [] : [raw]));
    expect(edits).toContainEqual({
      tail: "01",
      put: [
        [0, "00"],
        [1, "01"],
      ],
    });
    expect(edits).toContainEqual({
      size: 9,
      put: [
        [0, "00"],
        [1, "01"],
      ],
    });
    expect(edits).toContainEqual({ size: 9, tail: "01" });
    expect(edits).toContainEqual({ size: 9, tail: "01", put: [[1, "01"]] });
  });

  test("without any edit left is tried as its typed call only", () => {
    expect(simpler({ ...step, in: {}, raw: {} })).toEqual([{ call: "DESTROY", fd: 0, in: {} }]);
  });
});

describe("page responses", () => {
  const answer: Step = {
    call: "FAULT_WRITE",
    in: {
      responses: [
        { cookie: new Handle("read1", "cookie0"), code: 0 },
        { cookie: 7, code: 1 },
      ],
    },
  };

  test("are dropped one by one", () => {
    const lists = simpler(answer).map((step) => (step.in as { responses?: unknown }).responses);
    expect(lists).toContainEqual([{ cookie: 7, code: 1 }]);
    expect(lists).toContainEqual([{ cookie: new Handle("read1", "cookie0"), code: 0 }]);
  });

  test("follow the record when handles are renamed or merged", () => {
    const read = (as: string): Step => ({ call: "FAULT_READ", as, in: {} });
    const of = (name: string) => ({
      responses: [
        { cookie: new Handle(name, "cookie0"), code: 0 },
        { cookie: 7, code: 1 },
      ],
    });
    expect(renumber([read("read1"), answer])[1]?.in).toEqual(of("read0"));
    expect(mergeHandle([read("read0"), read("read1"), answer], "read1", "read0")?.[1]?.in).toEqual(
      of("read0"),
    );
  });
});

test("a lost handle of pinned pages becomes the number that is never given", () => {
  const unpin: Step = {
    call: "DESTROY_ACCESS_PAGES",
    fd: 0,
    in: { access_pages_id: new Handle("pages0") },
  };
  expect(simpler(unpin)).toContainEqual({ ...unpin, in: { access_pages_id: LOST.item } });
});
