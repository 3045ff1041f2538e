import { expect, test } from "@jest/globals";
import { MOCK_PLATFORM } from "../../spec/platform";
import {
  FAULT_LAST_PAGE,
  FAULT_PASID_VALID,
  HWPT_DATA_MOCK,
  HWPT_FAULT_ID_VALID,
  HWPT_NEST_PARENT,
  POLLIN,
  POLLOUT,
  RESPONSE_SUCCESS,
} from "../../spec/uapi/flags";
import { boot } from "./fixture";

const RECORD = 40;
const RESPONSE = 8;
const FILE = 3;

/** Device 3 (stdev 2) is attached to the nested HWPT 7 on 5, which has the queue 6. */
const bootFaulting = () => {
  const world = boot(MOCK_PLATFORM);
  const { call } = world;
  call("MOCK_DOMAIN", { pt_id: 1 });
  call("HWPT_ALLOC", { dev_id: 3, pt_id: 1, flags: HWPT_NEST_PARENT });
  expect(call("FAULT_QUEUE_ALLOC").out).toEqual({ out_fault_id: 6, out_fault_fd: FILE });
  const nest = () =>
    call("HWPT_ALLOC", {
      dev_id: 3,
      pt_id: 5,
      flags: HWPT_FAULT_ID_VALID,
      fault_id: 6,
      data_type: HWPT_DATA_MOCK,
      data_len: 4,
      data: "00000000",
    });
  nest();
  const replace = (pt_id: number) => call("MOCK_DOMAIN_REPLACE", { stdev_id: 2, pt_id });
  replace(7);
  const trigger = (addr: bigint, pasid = 0) =>
    call("TRIGGER_IOPF", { dev_id: 3, pasid, grpid: 9, perm: 1, addr }).errno;
  const read = (records: number) => call("FAULT_READ", { fault_fd: FILE, count: records * RECORD });
  const cookies = (records: number) => read(records).out?.records?.map(({ cookie }) => cookie);
  const write = (...responses: { cookie: number; code: number }[]) =>
    call("FAULT_WRITE", { fault_fd: FILE, count: responses.length * RESPONSE, responses });
  const revents = () => call("FAULT_POLL", { fault_fd: FILE, events: 0xff }).out?.revents;
  return { ...world, nest, replace, trigger, read, cookies, write, revents };
};

test("a fault is read as it was reported, under a cookie", () => {
  const { trigger, read } = bootFaulting();
  trigger(0xabcdn, 5);
  const record = { dev_id: 3, grpid: 9, perm: 1, reserved: 0, length: 0 };
  expect(read(4).out?.records).toEqual([
    { ...record, flags: FAULT_LAST_PAGE | FAULT_PASID_VALID, pasid: 5, addr: 0xabcdn, cookie: 1 },
  ]);
  trigger(1n);
  expect(read(4).out?.records).toEqual([
    { ...record, flags: FAULT_LAST_PAGE, pasid: 0, addr: 1n, cookie: 2 },
  ]);
});

test("a read takes as many faults as fit and leaves the others", () => {
  const { call, trigger, read, cookies, revents } = bootFaulting();
  expect(read(0)).toEqual({ errno: 0, out: { records: [] } });
  expect(revents()).toBe(POLLOUT);
  for (const addr of [1n, 2n, 3n]) trigger(addr);
  expect(revents()! & POLLIN).toBe(POLLIN);
  expect(read(0).errno).toBe("EINVAL");
  expect(call("FAULT_READ", { fault_fd: FILE, count: 41 }).errno).toBe("ESPIPE");
  expect(cookies(2)).toEqual([1, 2]);
  expect(cookies(2)).toEqual([3]);
  expect(revents()).toBe(POLLOUT);
});

test("an answer is taken once; what was taken before a bad one counts", () => {
  const { call, trigger, cookies, write } = bootFaulting();
  for (const addr of [1n, 2n]) trigger(addr);
  expect(cookies(2)).toEqual([1, 2]);
  const good = (cookie: number) => ({ cookie, code: RESPONSE_SUCCESS });
  expect(write({ cookie: 1, code: 2 }).errno).toBe("EINVAL");
  expect(write(good(1), good(1))).toEqual({ errno: 0, out: { rc: RESPONSE } });
  expect(write(good(1)).errno).toBe("EINVAL");
  expect(call("FAULT_WRITE", { fault_fd: FILE, count: 7 }).errno).toBe("ESPIPE");
  expect(write()).toEqual({ errno: 0, out: { rc: 0 } });
  trigger(3n);
  expect(cookies(1)).toEqual([1]); // free again
});

test("a device that leaves the HWPT takes its faults along, read or not", () => {
  const { trigger, cookies, write, replace, nest, revents } = bootFaulting();
  const leave = [() => replace(nest().out?.out_hwpt_id ?? 0), () => replace(1)];
  for (const go of leave) {
    for (const addr of [1n, 2n]) trigger(addr);
    expect(cookies(1)).toEqual([1]);
    go();
    expect(revents()).toBe(POLLOUT);
    expect(write({ cookie: 1, code: RESPONSE_SUCCESS }).errno).toBe("EINVAL");
  }
  expect(trigger(3n)).toBe(0); // without a queue nobody hears of it
  expect(revents()).toBe(POLLOUT);
});

test("so does one that is destroyed", () => {
  const { call, trigger, revents } = bootFaulting();
  trigger(1n);
  expect(call("DESTROY", { id: 2 }).errno).toBe(0);
  expect(revents()).toBe(POLLOUT);
  expect(trigger(1n)).toBe("ENOENT");
});

test("a queue is used by its file and by HWPTs", () => {
  const { call, replace } = bootFaulting();
  const destroy = (id: number) => call("DESTROY", { id }).errno;
  expect(destroy(6)).toBe("EBUSY");
  expect(call("CLOSE_FAULT", { fault_fd: FILE }).errno).toBe(0);
  expect(destroy(6)).toBe("EBUSY");
  replace(1);
  expect([destroy(7), destroy(6)]).toEqual([0, 0]);
});

test("a file that is not open is EBADF for every call, and its number is given again", () => {
  const { call } = bootFaulting();
  expect(call("FAULT_QUEUE_ALLOC", { flags: 1 }).errno).toBe("EOPNOTSUPP");
  expect(call("FAULT_QUEUE_ALLOC").out?.out_fault_fd).toBe(FILE + 1);
  call("CLOSE_FAULT", { fault_fd: FILE });
  expect(call("FAULT_READ", { fault_fd: FILE, count: 1 }).errno).toBe("EBADF");
  expect(call("FAULT_WRITE", { fault_fd: FILE, count: 1 }).errno).toBe("EBADF");
  expect(call("FAULT_POLL", { fault_fd: FILE }).errno).toBe("EBADF");
  expect(call("CLOSE_FAULT", { fault_fd: FILE }).errno).toBe("EBADF");
  expect(call("FAULT_QUEUE_ALLOC").out?.out_fault_fd).toBe(FILE);
});

test("the file of a queue keeps the context when the iommufd is closed", () => {
  const { machine, call, trigger, cookies } = bootFaulting();
  trigger(1n);
  expect(machine.call({ call: "CLOSE", proc: 0, thread: 0, fd: 0, in: {} }).errno).toBe(0);
  expect(cookies(1)).toEqual([1]);
  expect(call("CLOSE_FAULT", { fault_fd: FILE }).errno).toBe(0);
});
