/** Probes of objects that were there before the relation. */
import type { Arg } from "../../spec/handle";
import { Handle } from "../../spec/handle";
import { SCRATCH } from "../../spec/platform";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { PAGE } from "../arbitrary/values";
import type { IoasView } from "../arbitrary/view";
import type { Tail } from "./tail";

const PLENTY = 64;
const PAGES = 8n;

export const askRanges = (
  tail: Tail,
  { fd, id }: Pick<IoasView, "fd" | "id">,
  num_iovas = PLENTY,
): number => {
  const { c } = tail;
  const room = { num_iovas, allowed_iovas: SCRATCH.va, writable_elems: PLENTY };
  const args = { ioas_id: c.object(fd, id), ...room };
  return tail.tell({ call: "IOAS_IOVA_RANGES", fd: c.fileOf(fd), in: args }).step;
};

/** Everything that shows the state of an IOAS, and the pins of the memory around a buffer. */
export const lookAt = (tail: Tail, ioas: IoasView, va: Arg<UserVa>): readonly number[] => {
  const { c } = tail;
  const fd = c.fileOf(ioas.fd);
  const steps = [askRanges(tail, ioas)];
  if (c.can("TRANSLATE")) {
    for (const id of ioas.hwpts.slice(0, 2)) {
      const hwpt_id = c.object(ioas.fd, id);
      const all = { hwpt_id, iova: 0n as Iova, last: U64_MAX as Iova };
      steps.push(tail.tell({ call: "TRANSLATE", fd, in: all }).step);
    }
  }
  if (c.can("PAGE_REFS") && va instanceof Handle) {
    const uptr = new Handle(va.name, "", va.add - (va.add % PAGE)) as Arg<UserVa>;
    const args = { uptr, length: (PAGES * PAGE) as Bytes };
    steps.push(tail.tell({ call: "PAGE_REFS", fd, in: args }).step);
  }
  if (c.can("PROC_STATUS")) steps.push(tail.tell({ call: "PROC_STATUS", in: {} }).step);
  return steps;
};
