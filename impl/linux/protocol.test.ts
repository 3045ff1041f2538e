import { expect, test } from "@jest/globals";
import { FRAME, FrameReader, parseAnswer, parseDone, parseHello } from "./protocol";

const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => void bytes.writeUInt32LE(value, 4 * i));
  return bytes;
};
const frame = (type: number, payload: Buffer): Buffer =>
  Buffer.concat([u32(4 + payload.length, type), payload]);

test("a stream is cut into frames wherever its chunks end", () => {
  const stream = Buffer.concat([
    frame(FRAME.hello, Buffer.from("a")),
    frame(FRAME.done, Buffer.alloc(0)),
    frame(FRAME.answer, Buffer.from("bcd")),
  ]);
  for (let size = 1; size <= stream.length; size++) {
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < stream.length; at += size) {
      frames.push(...reader.push(stream.subarray(at, at + size)));
    }
    expect(frames.map(({ type, payload }) => [type, payload.toString()])).toEqual([
      [FRAME.hello, "a"],
      [FRAME.done, ""],
      [FRAME.answer, "bcd"],
    ]);
  }
});

test.each([0, 3, 0x7fff_ffff])("a frame of %d bytes is nonsense", (length) => {
  expect(() => new FrameReader().push(u32(length, 0))).toThrow(RangeError);
});

const NO_CALL = 0xffff_ffff;
const ANSWERS = Buffer.concat([u32(0, 4, 7), u32(2, 0)]);

test("the answer to a run: its answers, and no complaint", () => {
  const payload = Buffer.concat([u32(9, 0, 0, 2, NO_CALL, 0, 1), ANSWERS]);
  const done = parseDone(payload);
  expect(done).toMatchObject({ id: 9, status: 0, detail: 0, faults: 1 });
  expect(done.complaint).toBeUndefined();
  expect(done.answers).toEqual([
    { error: 0, bytes: u32(7) },
    { error: 2, bytes: Buffer.alloc(0) },
  ]);
});

test("the answer to a run: what the kernel complained about, and during which call", () => {
  const log = Buffer.from("WARNING: x\n");
  const payload = Buffer.concat([u32(9, 0, 0, 2, 1, log.length, 0), log, ANSWERS]);
  expect(parseDone(payload).complaint).toEqual({ call: 1, log: "WARNING: x\n" });
  expect(parseDone(payload).answers).toHaveLength(2);
});

test("an answer that is cut short is noticed", () => {
  expect(() => parseAnswer(u32(0, 8, 7), 0)).toThrow(RangeError);
  expect(() => parseDone(Buffer.concat([u32(9, 0, 0, 1, NO_CALL, 0, 0), u32(0, 1)]))).toThrow(
    RangeError,
  );
});

test("the agent's first words", () => {
  const text =
    "kernel 6.12.117\niommufd 1\nmock 0\ndevice 0000:00:05.0 group 2\n" +
    "device 0000:02:01.0 group 6\ndevice 0000:02:02.0 group 6\n";
  expect(parseHello(Buffer.from(text))).toEqual({
    kernel: "6.12.117",
    iommufd: true,
    mock: false,
    groups: [2, 6, 6],
  });
});
