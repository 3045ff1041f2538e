/**
 * VFIO_UNMAP_DMA: whole mappings go, or any part of them.
 *
 * With huge pages off, the mappings at both ends of the range are cut first (VCC-15); what is cut
 * stays cut even if the unmap then fails (VCC-16). From there on it is an UNMAP that says how much
 * it took whatever comes of it (VCC-18), and that is content with nothing (VCC-13).
 */
import { DMA_UNMAP_ALL } from "../../spec/uapi/flags";
import { LAYOUTS } from "../../spec/uapi/layouts";
import { type Bytes, U64_MAX, wrap64 } from "../../spec/units";
import { isHeld } from "../access";
import { fact, firstBroken, judge, type Rule, rule } from "../judge";
import type { Area, Ioas } from "../state/objects";
import { areasIn, type Found, NONE, removeAreas, totalOf } from "../unmapping";
import { fdIsOpen } from "./common";
import { noContainer, type OnContainer, onContainer } from "./vfio-container";

interface View extends OnContainer, Found {
  readonly strict: boolean;
  readonly argsz: number;
  readonly flags: number;
  readonly iova: bigint;
  readonly size: bigint;
  readonly last: bigint;
  readonly everything: boolean;
  /** The areas once the cuts are made, and why they cannot all be made. */
  readonly areas: readonly Area[];
  readonly refused: boolean;
}

interface Cut {
  readonly areas: readonly Area[];
  readonly refused: boolean;
}

/** Cuts behind the byte at `iova`, if an area goes on there. */
const cutBehind = (ioas: Ioas, areas: readonly Area[], iova: bigint): Cut => {
  const at = areas.findIndex(({ first, last }) => first <= iova && iova <= last);
  const area = areas[at];
  // 6.12 does not cut behind the first byte.
  if (area === undefined || iova === area.first || iova === area.last) {
    return { areas, refused: false };
  }
  const next = iova + 1n;
  const startByte = area.startByte + (next - area.first);
  const misaligned = ((next | startByte) & (ioas.alignment - 1n)) !== 0n;
  if (misaligned || isHeld(ioas, area)) return { areas, refused: true };
  const halves = [
    { ...area, last: iova, seen: { ...area.seen } },
    { ...area, first: next, startByte, seen: { ...area.seen } },
  ];
  return { areas: [...areas.slice(0, at), ...halves, ...areas.slice(at + 1)], refused: false };
};

/** The cuts at the end and at the start of a range, which is taken as a u64 would have it. */
const cutsFor = (ioas: Ioas, iova: bigint, size: bigint): Cut => {
  const end = cutBehind(ioas, ioas.areas, wrap64(iova + size - 1n));
  if (end.refused || iova === 0n) return end;
  return cutBehind(ioas, end.areas, iova - 1n);
};

/** An end of the range is right behind the first byte of a mapping, where 6.12 does not cut. */
const skipsCut = (v: View): boolean =>
  v.ioas?.hugePages === false &&
  !v.everything &&
  [v.iova - 1n, wrap64(v.iova + v.size - 1n)].some((at) =>
    v.ioas?.areas.some(({ first, last }) => first === at && at < last),
  );

const isCut = (v: View): boolean => v.areas !== v.ioas?.areas;

const isBadForm = ({ argsz, flags }: Pick<View, "argsz" | "flags">): boolean =>
  argsz < LAYOUTS.VFIO_UNMAP_DMA.min || (flags & ~DMA_UNMAP_ALL) !== 0;

const total = (v: View): bigint => totalOf(v.areas, v);

const commitCuts = (v: View): void => {
  if (v.ioas !== undefined && isCut(v)) v.ioas.areas.splice(0, v.ioas.areas.length, ...v.areas);
};

const remove = (v: View, covered = v.covered): void => {
  if (v.ioas !== undefined) removeAreas(v.machine, v.ioas, { from: v.from, covered });
};

const rules: readonly Rule<View>[] = [
  fdIsOpen(),
  rule("VCC-11", "EINVAL", isBadForm),
  noContainer("VCC-11"),
  rule("VCC-12", "EINVAL", (v) => v.everything && (v.iova !== 0n || v.size !== 0n), {
    applies: (v) => v.everything,
  }),
  rule("VCC-15", "EINVAL", (v) => v.refused, { applies: isCut }),
  rule("VCC-13", "EINVAL", (v) => !v.everything && v.size === 0n, {
    applies: (v) => !v.everything,
    also: (v) => whatElse(v),
  }),
  rule("VCC-13", "EOVERFLOW", (v) => v.last > U64_MAX, {
    applies: () => false,
    also: (v) => whatElse(v),
  }),
  rule("VCC-14", "ENOENT", (v) => v.covered < v.touched, {
    applies: (v) => v.covered > 0,
    also: (v) => whatElse(v),
    hard: true,
  }),
];

