import { describe, expect, test } from "@jest/globals";
import type { PageFault } from "../../spec/fields";
import { Bench, blamed } from "../fixture";

/** Mock device 2 with id 3 on nested HWPT 7 with parent 5 and fault queue 6, whose file is 0. */
const bench = () => {
  const b = new Bench();
  b.done("IOAS_ALLOC", { flags: 0 });
  b.done("MOCK_DOMAIN", { pt_id: 1 });
  b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: 1 });
  b.done("FAULT_QUEUE_ALLOC", {});
  const data = { data_type: 0xdead, data_len: 4, data: "00000000" };
  b.done("HWPT_ALLOC", { dev_id: 3, pt_id: 5, flags: 4, fault_id: 6, ...data });
  b.done("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 7 });
  return b;
};

const FILE = { fault_fd: 0 };
const ONE = { ...FILE, count: 40 };
const FAULT: PageFault = {
  ...{ flags: 2, dev_id: 3, pasid: 0, grpid: 9, perm: 1, reserved: 0, addr: 0x1000n, length: 0 },
  cookie: 1,
};
const OTHER: PageFault = { ...FAULT, flags: 3, pasid: 5, addr: 0x2000n, cookie: 2 };

/** Two faults wait. */
const withFaults = () => {
  const b = bench();
  b.done("TRIGGER_IOPF", { dev_id: 3, grpid: 9, perm: 1, addr: 0x1000n });
  b.done("TRIGGER_IOPF", { dev_id: 3, grpid: 9, perm: 1, addr: 0x2000n, pasid: 5 });
  return b;
};

/** Both were read. */
const withRead = () => {
  const b = withFaults();
  b.done("FAULT_READ", { ...FILE, count: 80 });
  return b;
};

describe("FAULT_QUEUE_ALLOC", () => {
  test.each([
    ["a live id", { out_fault_id: 1, out_fault_fd: 5 }, "OBJ-01"],
    ["the number of an open file", { out_fault_id: 8, out_fault_fd: 0 }, "FLT-02"],
  ])("must not answer %s", (_, out, clause) => {
    const right = { out_fault_id: 8, out_fault_fd: 5 };
    expect(bench().ok("FAULT_QUEUE_ALLOC", {}, right)).toBeUndefined();
    expect(blamed(bench().ok("FAULT_QUEUE_ALLOC", {}, out))).toBe(clause);
  });

  test("has no flags", () => {
    const flags = { flags: 1 };
    expect(bench().fails("FAULT_QUEUE_ALLOC", flags, "EOPNOTSUPP")).toBeUndefined();
    const out = { out_fault_id: 8, out_fault_fd: 5 };
    expect(blamed(bench().ok("FAULT_QUEUE_ALLOC", flags, out))).toBe("FLT-01");
  });
});

