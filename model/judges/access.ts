/**
 * In-kernel users of an IOAS, as the mock driver makes them: CREATE_ACCESS, CLOSE_ACCESS,
 * ACCESS_REPLACE_IOAS. What they pin, and what they read and write, is in files of its own.
 */
import { ACCESS_NEEDS_PIN_PAGES } from "../../spec/uapi/flags";
import { joinIoas, leaveIoas } from "../access";
import { fact, judge, never, type Rule, rule } from "../judge";
import { endIfUnused } from "../lifetime";
import { own } from "../processes";
import { conforms } from "../state/ioas";
import type { MachineState } from "../state/machine";
import type { Access, Ioas } from "../state/objects";
import { expectLater } from "../state/seen";
import { aboutId, fdIsOpen, ioasOf, isFreeFile, lowestFreeId, type OnIommufd } from "./common";

/** What every call about an access looks up. */
export interface OnAccess extends OnIommufd {
  readonly access: Access | undefined;
}

/** The file must be that of an access; which iommufd the call is made on does not matter. */
export const fileIsAccess = <V extends OnAccess>(): Rule<V> =>
  rule("ACC-32", "EBADFD", (v) => v.context !== undefined && v.access === undefined, {
    hard: true,
    applies: never,
  });

/** A user that pins wants page alignment, which mappings of the IOAS may be in the way of. */
const cannotAlign = (machine: MachineState, ioas: Ioas | undefined, pinsPages: boolean): boolean =>
  ioas !== undefined && pinsPages && machine.page > ioas.alignment && !conforms(ioas, machine.page);

interface CreateView extends OnIommufd {
  readonly proc: number;
  readonly flags: number;
  readonly id: number;
  readonly ioas: Ioas | undefined;
}

const pinsPages = (v: CreateView): boolean => (v.flags & ACCESS_NEEDS_PIN_PAGES) !== 0;

export const CREATE_ACCESS = judge<"CREATE_ACCESS", CreateView>("CREATE_ACCESS", {
  promise: "ACC-01",
  view: (machine, call) => {
    const { ioas_id, flags } = call.in;
    const context = machine.fds.get(call.fd);
    const { proc } = call;
    return { machine, context, proc, flags, id: ioas_id, ioas: ioasOf(context, ioas_id) };
  },
  rules: [
    fdIsOpen(),
    rule("ACC-32", "EOPNOTSUPP", (v) => (v.flags & ~ACCESS_NEEDS_PIN_PAGES) !== 0),
    rule("ACC-01", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule("ACC-01", "EADDRINUSE", (v) => cannotAlign(v.machine, v.ioas, pinsPages(v)), {
      applies: never,
      also: () => ["ALN-03"],
    }),
  ],
  facts: [
    fact("ACC-01", {
      holds: (v, out) => isFreeFile(v.machine, out.out_access_fd),
      right: () => "the number of a file that is not open",
      uncounted: true,
    }),
    fact("ALN-08", {
      when: (v) => !pinsPages(v) && v.ioas !== undefined && v.ioas.areas.length > 0,
    }),
  ],
  answer: (v) => ({ out_access_fd: v.machine.nextFile }),
  effect: (v, out) => {
    const { machine, context, ioas } = v;
    if (context === undefined || ioas === undefined) return;
    const fd = out.out_access_fd ?? 0;
    const access: Access = {
      type: "access",
      context,
      ioas,
      pinsPages: pinsPages(v),
      ranges: new Map(),
      nextRange: 0,
      revoked: new Set(),
    };
    machine.accesses.set(fd, access);
    own(machine, v.proc, access);
    machine.nextFile++;
    context.objects.set(lowestFreeId(context), access);
    context.holders++;
    joinIoas(machine, access, ioas);
    if (access.pinsPages) expectLater(ioas.seen.ranges, "ALN-01");
  },
  failure: (v, broken) => {
    if (broken.errno === "EADDRINUSE" && v.ioas) expectLater(v.ioas.seen.ranges, "ALN-04");
  },
});

interface CloseView {
  readonly machine: MachineState;
  readonly fd: number;
  readonly access: Access | undefined;
}

export const CLOSE_ACCESS = judge<"CLOSE_ACCESS", CloseView>("CLOSE_ACCESS", {
  promise: "OBJ-07",
  view: (machine, call) => {
    const { access_fd } = call.in;
    return { machine, fd: access_fd, access: machine.accesses.get(access_fd) };
  },
  rules: [rule("ACC-32", "EBADF", (v) => v.access === undefined, { applies: never, hard: true })],
  facts: [fact("OBJ-08", { when: (v) => v.access?.context.open === false })],
  effect: (v) => {
    const { machine, access } = v;
    if (access === undefined) return;
    const { context } = access;
    leaveIoas(machine, access);
    machine.accesses.delete(v.fd);
    machine.owners.delete(access);
    for (const [id, object] of context.objects) if (object === access) context.objects.delete(id);
    context.holders--;
    endIfUnused(machine, context);
  },
});

interface ReplaceView extends OnAccess {
  readonly id: number;
  readonly ioas: Ioas | undefined;
}

const isMove = (v: ReplaceView): boolean => v.access?.ioas !== v.ioas;

export const ACCESS_REPLACE_IOAS = judge<"ACCESS_REPLACE_IOAS", ReplaceView>(
  "ACCESS_REPLACE_IOAS",
  {
    promise: "ACC-04",
    promises: (v) => (isMove(v) ? undefined : "ACC-02"),
    view: (machine, call) => {
      const { access_fd, ioas_id } = call.in;
      const access = machine.accesses.get(access_fd);
      const context = machine.fds.get(call.fd);
      return { machine, context, access, id: ioas_id, ioas: ioasOf(access?.context, ioas_id) };
    },
    rules: [
      fdIsOpen(),
      fileIsAccess(),
      rule("ACC-04", "ENOENT", (v) => v.access !== undefined && v.ioas === undefined, {
        applies: isMove,
        also: (v) => aboutId(v.access?.context, v.id),
        hard: true,
      }),
      rule(
        "ACC-04",
        "EADDRINUSE",
        (v) => isMove(v) && cannotAlign(v.machine, v.ioas, v.access?.pinsPages === true),
        { applies: never, also: () => ["ACC-01", "ALN-03"] },
      ),
    ],
    facts: [fact("ACC-02", { when: (v) => !isMove(v) })],
    effect: (v) => {
      const { machine, access, ioas } = v;
      if (access === undefined || ioas === undefined || !isMove(v)) return;
      leaveIoas(machine, access);
      joinIoas(machine, access, ioas);
    },
    failure: (v, broken) => {
      if (broken.errno === "EADDRINUSE" && v.ioas) expectLater(v.ioas.seen.ranges, "ALN-04");
    },
  },
);
