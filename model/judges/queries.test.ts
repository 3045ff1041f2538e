/** IOVA_RANGES, ALLOW_IOVAS, OPTION, VFIO_IOAS, DESTROY, ADD_RESERVED. */
import { describe, expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import type { Profile } from "../../spec/verdict";
import { Bench, blamed, buf } from "../fixture";

const U64 = 0xffff_ffff_ffff_ffffn;
type Ranges = readonly (readonly [bigint, bigint])[];

const bench = (profile: Profile = "linux-6.12") => {
  const b = new Bench(MOCK_PLATFORM, profile);
  b.done("IOAS_ALLOC", { flags: 0 });
  return b;
};

/** An answer with as many elements as `array` has, unless `num` says otherwise. */
const answer = (array: Ranges, alignment = 1n, num = array.length) => ({
  num_iovas: num,
  out_iova_alignment: alignment,
  array: array as never,
});

const ASK = { ioas_id: 1, num_iovas: 8, writable_elems: 8 };

describe("IOAS_IOVA_RANGES", () => {
  test("a fresh IOAS answers everything", () => {
    const b = bench();
    expect(b.ok("IOAS_IOVA_RANGES", ASK, answer([[0n, U64]]))).toBeUndefined();
    expect(b.counts("RNG-11")[0]).toBeGreaterThan(0);
    const wrong = answer([[0n, U64 - 1n]]);
    expect(blamed(bench().ok("IOAS_IOVA_RANGES", ASK, wrong))).toBe("RNG-11");
    expect(blamed(bench().ok("IOAS_IOVA_RANGES", ASK, answer([[0n, U64]], 2n)))).toBe("RNG-11");
  });

  test("one mock device leaves its aperture", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const right = answer([[0x100_0000n, 0x7fff_ffffn]], 0x800n);
    expect(b.ok("IOAS_IOVA_RANGES", ASK, right)).toBeUndefined();
    expect(blamed(b.ok("IOAS_IOVA_RANGES", ASK, answer([[0n, U64]], 0x800n)))).toBe("RNG-12");
  });

  test("an alignment of the IUT's own stays in force until something changes it", () => {
    const b = bench("documented");
    b.done("ADD_RESERVED", { ioas_id: 1, start: 0n, length: 0x1000n });
    expect(b.ok("IOAS_IOVA_RANGES", ASK, answer([[0x1000n, U64]], 0x1000n))).toBeUndefined();
    b.done("CREATE_ACCESS", { ioas_id: 1 });
    const half = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x800n, iova: 0x1000n };
    expect(b.fails("IOAS_MAP", half, "EINVAL")).toBeUndefined();
    expect(blamed(b.ok("IOAS_MAP", half, { iova: 0x1000n }))).toBe("MAP-08");
  });

  const reserved = () => {
    const b = bench();
    for (const start of [0x4000n, 0x1000n, 0x2000n]) {
      b.done("ADD_RESERVED", { ioas_id: 1, start, length: 0x1000n });
    }
    return b;
  };
  const holes: Ranges = [
    [0n, 0xfffn],
    [0x3000n, 0x3fffn],
    [0x5000n, U64],
  ];

  test("the answer is what nothing reserves, in order and joined", () => {
    expect(reserved().ok("IOAS_IOVA_RANGES", ASK, answer(holes))).toBeUndefined();
    const swapped = [holes[1], holes[0], holes[2]] as Ranges;
    expect(blamed(reserved().ok("IOAS_IOVA_RANGES", ASK, answer(swapped)))).toBe("RNG-03");
    const counted = answer(holes, 1n, 4);
    expect(blamed(reserved().ok("IOAS_IOVA_RANGES", ASK, counted))).toBe("RNG-06");
    expect(blamed(reserved().ok("IOAS_IOVA_RANGES", ASK, answer(holes, 2n)))).toBe("ALN-01");
  });

  test("where only the documents bind, it may come in other pieces", () => {
    const b = bench("documented");
    b.done("ADD_RESERVED", { ioas_id: 1, start: 0x1000n, length: 0x1000n });
    const pieces = answer([
      [0x2000n, U64],
      [0n, 0x7ffn],
      [0x800n, 0xfffn],
    ]);
    expect(b.ok("IOAS_IOVA_RANGES", ASK, pieces)).toBeUndefined();
    const less = answer([
      [0n, 0x7ffn],
      [0x2000n, U64],
    ]);
    expect(blamed(b.ok("IOAS_IOVA_RANGES", ASK, less))).toBe("RNG-03");
  });

  test("a short array gets the first ranges and EMSGSIZE", () => {
    const ask = { ...ASK, num_iovas: 2 };
    const first = answer(holes.slice(0, 2), 1n, 3);
    expect(reserved().fails("IOAS_IOVA_RANGES", ask, "EMSGSIZE", first)).toBeUndefined();
    expect(blamed(reserved().ok("IOAS_IOVA_RANGES", ask, first))).toBe("RNG-07");
    const wrong = answer(holes.slice(1), 1n, 3);
    expect(blamed(reserved().fails("IOAS_IOVA_RANGES", ask, "EMSGSIZE", wrong))).toBe("RNG-07");
    const silent = reserved().fails("IOAS_IOVA_RANGES", ask, "EMSGSIZE");
    expect(blamed(silent)).toBe("RNG-06");
  });

  test("an element that cannot be stored is EFAULT, before it is known that all fit", () => {
    const ask = { ...ASK, num_iovas: 2, writable_elems: 1 };
    const stored = { array: holes.slice(0, 1) as never };
    expect(reserved().fails("IOAS_IOVA_RANGES", ask, "EFAULT", stored)).toBeUndefined();
    expect(reserved().fails("IOAS_IOVA_RANGES", ask, "EMSGSIZE")).toBeDefined();
    for (const wrong of [{ num_iovas: 3, ...stored }, {}, { array: holes.slice(0, 2) as never }]) {
      expect(blamed(reserved().fails("IOAS_IOVA_RANGES", ask, "EFAULT", wrong))).toBe("RNG-09");
    }
  });

  test("neither mappings nor the allowed list narrow it", () => {
    const b = bench();
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000n };
    b.done("IOAS_MAP", map);
    const cut = answer([
      [0n, 0xfffn],
      [0x2000n, U64],
    ]);
    expect(blamed(b.ok("IOAS_IOVA_RANGES", ASK, cut))).toBe("RNG-05");
    const c = bench();
    const array = [[0x1000n, 0x1fffn]] as never;
    c.done("IOAS_ALLOW_IOVAS", { ioas_id: 1, num_iovas: 1, array });
    expect(blamed(c.ok("IOAS_IOVA_RANGES", ASK, answer([[0x1000n, 0x1fffn]])))).toBe("RNG-04");
  });
});

