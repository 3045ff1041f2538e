import { describe, expect, test } from "@jest/globals";
import type { CallName, In, Outcome } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { MOCK_PLATFORM, VFIO_PLATFORM } from "../../spec/platform";
import { type RawEdits, rawCall } from "../../spec/raw";
import { Bench, blamed, buf, make } from "../fixture";

const PAGE = 0x1000n;
const IOVA = 0x100_0000n;

type Given<K extends CallName> = { readonly [F in keyof In<K>]?: unknown };

const raw = <K extends CallName>(name: K, given: Given<K>, edits: RawEdits = {}) =>
  rawCall(make(name, given as never), edits);

/** The answer of 6.12, which must be a success, with its bytes. */
const bytesOf = (b: Bench, call: ReturnType<typeof raw>): string => {
  const outcome = b.model.predict(call) as { errno: 0 | Errno; out?: { bytes?: string } };
  if (outcome.errno !== 0) throw new Error(`fails with ${outcome.errno}`);
  return outcome.out?.bytes ?? "";
};

const judge = (b: Bench, call: ReturnType<typeof raw>, errno: 0 | Errno, bytes?: string) => {
  const out = bytes === undefined ? {} : { out: { bytes } };
  return b.model.judge(call, { errno, ...out } as Outcome);
};

const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", {});
  return b;
};

const map = { ioas_id: 1, flags: 7, user_va: buf(0), length: PAGE, iova: IOVA };

describe("a raw call", () => {
  test("does what the typed one does", () => {
    const b = bench();
    const call = raw("IOAS_MAP", map);
    expect(judge(b, call, 0, bytesOf(bench(), call))).toBeUndefined();
    expect(b.ok("IOAS_UNMAP", { ioas_id: 1, iova: IOVA, length: PAGE }, { length: PAGE })).toBe(
      undefined,
    );
    expect(b.counts("GEN-01")[0]).toBe(1);
  });

  test("names the files that its process has, as the typed one does", () => {
    const b = bench();
    const { out_access_fd: access_fd } = b.done("CREATE_ACCESS", { ioas_id: 1 });
    b.done("FORK", { child: 1 });
    b.done("CLOSE_ACCESS", { access_fd });
    const call = raw("ACCESS_REPLACE_IOAS", { access_fd, ioas_id: 1 });
    expect(b.model.predict(call).errno).toBe("EBADFD");
  });

  test("is judged by the outputs in its bytes", () => {
    const call = raw("IOAS_MAP", map);
    const bytes = Buffer.from(bytesOf(bench(), call), "hex");
    bytes.writeBigUInt64LE(IOVA + PAGE, 32);
    expect(blamed(judge(bench(), call, 0, bytes.toString("hex")))).toBe("MAP-20");
  });

  test("may change nothing but its outputs, and nothing behind its struct", () => {
    const call = raw("IOAS_MAP", map, { tail: "0000000000000000", size: 48 });
    const right = bytesOf(bench(), call);
    expect(judge(bench(), call, 0, right)).toBeUndefined();
    expect(blamed(judge(bench(), call, 0, `${right.slice(0, -2)}01`))).toBe("GEN-13");
    const other = Buffer.from(right, "hex");
    other.writeUInt32LE(2, 8);
    expect(blamed(judge(bench(), call, 0, other.toString("hex")))).toBe("GEN-14");
    const failing = raw("IOAS_UNMAP", { ioas_id: 1, iova: IOVA, length: PAGE });
    expect(judge(bench(), failing, "ENOENT")).toBeUndefined();
    const changed = `${"00".repeat(23)}01`;
    expect(blamed(judge(bench(), failing, "ENOENT", changed))).toBe("GEN-15");
  });

  test.each<[string, Given<"IOAS_MAP">, RawEdits, Errno, string]>([
    ["a size too small", map, { size: 39 }, "EINVAL", "GEN-07"],
    ["a size of 0, and no id either", {}, { size: 0 }, "EINVAL", "GEN-07"],
    ["surplus that is not zero", {}, { size: 41, tail: "01" }, "E2BIG", "GEN-10"],
    ["surplus that is not there", map, { size: 48 }, "EFAULT", "GEN-11"],
    ["half a size word", map, { keep: 2 }, "EFAULT", "GEN-05"],
    ["a struct that ends too early", map, { keep: 32 }, "EFAULT", "GEN-05"],
    ["no memory at all", map, { memory: "none" }, "EFAULT", "GEN-05"],
    ["another type byte", map, { nr: 0x3c85 }, "ENOTTY", "GEN-06"],
    ["direction bits", map, { nr: 0xc000_3b85 }, "ENOTTY", "GEN-06"],
    ["a hole in the table", map, { nr: 0x3b95 }, "ENOTTY", "GEN-06"],
    ["an index past the table", map, { nr: 0x3bff }, "ENOTTY", "GEN-04"],
    ["an index below the table", map, { nr: 0x3b75, memory: "none" }, "ENOTTY", "GEN-03"],
  ])("refuses %s", (_, given, edits, errno, clause) => {
    const call = raw("IOAS_MAP", given, edits);
    expect(judge(bench(), call, errno)).toBeUndefined();
    expect(blamed(judge(bench(), call, "ENOENT"))).toBe(clause);
    const { bytes = "" } = call.in as { bytes?: string };
    expect(blamed(judge(bench(), call, 0, bytes))).toBe(clause);
  });

  test("of a command without an answer comes back as it was", () => {
    const call = raw("DESTROY", { id: 1 });
    const { bytes } = call.in as { bytes: string };
    expect(judge(bench(), call, 0, bytes)).toBeUndefined();
    expect(blamed(judge(bench(), call, 0, `${bytes.slice(0, -2)}01`))).toBe("GEN-14");
  });

  test("of an older caller has zeros for what it leaves out", () => {
    const b = bench();
    b.done("MOCK_DOMAIN", { pt_id: 1 });
    const call = raw("HWPT_ALLOC", { dev_id: 3, pt_id: 1 }, { keep: 24, size: 24 });
    const bytes = Buffer.from((call.in as { bytes: string }).bytes, "hex");
    bytes.writeUInt32LE(9, 16);
    expect(judge(b, call, 0, bytes.toString("hex"))).toBeUndefined();
    expect(b.counts("GEN-08")[0]).toBe(1);
    expect(b.ok("DESTROY", { id: 9 })).toBeUndefined();
  });

  test("is told about an unknown operation of the mock driver", () => {
    const call = raw("ADD_RESERVED", {}, { put: [[4, "63000000"]] });
    expect(judge(bench(), call, "EOPNOTSUPP")).toBeUndefined();
    expect(blamed(judge(bench(), call, "ENOENT"))).toBe("GEN-18");
  });
});