describe("a fault queue", () => {
  test("cannot go while its file is open or an HWPT uses it", () => {
    const b = bench();
    expect(b.fails("DESTROY", { id: 6 }, "EBUSY")).toBeUndefined();
    expect(b.ok("CLOSE_FAULT", FILE)).toBeUndefined();
    expect(b.fails("DESTROY", { id: 6 }, "EBUSY")).toBeUndefined();
    b.done("DESTROY", { id: 2 });
    b.done("DESTROY", { id: 7 });
    expect(blamed(b.fails("DESTROY", { id: 6 }, "EBUSY"))).toBe("DES-02");
    expect(b.ok("DESTROY", { id: 6 })).toBeUndefined();
    expect(b.fails("FAULT_READ", ONE, "EBADF")).toBeUndefined();
  });

  test("keeps its context alive by its file", () => {
    const b = withFaults();
    b.done("CLOSE", {});
    expect(b.ok("FAULT_READ", ONE, { records: [FAULT] })).toBeUndefined();
    expect(b.ok("CLOSE_FAULT", FILE)).toBeUndefined();
    expect(b.fails("CLOSE_FAULT", FILE, "EBADF")).toBeUndefined();
  });

  test("gets no faults of a device that is elsewhere", () => {
    const b = bench();
    b.done("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 5 });
    b.done("TRIGGER_IOPF", { dev_id: 3, addr: 0x1000n });
    expect(b.ok("FAULT_READ", ONE, { records: [] })).toBeUndefined();
    expect(b.fails("TRIGGER_IOPF", { dev_id: 2 }, "ENOENT")).toBeUndefined();
  });

  test("loses the faults of a device that leaves", () => {
    const b = withFaults();
    b.done("FAULT_READ", ONE);
    b.done("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id: 1 });
    expect(blamed(b.ok("FAULT_READ", ONE, { records: [OTHER] }))).toBe("FLT-07");
    const answer = { ...FILE, count: 8, responses: [{ cookie: 1, code: 0 }] };
    expect(b.fails("FAULT_WRITE", answer, "EINVAL")).toBeUndefined();
    expect(b.counts("FLT-07")).toEqual([1, 0]);
  });

  test.each([
    ["nothing", bench, 4],
    ["a fault", withFaults, 5],
  ])("with %s can be polled", (_, make, revents) => {
    expect(make().ok("FAULT_POLL", { ...FILE, events: 5 }, { revents })).toBeUndefined();
    expect(make().ok("FAULT_POLL", { ...FILE, events: 4 }, { revents: 4 })).toBeUndefined();
    const planted = make().ok("FAULT_POLL", { ...FILE, events: 5 }, { revents: revents ^ 1 });
    expect(blamed(planted)).toBe("FLT-05");
  });
});

describe("FAULT_READ", () => {
  test("takes as many as fit, the oldest first", () => {
    const b = withFaults();
    expect(b.ok("FAULT_READ", ONE, { records: [{ ...FAULT, cookie: 77 }] })).toBeUndefined();
    expect(b.ok("FAULT_READ", { ...FILE, count: 200 }, { records: [OTHER] })).toBeUndefined();
    expect(b.ok("FAULT_READ", ONE, { records: [] })).toBeUndefined();
    expect(blamed(withFaults().ok("FAULT_READ", ONE, { records: [] }))).toBe("FLT-03");
    expect(blamed(withFaults().ok("FAULT_READ", ONE, { records: [OTHER] }))).toBe("FLT-03");
  });

  test.each([
    ["another device", { dev_id: 2 }],
    ["another address", { addr: 0x1001n }],
    ["a fault that is not the last of its group", { flags: 0 }],
    ["cookie 0, which nobody has answered to", { cookie: 0 }],
  ])("must not tell of %s", (_, wrong) => {
    const records = [{ ...FAULT, ...wrong }];
    expect(blamed(withFaults().ok("FAULT_READ", ONE, { records }))).toBe("FLT-06");
  });

  test("gives no cookie twice", () => {
    const two = { ...FILE, count: 80 };
    const records = [FAULT, { ...OTHER, cookie: 1 }];
    expect(blamed(withFaults().ok("FAULT_READ", two, { records }))).toBe("FLT-06");
  });

  test.each([
    ["a part of a fault", withFaults, 41, "ESPIPE"],
    ["nothing when something waits", withFaults, 0, "EINVAL"],
  ] as const)("refuses %s", (_, make, count, errno) => {
    expect(make().fails("FAULT_READ", { ...FILE, count }, errno)).toBeUndefined();
    expect(blamed(make().ok("FAULT_READ", { ...FILE, count }, { records: [] }))).toBe("FLT-03");
    expect(bench().ok("FAULT_READ", { ...FILE, count: 0 }, { records: [] })).toBeUndefined();
  });
});

describe("FAULT_WRITE", () => {
  const write = (...responses: [cookie: number, code: number][]) => ({
    ...FILE,
    count: 8 * responses.length,
    responses: responses.map(([cookie, code]) => ({ cookie, code })),
  });

  test("answers faults up to the first that it does not know", () => {
    const b = withRead();
    const mixed = write([2, 1], [3, 0], [1, 0]);
    expect(blamed(withRead().ok("FAULT_WRITE", mixed, { rc: 24 }))).toBe("FLT-04");
    expect(b.ok("FAULT_WRITE", mixed, { rc: 8 })).toBeUndefined();
    expect(b.fails("FAULT_WRITE", write([2, 0]), "EINVAL")).toBeUndefined();
    expect(b.ok("FAULT_WRITE", write([1, 0]), { rc: 8 })).toBeUndefined();
  });

  test.each([
    ["a part of a response", { ...write([1, 0]), count: 7 }, "ESPIPE"],
    ["an unknown code", write([1, 2]), "EINVAL"],
    ["an unknown cookie", write([9, 0]), "EINVAL"],
  ] as const)("refuses %s", (_, call, errno) => {
    expect(withRead().fails("FAULT_WRITE", call, errno)).toBeUndefined();
    expect(blamed(withRead().ok("FAULT_WRITE", call, { rc: 8 }))).toBe("FLT-04");
  });

  test("takes no answer before the question", () => {
    expect(withFaults().fails("FAULT_WRITE", write([1, 0]), "EINVAL")).toBeUndefined();
  });
});