const whatElse = (v: View) => (isCut(v) ? (["VCC-16", "VCC-18"] as const) : (["VCC-18"] as const));

/** Past the cuts, the answer says how much was unmapped. */
const isPastCuts = (v: View): boolean => {
  const clause = firstBroken(rules, v)?.clause;
  return clause === "VCC-13" || clause === "VCC-14";
};

/** How many of the lowest mappings an answered size stands for; undefined: none. */
const countOf = (v: View, size: bigint): number | undefined => {
  for (let covered = 0; covered <= v.covered; covered++) {
    if (totalOf(v.areas, { ...v, covered }) === size) return covered;
  }
  return undefined;
};

const answersHowMuch = {
  holds: (v: View, out: { readonly size?: bigint }) => out.size === total(v),
  right: (v: View) => `size 0x${total(v).toString(16)}`,
};

export const VFIO_UNMAP_DMA = judge<"VFIO_UNMAP_DMA", View>("VFIO_UNMAP_DMA", {
  promise: "VCC-13",
  promises: (v) => (v.everything ? "VCC-12" : isCut(v) ? "VCC-15" : undefined),
  view: (machine, call, _claimed, profile) => {
    const { argsz, flags, iova, size } = call.in;
    const on = onContainer(machine, call.fd);
    const { ioas } = on;
    const everything = (flags & DMA_UNMAP_ALL) !== 0;
    const last = everything ? U64_MAX : iova + size - 1n;
    const isFine = ioas !== undefined && !isBadForm(call.in);
    const { areas, refused } =
      !isFine || everything || ioas.hugePages
        ? { areas: ioas?.areas ?? [], refused: false }
        : cutsFor(ioas, iova, size);
    const isRange = everything ? iova === 0n && size === 0n : size > 0n && last <= U64_MAX;
    const found = isFine && isRange && !refused ? areasIn(areas, iova, last) : NONE;
    return {
      machine,
      context: on.context,
      ioas,
      from: found.from,
      touched: found.touched,
      covered: found.covered,
      strict: profile === "linux-6.12",
      argsz,
      flags,
      iova,
      size,
      last,
      everything,
      areas,
      refused,
    };
  },
  rules,
  facts: [
    fact("VCC-12", { when: (v) => v.everything, ...answersHowMuch }),
    fact("VCC-13", { when: (v) => !v.everything, ...answersHowMuch }),
    fact("VCC-18"),
    fact("VCC-15", { when: isCut }),
    fact("VCC-17", { when: isCut }),
  ],
  answer: (v) => ({ size: total(v) as Bytes }),
  effect: (v) => {
    commitCuts(v);
    remove(v);
  },
  answerOfFailure: (v) => (isPastCuts(v) ? { size: total(v) as Bytes } : undefined),
  checkFailure: (v, _errno, out) => {
    const size = out.size ?? v.size;
    if (!isPastCuts(v)) {
      if (size === v.size) return undefined;
      return { clause: "GEN-15", right: "nothing written" };
    }
    // Without VCC-18 the size may be left alone; if it is not, it says how much is gone.
    const fits = v.strict
      ? size === total(v)
      : out.size === undefined || size === v.size || countOf(v, size) !== undefined;
    if (fits) return undefined;
    return { clause: "VCC-18", right: `size 0x${total(v).toString(16)}` };
  },
  // Whoever does not skip a cut behind the first byte refuses it as any other (VCC-15).
  leeway: (v, errno) => (!v.strict && errno === "EINVAL" && skipsCut(v) ? "VCC-15" : undefined),
  failure: (v) => {
    if (!v.strict) return;
    commitCuts(v);
    if (isPastCuts(v)) remove(v);
  },
  // Elsewhere the cuts may stay or not, and some of the lowest may be gone (UNS-04).
  otherwise: (v, errno) => {
    if (v.strict || errno === 0) return [];
    const effects = Array.from({ length: v.covered }, (_, i) => (at: View) => {
      commitCuts(at);
      remove(at, i + 1);
    });
    return isCut(v) ? [commitCuts, ...effects] : effects;
  },
});
