/**
 * When two answers are alike.
 *
 * Ids, physical addresses and automatic IOVAs are the implementation's own; a FIXED IOVA and the
 * window of a TRANSLATE count from where the call put it; ranges and translations may be cut
 * anywhere. What remains must be equal in every correct implementation.
 */

import { typedStep } from "../../model/raw/raw";
import { lower } from "../../model/state/intervals";
import { show } from "../../model/verdict";
import { type Call, type Outcome, shapeOf } from "../../spec/calls";
import type { FieldType, PageFault, PinRun, Translation } from "../../spec/fields";
import { MAP_FIXED_IOVA } from "../../spec/uapi/flags";
import { type IovaRange, U64_MAX } from "../../spec/units";

/** What a relation compares differently from the others. */
export interface Comparison {
  /** The pages stay pinned between the two answers, so they keep their physical addresses. */
  readonly pinnedThroughout?: true;
  /** The documents do not name the errno (basis I), or the two calls fail for different reasons. */
  readonly anyErrno?: true;
  readonly anyAlignment?: true;
  /** The first answer means something only when it is a failure: then the second is one too. */
  readonly failureImpliesFailure?: true;
  /** If all answers before it are failures, the last one is a failure like one of them. */
  readonly failsLikeOneOf?: true;
  /** One of two callers has a struct too short for some outputs: only the others count. */
  readonly sharedOutputs?: true;
}

/** An answer as it was given. */
export interface Seen {
  readonly step: number;
  readonly call: Call;
  readonly outcome: Outcome;
}

export interface Disagreement {
  readonly expected: string;
  readonly actual: string;
}

/**
 * Compares the last of a group of answers with those before it. Mostly there is one, to which it
 * must be equal as far as `how` says; several are unmaps, whose lengths it must have in sum. The
 * two kinds of `how` about failures look at no outputs at all.
 * @returns "no" when the answers before say nothing about the last, so that nothing is compared
 */
export const compare = (
  made: readonly [Seen, ...Seen[]],
  madeLast: Seen,
  how: Comparison,
  pageSize: number,
): Disagreement | "agree" | "no" => {
  const before = made.map(asTyped) as [Seen, ...Seen[]];
  const last = asTyped(madeLast);
  const [first] = before;
  if (how.failsLikeOneOf) return likeOneOf(before, last);
  if (how.failureImpliesFailure) {
    if (first.outcome.errno === 0) return "no";
    return last.outcome.errno !== 0 ? "agree" : disagreement(before, last, "a failure", "success");
  }
  const fixed = isFixed(first.call) && isFixed(last.call);
  const lacking = how.sharedOutputs ? notShared(first, last) : NONE;
  const form = { how, page: BigInt(pageSize), capacity: capacityOf(first, last), fixed, lacking };
  const expected = before.length > 1 ? sumOfUnmaps(before) : formOf(first, form);
  const actual = formOf(last, form);
  return expected === actual ? "agree" : disagreement(before, last, expected, actual);
};

/** Ids are in the bytes of a raw call too, so that it is looked at as the call it stands for. */
const asTyped = (seen: Seen): Seen => {
  const { call, outcome } = seen;
  if (call.call !== "RAW" && call.call !== "DEVICE_RAW") return seen;
  const typed = typedStep(call, outcome, true);
  return typeof typed === "object" ? { ...seen, ...typed } : seen;
};

const likeOneOf = (before: readonly Seen[], last: Seen): ReturnType<typeof compare> => {
  const errnos = before.map(({ outcome }) => outcome.errno);
  if (errnos.includes(0)) return "no";
  const { errno } = last.outcome;
  if (errnos.includes(errno)) return "agree";
  return disagreement(before, last, [...new Set(errnos)].join(" or "), errno || "ok");
};

const NONE: ReadonlySet<string> = new Set();

/** Outputs that only one of two successes has. */
const notShared = ({ outcome: a }: Seen, { outcome: b }: Seen): ReadonlySet<string> => {
  const [x, y] = [Object.keys(a.out ?? {}), Object.keys(b.out ?? {})];
  return new Set([...x.filter((name) => !y.includes(name)), ...y.filter((n) => !x.includes(n))]);
};

const disagreement = (
  before: readonly Seen[],
  { call }: Seen,
  expected: string,
  actual: string,
): Disagreement => ({
  expected: `like step ${before.map(({ step }) => step).join(", ")}: ${expected}`,
  actual: `${call.call}: ${actual}`,
});

const sumOfUnmaps = (parts: readonly Seen[]): string => {
  let sum = 0n;
  for (const { outcome } of parts) {
    const { length } = (outcome.out ?? {}) as { length?: bigint };
    if (outcome.errno !== 0 || length === undefined) return "a failure";
    sum += length;
  }
  return `ok, length ${show(sum)}`;
};

/** Of two questions for IOVA ranges with different room, the smaller room; else undefined. */
const capacityOf = ({ call: a }: Seen, { call: b }: Seen): number | undefined => {
  if (a.call !== "IOAS_IOVA_RANGES" || b.call !== "IOAS_IOVA_RANGES") return undefined;
  const [roomA, roomB] = [a.in.num_iovas, b.in.num_iovas];
  return roomA === roomB ? undefined : Math.min(roomA, roomB);
};

