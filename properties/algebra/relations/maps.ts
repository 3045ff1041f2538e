/** Relations between maps: what they undo, in which order, where, of what, and in how many. */
import type { Arg, Handle } from "../../../spec/handle";
import { MAP_FIXED_IOVA } from "../../../spec/uapi/flags";
import type { Bytes, Iova } from "../../../spec/units";
import { access, buffer, freeIova, length, PAGE } from "../../arbitrary/values";
import type { IoasView } from "../../arbitrary/view";
import { lookAt } from "../look";
import {
  drawPlan,
  type Fixed,
  freeDevices,
  mapping,
  type Plan,
  permuted,
  RW,
  regions,
  somewhere,
} from "../plan";
import { beforeAndAfter, live, relation } from "../relation";
import { type Attached, compareSides, type Side } from "../side";
import type { Done, Tail } from "../tail";

/** A map that the present state of an IOAS permits. */
const drawMap = ({ c }: Tail, ioas: IoasView) => {
  const rights = access(c);
  const bytes = length(c, ioas.alignment);
  const found = buffer(c, rights, bytes, ioas.alignment);
  const at = freeIova(c, ioas, bytes);
  if (found === undefined || at === undefined) return undefined;
  return { rights, bytes: bytes as Bytes, va: found.va, at };
};

const unmap = (tail: Tail, ioas: IoasView, map: Done, bytes: Bytes): void => {
  const { c } = tail;
  const args = { ioas_id: c.object(ioas.fd, ioas.id), iova: map.handle(), length: bytes };
  tail.do({ call: "IOAS_UNMAP", fd: c.fileOf(ioas.fd), in: args });
};

/** On an IOAS as it is: does `between` leave no trace? */
const onLive = (
  tail: Tail,
  ioas: IoasView | undefined,
  between: (map: (at?: Arg<Iova>) => Done, bytes: Bytes, at: Arg<Iova>) => void,
  prepare?: (map: (at?: Arg<Iova>) => Done, at: Arg<Iova>) => void,
): void => {
  const drawn = ioas && drawMap(tail, ioas);
  if (ioas === undefined || drawn === undefined) return;
  const { c } = tail;
  const map = (at?: Arg<Iova>): Done =>
    tail.do({
      call: "IOAS_MAP",
      fd: c.fileOf(ioas.fd),
      in: {
        flags: drawn.rights | (at === undefined ? 0 : MAP_FIXED_IOVA),
        ioas_id: c.object(ioas.fd, ioas.id),
        user_va: drawn.va,
        length: drawn.bytes,
        ...(at !== undefined && { iova: at }),
      },
    });
  prepare?.(map, drawn.at);
  beforeAndAfter(
    tail,
    () => lookAt(tail, ioas, drawn.va),
    () => between(map, drawn.bytes, drawn.at),
  );
};

const lookAtAll = (side: Side, to: Attached | undefined, ioas: Handle, plan: Plan): void => {
  side.ranges(ioas, "ranges");
  side.translate(to, plan.window, "translations");
  side.pins(plan.maps, "pins");
  side.locked("locked");
};

/** Maps everything in the given order, with the domain first or never. */
const mapAll = (side: Side, maps: readonly Fixed[], names: readonly Fixed[], attach: boolean) => {
  const ioas = side.ioas();
  const to = attach ? side.attach(ioas) : undefined;
  for (const one of maps) side.map(ioas, one, `map ${names.indexOf(one)}`);
  return { ioas, to };
};