describe("IOAS_ALLOW_IOVAS", () => {
  const allow = (array: Ranges, num_iovas = array.length) => ({
    ioas_id: 1,
    num_iovas,
    array: array as never,
  });

  test.each([
    ["an inverted element", [[2n, 1n]], "EINVAL", "ALW-04"],
    ["a single byte", [[1n, 1n]], "EINVAL", "ALW-04"],
    [
      "overlapping elements",
      [
        [1n, 9n],
        [9n, 20n],
      ],
      "EINVAL",
      "ALW-05",
    ],
    ["a reserved element", [[0x800n, 0x1000n]], "EADDRINUSE", "ALW-06"],
  ] as const)("%s is refused", (_, array, errno, clause) => {
    const b = bench();
    b.done("ADD_RESERVED", { ioas_id: 1, start: 0x1000n, length: 0x1000n });
    expect(b.fails("IOAS_ALLOW_IOVAS", allow(array), errno)).toBeUndefined();
    expect(b.counts(clause)).toEqual([0, 1]);
    expect(blamed(b.ok("IOAS_ALLOW_IOVAS", allow(array)))).toBe(clause);
  });

  test("touching elements are fine; an unreadable one is EFAULT, a malformed one first", () => {
    const b = bench();
    const touching: Ranges = [
      [1n, 9n],
      [10n, 20n],
    ];
    expect(b.ok("IOAS_ALLOW_IOVAS", allow(touching))).toBeUndefined();
    expect(b.fails("IOAS_ALLOW_IOVAS", allow(touching, 3), "EFAULT")).toBeUndefined();
    expect(b.fails("IOAS_ALLOW_IOVAS", allow([[2n, 1n]], 3), "EINVAL")).toBeUndefined();
  });

  test("a malformed element wins over an earlier one that is reserved", () => {
    const b = bench();
    b.done("ADD_RESERVED", { ioas_id: 1, start: 0x1000n, length: 0x1000n });
    const mixed: Ranges = [
      [0x1000n, 0x1100n],
      [9n, 3n],
    ];
    expect(b.fails("IOAS_ALLOW_IOVAS", allow(mixed), "EINVAL")).toBeUndefined();
    expect(b.counts("ALW-13")).toEqual([0, 1]);
  });

  test("a single byte is open where only the documents bind", () => {
    const b = bench("documented");
    expect(b.ok("IOAS_ALLOW_IOVAS", allow([[1n, 1n]]))).toBeUndefined();
    expect(b.fails("IOAS_ALLOW_IOVAS", allow([[1n, 1n]]), "EINVAL")).toBeUndefined();
  });

  test("a range that ends before it starts is refused everywhere", () => {
    const b = bench("documented");
    expect(blamed(b.ok("IOAS_ALLOW_IOVAS", allow([[2n, 1n]])))).toBe("ALW-04");
    expect(b.fails("IOAS_ALLOW_IOVAS", allow([[2n, 1n]]), "EINVAL")).toBeUndefined();
  });

  test("an allowed IOVA holds back a reservation until the list goes", () => {
    const b = bench();
    b.done("IOAS_ALLOW_IOVAS", allow([[0x1000n, 0x1fffn]]));
    const add = { ioas_id: 1, start: 0x1fffn, length: 1n };
    expect(b.fails("ADD_RESERVED", add, "EADDRINUSE")).toBeUndefined();
    expect(b.ok("IOAS_ALLOW_IOVAS", allow([]))).toBeUndefined();
    expect(b.ok("ADD_RESERVED", add)).toBeUndefined();
  });
});

