/** A damaged recording is refused with file, line and field; nothing of it is skipped. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { fakeIo } from "./fake-io";
import { main } from "./main";

const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "iommufd-bad-"));
afterAll(() => fs.rmSync(cwd, { recursive: true, force: true }));

/** OPEN, IOAS_ALLOC and a MAP that fails. */
const GOOD = fs.readFileSync(path.join(__dirname, "testdata/recording.jsonl"), "utf8").trim();

const judge = async (bytes: string | Buffer) => {
  fs.writeFileSync(path.join(cwd, "r.jsonl"), bytes);
  const io = fakeIo(cwd);
  return { exit: await main(["judge", "--profile", "linux-6.12", "r.jsonl"], io), io };
};

/** The recording with one text in place of another, in its second line. */
const damaged = (from: string, to: string): string => {
  if (!GOOD.includes(from)) throw new Error(`the recording has no ${from}`);
  return `${GOOD}\n${GOOD.replace(from, to)}\n`;
};

const ALLOC = "line 2, step 1 (IOAS_ALLOC)";
const MAP = "line 2, step 2 (IOAS_MAP)";
const ID = '"out_ioas_id":1';

const CASES: readonly (readonly [what: string, bytes: string | Buffer, says: string])[] = [
  [
    "an unknown call",
    damaged('"op":"IOAS_MAP"', '"op":"IOAS_MOP"'),
    "line 2, step 2 (IOAS_MOP): unknown call",
  ],
  [
    "a call of Object's",
    damaged('"op":"IOAS_MAP"', '"op":"constructor"'),
    "line 2, step 2 (constructor): unknown call",
  ],
  [
    "an unknown argument",
    damaged('"flags":5', '"flags":5,"flogs":5'),
    `${MAP}, in.flogs: unknown field`,
  ],
  ["an unknown output", damaged(ID, `${ID},"id":1`), `${ALLOC}, out.id: unknown field`],
  [
    "an unknown field of a step",
    damaged('"op":"IOAS_MAP"', '"op":"IOAS_MAP","why":1'),
    `${MAP}, why: unknown field`,
  ],
  [
    "an unknown field of a trace",
    damaged('"memory"', '"why":1,"memory"'),
    "line 2, why: unknown field",
  ],
  [
    "an unknown field of the platform",
    damaged('"page_size"', '"why":1,"page_size"'),
    "line 2, platform, why: unknown field",
  ],
  [
    "an unknown field of memory",
    damaged('"va"', '"why":1,"va"'),
    "line 2, memory 0, why: unknown field",
  ],
  [
    "text for a number",
    damaged(ID, '"out_ioas_id":"1"'),
    `${ALLOC}, out.out_ioas_id: expected an object id`,
  ],
  [
    "a fraction",
    damaged(ID, '"out_ioas_id":1.5'),
    `${ALLOC}, out.out_ioas_id: expected an object id`,
  ],
  [
    "a negative number",
    damaged(ID, '"out_ioas_id":-1'),
    `${ALLOC}, out.out_ioas_id: expected an object id`,
  ],
  [
    "2^32",
    damaged(ID, '"out_ioas_id":4294967296'),
    `${ALLOC}, out.out_ioas_id: expected an object id`,
  ],
  [
    "a number beyond all numbers",
    damaged(ID, '"out_ioas_id":1e999'),
    `${ALLOC}, out.out_ioas_id: expected an object id`,
  ],
  [
    "2^64",
    damaged("0xfffffffffffffffe", "0x10000000000000000"),
    `${MAP}, in.length: expected a "0x…" string`,
  ],
  [
    "a number for 64 bits",
    damaged('"0xfffffffffffffffe"', "4096"),
    `${MAP}, in.length: expected a "0x…" string`,
  ],
  [
    "digits without 0x",
    damaged("0xfffffffffffffffe", "4096"),
    `${MAP}, in.length: expected a "0x…" string`,
  ],
  [
    "an unknown errno",
    damaged('"errno":"EINVAL"', '"errno":"EWHAT"'),
    `${MAP}, errno: unknown errno "EWHAT"`,
  ],
  ["no errno", damaged(',"errno":"EINVAL"', ""), `${MAP}, errno: unknown errno undefined`],
  ["another return value", damaged('"rc":-1', '"rc":0'), `${MAP}, rc: expected -1`],
  [
    "no file",
    damaged('"op":"IOAS_MAP","fd":0', '"op":"IOAS_MAP"'),
    `${MAP}, fd: expected the number of an iommufd`,
  ],
  [
    "half a file",
    damaged('"op":"IOAS_MAP","fd":0', '"op":"IOAS_MAP","fd":0.5'),
    `${MAP}, fd: expected the number of an iommufd`,
  ],
  [
    "a file of a call on none",
    damaged('{"op":"IOAS_MAP"', '{"op":"PROC_STATUS","fd":0,"errno":0},{"op":"IOAS_MAP"'),
    "line 2, step 2 (PROC_STATUS), fd: unknown field",
  ],
  [
    "a field that is there twice",
    damaged('"errno":"EINVAL"', '"errno":0,"errno":"EINVAL"'),
    "line 2, steps.2.errno: is there twice",
  ],
  [
    "pages of no power of two",
    damaged('"page_size":4096', '"page_size":4095'),
    "line 2, platform, page_size: expected a power of two",
  ],
  [
    "pages of no size",
    damaged('"page_size":4096', '"page_size":0'),
    "line 2, platform, page_size: expected a power of two",
  ],
  [
    "an aperture that falls",
    damaged('"mock_aperture":["0x1000000"', '"mock_aperture":["0x80000000"'),
    "line 2, platform, mock_aperture: the last address is below the first",
  ],
  [
    "half a page of memory",
    damaged('"length":"0x20000"', '"length":"0x20800"'),
    "line 2, memory 0, length: expected whole pages",
  ],
  ["a line that ends early", `${GOOD}\n${GOOD.slice(0, 300)}`, "line 2: not JSON"],
  ["a first line that ends early", GOOD.slice(0, 300), "line 1: not JSON"],
  ["two traces in one line", `${GOOD}${GOOD}\n`, "line 1: not JSON"],
  ["a line that is a list", `${GOOD}\n[]\n`, "line 2: not a recorded trace"],
  ["a mark inside", `${GOOD}\n\ufeff${GOOD}\n`, "line 2: not JSON"],
  ["zero bytes behind it", `${GOOD}\n\0\0\n`, "line 2: not JSON"],
  [
    "bytes that are no UTF-8",
    Buffer.concat([Buffer.from(`${GOOD}\n{"trace":"`), Buffer.from([0xff]), Buffer.from('"}\n')]),
    "line 2: not UTF-8",
  ],
  ["nothing", "", "is empty"],
  ["blank lines", "\n \n", "is empty"],
];

describe("judge refuses", () => {
  test.each(CASES)("%s", async (_, bytes, says) => {
    const { exit, io } = await judge(bytes);
    expect(exit).toBe(65);
    expect(io.out()).toBe("");
    expect(io.err()).toContain(`r.jsonl: ${says}`);
  });
});

test("the recording itself is fine, with a mark of the editor, other line ends and blank lines", async () => {
  const { exit, io } = await judge(`\ufeff\r\n${GOOD}\r\n\r\n${GOOD}`);
  expect(io.out()).toContain("2 traces, 6 steps: 6 agreed");
  expect(exit).toBe(0);
});
