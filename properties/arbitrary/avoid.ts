/**
 * Calls that Linux 6.12 does not come back from (docs/kernel-quirks, hangs-on-a-cut-page), and what
 * is made in their place.
 *
 * CPY-11: where huge pages are off it maps whole CPU pages, counts down the size of a piece, and
 * goes past its end if that lies inside a page.
 */
import type { Call, CallOf } from "../../spec/calls";
import { OPTION_HUGE_PAGES, OPTION_OP_GET, OPTION_OP_SET } from "../../spec/uapi/flags";
import type { Bytes } from "../../spec/units";
import type { AreaView, IoasView, SceneView } from "./view";

/** Arguments to make it with instead; undefined: the call may be made. */
export const harmless = (
  call: Call,
  { ioases }: SceneView,
  pageSize: number,
): Partial<CallOf<"IOAS_COPY" | "OPTION">["in"]> | undefined => {
  const page = BigInt(pageSize);
  const find = (id: number): IoasView | undefined =>
    ioases.find((ioas) => ioas.fd === call.fd && ioas.id === id);
  // Nothing is copied (CPY-05).
  if (call.call === "IOAS_COPY" && bringsCuts(call.in, find, page)) return { length: 0n as Bytes };
  // It is asked, not set.
  if (call.call === "OPTION" && makesPagesOfCuts(call.in, find, page)) return { op: OPTION_OP_GET };
  return undefined;
};

type Find = (id: number) => IoasView | undefined;

const endsInPage = ({ last }: AreaView, from: bigint, page: bigint): boolean =>
  (last + 1n - from) % page !== 0n;

const bringsCuts = (args: CallOf<"IOAS_COPY">["in"], find: Find, page: bigint): boolean => {
  const { src_ioas_id, dst_ioas_id, src_iova, length } = args;
  if (find(dst_ioas_id)?.hugePages !== false) return false;
  const areas = find(src_ioas_id)?.areas ?? [];
  return areas.some(
    (area) =>
      src_iova <= area.last &&
      area.last < src_iova + length - 1n &&
      endsInPage(area, src_iova, page),
  );
};

/** A copy of several pieces brings cuts even where an in-kernel user asks for whole pages. */
const makesPagesOfCuts = (args: CallOf<"OPTION">["in"], find: Find, page: bigint): boolean => {
  const { option_id, op, object_id, val64 } = args;
  if (option_id !== OPTION_HUGE_PAGES || op !== OPTION_OP_SET || val64 !== 0n) return false;
  return find(object_id)?.areas.some((area) => endsInPage(area, 0n, page)) === true;
};
