/**
 * IOMMU_IOAS_IOVA_RANGES.
 *
 * The answer is what nothing reserves (RNG-03), with the alignment in force. The caller offers
 * room for num_iovas elements, of which writable_elems can really be stored: storing beyond that
 * faults (RNG-09), and that is met before it is known whether all fit (RNG-07).
 *
 * Documented is only which IOVAs are covered; how they are cut into ranges is open (UNS-18), and
 * with it how many there are. There the answer is compared as a set.
 */
import type { ClauseId } from "../../spec/clauses/registry";
import { type Bytes, type IovaRange, U64_MAX } from "../../spec/units";
import type { Profile } from "../../spec/verdict";
import { type Flaw, fact, judge, rule } from "../judge";
import { covers, sorted, union } from "../state/intervals";
import type { Ioas, Reservation } from "../state/objects";
import { settle } from "../state/seen";
import { show } from "../verdict";
import { aboutId, fdIsOpen, ioasOf, isElsewhere, type OnIommufd } from "./common";

interface Answer {
  readonly num_iovas?: number;
  readonly out_iova_alignment?: bigint;
  readonly array?: readonly IovaRange[];
}

interface View extends OnIommufd {
  readonly profile: Profile;
  readonly id: number;
  readonly ioas: Ioas | undefined;
  readonly reserved: number;
  readonly capacity: number;
  readonly writable: number;
  /** How many ranges there are; where that is open, what the IUT says. */
  readonly total: number;
  /** Worked out at most once: the ranges are right. */
  agrees: boolean | undefined;
}

const strict = (v: View): boolean => v.profile === "linux-6.12";

const usable = (v: View): readonly IovaRange[] => v.ioas?.usable ?? [];

const toBeStored = (v: View): number => Math.min(v.total, v.capacity);

const same = (a: readonly IovaRange[], b: readonly IovaRange[], count: number): boolean => {
  if (a.length !== count) return false;
  for (let i = 0; i < count; i++) {
    const [x, y] = [a[i], b[i]];
    if (x === undefined || y === undefined || x[0] !== y[0] || x[1] !== y[1]) return false;
  }
  return true;
};

/** The answered ranges are the right ones, in as much as they fitted. */
const rangesAreRight = (v: View, array: readonly IovaRange[]): boolean => {
  if (strict(v)) return same(array, usable(v), toBeStored(v));
  if (array.length !== toBeStored(v)) return false;
  const intervals = (list: readonly IovaRange[]) => list.map(([first, last]) => ({ first, last }));
  const right = intervals(usable(v));
  const answered = union(sorted(intervals(array)));
  if (!answered.every((range) => covers(right, range.first, range.last))) return false;
  if (v.total > v.capacity) return true;
  return right.every((range) => covers(answered, range.first, range.last));
};

const isPowerOfTwo = (n: bigint): boolean => n > 0n && (n & (n - 1n)) === 0n;

const alignmentIsLegal = (v: View, out: Answer): boolean => {
  const alignment = out.out_iova_alignment;
  return alignment !== undefined && isPowerOfTwo(alignment) && alignment <= v.machine.page;
};

/** All that nothing but mock devices reserves: RNG-12. */
const isPlainMock = (v: View): boolean => {
  const { ioas, machine } = v;
  if (machine.platform.frontEnd !== "mock" || ioas === undefined) return false;
  return (
    ioas.hwpts.length === 1 &&
    ioas.hugePages &&
    ioas.reservations.every((reservation) => reservation.owner !== undefined)
  );
};

const right = (v: View): string =>
  `num_iovas ${usable(v).length}, out_iova_alignment ${show(v.ioas?.alignment)}, ` +
  `array ${show(usable(v).slice(0, v.capacity))}`;

const listIsRight = (v: View, out: Answer): boolean => {
  v.agrees ??= rangesAreRight(v, out.array ?? []);
  return v.agrees;
};

/** The whole list is right; `when` says for which IOAS the clause speaks of it. */
const listFact = (clause: ClauseId, when?: (v: View) => boolean) =>
  fact<View, Answer>(clause, { ...(when && { when }), holds: listIsRight, right });

/** True if the answer holds [first, last], as far as the array could show it. */
const answers = (out: Answer, first: bigint, last: bigint): boolean =>
  (out.array ?? []).some((range) => range[0] <= first && last <= range[1]);

/** RNG-05: where something is mapped, the answer has no hole. */
const showsMappings = (v: View, out: Answer): boolean =>
  listIsRight(v, out) ||
  v.total > v.capacity ||
  v.ioas?.areas.every((area) => answers(out, area.first, area.last)) === true;

/** RNG-04: the answer is not what the allowed list leaves. */
const ignoresAllowed = (v: View, out: Answer): boolean =>
  listIsRight(v, out) ||
  !(out.array ?? []).every(([first, last]) => covers(v.ioas?.allowedSpans ?? [], first, last));

/** RSV-01: no byte of an attached device's regions is in the answer. */
const omitsRegions = (v: View, out: Answer): boolean =>
  listIsRight(v, out) ||
  !(v.ioas?.reservations ?? []).some(
    (reservation) => isRegion(reservation) && meets(out, reservation.first, reservation.last),
  );

const isRegion = (reservation: Reservation): boolean => reservation.owner?.type === "device";

const meets = (out: Answer, first: bigint, last: bigint): boolean =>
  (out.array ?? []).some((range) => range[0] <= last && first <= range[1]);

