/** What is charged for memory does not depend on how many MAPs it takes. */
import { OPTION_OP_SET, OPTION_RLIMIT_MODE } from "../../../spec/uapi/flags";
import { PAGE } from "../../arbitrary/values";
import { drawWhole, type Fixed, freeDevices, permuted, pieceOf } from "../plan";
import { relation } from "../relation";
import { compareSides, type Side } from "../side";

export const PARTITION = [
  relation(
    "I-37",
    (tail) => {
      const { c } = tail;
      const { draw } = c;
      const whole = drawWhole(c);
      if (whole === undefined) return;
      const pages = Number(whole.bytes / PAGE);
      const parts = Array.from({ length: pages }, (_, i) => pieceOf(whole, PAGE * BigInt(i), PAGE));
      const byProcess = draw.chance(50);
      const attachFirst = draw.chance(50);
      const made = (maps: readonly Fixed[]) => (side: Side) => {
        // Only a privileged process can; one that cannot is charged as always.
        const option = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: 1n };
        if (byProcess) tail.try({ call: "OPTION", fd: side.fd(), in: option });
        const ioas = side.ioas();
        const early = attachFirst ? side.attach(ioas) : undefined;
        for (const one of maps) side.map(ioas, one);
        const to = attachFirst ? early : side.attach(ioas);
        side.locked("charge");
        side.pins([whole], "pins");
        to?.detach();
        side.locked("charge afterwards");
      };
      compareSides(tail, freeDevices(c), made([whole]), made(permuted(c, parts)));
    },
    ["PROC_STATUS"],
  ),
];
