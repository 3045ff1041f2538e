/** A range of IOVA as the parts of areas that it lies in, for calls that may reach over several. */
import { U64_MAX } from "../spec/units";
import { firstFrom } from "./state/ioas";
import type { Ioas, Piece } from "./state/objects";

const NO_PIECES: readonly Piece[] = [];

/** The parts of [first, last], as far as they follow on one another without a hole. */
export const piecesOf = (ioas: Ioas | undefined, first: bigint, last: bigint): readonly Piece[] => {
  if (ioas === undefined || last < first || last > U64_MAX) return NO_PIECES;
  const pieces: Piece[] = [];
  let next = first;
  for (let i = firstFrom(ioas.areas, first); next <= last; i++) {
    const area = ioas.areas[i];
    if (area === undefined || area.first > next) break;
    pieces.push({
      area,
      pages: area.pages,
      startByte: area.startByte + (next - area.first),
      first: next,
      last: area.last < last ? area.last : last,
    });
    next = area.last + 1n;
  }
  return pieces;
};
