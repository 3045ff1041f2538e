/**
 * IOMMU_IOAS_ALLOW_IOVAS: the list of IOVAs that automatic choice is limited to.
 *
 * The elements are read and judged one by one, all of them before any is compared with what is
 * reserved (ALW-13). `array` holds the elements that can be read; asking for more of them faults
 * behind the last (ALW-03).
 */
import type { ClauseId } from "../../spec/clauses/registry";
import { fact, judge, never, rule } from "../judge";
import { covers, higher, type Interval, lower, sorted, union } from "../state/intervals";
import { isUsable } from "../state/ioas";
import type { Ioas } from "../state/objects";
import { expectLater, expectNoMore } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly id: number;
  readonly ioas: Ioas | undefined;
  readonly reserved: number;
  readonly count: number;
  /** The elements that the call reads before it faults or is done. */
  readonly elements: readonly Interval[];
}

const endsBeforeStart = ({ first, last }: Interval): boolean => first > last;
const isSingleByte = ({ first, last }: Interval): boolean => first === last;

/** Index of the first element that 6.12 takes for no range; -1 if all are some. */
const firstMalformed = (v: View): number =>
  v.elements.findIndex(({ first, last }) => first >= last);

/** Index of the first element that overlaps an earlier one; -1 if none does. */
const firstOverlap = (v: View): number =>
  v.elements.findIndex((element, i) =>
    v.elements
      .slice(0, i)
      .some((before) => before.first <= element.last && element.first <= before.last),
  );

/** Of a malformed element each end counts: whoever looks there first may say so. */
const isReserved = (v: View, { first, last }: Interval): boolean =>
  v.ioas !== undefined && !isUsable(v.ioas, lower(first, last), higher(first, last));

/** ALW-13: an element before the malformed one is reserved. */
const reservedBefore = (v: View, malformed: number): readonly ClauseId[] =>
  v.elements.slice(0, malformed).some((element) => isReserved(v, element)) ? ["ALW-13"] : [];

const hasList = (v: View): boolean => (v.ioas?.allowed.length ?? 0) > 0;
const hasElements = (v: View): boolean => v.count > 0;

export const IOAS_ALLOW_IOVAS = judge<"IOAS_ALLOW_IOVAS", View>("IOAS_ALLOW_IOVAS", {
  promise: "ALW-08",
  promises: (v) => (v.count === 0 ? "ALW-14" : undefined),
  view: (machine, call) => {
    const context = machine.fds.get(call.fd);
    const { ioas_id, num_iovas, reserved, array } = call.in;
    const elements = array.slice(0, num_iovas).map(([first, last]) => ({ first, last }));
    const ioas = ioasOf(context, ioas_id);
    return { machine, context, id: ioas_id, ioas, reserved, count: num_iovas, elements };
  },
  rules: [
    fdIsOpen(),
    rule("ALW-01", "EOPNOTSUPP", (v) => v.reserved !== 0),
    rule("ALW-02", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    // A range that ends before it starts is none; that of a single byte may be one (UNS-14).
    rule("ALW-04", "EINVAL", (v) => v.elements.some(endsBeforeStart), {
      applies: never,
      also: (v) => reservedBefore(v, firstMalformed(v)),
      hard: true,
    }),
    rule("ALW-04", "EINVAL", (v) => v.elements.some(isSingleByte), {
      applies: hasElements,
      also: (v) => reservedBefore(v, firstMalformed(v)),
    }),
    rule("ALW-05", "EINVAL", (v) => firstOverlap(v) >= 0, {
      applies: hasElements,
      also: (v) => reservedBefore(v, firstOverlap(v)),
    }),
    rule("ALW-03", "EFAULT", (v) => v.elements.length < v.count, {
      applies: hasElements,
    }),
    rule("ALW-06", "EADDRINUSE", (v) => v.elements.some((element) => isReserved(v, element)), {
      applies: hasElements,
    }),
  ],
  facts: [fact("ALW-14", { when: (v) => v.count === 0 && hasList(v) })],
  effect: (v) => {
    const { ioas } = v;
    if (ioas === undefined) return;
    ioas.allowed = sorted(v.elements);
    ioas.allowedSpans = union(ioas.allowed);
    ioas.seen.fresh = false;
    expectLater(ioas.seen.auto, "ALW-08");
    expectNoMore(ioas.seen.auto, "ALW-07");
    if (ioas.allowed.length === 0) return;
    for (const area of ioas.areas) {
      if (!covers(ioas.allowedSpans, area.first, area.last)) area.seen.outlivedAllowed = true;
    }
  },
  failure: (v) => {
    if (v.ioas !== undefined && hasList(v)) expectLater(v.ioas.seen.auto, "ALW-07");
  },
});