interface Form {
  readonly how: Comparison;
  readonly page: bigint;
  readonly capacity: number | undefined;
  /** Neither of the two chose its IOVA itself. */
  readonly fixed: boolean;
  /** Outputs that do not count. */
  readonly lacking: ReadonlySet<string>;
}

const formOf = ({ call, outcome }: Seen, form: Form): string => {
  const { errno } = outcome;
  // Bytes that come to no call say nothing but that.
  if (call.call === "RAW" || call.call === "DEVICE_RAW") return errno || "ok";
  const short = form.capacity !== undefined && errno === "EMSGSIZE";
  if (errno !== 0 && !short) return form.how.anyErrno ? "a failure" : errno;
  const given = (outcome.out ?? {}) as Readonly<Record<string, unknown>>;
  const { out } = shapeOf(call.call);
  let text = "ok";
  for (const name in out) {
    const value = given[name];
    if (value === undefined || form.lacking.has(name)) continue;
    const part = partOf(call, name, out[name], value, form);
    if (part !== undefined) text += `, ${part}`;
  }
  return text;
};

/** What one output says; undefined: nothing that counts. */
const partOf = (
  call: Call,
  name: string,
  type: FieldType | undefined,
  value: unknown,
  form: Form,
): string | undefined => {
  if (isName(type)) return undefined;
  if (type === "faults") return `${name} ${faults(value as readonly PageFault[])}`;
  // A MAP and a COPY name it differently, and may have to be compared.
  if (type === "iova") return form.fixed ? `at +${show(fromStart(call, value))}` : undefined;
  if (type === "translations") return `${name} ${translations(call, value, form)}`;
  if (type === "pins") return `${name} ${pins(value as readonly PinRun[])}`;
  if (type === "ranges") return `${name} ${ranges(value as readonly IovaRange[], form)}`;
  if (name === "out_iova_alignment" && form.how.anyAlignment) return undefined;
  // What UNMAP calls its length is a size for VFIO.
  return `${call.call === "VFIO_UNMAP_DMA" ? "length" : name} ${show(value)}`;
};

/** True for what an implementation numbers as it likes. */
export const isName = (type: FieldType | undefined): boolean =>
  type === "id" || type === "fd" || type === "item";

const faults = (given: readonly PageFault[]): string =>
  show(given.map(({ dev_id: _id, cookie: _cookie, ...rest }) => rest));

const isFixed = (call: Call): boolean =>
  (call.call === "IOAS_MAP" || call.call === "IOAS_COPY") && (call.in.flags & MAP_FIXED_IOVA) !== 0;

const fromStart = (call: Call, iova: unknown): bigint => {
  if (call.call === "IOAS_MAP" || call.call === "TRANSLATE") {
    return (iova as bigint) - call.in.iova;
  }
  return (iova as bigint) - (call.call === "IOAS_COPY" ? call.in.dst_iova : 0n);
};

const ranges = (given: readonly IovaRange[], { capacity }: Form): string => {
  if (capacity !== undefined) return show(given.slice(0, capacity));
  const joined: [bigint, bigint][] = [];
  for (const [start, last] of [...given].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const before = joined.at(-1);
    if (before !== undefined && before[1] < U64_MAX && start <= before[1] + 1n) {
      if (last > before[1]) before[1] = last;
    } else joined.push([start, last]);
  }
  return show(joined);
};

const pins = (given: readonly PinRun[]): string => {
  const joined: [number | "EFAULT", number][] = [];
  for (const [refs, pages] of given) {
    const before = joined.at(-1);
    if (before !== undefined && before[0] === refs) before[1] += pages;
    else joined.push([refs, pages]);
  }
  return show(joined);
};

/** More than any platform has memory for. */
const MAX_PARTS = 4096;

/**
 * Page by page: where, which rights, and which page. Unless pinned throughout, pages are
 * numbered in the order in which they come, so that only their equality counts.
 */
const translations = (call: Call, value: unknown, { how, page }: Form): string => {
  const numbers = new Map<bigint, number>();
  const parts: { at: bigint; length: bigint; perm: number; pa: bigint }[] = [];
  for (const { iova, length, perm, pa } of value as readonly Translation[]) {
    for (let done = 0n; done < length && parts.length < MAX_PARTS; ) {
      const here = pa + done;
      const rest = page - (here % page);
      const size = lower(length - done, rest);
      const at = fromStart(call, iova) + done;
      const before = parts.at(-1);
      const joins =
        before !== undefined &&
        before.at + before.length === at &&
        before.pa + before.length === here &&
        before.pa / page === here / page &&
        before.perm === perm;
      if (joins) before.length += size;
      else parts.push({ at, length: size, perm, pa: here });
      done += size;
    }
  }
  const pageOf = (pa: bigint): string => {
    if (how.pinnedThroughout) return show(pa);
    const number = numbers.get(pa / page) ?? numbers.size;
    numbers.set(pa / page, number);
    return `${number}+${show(pa % page)}`;
  };
  const shown = parts.map(
    ({ at, length, perm, pa }) => `+${show(at)} ${show(length)} perm ${perm} page ${pageOf(pa)}`,
  );
  return `[${shown.join("; ")}]`;
};
