/** Relations of calls that only ask. */
import type { Arg } from "../../../spec/handle";
import {
  MAP_READABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_RLIMIT_MODE,
  VFIO_IOAS_GET,
} from "../../../spec/uapi/flags";
import type { Bytes, UserVa } from "../../../spec/units";
import { PAGE } from "../../arbitrary/values";
import type { IoasView } from "../../arbitrary/view";
import { askRanges, lookAt } from "../look";
import { mapping, regions } from "../plan";
import { beforeAndAfter, live, relation } from "../relation";
import type { Tail } from "../tail";

/** Questions, and calls that can only fail: none of them may leave a trace. */
const questions = (tail: Tail, ioas: IoasView, va: Arg<UserVa>): readonly (() => void)[] => {
  const { c } = tail;
  const fd = c.fileOf(ioas.fd);
  const ioas_id = c.object(ioas.fd, ioas.id);
  const get = { op: OPTION_OP_GET, val64: 7n };
  return [
    () => tail.try({ call: "OPTION", fd, in: { option_id: OPTION_RLIMIT_MODE, ...get } }),
    () =>
      tail.try({
        call: "OPTION",
        fd,
        in: { option_id: OPTION_HUGE_PAGES, object_id: ioas_id, ...get },
      }),
    () => tail.try({ call: "VFIO_IOAS", fd, in: { op: VFIO_IOAS_GET } }),
    () => tail.try({ call: "IOAS_IOVA_RANGES", fd, in: { ioas_id } }),
    () => tail.try({ call: "DESTROY", fd, in: {} }),
    () => tail.try({ call: "IOAS_UNMAP", fd, in: { length: PAGE as Bytes } }),
    () =>
      tail.try({
        call: "IOAS_MAP",
        fd,
        in: { flags: MAP_READABLE, user_va: va, length: PAGE as Bytes },
      }),
    () => tail.try({ call: "MEM_READ", in: { va, length: 16 } }),
  ];
};

export const QUERIES = [
  relation("I-84", (tail, scene) => {
    const { c } = tail;
    const ioas = live(tail, scene);
    const region = c.draw.pick(regions(c, false));
    if (ioas === undefined || region === undefined) return;
    const { va } = mapping(region.name, 0n, PAGE, 0n);
    const asked = questions(tail, ioas, va).filter(() => c.draw.chance(60));
    beforeAndAfter(
      tail,
      () => lookAt(tail, ioas, va),
      () => {
        for (const ask of asked) ask();
      },
    );
  }),
  relation("I-85", (tail, scene) => {
    const ioas = live(tail, scene);
    if (ioas === undefined) return;
    const full = askRanges(tail, ioas);
    const total = Math.min(ioas.ranges.length, 6);
    for (let room = 0; room <= total + 1; room++) tail.same(full, askRanges(tail, ioas, room));
  }),
];