export const MAPS = [
  relation("I-70", (tail, scene) => {
    const ioas = live(tail, scene);
    const automatic = tail.c.draw.chance(40);
    onLive(tail, ioas, (map, bytes, at) => {
      const done = map(automatic ? undefined : at);
      if (ioas !== undefined) unmap(tail, ioas, done, bytes);
    });
  }),
  relation("I-71", (tail, scene) => {
    const ioas = live(tail, scene);
    let done: Done | undefined;
    onLive(
      tail,
      ioas,
      (map, bytes, at) => {
        if (ioas === undefined || done === undefined) return;
        unmap(tail, ioas, done, bytes);
        map(at);
      },
      (map, at) => {
        done = map(at);
      },
    );
  }),
  relation("I-72", (tail) => {
    const { c } = tail;
    const plan = drawPlan(c, c.draw.int(2, 4));
    const other = permuted(c, plan.maps);
    const attach = c.draw.chance(75);
    const inOrder = (maps: readonly Fixed[]) => (side: Side) => {
      const { ioas, to } = mapAll(side, maps, plan.maps, attach);
      lookAtAll(side, to, ioas, plan);
    };
    compareSides(tail, freeDevices(c), inOrder(plan.maps), inOrder(other));
  }),
  relation("I-73", (tail) => {
    const { c } = tail;
    const { maps, window } = drawPlan(c, c.draw.int(1, 3));
    const by = PAGE * BigInt(c.draw.int(1, 48));
    const attach = c.draw.chance(75);
    const shifted = (delta: bigint) => (side: Side) => {
      const moved = maps.map((one) => ({ ...one, at: (one.at + delta) as Iova }));
      const { ioas, to } = mapAll(side, moved, moved, attach);
      // Onto what is mapped already, and a part of it away: neither works anywhere.
      const [first] = moved;
      if (first !== undefined) {
        side.map(ioas, first, "again");
        side.unmap(ioas, first.at, first.bytes - 1n, "a part");
      }
      lookAtAll(side, to, ioas, { maps, window: [window[0] + delta, window[1] + delta] });
    };
    compareSides(tail, freeDevices(c), shifted(0n), shifted(by));
  }),
  relation(
    "I-74",
    (tail) => {
      const { c } = tail;
      const [one, two] = permuted(c, regions(c, true));
      if (one === undefined || two === undefined) return;
      const { maps, window } = drawPlan(c, c.draw.int(1, 2));
      const attach = c.draw.chance(75);
      const inRegion = (name: string) =>
        maps.map(({ va, bytes, at, flags }) => mapping(name, va.add, bytes, at, flags));
      // Both buffers must be there: the CPU can still write to every page of them.
      for (const { pages } of [...inRegion(one.name), ...inRegion(two.name)]) {
        for (let at = 0n; at < pages.bytes; at += PAGE) {
          const va = mapping(pages.va.name, pages.va.add + at, 1n, 0n).va;
          tail.do({ call: "MEM_WRITE", in: { va, bytes: "00" } });
        }
      }
      const using = (name: string) => (side: Side) => {
        const mine = inRegion(name);
        const { ioas, to } = mapAll(side, mine, mine, attach);
        // Pins are counted on the whole: the buffers may have others of their own.
        lookAtAll(side, to, ioas, { maps: [], window });
      };
      compareSides(tail, freeDevices(c), using(one.name), using(two.name));
    },
    ["MEM_WRITE"],
  ),
  relation("I-75", (tail) => {
    const { c } = tail;
    const { draw } = c;
    const region = draw.pick(regions(c, true));
    if (region === undefined) return;
    const pages = draw.int(2, 4);
    const whole = mapping(region.name, 0n, PAGE * BigInt(pages), somewhere(c));
    const cuts = Array.from({ length: pages - 1 }, (_, i) => i === 0 || draw.chance(60));
    const parts: Fixed[] = [];
    for (let from = 0, to = 1; to <= pages; to++) {
      if (to < pages && cuts[to - 1] !== true) continue;
      const [start, bytes] = [PAGE * BigInt(from), PAGE * BigInt(to - from)];
      parts.push(mapping(region.name, start, bytes, whole.at + start));
      from = to;
    }
    const window = [whole.at, whole.at + whole.bytes - 1n] as const;
    const attach = draw.chance(80);
    const inParts = (maps: readonly Fixed[]) => (side: Side) => {
      const ioas = side.ioas();
      const to = attach ? side.attach(ioas) : undefined;
      const made = maps.map((one) => side.map(ioas, one).step);
      // Each part must work as the whole did.
      for (const i of parts.keys()) side.answers.set(`map ${i}`, made[i] ?? made[0] ?? -1);
      side.ranges(ioas, "ranges");
      side.translate(to, window, "translations");
      side.pins([whole], "pins");
      side.map(ioas, { ...whole, flags: RW }, "again");
      side.unmap(ioas, whole.at, whole.bytes, "unmap");
      side.pins([whole], "pins afterwards");
    };
    compareSides(tail, freeDevices(c), inParts([whole]), inParts(parts));
  }),
];
