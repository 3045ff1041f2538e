/** What is charged for memory does not depend on how many MAPs it takes. */
import { OPTION_OP_SET, OPTION_RLIMIT_MODE } from "../../../spec/uapi/flags";
import { PAGE } from "../../arbitrary/values";
import { type Fixed, freeDevices, mapping, permuted, regions, somewhere } from "../plan";
import { relation } from "../relation";
import { compareSides, type Side } from "../side";

export const PARTITION = [
  relation(
    "I-37",
    (tail) => {
      const { c } = tail;
      const { draw } = c;
      const region = draw.pick(regions(c, true));
      if (region === undefined) return;
      const pages = draw.int(2, 5);
      const at = somewhere(c);
      const whole = mapping(region.name, 0n, PAGE * BigInt(pages), at);
      const parts = Array.from({ length: pages }, (_, i) => {
        const start = PAGE * BigInt(i);
        return mapping(region.name, start, PAGE, at + start);
      });
      const byProcess = draw.chance(50);
      const attachFirst = draw.chance(50);
      const made = (maps: readonly Fixed[]) => (side: Side) => {
        // Only a privileged process can; one that cannot is charged as always.
        const option = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: 1n };
        if (byProcess) tail.try({ call: "OPTION", fd: side.fd, in: option });
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
