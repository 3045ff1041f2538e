/** The calls on a context as a whole: OPEN, DUP, DESTROY, OPTION, VFIO_IOAS. */
import type { OutcomeOf } from "../../spec/calls";
import {
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  OPTION_RLIMIT_MODE,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from "../../spec/uapi/flags";
import type { Process } from "./accounting";
import { done, fail, type OnIommufd, type OnProcess } from "./call";
import { IommufdCtx } from "./ctx";
import type { IoPagetable } from "./io-pagetable";

export const open: OnProcess<"OPEN"> = ({ iommufds }, _args, process) => ({
  errno: 0,
  out: { fd: iommufds.openNext(new IommufdCtx(), process) },
});

/** GEN-22: the context goes with the last number of its file. */
export const dup: OnIommufd<"DUP"> = (ctx, _args, process, { iommufds }) => {
  ctx.hold();
  return { errno: 0, out: { fd: iommufds.openNext(ctx, process) } };
};

export const destroy: OnIommufd<"DESTROY"> = (ctx, { id }) => done(ctx.destroyById(id));

export const option: OnIommufd<"OPTION"> = (ctx, args, process) => {
  const { option_id, op, object_id, val64 } = args;
  if (args.reserved !== 0) return fail("EOPNOTSUPP");
  if (option_id === OPTION_RLIMIT_MODE) {
    return object_id === 0 ? rlimitMode(ctx, process, op, val64) : fail("EOPNOTSUPP");
  }
  if (option_id !== OPTION_HUGE_PAGES) return fail("EOPNOTSUPP");
  const ioas = ctx.ioas(object_id);
  return ioas === undefined ? fail("ENOENT") : hugePages(ioas.iopt, op, val64);
};

/** OPT-03..08 */
const rlimitMode = (
  ctx: IommufdCtx,
  process: Process,
  op: number,
  val64: bigint,
): OutcomeOf<"OPTION"> => {
  if (op === OPTION_OP_GET) return { errno: 0, out: { val64: ctx.accountPerProcess ? 1n : 0n } };
  if (op !== OPTION_OP_SET) return fail("EOPNOTSUPP");
  if (!process.hasSysResource) return fail("EPERM");
  if (!ctx.isEmpty) return fail("EBUSY");
  if (val64 > 1n) return fail("EINVAL");
  ctx.accountPerProcess = val64 === 1n;
  return { errno: 0, out: { val64 } };
};

/** OPT-09..16 */
const hugePages = (iopt: IoPagetable, op: number, val64: bigint): OutcomeOf<"OPTION"> => {
  if (op === OPTION_OP_GET) return { errno: 0, out: { val64: iopt.largePages ? 1n : 0n } };
  if (op !== OPTION_OP_SET) return fail("EOPNOTSUPP");
  if (val64 > 1n) return fail("EINVAL");
  const errno = iopt.setLargePages(val64 === 1n);
  return errno === 0 ? { errno: 0, out: { val64 } } : fail(errno);
};

export const vfioIoas: OnIommufd<"VFIO_IOAS"> = (ctx, { ioas_id, op, reserved }) => {
  if (reserved !== 0) return fail("EOPNOTSUPP");
  switch (op) {
    case VFIO_IOAS_GET:
      return ctx.vfioIoas === undefined
        ? fail("ENODEV")
        : { errno: 0, out: { ioas_id: ctx.vfioIoas.id } };
    case VFIO_IOAS_SET: {
      const ioas = ctx.ioas(ioas_id);
      if (ioas === undefined) return fail("ENOENT");
      ctx.vfioIoas = ioas;
      return done(0);
    }
    case VFIO_IOAS_CLEAR:
      ctx.vfioIoas = undefined;
      return done(0);
    default:
      return fail("EOPNOTSUPP");
  }
};