describe("an answer that cannot be stored", () => {
  const unmap = { ioas_id: 1, iova: IOVA, length: PAGE };

  test("leaves no object", () => {
    const b = bench();
    const call = raw("IOAS_ALLOC", {}, { memory: "r" });
    expect(blamed(judge(b, call, 0, (call.in as { bytes: string }).bytes))).toBe("GEN-16");
    expect(judge(b, call, "EFAULT")).toBeUndefined();
    expect(b.counts("IAL-03")[1]).toBe(1);
    expect(b.fails("DESTROY", { id: 2 }, "ENOENT")).toBeUndefined();
  });

  test("leaves the mapping", () => {
    const b = bench();
    expect(judge(b, raw("IOAS_MAP", map, { memory: "r" }), "EFAULT")).toBeUndefined();
    expect(blamed(b.fails("IOAS_UNMAP", unmap, "ENOENT"))).toBe("UNM-08");
    expect(b.ok("IOAS_UNMAP", unmap, { length: PAGE })).toBeUndefined();
  });

  test("leaves the mapping or not, as far as the documents go", () => {
    for (const isThere of [true, false]) {
      const b = new Bench(undefined, "documented");
      b.done("IOAS_ALLOC", {});
      expect(judge(b, raw("IOAS_MAP", map, { memory: "r" }), "EFAULT")).toBeUndefined();
      const deviation = isThere
        ? b.ok("IOAS_UNMAP", unmap, { length: PAGE })
        : b.fails("IOAS_UNMAP", unmap, "ENOENT");
      expect(deviation).toBeUndefined();
    }
  });

  test("hides nothing that fails before it", () => {
    const call = raw("IOAS_MAP", { ...map, ioas_id: 7 }, { memory: "r" });
    expect(judge(bench(), call, "ENOENT")).toBeUndefined();
    expect(blamed(judge(bench(), call, "EFAULT"))).toBe("MAP-04");
  });
});