export const IOAS_IOVA_RANGES = judge<"IOAS_IOVA_RANGES", View>("IOAS_IOVA_RANGES", {
  promise: "RNG-03",
  promises: (v) => (usable(v).length === 0 ? "RNG-13" : undefined),
  view: (machine, call, claimed, profile) => {
    const context = machine.fds.get(call.fd);
    const ioas = ioasOf(context, call.in.ioas_id);
    const count = ioas?.usable.length ?? 0;
    const said = claimed?.out?.num_iovas;
    return {
      machine,
      context,
      profile,
      id: call.in.ioas_id,
      ioas,
      reserved: call.in.reserved,
      capacity: call.in.num_iovas,
      writable: call.in.writable_elems,
      total: profile === "linux-6.12" || said === undefined || said < count ? count : said,
      agrees: undefined,
    };
  },
  rules: [
    fdIsOpen(),
    rule("RNG-01", "EOPNOTSUPP", (v) => v.reserved !== 0),
    rule("RNG-02", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule("RNG-09", "EFAULT", (v) => v.ioas !== undefined && toBeStored(v) > v.writable, {
      hard: true,
    }),
    rule("RNG-07", "EMSGSIZE", (v) => v.ioas !== undefined && v.total > v.capacity, {
      applies: () => false,
    }),
  ],
  facts: [
    fact("RNG-10", { holds: alignmentIsLegal, right }),
    // Several clauses say what the list must be; the one that says most about this one first.
    listFact("RNG-12", isPlainMock),
    listFact("RNG-11", (v) => v.ioas?.seen.fresh === true),
    listFact("RNG-13", (v) => usable(v).length === 0),
    fact("RSV-01", {
      when: (v) => v.ioas?.reservations.some(isRegion) === true,
      holds: omitsRegions,
      right,
    }),
    fact("RNG-05", {
      when: (v) => (v.ioas?.areas.length ?? 0) > 0,
      holds: showsMappings,
      right,
    }),
    fact("RNG-04", {
      when: (v) => (v.ioas?.allowed.length ?? 0) > 0,
      holds: ignoresAllowed,
      right,
    }),
    listFact("RNG-03"),
    listFact("RNG-15", (v) => v.ioas?.seen.rangesAsked === true),
    fact("RNG-06", {
      holds: (v, out) => out.num_iovas === v.total,
      right,
    }),
    fact("RNG-11", {
      when: (v) => v.ioas?.seen.fresh === true,
      holds: (_v, out) => out.out_iova_alignment === 1n,
      right,
    }),
    fact("RNG-12", {
      when: isPlainMock,
      holds: (v, out) => out.out_iova_alignment === v.ioas?.alignment,
      right,
    }),
    fact("ALN-01", { holds: (v, out) => out.out_iova_alignment === v.ioas?.alignment, right }),
    fact("IAL-02", { when: (v) => v.ioas?.seen.fresh === true }),
    fact("RNG-08", { when: (v) => v.capacity > v.total && v.writable > v.total }),
    fact("GEN-22", { when: (v) => isElsewhere(v, v.id) }),
  ],
  answer: (v) => answerOf(v),
  answerOfFailure: (v, errno) => {
    if (errno === "EMSGSIZE") return answerOf(v);
    if (errno !== "EFAULT" || v.writable === 0) return undefined;
    return { array: usable(v).slice(0, v.writable) };
  },
  checkFailure: (v, errno, out) => {
    if (errno === "EMSGSIZE") return flawOfShortAnswer(v, out);
    // What in-out fields hold after any other failure is open elsewhere (UNS-15).
    if (!strict(v)) return undefined;
    if (out.num_iovas !== undefined || out.out_iova_alignment !== undefined) {
      return { clause: errno === "EFAULT" ? "RNG-09" : "GEN-15", right: "the struct untouched" };
    }
    // Ranges are stored one after the other, up to the first that cannot be.
    const stored = errno === "EFAULT" ? v.writable : 0;
    if (same(out.array ?? [], usable(v), stored)) return undefined;
    return {
      clause: errno === "EFAULT" ? "RNG-09" : "GEN-15",
      right: `array ${show(usable(v).slice(0, stored))}`,
    };
  },
  shown: (v, _out, coverage) => {
    if (v.ioas !== undefined) settle(v.ioas.seen.ranges, coverage);
  },
  effect: (v, out) => {
    const { ioas } = v;
    if (ioas === undefined) return;
    ioas.seen.rangesAsked = true;
    // Where the alignment is the IUT's to choose, it binds what follows.
    if (!strict(v) && alignmentIsLegal(v, out)) ioas.alignment = out.out_iova_alignment as Bytes;
  },
});

const answerOf = (v: View): Answer & { out_iova_alignment: Bytes } => ({
  num_iovas: usable(v).length,
  out_iova_alignment: (v.ioas?.alignment ?? U64_MAX) as Bytes,
  array: usable(v).slice(0, v.capacity),
});

/** RNG-07: the struct and the ranges that fitted. */
const flawOfShortAnswer = (v: View, out: Answer): Flaw | undefined => {
  if (out.num_iovas !== v.total) return { clause: "RNG-06", right: right(v) };
  if (!rangesAreRight(v, out.array ?? [])) return { clause: "RNG-07", right: right(v) };
  if (!alignmentIsLegal(v, out)) return { clause: "RNG-10", right: right(v) };
  if (strict(v) && out.out_iova_alignment !== v.ioas?.alignment) {
    return { clause: "ALN-01", right: right(v) };
  }
  return undefined;
};