/** An element that is malformed and begins or ends where nothing may be. */
test.each([
  [0xfffn, 0n],
  [0x200_0000n, 0xfffn],
  [1n << 40n, 0x200_0000n],
])("ALLOW_IOVAS of [%s, %s] may be refused for either reason by the documents", (first, last) => {
  const asked = (profile: Profile) => {
    const b = bench(profile);
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    return b;
  };
  const args = { ioas_id: 1, num_iovas: 1, array: [[first, last]] as never };
  for (const errno of ["EINVAL", "EADDRINUSE"] as const) {
    expect(asked("documented").fails("IOAS_ALLOW_IOVAS", args, errno)).toBeUndefined();
  }
  expect(blamed(asked("linux-6.12").fails("IOAS_ALLOW_IOVAS", args, "EADDRINUSE"))).toBe("ALW-04");
  expect(blamed(asked("documented").ok("IOAS_ALLOW_IOVAS", args))).toBeDefined();
});

describe("OPTION", () => {
  const huge = (op: number, val64 = 0n, object_id = 1) => ({ option_id: 1, op, object_id, val64 });
  const rlimit = (op: number, val64 = 0n, object_id = 0) => ({
    option_id: 0,
    op,
    object_id,
    val64,
  });

  test.each([
    ["a reserved field", { ...huge(1), reserved: 1 }, "EOPNOTSUPP", "OPT-01"],
    ["an unknown option", { option_id: 2 }, "EOPNOTSUPP", "OPT-02"],
    ["RLIMIT_MODE of an object", rlimit(1, 0n, 1), "EOPNOTSUPP", "OPT-03"],
    ["RLIMIT_MODE while there are objects", rlimit(0, 9n), "EBUSY", "OPT-06"],
    ["an unknown operation", rlimit(2), "EOPNOTSUPP", "OPT-08"],
    ["HUGE_PAGES of no IOAS", huge(9, 9n, 5), "ENOENT", "OPT-09"],
    ["HUGE_PAGES to 2", huge(0, 2n), "EINVAL", "OPT-11"],
    ["an unknown operation on HUGE_PAGES", huge(2), "EOPNOTSUPP", "OPT-16"],
  ] as const)("%s is refused", (_, args, errno, clause) => {
    expect(bench().fails("OPTION", args, errno)).toBeUndefined();
    expect(blamed(bench().ok("OPTION", args, { val64: 0n }))).toBe(clause);
  });

  test("RLIMIT_MODE can be set before there is any object, to 0 or 1", () => {
    const b = new Bench();
    expect(b.fails("OPTION", rlimit(0, 2n), "EINVAL")).toBeUndefined();
    expect(b.ok("OPTION", rlimit(0, 1n), { val64: 1n })).toBeUndefined();
    expect(b.ok("OPTION", rlimit(1), { val64: 1n })).toBeUndefined();
    expect(blamed(b.ok("OPTION", rlimit(1), { val64: 0n }))).toBe("OPT-04");
  });

  test("large pages go off only over whole pages, and raise the alignment", () => {
    const b = bench();
    b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: 1n, iova: 0n });
    b.done("IOAS_MAP", { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000n });
    expect(b.fails("OPTION", huge(0), "EADDRINUSE")).toBeUndefined();
    expect(b.counts("OPT-14")).toEqual([0, 1]);
    b.done("IOAS_UNMAP", { ioas_id: 1, iova: 0n, length: 1n });
    expect(b.ok("OPTION", huge(0), { val64: 0n })).toBeUndefined();
    expect(blamed(b.ok("OPTION", huge(1), { val64: 1n }))).toBe("OPT-10");
    const odd = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x800n, iova: 0x4000n };
    expect(b.fails("IOAS_MAP", odd, "EINVAL")).toBeUndefined();
    expect(b.ok("OPTION", huge(0, 1n), { val64: 1n })).toBeUndefined();
    expect(b.ok("IOAS_MAP", odd, { iova: 0x4000n })).toBeUndefined();
  });

  test("large pages stay on while a domain has mappings", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    expect(b.fails("OPTION", huge(0), "EINVAL")).toBeUndefined();
    expect(b.counts("OPT-13")).toEqual([0, 1]);
  });
});

