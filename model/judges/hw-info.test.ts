import { describe, expect, test } from "@jest/globals";
import { VFIO_PLATFORM } from "../../spec/platform";
import { Bench, blamed } from "../fixture";

/** Mock device 3, and 6, whose IOMMU cannot track. */
const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("MOCK_DOMAIN_FLAGS", { pt_id: 1, dev_flags: 1 });
  return b;
};

const ASK = { dev_id: 3, data_len: 12, writable_bytes: 64 };
const OLD = {
  data_len: 8,
  out_data_type: 0xfeed_beef,
  out_max_pasid_log2: 0,
  data: "00000000efbeadde00000000",
};
const ANSWER = { ...OLD, out_capabilities: 1n };

describe("GET_HW_INFO", () => {
  test("tells what the IOMMU is, as far as there is room", () => {
    const b = bench();
    expect(b.ok("GET_HW_INFO", ASK, ANSWER)).toBeUndefined();
    const short = { ...ASK, data_len: 6 };
    expect(b.ok("GET_HW_INFO", short, { ...ANSWER, data: "00000000efbe" })).toBeUndefined();
    const nothing = { ...ASK, data_len: 0, writable_bytes: 0 };
    expect(b.ok("GET_HW_INFO", nothing, { ...ANSWER, data: "" })).toBeUndefined();
    expect(b.counts("HWI-04")).toEqual([1, 0]);
    expect(b.counts("HWI-10")).toEqual([2, 0]);
    const blind = { ...ANSWER, out_capabilities: 0n };
    expect(b.ok("GET_HW_INFO", { ...ASK, dev_id: 6 }, blind)).toBeUndefined();
  });

  test.each([
    ["another type", { out_data_type: 1 }, "HWI-08"],
    ["the length that was copied", { data_len: 12 }, "HWI-08"],
    ["poison behind the data", { data: "00000000efbeaddea5a5a5a5" }, "HWI-03"],
    ["no dirty tracking", { out_capabilities: 0n }, "HWI-07"],
    ["PASIDs", { out_max_pasid_log2: 20 }, "HWI-03"],
  ])("must not answer %s", (_, wrong, clause) => {
    expect(blamed(bench().ok("GET_HW_INFO", ASK, { ...ANSWER, ...wrong }))).toBe(clause);
  });

  test("of an IOMMU that has nothing to tell is zeros", () => {
    const b = new Bench(VFIO_PLATFORM);
    b.done("DEVICE_OPEN", { dev: 4 });
    b.done("VFIO_BIND", { devfd: 0, argsz: 16, iommufd: 0 });
    const none = { data_len: 0, out_data_type: 0, out_max_pasid_log2: 0, out_capabilities: 0n };
    const ask = { dev_id: 1, data_len: 4, writable_bytes: 64 };
    expect(b.ok("GET_HW_INFO", ask, { ...none, data: "00000000" })).toBeUndefined();
    expect(b.counts("HWI-06")).toEqual([1, 0]);
    const planted = { ...none, out_data_type: 1, data: "00000000" };
    expect(blamed(b.ok("GET_HW_INFO", ask, planted))).toBe("HWI-06");
  });

  test("leaves out what an old caller does not know", () => {
    expect(bench().ok("GET_HW_INFO", { ...ASK, size: 32 }, OLD)).toBeUndefined();
    expect(blamed(bench().ok("GET_HW_INFO", { ...ASK, size: 32 }, ANSWER))).toBe("HWI-09");
  });

  test.each([
    ["a flag", { flags: 1 }, "EOPNOTSUPP", "HWI-01"],
    ["a reserved byte", { reserved2: 1 }, "EOPNOTSUPP", "HWI-01"],
    ["no device", { dev_id: 1 }, "ENOENT", "HWI-02"],
    ["a buffer that ends too soon", { writable_bytes: 11 }, "EFAULT", "HWI-05"],
  ] as const)("refuses %s", (_, wrong, errno, clause) => {
    expect(bench().fails("GET_HW_INFO", { ...ASK, ...wrong }, errno)).toBeUndefined();
    expect(blamed(bench().ok("GET_HW_INFO", { ...ASK, ...wrong }, ANSWER))).toBe(clause);
  });
});
