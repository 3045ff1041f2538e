/**
 * Calls that Linux 6.12 does not come back from (docs/kernel-quirks, hangs-on-a-cut-page), and what
 * is made in their place.
 *
 * CPY-11: where huge pages are off it maps whole CPU pages, counts down the size of a piece, and
 * goes past its end if that lies inside a page.
 */
import type { MachineState } from "../../model/state/machine";
import type { Area, Ioas } from "../../model/state/objects";
import type { Call, CallOf } from "../../spec/calls";
import { OPTION_HUGE_PAGES, OPTION_OP_GET, OPTION_OP_SET } from "../../spec/uapi/flags";
import type { Bytes } from "../../spec/units";

/** Arguments to make it with instead; undefined: the call may be made. */
export const harmless = (
  call: Call,
  { fds, page }: MachineState,
): Partial<CallOf<"IOAS_COPY" | "OPTION">["in"]> | undefined => {
  const find = (id: number): Ioas | undefined => {
    const object = fds.get(call.fd)?.objects.get(id);
    return object?.type === "ioas" ? object : undefined;
  };
  // Nothing is copied (CPY-05).
  if (call.call === "IOAS_COPY" && bringsCuts(call.in, find, page)) return { length: 0n as Bytes };
  // It is asked, not set.
  if (call.call === "OPTION" && makesPagesOfCuts(call.in, find, page)) return { op: OPTION_OP_GET };
  return undefined;
};

type Find = (id: number) => Ioas | undefined;

const bringsCuts = (args: CallOf<"IOAS_COPY">["in"], find: Find, page: bigint): boolean => {
  const { src_ioas_id, dst_ioas_id, src_iova, length } = args;
  if (find(dst_ioas_id)?.hugePages !== false) return false;
  const areas = find(src_ioas_id)?.areas ?? [];
  return areas.some(
    ({ last }) =>
      src_iova <= last && last < src_iova + length - 1n && (last + 1n - src_iova) % page !== 0n,
  );
};

const isCut = ({ first, last }: Area, page: bigint): boolean =>
  first % page !== 0n || (last + 1n) % page !== 0n;

/**
 * A copy of several pieces brings cuts even where an in-kernel user asks for whole pages, and where
 * whole pages are asked for already, nobody looks for cuts when huge pages go (OPT-14).
 */
const makesPagesOfCuts = (args: CallOf<"OPTION">["in"], find: Find, page: bigint): boolean => {
  const { option_id, op, object_id, val64 } = args;
  if (option_id !== OPTION_HUGE_PAGES || op !== OPTION_OP_SET || val64 !== 0n) return false;
  const ioas = find(object_id);
  return ioas !== undefined && ioas.alignment >= page && ioas.areas.some((a) => isCut(a, page));
};
