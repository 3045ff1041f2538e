import { describe, expect, test } from "@jest/globals";
import type { CallName } from "../spec/calls";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../spec/platform";
import { Bench, blamed, buf, make } from "./fixture";
import { modelMachine } from "./machine";

describe("Model", () => {
  test("foresees without moving", () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", { flags: 0 });
    const before = structuredClone(b.model.state);
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0n };
    expect(b.model.foresee(make("IOAS_MAP", map))).toEqual({ errno: 0 });
    const wrong = make("IOAS_MAP", { ...map, flags: 8 });
    expect(b.model.foresee(wrong)).toEqual({ errno: "EOPNOTSUPP", clause: "MAP-01" });
    expect(b.model.state).toEqual(before);
  });

  test("predicts as 6.12 chooses: smallest ids, lowest automatic IOVA", () => {
    const b = new Bench();
    expect(b.done("IOAS_ALLOC", { flags: 0 })).toEqual({ out_ioas_id: 1 });
    const mock = { out_stdev_id: 2, out_hwpt_id: 4, out_idev_id: 3 };
    expect(b.done("MOCK_DOMAIN", { pt_id: 1 })).toEqual(mock);
    b.done("DESTROY", { id: 2 });
    expect(b.done("IOAS_ALLOC", { flags: 0 })).toEqual({ out_ioas_id: 2 });
    const auto = { ioas_id: 1, flags: 6 };
    const at = (user_va: bigint, length: bigint) =>
      b.done("IOAS_MAP", { ...auto, user_va, length });
    // As recorded in core-2: offset bits are set, alignment follows address and length.
    expect(at(0x2000_0001_ade7n, 0x123n)).toEqual({ iova: 0x1de7n });
    expect(at(0x2000_0010_1000n, 0x3000n)).toEqual({ iova: 0x2000n });
    expect(at(0x2000_0000_0000n, 0x20_1000n)).toEqual({ iova: 0x20_0000n });
  });

  test("an id of the call's own making is answered as 6.12 does", () => {
    const b = new Bench();
    b.done("IOAS_ALLOC", { flags: 0 });
    expect(b.model.foresee(make("MOCK_DOMAIN", { pt_id: 2 }))).toMatchObject({ errno: "ENOENT" });
    expect(b.model.foresee(make("MOCK_DOMAIN", { pt_id: 3 }))).toMatchObject({ errno: "EINVAL" });
    // Ids are open, and so is this.
    expect(b.fails("MOCK_DOMAIN", { pt_id: 3 }, "ENOENT")).toBeUndefined();
  });

  test("in profile documented takes the errno of any broken rule, and ENOMEM", () => {
    const two = { flags: 8, ioas_id: 9, length: 0x1000n };
    const b = new Bench(MOCK_PLATFORM, "documented");
    for (const errno of ["EOPNOTSUPP", "EINVAL", "ENOENT", "ENOMEM"] as const) {
      expect(b.fails("IOAS_MAP", two, errno)).toBeUndefined();
    }
    expect(blamed(b.fails("IOAS_MAP", two, "EBUSY"))).toBe("MAP-01");
    expect(blamed(new Bench().fails("IOAS_MAP", two, "ENOENT"))).toBe("MAP-01");
    expect(blamed(new Bench().fails("IOAS_ALLOC", { flags: 0 }, "ENOMEM"))).toBe("IAL-02");
  });

  test.each<[CallName, boolean]>([
    ["OPEN", true],
    ["DESTROY", true],
    ["IOAS_ALLOW_IOVAS", true],
    ["IOAS_IOVA_RANGES", true],
    ["OPTION", true],
    ["VFIO_IOAS", true],
    ["DEVICE_OPEN", true],
    ["VFIO_DETACH", true],
    ["MOCK_DOMAIN_REPLACE", true],
    ["CLOSE", false],
    ["TRANSLATE", false],
    ["PAGE_REFS", false],
    ["MEM_WRITE", false],
  ])("%s may run out of memory in profile documented: %s", (name, may) => {
    const judged = new Bench(VFIO_PLATFORM, "documented").fails(name, {}, "ENOMEM");
    expect(judged === undefined).toBe(may);
    expect(new Bench(VFIO_PLATFORM).fails(name, {}, "ENOMEM")).toBeDefined();
  });

  test("in profile documented lets rules of 6.12 alone be broken", () => {
    const b = new Bench(MOCK_PLATFORM, "documented");
    b.done("IOAS_ALLOC", { flags: 0 });
    const map = { ioas_id: 1, flags: 1, user_va: buf(0), length: 0x1000n, iova: 0x1000n };
    expect(b.ok("IOAS_MAP", map, { iova: 0x1000n })).toBeUndefined();
    expect(b.ok("IOAS_MAP", { ...map, length: 0n }, { iova: 0x1000n })).toBeUndefined();
    const all = { ioas_id: 1, iova: 0n, length: 0xffff_ffff_ffff_ffffn };
    expect(b.ok("IOAS_UNMAP", all, { length: 0x1000n })).toBeUndefined();
    expect(blamed(b.ok("IOAS_UNMAP", { ...all, ioas_id: 7 }, { length: 0n }))).toBe("UNM-01");
  });

  test("sits in the IUT seat", () => {
    const machine = modelMachine(MOCK_PLATFORM);
    expect(machine.call(make("OPEN", {}))).toEqual({ errno: 0, out: { fd: 0 } });
    expect(machine.call(make("CLOSE", {}))).toEqual({ errno: 0 });
    expect(machine.call(make("CLOSE", {}))).toEqual({ errno: "EBADF" });
  });
});
