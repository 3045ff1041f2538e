import { expect, test } from "@jest/globals";
import { IOCTLS } from "../../spec/uapi/ioctls";
import { ByteWriter } from "./byte-writer";
import { NO_WORDS, wordsIn } from "./ioctl";

test("numbers are little-endian, and a buffer that is full grows", () => {
  const writer = new ByteWriter()
    .u8(0xff)
    .u16(0x1234)
    .u32(0xffff_fffe)
    .s32(-2)
    .u64(1n << 63n);
  expect(writer.done().toString("hex")).toBe("ff3412fefffffffeffffff0000000000000080");
  const many = new ByteWriter();
  for (let i = 0; i < 10_000; i++) many.u32(i);
  expect(many.patch32(0, 7).done().readUInt32LE(0)).toBe(7);
  expect(many.again(8, 4, 8).done().readBigUInt64LE(40_000)).toBe(2n);
});

test("a number that its place cannot hold is refused, and not cut", () => {
  const writer = new ByteWriter();
  const tries: (() => unknown)[] = [
    () => writer.u8(256),
    () => writer.u16(-1),
    () => writer.u32(2 ** 32),
    () => writer.u32(0.5),
    () => writer.s32(2 ** 31),
    () => writer.u64(-1n),
    () => writer.u64(1n << 64n),
  ];
  for (const attempt of tries) expect(attempt).toThrow(RangeError);
  expect(writer.length).toBe(0);
});

test("a raw command that only ends like a known one has no numbers of files", () => {
  const { command, op = 0 } = IOCTLS.CREATE_ACCESS;
  const struct = Buffer.alloc(72);
  struct.writeUInt32LE(op, 4);
  expect(wordsIn(command, struct).fileOut).toBeGreaterThan(0);
  expect(wordsIn(command + 0x1_0000 * op, struct)).toBe(NO_WORDS);
});
