/** Section A: mappings, reserved and allowed IOVAs of one IOAS keep out of each other's way. */
import { U64_MAX } from "../../spec/units";
import { allowedInWay, areaInWay, type OnArrival, whenAttached, whenReserved } from "./arrival";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import type { Ledger } from "./ledger/ledger";
import { asSet, contains, outsideOf, showRange, showSet } from "./ledger/ranges";
import {
  askedAt,
  firstOverlap,
  isFixed,
  type MapCall,
  type OnPlacement,
  whenPlaced,
} from "./placement";

const disjoint: OnPlacement = (at) => {
  const other = firstOverlap(at, true);
  if (other === undefined) return at.ioas.areas.length > 0 ? HELD : undefined;
  return {
    expected: `a place beside the mapping at ${showRange(other.start, other.last)}`,
    actual: `mapped at ${showRange(at.start, at.last)}`,
  };
};

/** EEXIST must have a mapping to point at. */
const existing = (call: MapCall, errno: unknown, ledger: Ledger): Finding => {
  const at = errno === "EEXIST" ? askedAt(call, ledger) : undefined;
  if (at === undefined || at.ioas.strays.length > 0) return undefined;
  if (firstOverlap(at, false)) return HELD;
  return {
    expected: `success: nothing is mapped in ${showRange(at.start, at.last)}`,
    actual: "EEXIST",
  };
};

const whenDisjoint = whenPlaced(disjoint);

const I_01: Invariant = {
  id: "I-01",
  statement: "Mappings of an IOAS are pairwise disjoint, and only a mapping in the way is EEXIST.",
  needs: [],
  clauses: ["MAP-12a"],
  on: {
    IOAS_MAP: (call, outcome, ledger) =>
      whenDisjoint.IOAS_MAP(call, outcome, ledger) ?? existing(call, outcome.errno, ledger),
    IOAS_COPY: (call, outcome, ledger) =>
      whenDisjoint.IOAS_COPY(call, outcome, ledger) ?? existing(call, outcome.errno, ledger),
    VFIO_MAP_DMA: (call, outcome, ledger) =>
      whenDisjoint.VFIO_MAP_DMA(call, outcome, ledger) ?? existing(call, outcome.errno, ledger),
  },
};
const inUsable: OnPlacement = ({ ioas, start, last }) => {
  if (ioas.fog) return undefined;
  if (last <= U64_MAX && contains(ioas.usable, start, last)) return HELD;
  return {
    expected: `a mapping inside ${showSet(ioas.usable)}`,
    actual: `mapped at ${showRange(start, last)}`,
  };
};

const freeOfAreas: OnArrival = (ioas, arrival) => {
  if (ioas.areas.length === 0) return undefined;
  const area = areaInWay(ioas, arrival);
  if (area === undefined) return HELD;
  const where = showRange(area.start, area.last);
  return { expected: `a failure: ${where} is mapped and would be reserved`, actual: "success" };
};

const I_02: Invariant = {
  id: "I-02",
  statement: "No mapping lies in reserved IOVAs, whichever of the two came first.",
  needs: [],
  clauses: ["MAP-11a", "RSV-08"],
  on: {
    ...whenPlaced(inUsable),
    VFIO_ATTACH: whenAttached(freeOfAreas),
    MOCK_DOMAIN: whenAttached(freeOfAreas),
    MOCK_DOMAIN_FLAGS: whenAttached(freeOfAreas),
    MOCK_DOMAIN_REPLACE: whenAttached(freeOfAreas),
    ADD_RESERVED: whenReserved(freeOfAreas),
  },
};

const freeOfAllowed: OnArrival = (ioas, arrival) => {
  if (ioas.allowed === undefined || ioas.allowed.length === 0) return undefined;
  if (!allowedInWay(ioas, arrival)) return HELD;
  const allowed = showSet(ioas.allowed);
  return {
    expected: `a failure: of ${allowed}, allowed, some would be reserved`,
    actual: "success",
  };
};

const inAllowed: OnPlacement = ({ ioas, start, last }, call) => {
  if (isFixed(call) || !ioas.allowed?.length) return undefined;
  if (contains(ioas.allowed, start, last)) return HELD;
  return {
    expected: `an automatic IOVA inside the allowed ${showSet(ioas.allowed)}`,
    actual: `mapped at ${showRange(start, last)}`,
  };
};

const I_03: Invariant = {
  id: "I-03",
  statement: "No allowed IOVA is reserved, and automatic IOVAs stay inside the allowed ones.",
  needs: [],
  clauses: ["ALW-06", "ALW-12", "AUT-01"],
  on: {
    ...whenPlaced(inAllowed),
    IOAS_ALLOW_IOVAS: (call, { errno }, ledger) => {
      const ioas = errno === 0 ? ledger.ioas(call.fd, call.in.ioas_id) : undefined;
      if (ioas === undefined || ioas.fog || call.in.num_iovas === 0) return undefined;
      const bad = outsideOf(ioas.usable, asSet(call.in.array.slice(0, call.in.num_iovas)));
      if (bad === undefined) return HELD;
      return {
        expected: `a failure: of ${showRange(bad[0], bad[1])} some is reserved`,
        actual: "success",
      };
    },
    VFIO_ATTACH: whenAttached(freeOfAllowed),
    MOCK_DOMAIN: whenAttached(freeOfAllowed),
    MOCK_DOMAIN_FLAGS: whenAttached(freeOfAllowed),
    MOCK_DOMAIN_REPLACE: whenAttached(freeOfAllowed),
    ADD_RESERVED: whenReserved(freeOfAllowed),
  },
};

export const STRUCTURE: readonly Invariant[] = [I_01, I_02, I_03];
