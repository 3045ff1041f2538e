/** Relations between unmaps. */
import { type Bytes, type Iova, U64_MAX } from "../../../spec/units";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, freeDevices } from "../plan";
import { live, relation } from "../relation";
import { Side } from "../side";
import type { Tail } from "../tail";

const EVERYTHING = { iova: 0n as Iova, length: U64_MAX as Bytes };

/** Everything of an IOAS that was there before; answers the second time. */
const emptyLive = (tail: Tail, { fd, id }: { readonly fd: number; readonly id: number }) => {
  const { c } = tail;
  const step = { call: "IOAS_UNMAP" as const, fd: c.fileOf(fd) };
  const args = { ioas_id: c.object(fd, id), ...EVERYTHING };
  tail.do({ ...step, in: args });
  return tail.do({ ...step, in: args }).step;
};

export const UNMAPS = [
  relation("I-76", (tail) => {
    const { c } = tail;
    const { maps, window } = drawPlan(c, c.draw.int(2, 4));
    const attach = c.draw.chance(70);
    const devices = freeDevices(c);
    const sides = [false, true].map((atOnce) => {
      const side = new Side(tail, devices);
      const ioas = side.ioas();
      const to = attach ? side.attach(ioas) : undefined;
      for (const one of maps) side.map(ioas, one);
      const [first, last] = [window[0] - PAGE, window[1] + PAGE];
      const unmapped = atOnce
        ? [side.unmap(ioas, first as Iova, last - first + 1n).step]
        : maps.map(({ at, bytes }) => side.unmap(ioas, at, bytes).step);
      side.translate(to, window, "translations");
      side.pins(maps, "pins");
      side.locked("locked");
      side.ranges(ioas, "ranges");
      side.close();
      return { answers: side.answers, unmapped };
    });
    const [exact, superset] = sides;
    if (exact === undefined || superset === undefined) return;
    tail.same(...exact.unmapped, ...superset.unmapped);
    tail.pair(exact.answers, superset.answers);
  }),
  relation("I-77", (tail, scene) => {
    const { c } = tail;
    const side = new Side(tail, freeDevices(c));
    // What UNMAP of everything answers where nothing was ever mapped.
    const untouched = side.unmap(side.ioas(), EVERYTHING.iova, EVERYTHING.length).step;
    const ioas = c.draw.chance(25) ? live(tail, scene) : undefined;
    if (ioas !== undefined) {
      tail.same(untouched, emptyLive(tail, ioas));
    } else {
      const mine = side.ioas();
      if (c.draw.chance(60)) side.attach(mine);
      for (const one of drawPlan(c, c.draw.int(1, 3)).maps) side.map(mine, one);
      side.unmap(mine, EVERYTHING.iova, EVERYTHING.length);
      tail.same(untouched, side.unmap(mine, EVERYTHING.iova, EVERYTHING.length).step);
    }
    side.close();
  }),
];