describe("VFIO_IOAS", () => {
  test("remembers an IOAS until CLEAR or its end", () => {
    const b = bench();
    expect(b.fails("VFIO_IOAS", { op: 0 }, "ENODEV")).toBeUndefined();
    expect(b.fails("VFIO_IOAS", { op: 1, ioas_id: 5 }, "ENOENT")).toBeUndefined();
    expect(b.fails("VFIO_IOAS", { op: 3 }, "EOPNOTSUPP")).toBeUndefined();
    expect(b.ok("VFIO_IOAS", { op: 1, ioas_id: 1 })).toBeUndefined();
    expect(b.ok("VFIO_IOAS", { op: 0 }, { ioas_id: 1 })).toBeUndefined();
    expect(blamed(b.ok("VFIO_IOAS", { op: 0 }, { ioas_id: 2 }))).toBe("VFI-02");
    b.done("DESTROY", { id: 1 });
    expect(b.fails("VFIO_IOAS", { op: 0 }, "ENODEV")).toBeUndefined();
    expect(b.counts("DES-07")).toEqual([1, 0]);
  });
});

describe("two iommufds", () => {
  test("know nothing of each other's ids", () => {
    const b = bench();
    b.done("OPEN", {});
    expect(b.fails("DESTROY", { id: 1 }, "ENOENT", {}, 1)).toBeUndefined();
    expect(b.ok("IOAS_ALLOC", { flags: 0 }, { out_ioas_id: 1 }, 1)).toBeUndefined();
    expect(b.ok("IOAS_IOVA_RANGES", ASK, answer([[0n, U64]]), 1)).toBeUndefined();
    expect(b.counts("GEN-22")[0]).toBeGreaterThan(0);
    expect(blamed(b.ok("IOAS_ALLOC", { flags: 0 }, { out_ioas_id: 1 }))).toBe("OBJ-01");
    expect(blamed(b.ok("OPEN", {}, { fd: 1 }))).toBe("GEN-22");
  });

  test("closing one takes its pins", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: 0x1000n, iova: 0x1000_0000n };
    b.done("IOAS_MAP", map);
    b.done("OPEN", {});
    b.done("CLOSE", {});
    const look = { uptr: buf(0), length: 0x1000n };
    expect(b.ok("PAGE_REFS", look, { refs: [[0, 1]] }, 1)).toBeUndefined();
    expect(b.counts("OBJ-07")).toEqual([1, 0]);
    expect(b.ok("PROC_STATUS", {}, { VmPin_pages: 0, VmLck_pages: 0 })).toBeUndefined();
    expect(b.counts("ACT-10")).toEqual([1, 0]);
  });
});
