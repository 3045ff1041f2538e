/** Relations between copies, their sources, and maps of the same memory. */
import type { Handle } from "../../../spec/handle";
import { MAP_READABLE } from "../../../spec/uapi/flags";
import type { Iova } from "../../../spec/units";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, type Fixed, freeDevices, mapping, RW, regions, somewhere } from "../plan";
import { relation } from "../relation";
import { type Attached, Side } from "../side";
import type { Answers, Tail } from "../tail";

/** The answers of what happens now, apart from those before and after. */
const chapter = (side: Side, happen: () => void): Answers => {
  side.answers.clear();
  happen();
  return new Map(side.answers);
};

const drawOne = (tail: Tail): Fixed | undefined => drawPlan(tail.c, 1).maps[0];

const windowOf = ({ at, bytes }: Fixed): readonly [bigint, bigint] => [at, at + bytes - 1n];

export const COPIES = [
  relation("I-78", (tail) => {
    const one = drawOne(tail);
    if (one === undefined) return;
    const side = new Side(tail, freeDevices(tail.c));
    const [source, once, twice] = [side.ioas(), side.ioas(), side.ioas()];
    side.map(source, one);
    const chapters = [[source, once] as const, [once, twice] as const].map(([from, into]) => {
      const to = side.attach(into);
      return chapter(side, () => {
        side.answers.set("copy", side.copy(from, into, one).step);
        side.translate(to, windowOf(one), "translations");
        side.pins([one], "pins");
        side.locked("locked");
        side.map(into, one, "onto it");
      });
    });
    const [first, second] = chapters;
    if (first !== undefined && second !== undefined) tail.pair(first, second);
    side.close();
  }),
  relation("I-79", (tail) => {
    const one = drawOne(tail);
    if (one === undefined) return;
    const { draw } = tail.c;
    const side = new Side(tail, freeDevices(tail.c));
    const [source, target] = [side.ioas(), side.ioas()];
    const sourceGoes = draw.chance(60);
    const [goes, stays] = sourceGoes ? [source, target] : [target, source];
    const to = side.attach(stays);
    const both = draw.chance(50) ? side.attach(goes) : undefined;
    side.map(source, one);
    side.copy(source, target, one);
    const look = (): Answers =>
      chapter(side, () => {
        side.translate(to, windowOf(one), "translations");
        if (to !== undefined) side.pins([one], "pins");
        side.ranges(stays, "ranges");
        // Without a domain only a further copy can tell that it is still there.
        side.copy(stays, side.ioas(), one, "copy");
      });
    const before = look();
    if (both !== undefined || draw.chance(50)) side.unmap(goes, one.at, one.bytes);
    else side.make({ call: "DESTROY", fd: side.fd(), in: { id: goes } });
    tail.pair(before, look());
    side.close();
  }),
  relation("I-80", (tail) => {
    const one = drawOne(tail);
    const devices = freeDevices(tail.c);
    if (one === undefined) return;
    const side = new Side(tail, devices);
    const [source, mapped, copied] = [side.ioas(), side.ioas(), side.ioas()];
    side.map(source, one);
    // Domains for both or for none: without one, nobody looks at the memory.
    const enough = tail.c.can("MOCK_DOMAIN") || devices.length > 1;
    const attach = enough && tail.c.draw.chance(75);
    const into = (ioas: Handle, make: (key?: string) => void) => (): void => {
      const to = attach ? side.attach(ioas) : undefined;
      make("it");
      side.translate(to, windowOf(one), "translations");
      make("again");
      side.unmap(ioas, one.at, one.bytes, "unmap");
    };
    const byMap = chapter(
      side,
      into(mapped, (key) => side.map(mapped, one, key)),
    );
    const byCopy = chapter(
      side,
      into(copied, (key) => side.copy(source, copied, one, key)),
    );
    tail.pair(byMap, byCopy);
    side.close();
  }),
  relation("I-81", (tail) => {
    const { c } = tail;
    const region = c.draw.pick(regions(c, false));
    if (region === undefined) return;
    const readOnly = mapping(region.name, PAGE, PAGE, somewhere(c), MAP_READABLE);
    const writeable = { ...readOnly, flags: RW };
    const side = new Side(tail, freeDevices(c));
    const source = side.ioas();
    if (c.draw.chance(50)) side.attach(source);
    side.map(source, readOnly);
    const direct = side.copy(source, side.ioas(), writeable, "direct").step;
    let from = source;
    for (let links = c.draw.int(1, 2); links > 0; links--) {
      const next = side.ioas();
      side.copy(from, next, readOnly);
      from = next;
    }
    const within = { ...writeable, to: (readOnly.at + 64n * PAGE) as Iova };
    tail.same(direct, side.copy(from, from, within, "chained").step);
    side.close();
  }),
  relation(
    "I-90",
    (tail) => {
      const { c } = tail;
      const devices = freeDevices(c);
      if (!c.can("MOCK_DOMAIN") && devices.length < 2) return;
      const plan = drawPlan(c, c.draw.int(1, 4));
      const side = new Side(tail, devices);
      const [original, clone] = [side.ioas(), side.ioas()];
      const early = c.draw.chance(50) ? side.attach(clone) : undefined;
      const to = side.attach(original);
      for (const one of plan.maps) side.map(original, one);
      const probe = (of: Attached | undefined): Answers =>
        chapter(side, () => {
          side.translate(of, plan.window, "translations");
          side.pins(plan.maps, "pins");
          side.locked("locked");
        });
      const before = probe(to);
      for (const one of plan.maps) side.copy(original, clone, one);
      tail.pair(before, probe(early ?? side.attach(clone)));
      side.close();
    },
    ["TRANSLATE"],
  ),
];