describe("VFIO's commands", () => {
  test("ignore what argsz says of a surplus, and want their struct to be readable", () => {
    const b = bench();
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const given = { argsz: 4096, flags: 3, vaddr: buf(0), size: PAGE };
    const call = raw("VFIO_MAP_DMA", given);
    expect(judge(b, call, 0, (call.in as { bytes: string }).bytes)).toBeUndefined();
    const cut = raw("VFIO_MAP_DMA", given, { keep: 31 });
    expect(judge(b, cut, "EFAULT")).toBeUndefined();
    expect(blamed(judge(b, cut, "EEXIST"))).toBe("VCC-10");
  });

  test("of a device are nothing before BIND", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("DEVICE_OPEN", { dev: 0 });
    const attach = raw("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 1 }, { memory: "none" });
    expect(judge(b, attach, "EINVAL")).toBeUndefined();
    const short = raw("VFIO_BIND", { devfd: 0, argsz: 16 }, { keep: 15 });
    expect(judge(b, short, "EFAULT")).toBeUndefined();
    expect(blamed(judge(b, short, "EINVAL"))).toBe("VFD-01");
    const bind = raw("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    expect(judge(b, bind, 0, bytesOf(copyOf(), bind))).toBeUndefined();
    expect(judge(b, attach, "EFAULT")).toBeUndefined();
  });
});

describe("an answer of a device that cannot be stored", () => {
  test("leaves one device detached and its group where it was to go", () => {
    const b = new Bench(VFIO_PLATFORM);
    const [one, two] = groupOfTwo();
    for (const [devfd, dev] of [one, two].entries()) {
      b.done("DEVICE_OPEN", { dev });
      b.done("VFIO_BIND", { devfd, argsz: 16, iommufd: 0 });
    }
    b.done("IOAS_ALLOC", {});
    b.done("IOAS_ALLOC", {});
    for (const devfd of [0, 1]) b.done("VFIO_ATTACH", { devfd, argsz: 12, pt_id: 3 });
    const move = raw("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 4 }, { memory: "r" });
    expect(judge(b, move, "EFAULT")).toBeUndefined();
    expect(b.ok("DESTROY", { id: 3 })).toBeUndefined();
    expect(b.fails("DESTROY", { id: 4 }, "EBUSY")).toBeUndefined();
  });

  test("leaves it unbound, or detached", () => {
    const b = copyOf();
    const bind = { devfd: 0, argsz: 16, iommufd: 0 };
    expect(judge(b, raw("VFIO_BIND", bind, { memory: "r" }), "EFAULT")).toBeUndefined();
    expect(b.counts("VFD-09")[1]).toBe(1);
    expect(b.ok("VFIO_BIND", bind, { out_devid: 1 })).toBeUndefined();
    b.done("IOAS_ALLOC", {});
    const attach = { devfd: 0, argsz: 12, pt_id: 2 };
    b.done("VFIO_ATTACH", attach);
    expect(judge(b, raw("VFIO_ATTACH", attach, { memory: "r" }), "EFAULT")).toBeUndefined();
    expect(b.counts("VFD-12")[1]).toBe(1);
    expect(b.ok("DESTROY", { id: 2 })).toBeUndefined();
  });
});

test("a device is bound to no iommufd that only another process has", () => {
  const b = copyOf();
  b.done("FORK", { child: 1 });
  b.done("CLOSE", {});
  const bind = raw("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
  expect(judge(b, bind, "EBADF")).toBeUndefined();
  const bound = `${(bind.in as { bytes: string }).bytes.slice(0, 24)}01000000`;
  expect(blamed(judge(b, bind, 0, bound))).toBe("VFD-05");
});

test("whether a machine with real devices has the mock driver's command is open", () => {
  const at = (nr: number) => raw("IOAS_ALLOC", {}, { nr, memory: "none" });
  const judged = (nr: number, errno: Errno) => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("IOAS_ALLOC", {});
    return blamed(judge(b, at(nr), errno));
  };
  for (const nr of [0x3b8f, 0x3ba0]) {
    expect([judged(nr, "ENOTTY"), judged(nr, "EFAULT")]).toEqual([undefined, undefined]);
  }
  expect([judged(0x3ba1, "ENOTTY"), judged(0x3ba1, "EFAULT")]).toEqual([undefined, "GEN-04"]);
});

describe("VFIO_IOMMU_GET_INFO", () => {
  test("stores as much of its struct as there is memory for", () => {
    const b = bench();
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const call = raw("VFIO_IOMMU_GET_INFO", { argsz: 21 }, { keep: 20 });
    expect(judge(b, call, "EFAULT", "480000000300000000f0ffffffffffff00000000")).toBeUndefined();
    const wrong = judge(b, call, "EFAULT", "480000000300000000f0ffffffffffff01000000");
    expect(blamed(wrong)).toBe("GEN-15");
  });

  test("may answer behind its struct, as far as argsz goes", () => {
    const b = bench();
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const info = (argsz: number, behind: number) =>
      raw("VFIO_IOMMU_GET_INFO", { argsz }, { tail: "00".repeat(behind) });
    const struct = "480000000300000000f0ffffffffffff";
    const chain =
      "18000000000000000300010028000000ffffffff00000000010001000000000001000000000000000000" +
      "000000000000ffffffffffffffff";
    const call = info(72, 56);
    const rest = "00".repeat(8);
    expect(judge(b, call, 0, `${struct}${chain}${rest}`)).toBeUndefined();
    expect(blamed(judge(b, call, 0, `${struct}${chain.replace("28", "30")}${rest}`))).toBe(
      "VCC-23",
    );
    expect(blamed(judge(b, call, 0, `${struct}${chain}${rest.slice(2)}ff`))).toBe("GEN-14");
    expect(judge(b, call, "EFAULT")).toBeDefined();
  });

  test("leaves it to a real IOMMU which larger pages it has, also where the memory ends", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("IOAS_ALLOC", {});
    b.done("DEVICE_OPEN", { dev: 0 });
    b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    b.done("VFIO_ATTACH", { devfd: 0, argsz: 12, pt_id: 1 });
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const call = raw("VFIO_IOMMU_GET_INFO", { argsz: 24 }, { keep: 22 });
    const struct = (pgsizes: string): string => `5800000003000000${pgsizes}${"00".repeat(6)}`;
    expect(judge(b, call, "EFAULT", struct("0010000000000000"))).toBeUndefined();
    expect(judge(b, call, "EFAULT", struct("0010204000000000"))).toBeUndefined();
    expect(blamed(judge(b, call, "EFAULT", struct("0000204000000000")))).toBe("GEN-15");
  });

  test("faults where the memory ends that argsz promises", () => {
    const b = bench();
    b.done("VFIO_IOAS", { ioas_id: 1, op: 1 });
    const short = raw("VFIO_IOMMU_GET_INFO", { argsz: 72 });
    const sent = (short.in as { bytes: string }).bytes;
    expect(judge(b, short, "EFAULT")).toBeUndefined();
    expect(judge(b, short, 0, sent)).toMatchObject({ kind: "errno", actual: "success" });
    // It stores capabilities before it finds that there is no memory for the next.
    const half = raw("VFIO_IOMMU_GET_INFO", { argsz: 72 }, { tail: "00".repeat(16) });
    expect(judge(b, half, "EFAULT", `${sent}${"03".repeat(16)}`)).toBeUndefined();
    expect(blamed(judge(b, half, "EFAULT", `ff${sent.slice(2)}${"00".repeat(16)}`))).toBe("GEN-15");
    // Without room for a capability it is the struct that is stored up to there.
    const cut = raw("VFIO_IOMMU_GET_INFO", { argsz: 21 }, { keep: 20 });
    const stored = `480000000300000000f0ffffffffffff${"00".repeat(4)}`;
    expect(judge(b, cut, "EFAULT", stored)).toBeUndefined();
    expect(blamed(judge(b, cut, "EFAULT"))).toBe("GEN-15");
    expect(judge(b, cut, 0, stored)).toMatchObject({ kind: "errno", actual: "success" });
    // What argsz promises is there as far as anything is stored.
    const enough = raw("VFIO_IOMMU_GET_INFO", { argsz: 30 }, { tail: "0000" });
    const whole = `${stored}${"00".repeat(6)}`;
    expect(judge(b, enough, 0, whole)).toBeUndefined();
    expect(judge(b, enough, "EFAULT")).toMatchObject({ kind: "errno", actual: "EFAULT" });
  });
});

describe("VFIO_GET_INFO", () => {
  const bound = () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("DEVICE_OPEN", { dev: 0 });
    b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    return b;
  };
  const info = (argsz: number, edits: RawEdits) => raw("VFIO_GET_INFO", { devfd: 0, argsz }, edits);
  const told = "020000000900000005000000";

  test("tells as much as argsz has room for", () => {
    const call = info(16, { put: [[16, "ffffffff"]] });
    const sent = (call.in as { bytes: string }).bytes;
    expect(judge(bound(), call, 0, `10000000${told}${sent.slice(32)}`)).toBeUndefined();
    expect(blamed(judge(bound(), call, 0, `10000000${told}0000000000000001`))).toBe("GEN-14");
  });

  test("has told nothing if its struct could not be stored", () => {
    for (const [argsz, edits] of [
      [24, { keep: 23 }],
      [24, { memory: "r" }],
    ] as const) {
      const b = bound();
      expect(judge(b, info(argsz, edits), "EFAULT")).toBeUndefined();
      const out = { argsz: 24, flags: 3, num_regions: 7, num_irqs: 1, cap_offset: 0 };
      expect(b.ok("VFIO_GET_INFO", { devfd: 0, argsz: 24 }, out)).toBeUndefined();
    }
  });

  test("faults where its struct ends behind the memory", () => {
    const call = info(24, { keep: 23 });
    const sent = (call.in as { bytes: string }).bytes;
    expect(judge(bound(), call, "EFAULT", `18000000${told}00000000000000`)).toBeUndefined();
    expect(judge(bound(), call, "EFAULT")).toBeUndefined();
    expect(judge(bound(), call, 0, `18000000${told}00000000000000`)).toMatchObject({
      kind: "errno",
    });
    expect(blamed(judge(bound(), call, "EFAULT", `${sent}00`))).toBe("GEN-15");
    const padded = info(21, { put: [[20, "01000000"]] });
    expect(judge(bound(), padded, 0, `15000000${told}0000000000000000`)).toBeUndefined();
    expect(blamed(judge(bound(), padded, 0, `15000000${told}0000000001010000`))).toBe("GEN-14");
    expect(judge(bound(), info(20, { keep: 20 }), 0, `14000000${told}00000000`)).toBeUndefined();
  });
});

test("what a failing call leaves behind is promised by 6.12 only (GEN-15)", () => {
  const call = raw("IOAS_MAP", { ioas_id: 99, flags: 7, length: 0x1000n });
  const sent = (call.in as { bytes: string }).bytes;
  const scribbled = `${sent.slice(0, -2)}01`;
  expect(blamed(judge(bench(), call, "ENOENT", scribbled))).toBe("GEN-15");
  const elsewhere = new Bench(MOCK_PLATFORM, "documented");
  expect(judge(elsewhere, call, "ENOENT", scribbled)).toBeUndefined();
});

const groupOfTwo = (): readonly [number, number] => {
  const { devices } = VFIO_PLATFORM;
  const one = devices.findIndex(
    ({ group }, i) => group !== null && devices.some((d, j) => j > i && d.group === group),
  );
  return [one, devices.findIndex(({ group }, j) => j > one && group === devices[one]?.group)];
};

const copyOf = (): Bench => {
  const b = new Bench(VFIO_PLATFORM);
  b.done("DEVICE_OPEN", { dev: 0 });
  return b;
};
