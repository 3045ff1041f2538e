/** Section H: what a device has written to, and what is told of it. */
import type { CallOf, OutcomeOf } from "../../spec/calls";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import type { DirtyBits, Read } from "./ledger/dirty-bits";
import { answerOf } from "./ledger/dirty-calls";
import type { Ledger } from "./ledger/ledger";
import { hex } from "./ledger/ranges";

type Get = CallOf<"HWPT_GET_DIRTY_BITMAP">;
type Got = OutcomeOf<"HWPT_GET_DIRTY_BITMAP">;

interface Asked {
  readonly bits: DirtyBits;
  readonly read: Read;
}

const asked = (call: Get, outcome: Got, ledger: Ledger): Asked | undefined => {
  const hwpt = ledger.hwpt(call.fd, call.in.hwpt_id);
  const bits = hwpt?.made?.dirty;
  const read = hwpt && bits && answerOf(bits, hwpt.ioas, call, outcome);
  return bits && read && { bits, read };
};

/** Looks at each bit that the caller had not set. */
const eachBit = (
  { read: { iova, pageSize, bits } }: Asked,
  look: (first: bigint, last: bigint, bit: boolean) => Finding,
): Finding => {
  let finding: Finding;
  let first = iova;
  for (const bit of bits) {
    const last = first + pageSize - 1n;
    const found = bit === undefined ? undefined : look(first, last, bit);
    if (found !== undefined && found !== HELD) return found;
    finding ??= found;
    first += pageSize;
  }
  return finding;
};

const clean = (at: bigint, why: string): Finding => ({
  expected: `a clean page at ${hex(at)}: ${why}`,
  actual: "dirty",
});
const dirty = (at: bigint, why: string): Finding => ({
  expected: `a dirty page at ${hex(at)}: ${why}`,
  actual: "clean",
});

const NEEDS = ["mock", "hwpt", "dirty"] as const;

const I_110: Invariant = {
  id: "I-110",
  statement: "Every page that a device has written to is reported as long as it was not cleared.",
  needs: NEEDS,
  clauses: ["DTY-20"],
  on: {
    HWPT_GET_DIRTY_BITMAP: (call, outcome, ledger) => {
      const found = asked(call, outcome, ledger);
      if (found === undefined || found.read.pageSize > found.bits.unit) return undefined;
      return eachBit(found, (first, last, bit) => {
        if (found.bits.state(first, last) !== "dirty") return undefined;
        return bit ? HELD : dirty(first, "it was written to");
      });
    },
  },
};

const I_111: Invariant = {
  id: "I-111",
  statement: "A page that was reported and cleared is clean until it is written to again.",
  needs: NEEDS,
  clauses: ["DTY-18"],
  on: {
    HWPT_GET_DIRTY_BITMAP: (call, outcome, ledger) => {
      const found = asked(call, outcome, ledger);
      if (found === undefined) return undefined;
      return eachBit(found, (first, last, bit) => {
        if (found.bits.state(first, last) !== "cleared") return undefined;
        return bit ? clean(first, "it was reported and cleared") : HELD;
      });
    },
  },
};

const I_112: Invariant = {
  id: "I-112",
  statement: "A bitmap gets bits and loses none that the caller had set.",
  needs: ["hwpt", "dirty"],
  clauses: ["DTY-19"],
  on: {
    HWPT_GET_DIRTY_BITMAP: (call, { errno, out }) => {
      const { prefill } = call.in;
      if (errno !== 0 || out?.bitmap === undefined || prefill === "") return undefined;
      const before = Number.parseInt(prefill, 16);
      if (before === 0) return undefined;
      const bytes = Buffer.from(out.bitmap, "hex");
      const at = bytes.findIndex((byte) => (byte & before) !== before);
      if (at < 0) return HELD;
      return { expected: `byte ${at} with the bits 0x${prefill}`, actual: `${bytes[at]}` };
    },
  },
};

/** What an earlier answer, since which nothing changed, says of [first, last]. */
const earlier = ({ bits }: Asked, first: bigint, last: bigint, size: "same" | "finer") => {
  for (const { iova, pageSize, bits: before } of bits.reads) {
    const coarse = last - first + 1n;
    if (size === "same" ? pageSize !== coarse : pageSize >= coarse) continue;
    const offset = first - iova;
    if (offset < 0n || offset % pageSize !== 0n) continue;
    const from = Number(offset / pageSize);
    const part = before.slice(from, from + Number(coarse / pageSize));
    if (part.length < Number(coarse / pageSize) || part.includes(undefined)) continue;
    return part.includes(true);
  }
  return undefined;
};

const asBefore = (size: "same" | "finer") => (call: Get, outcome: Got, ledger: Ledger) => {
  const found = asked(call, outcome, ledger);
  if (found === undefined || found.bits.reads.length === 0) return undefined;
  return eachBit(found, (first, last, bit) => {
    const before = earlier(found, first, last, size);
    if (before === undefined) return undefined;
    if (before === bit) return HELD;
    const why = "another bitmap said so, and nothing has changed";
    return before ? dirty(first, why) : clean(first, why);
  });
};

const I_113: Invariant = {
  id: "I-113",
  statement: "A range read in parts tells the same as read at once.",
  needs: NEEDS,
  clauses: ["DTY-20"],
  on: { HWPT_GET_DIRTY_BITMAP: asBefore("same") },
};

const I_114: Invariant = {
  id: "I-114",
  statement: "A bit of a coarse bitmap is set if one of the finer bits is.",
  needs: NEEDS,
  clauses: ["DTY-22"],
  on: { HWPT_GET_DIRTY_BITMAP: asBefore("finer") },
};

const I_115: Invariant = {
  id: "I-115",
  statement: "Tracking that is switched on again starts with clean pages.",
  needs: NEEDS,
  clauses: ["DTY-04"],
  on: {
    HWPT_GET_DIRTY_BITMAP: (call, outcome, ledger) => {
      const found = asked(call, outcome, ledger);
      if (found === undefined || !found.bits.restarted) return undefined;
      return eachBit(found, (first, last, bit) => {
        if (found.bits.state(first, last) !== "clean") return undefined;
        return bit ? clean(first, "nothing was written since tracking was switched on") : HELD;
      });
    },
  },
};

export const DIRTY_PAGES: readonly Invariant[] = [I_110, I_111, I_112, I_113, I_114, I_115];
