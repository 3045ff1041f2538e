/**
 * In-kernel users (iommufd_access): which IOAS they are on, and what they have pinned there.
 *
 * Such a user pins ranges of IOVA and lets go of them by number (ACC-14). When mappings under it
 * go, or it is moved, it has to let go of what it holds there (ACC-30, ACC-04).
 */
import { hold, release } from "./pinning";
import type { Interval } from "./state/intervals";
import { realign } from "./state/ioas";
import type { MachineState } from "./state/machine";
import type { Access, Area, Ioas, PinnedRange } from "./state/objects";
import { expectLater } from "./state/seen";

/** ACC-03: the IOAS has one more user, and perhaps one that needs page alignment (ALN-01). */
export const joinIoas = (machine: MachineState, access: Access, ioas: Ioas): void => {
  access.ioas = ioas;
  ioas.accesses.push(access);
  ioas.seen.fresh = false;
  realign(ioas, machine.page);
};

export const leaveIoas = (machine: MachineState, access: Access): void => {
  const { ioas } = access;
  revoke(machine, access, undefined);
  ioas.accesses.splice(ioas.accesses.indexOf(access), 1);
  const before = ioas.alignment;
  realign(ioas, machine.page);
  if (ioas.alignment < before) expectLater(ioas.seen.ranges, "ALN-05");
};

export const pinRange = (machine: MachineState, access: Access, id: number, range: PinnedRange) => {
  for (const piece of range.pieces) hold(machine, piece);
  access.ranges.set(id, range);
  access.nextRange = Math.max(access.nextRange, id + 1);
  access.revoked.delete(id);
};

export const unpinRange = (machine: MachineState, access: Access, id: number): void => {
  for (const piece of access.ranges.get(id)?.pieces ?? []) release(machine, piece);
  access.ranges.delete(id);
};

/** Lets go of every range that reaches into `within`, or of all. */
export const revoke = (
  machine: MachineState,
  access: Access,
  within: Interval | undefined,
): void => {
  for (const [id, { first, last }] of access.ranges) {
    if (within !== undefined && (first > within.last || last < within.first)) continue;
    unpinRange(machine, access, id);
    access.revoked.add(id);
  }
};

/** True if an in-kernel user has pinned some of the area. */
export const isHeld = (ioas: Ioas, { first, last }: Area): boolean =>
  ioas.accesses.some((access) => {
    for (const range of access.ranges.values()) {
      if (range.first <= last && range.last >= first) return true;
    }
    return false;
  });
