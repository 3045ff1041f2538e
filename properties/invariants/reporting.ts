/** Section A: what IOVA_RANGES answers. */
import type { CallOf, OutcomeOf } from "../../spec/calls";
import { type Finding, HELD } from "./finding";
import type { Check, Invariant } from "./invariant";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { asSet, hex, outsideOf, type RangeSet, sameSet, showRange, showSet } from "./ledger/ranges";

type OnAnswer = (ioas: Ioas, set: RangeSet, ledger: Ledger) => Finding;

/** A check of every complete answer about an IOAS whose reservations are known. */
export const whenAnswered =
  (check: OnAnswer): Check<"IOAS_IOVA_RANGES"> =>
  (call, outcome, ledger) => {
    const answered = ledger.answered(call, outcome);
    return answered && check(answered.ioas, answered.set, ledger);
  };

/**
 * The documents promise the set, not its order or how it is cut (RNG-03, UNS-18). With a list of
 * allowed IOVAs they promise no more than that list (RNG-04).
 */
const complete: OnAnswer = (ioas, set) => {
  const { allowed, usable } = ioas;
  if (allowed === undefined) return undefined;
  if (sameSet(set, usable)) return HELD;
  const most = outsideOf(usable, set);
  if (most) return { expected: `ranges inside ${showSet(usable)}`, actual: showSet(set) };
  const least = allowed.length > 0 ? allowed : ioas.promised;
  if (outsideOf(set, least) === undefined) return HELD;
  return { expected: `the ranges ${showSet(usable)}`, actual: showSet(set) };
};

/** An answer that did not fit into the array: it names the total and gives some of the ranges. */
const partial = (
  call: CallOf<"IOAS_IOVA_RANGES">,
  { out }: OutcomeOf<"IOAS_IOVA_RANGES">,
  ledger: Ledger,
): Finding => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  if (ioas === undefined || ioas.fog || out?.array === undefined) return undefined;
  if (outsideOf(ioas.usable, asSet(out.array)) === undefined) return HELD;
  return { expected: `ranges inside ${showSet(ioas.usable)}`, actual: showSet(out.array) };
};

const whenComplete = whenAnswered(complete);

const I_04: Invariant = {
  id: "I-04",
  statement:
    "The ranges answered are all IOVAs but those that the apertures, the attached devices and " +
    "ADD_RESERVED take away.",
  needs: [],
  clauses: ["RNG-03", "DOM-03", "RSV-01"],
  general: true,
  on: {
    IOAS_IOVA_RANGES: (call, outcome, ledger) => {
      const { errno, out } = outcome;
      if (errno === "EMSGSIZE") return partial(call, outcome, ledger);
      if (errno !== 0 || out === undefined) return undefined;
      const { array = [], num_iovas: count } = out;
      if (count !== array.length) {
        return { expected: `num_iovas ${array.length}, as many as stored`, actual: `${count}` };
      }
      const inverted = array.find((range) => range[0] > range[1]);
      if (inverted) {
        return {
          expected: "ranges that end where they start or later",
          actual: showRange(...inverted),
        };
      }
      return whenComplete(call, outcome, ledger);
    },
  },
};

const I_05: Invariant = {
  id: "I-05",
  statement: "Ranges depend on the devices now attached, not on the IOAS or on its history.",
  needs: [],
  clauses: ["RNG-14"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered((ioas, set, ledger) => {
      if (ioas.added.length > 0 || ioas.allowed?.length !== 0) return undefined;
      // What this very IOAS answered before is a matter of I-66 and I-84.
      if (ioas.answers?.has(ioas.attached)) return undefined;
      const before = ledger.rangesByDevices.get(ioas.attached);
      if (before === undefined) return undefined;
      if (sameSet(set, before)) return HELD;
      return {
        expected: `${showSet(before)}, as once with the same devices`,
        actual: showSet(set),
      };
    }),
  },
};

const I_06: Invariant = {
  id: "I-06",
  statement:
    "The alignment is a power of two from 1 to a page, not below a page of any domain, a whole " +
    "page with large pages off, 1 in a new IOAS, and the same whenever the same things ask for it.",
  needs: [],
  clauses: ["RNG-10", "RNG-11", "ALN-05"],
  on: {
    IOAS_IOVA_RANGES: (call, { errno, out }, ledger) => {
      const alignment = out?.out_iova_alignment;
      if (errno !== 0 || alignment === undefined) return undefined;
      const ioas = ledger.ioas(call.fd, call.in.ioas_id);
      if (ioas === undefined) return undefined;
      const least = ioas.alignmentAtLeast(ledger.pageSize);
      const most = ioas.everAttached || ioas.huge !== 1n ? ledger.pageBytes : 1n;
      const wrong = (expected: string): Finding => ({ expected, actual: hex(alignment) });
      if (alignment === 0n || (alignment & (alignment - 1n)) !== 0n) return wrong("a power of two");
      if (alignment < least) return wrong(`an alignment of ${hex(least)} or more`);
      if (alignment > most) return wrong(`an alignment of ${hex(most)} or less`);
      if (ioas.huge === undefined) return HELD;
      const before = ledger.alignments.get(ioas.shape);
      if (before === undefined || before === alignment) return HELD;
      return wrong(`alignment ${hex(before)}, as once with the same devices and option`);
    },
  },
};

const I_09: Invariant = {
  id: "I-09",
  statement: "Attaching a device only narrows the ranges, and detaching one only widens them.",
  needs: ["device"],
  clauses: ["RNG-14"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered((ioas, set) => {
      const { answer, narrowed, widened } = ioas;
      if (answer === undefined || ioas.reshaped || narrowed === widened) return undefined;
      const [outer, inner] = narrowed ? [answer.set, set] : [set, answer.set];
      if (outsideOf(outer, inner) === undefined) return HELD;
      const relation = narrowed ? "nothing but" : "at least";
      return { expected: `${relation} ${showSet(answer.set)}, as before`, actual: showSet(set) };
    }),
  },
};

const I_10: Invariant = {
  id: "I-10",
  statement: "A list of allowed IOVAs is never wider than the ranges answered.",
  needs: [],
  clauses: ["RNG-04"],
  on: {
    IOAS_IOVA_RANGES: whenAnswered(({ allowed }, set) => {
      if (allowed === undefined || allowed.length === 0) return undefined;
      if (outsideOf(set, allowed) === undefined) return HELD;
      return { expected: `at least ${showSet(allowed)}, allowed`, actual: showSet(set) };
    }),
  },
};

export const REPORTING: readonly Invariant[] = [I_04, I_05, I_06, I_09, I_10];
