/**
 * Ways to frame a call: what is done to its bytes on their way to the kernel. Each is named by
 * its clause; without edits a raw call is the typed one.
 */
import type { CallName } from "../../spec/calls";
import type { RawEdits } from "../../spec/raw";
import { IOCTLS, type IoctlName } from "../../spec/uapi/ioctls";
import { LAYOUTS, type Layout } from "../../spec/uapi/layouts";
import type { UserVa } from "../../spec/units";
import type { Draw } from "./draw";
import { BAD_VAS } from "./nothing";

type Frame = readonly [clause: string, weight: number, edits: (l: Layout, draw: Draw) => RawEdits];

/** Whether an unknown number is looked up before its argument is read. */
const nowhere = (draw: Draw): RawEdits =>
  draw.chance(30) ? { memory: "none", arg: BAD_VAS[0] as UserVa } : {};

const zeros = (bytes: number): string => "00".repeat(bytes);

const FRAMES: readonly Frame[] = [
  ["GEN-01", 8, () => ({})],
  // A caller that is older, and one that is newer.
  ["GEN-08", 5, ({ min }) => ({ keep: min, size: min })],
  // Between the two, perhaps inside a field, whose bytes that are there count.
  [
    "GEN-08",
    3,
    ({ min, size }, draw) => {
      const to = draw.int(min, size);
      return { keep: to, size: to };
    },
  ],
  ["GEN-09", 5, ({ size }, draw) => longer(size, draw.of(1, 8, 64))],
  ["GEN-12", 2, ({ size }) => longer(size, 0x1000)],
  ["GEN-10", 3, ({ size }, draw) => ({ tail: draw.of("01", `${zeros(7)}80`), size: size + 8 })],
  ["GEN-10", 2, ({ size }) => ({ tail: `${zeros(63)}01`, size: size + 64 })],
  [
    "GEN-11",
    3,
    ({ size }, draw) => ({ tail: draw.of("", "01", "00"), size: size + draw.of(2, 8) }),
  ],
  ["GEN-07", 4, ({ min }, draw) => ({ size: draw.of(0, 3, min - 1) })],
  ["GEN-05", 2, (_, draw) => ({ keep: draw.of(0, 1, 3) })],
  ["GEN-05", 3, ({ size }, draw) => ({ keep: size - draw.of(1, 4) })],
  ["GEN-05", 2, (_, draw) => ({ memory: "none", arg: draw.of(0n, BAD_VAS[0], 1n) as UserVa })],
  ["GEN-16", 4, () => ({ memory: "r" })],
  ["GEN-16", 1, ({ size }, draw) => ({ memory: "r", keep: size - draw.of(1, 4, 8) })],
  ["GEN-03", 2, (_, draw) => ({ nr: draw.of(0x3b00, 0x3b6b, 0x3b7f), ...nowhere(draw) })],
  ["GEN-04", 2, (_, draw) => ({ nr: draw.of(0x3bff, 0x3bb0), ...nowhere(draw) })],
  [
    "GEN-06",
    3,
    (_, draw) => ({ nr: draw.of(0x3c85, 0xc000_3b81, 0x3b8f, 0x3b95), ...nowhere(draw) }),
  ],
  ["GEN-17", 3, ({ size }, draw) => ({ put: [[4 * draw.int(1, size / 4 - 1), "01000000"]] })],
];

const WEIGHTS = FRAMES.map(([, weight]) => weight);
const TOTAL_WEIGHT = WEIGHTS.reduce((sum, weight) => sum + weight, 0);

/** A struct of `size` bytes with zeros behind it. */
export const longer = (size: number, by: number): RawEdits => ({
  tail: zeros(by),
  size: size + by,
});

export const isIoctl = (call: CallName): call is IoctlName => Object.hasOwn(IOCTLS, call);

/** Edits for this call; undefined: it is made of no bytes. */
export const frameFor = (draw: Draw, call: CallName): RawEdits | undefined => {
  if (!isIoctl(call)) return undefined;
  const frame = FRAMES[draw.weighted(WEIGHTS, TOTAL_WEIGHT)];
  const edits = frame?.[2](LAYOUTS[call], draw) ?? {};
  // What may not be made (avoid.ts) is told by typed arguments.
  const isWatched = call === "IOAS_COPY" || call === "OPTION";
  return isWatched && edits.put !== undefined ? {} : edits;
};
