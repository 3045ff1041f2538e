/** Relations about automatic IOVAs and the list that restricts them. */
import type { Arg } from "../../../spec/handle";
import { MAP_FIXED_IOVA } from "../../../spec/uapi/flags";
import type { Bytes, Iova } from "../../../spec/units";
import { access, buffer, length, PAGE } from "../../arbitrary/values";
import { drawPlan, freeDevices, type Mapping, mapping, regions } from "../plan";
import { live, relation } from "../relation";
import { compareSides, Side } from "../side";

const WINDOW = 0x100_0000n;

/** The mapping of a page of the first writeable region; automatic. */
const anywhere = (region: string, page: bigint, pages = 1n): Mapping => {
  const { at: _, ...automatic } = mapping(region, page * PAGE, pages * PAGE, 0n);
  return automatic;
};

export const AUTOMATIC = [
  relation("I-82", (tail, scene) => {
    const { c } = tail;
    const ioas = live(tail, scene);
    if (ioas === undefined) return;
    const flags = access(c);
    const bytes = length(c, ioas.alignment) as Bytes;
    const found = buffer(c, flags, bytes, ioas.alignment);
    if (found === undefined) return;
    const fd = c.fileOf(ioas.fd);
    const ioas_id = c.object(ioas.fd, ioas.id);
    const args = { flags, ioas_id, user_va: found.va, length: bytes };
    const chosen = tail.do({ call: "IOAS_MAP", fd, in: args });
    const iova = chosen.handle() as Arg<Iova>;
    tail.do({ call: "IOAS_UNMAP", fd, in: { ioas_id, iova, length: bytes } });
    const fixed = { ...args, flags: flags | MAP_FIXED_IOVA, iova };
    tail.same(chosen.step, tail.tell({ call: "IOAS_MAP", fd, in: fixed }).step);
  }),
  relation("I-83", (tail) => {
    const { c } = tail;
    const { draw } = c;
    const [region] = regions(c, true);
    if (region === undefined) return;
    const [pages, slots] = [draw.of(1, 2, 4), draw.int(1, 3)];
    const side = new Side(tail, []);
    const ioas = side.ioas();
    const slotSize = PAGE * BigInt(pages);
    side.allow(ioas, [[WINDOW, WINDOW + slotSize * BigInt(slots) - 1n]]);
    // Sometimes a slot stays free; then the automatic map has to find it.
    const free = draw.chance(40) ? draw.int(0, slots - 1) : -1;
    for (let slot = 0; slot < slots; slot++) {
      if (slot === free) continue;
      const within = PAGE * BigInt(draw.int(0, pages - 1));
      side.map(ioas, mapping(region.name, 0n, PAGE, WINDOW + slotSize * BigInt(slot) + within));
    }
    const { step } = side.tryMap(ioas, anywhere(region.name, 0n, BigInt(pages)));
    for (let slot = 0; slot < slots; slot++) {
      const fixed = mapping(region.name, 0n, slotSize, WINDOW + slotSize * BigInt(slot));
      tail.same(step, side.map(ioas, fixed, `slot ${slot}`).step);
    }
    side.close();
  }),
  relation("I-86", (tail) => {
    const { c } = tail;
    const [region] = regions(c, true);
    if (region === undefined) return;
    const [gone, stays] = [WINDOW + 32n * PAGE, WINDOW + PAGE * BigInt(c.draw.int(0, 8))];
    const list = c.draw.chance(70) ? [[stays, stays + 2n * PAGE - 1n] as const] : [];
    const replaced = (first: boolean) => (side: Side) => {
      const ioas = side.ioas();
      if (first) side.allow(ioas, [[gone, gone + 4n * PAGE - 1n]]);
      side.allow(ioas, list);
      for (const n of [0n, 1n, 2n]) side.map(ioas, anywhere(region.name, n), `automatic ${n}`);
      side.ranges(ioas, "ranges");
      if (!c.can("ADD_RESERVED")) return;
      for (const [key, start] of [
        ["replaced", gone],
        ["allowed", stays],
      ] as const) {
        const args = { ioas_id: ioas, start: start as Iova, length: PAGE as Bytes };
        // Nothing may lie there but what the list says.
        if (list.length > 0) side.make({ call: "ADD_RESERVED", fd: side.fd(), in: args }, key);
      }
    };
    compareSides(tail, [], replaced(false), replaced(true));
  }),
  relation("I-89", (tail) => {
    const { c } = tail;
    const plan = drawPlan(c, 1, true);
    const [one] = plan.maps;
    if (one === undefined) return;
    const given = c.draw.u64() & ~1n;
    const attach = c.draw.chance(75);
    const asking = (iova: bigint) => (side: Side) => {
      const ioas = side.ioas();
      // Room for it in one place only: then nothing about its place is free.
      side.allow(ioas, [[WINDOW, WINDOW + PAGE - 1n]]);
      const to = attach ? side.attach(ioas) : undefined;
      const { va, flags } = one;
      const args = { flags, ioas_id: ioas, user_va: va, length: PAGE as Bytes, iova: iova as Iova };
      side.make({ call: "IOAS_MAP", fd: side.fd(), in: args }, "map");
      side.translate(to, [WINDOW, WINDOW + PAGE - 1n], "translations");
      side.ranges(ioas, "ranges");
      side.locked("locked");
    };
    compareSides(tail, freeDevices(c), asking(0n), asking(given));
  }),
];
