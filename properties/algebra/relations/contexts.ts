/** Two contexts that do not know of each other: one after the other, or in between each other. */

import type { Handle } from "../../../spec/handle";
import { OPTION_HUGE_PAGES, OPTION_OP_GET, OPTION_OP_SET } from "../../../spec/uapi/flags";
import type { Composer } from "../../arbitrary/composer";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, freeDevices, type Plan } from "../plan";
import { relation } from "../relation";
import { type Attached, compareSides, Side } from "../side";

type Deed = (side: Side, own: { readonly ioas: Handle; readonly to: Attached | undefined }) => void;

/** What one context does, drawn once; no two contexts share a device. */
const drawDeeds = (c: Composer, { maps, window }: Plan): readonly Deed[] => {
  const { draw } = c;
  const [one] = maps;
  const val64 = draw.of(0n, 1n);
  const deeds: Deed[] = [
    ...maps.map(
      (each, i): Deed =>
        (side, { ioas }) =>
          side.map(ioas, each, `map ${i}`),
    ),
    (side, { ioas }) => side.ranges(ioas, "ranges"),
    (side, { to }) => side.translate(to, window, "translations"),
    (side) => side.ioas(),
    (side, { ioas }) => {
      if (one !== undefined) side.unmap(ioas, one.at, one.bytes, "unmap");
    },
    (side, { ioas }) => {
      const option = { option_id: OPTION_HUGE_PAGES, object_id: ioas };
      const other = side.ioas();
      const set = { ...option, object_id: other, op: OPTION_OP_SET, val64 };
      side.make({ call: "OPTION", fd: side.fd(), in: set });
      side.make({ call: "OPTION", fd: side.fd(), in: { ...option, op: OPTION_OP_GET } }, "option");
      side.make({ call: "OPTION", fd: side.fd(), in: { ...set, op: OPTION_OP_GET } }, "its own");
    },
    (side, { ioas }) => side.allow(ioas, [[window[0], window[1] + 4n * PAGE]]),
    (side, { ioas }) => {
      side.make({ call: "DESTROY", fd: side.fd(), in: { id: ioas } }, "destroy");
      side.ranges(ioas, "gone or not");
    },
  ];
  return deeds.filter(() => draw.chance(75));
};

export const CONTEXTS = [
  relation(
    "I-57",
    (tail) => {
      const { c } = tail;
      const plan = drawPlan(c, 2, true);
      const deeds = drawDeeds(c, plan);
      const devices = freeDevices(c);
      const attach = c.draw.chance(75);
      // Sometimes one of the numbers is closed halfway: the file stays open by the other.
      const lost = c.draw.chance(60) ? c.draw.int(0, deeds.length) : undefined;
      const told = (numbers: number) => (side: Side) => {
        if (numbers > 1) side.duplicate();
        const ioas = side.ioas();
        const own = { ioas, to: attach ? side.attach(ioas) : undefined };
        for (let i = 0; i <= deeds.length; i++) {
          if (numbers > 1 && i === lost) side.letGo();
          deeds[i]?.(side, own);
        }
        side.ranges(ioas, "ranges afterwards");
        side.translate(own.to, plan.window, "translations afterwards");
        side.pins(plan.maps, "pins afterwards");
        side.locked("locked");
      };
      compareSides(tail, devices, told(1), told(2));
    },
    ["DUP"],
  ),
  relation("I-56", (tail) => {
    const { c } = tail;
    const plans = [0, 1].map(() => drawDeeds(c, drawPlan(c, 2, true)));
    const devices = freeDevices(c);
    const attaches = [c.draw.chance(60), c.draw.chance(60)];
    const open = (i: number) => {
      const side = new Side(tail, devices.slice(i, i + 1));
      const ioas = side.ioas();
      const own = { ioas, to: attaches[i] ? side.attach(ioas) : undefined };
      return { side, rest: (plans[i] ?? []).map((deed) => () => deed(side, own)) };
    };
    const alone = [0, 1].map((i) => {
      const { side, rest } = open(i);
      for (const deed of rest) deed();
      side.close();
      return side.answers;
    });
    const together = [open(0), open(1)];
    for (;;) {
      const busy = together.filter(({ rest }) => rest.length > 0);
      const next = c.draw.pick(busy);
      if (next === undefined) break;
      next.rest.shift()?.();
    }
    for (const [i, { side }] of together.entries()) {
      side.close();
      const before = alone[i];
      if (before !== undefined) tail.pair(before, side.answers);
    }
  }),
];
