/** ADD_RESERVED of the mock driver: reserves IOVAs for nobody in particular (RSV-07). */
import { U64_MAX } from "../../spec/units";
import { judge, rule } from "../judge";
import { isTaken, reserve } from "../state/ioas";
import type { Ioas } from "../state/objects";
import { aboutId, fdIsOpen, ioasOf, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly id: number;
  readonly ioas: Ioas | undefined;
  readonly start: bigint;
  readonly length: bigint;
  readonly last: bigint;
}

const wraps = (v: View): boolean => v.last > U64_MAX;

export const ADD_RESERVED = judge<"ADD_RESERVED", View>("ADD_RESERVED", {
  promise: "TST-01",
  view: (machine, call) => {
    const context = machine.fds.get(call.fd);
    const { ioas_id, start, length } = call.in;
    const ioas = ioasOf(context, ioas_id);
    return { machine, context, id: ioas_id, ioas, start, length, last: start + length - 1n };
  },
  rules: [
    fdIsOpen(),
    rule("TST-01", "EINVAL", (v) => v.length === 0n),
    rule("TST-01", "EOVERFLOW", wraps, { applies: () => false }),
    rule("TST-01", "ENOENT", (v) => v.context !== undefined && v.ioas === undefined, {
      applies: () => false,
      also: (v) => aboutId(v.context, v.id),
      hard: true,
    }),
    rule(
      "TST-01",
      "EADDRINUSE",
      (v) => v.ioas !== undefined && v.length > 0n && !wraps(v) && isTaken(v.ioas, v.start, v.last),
      { applies: () => false },
    ),
  ],
  facts: [],
  effect: (v) => {
    if (v.ioas === undefined) return;
    reserve(v.ioas, [{ first: v.start, last: v.last, owner: undefined }]);
    v.ioas.seen.reservedSinceAuto = true;
  },
});
