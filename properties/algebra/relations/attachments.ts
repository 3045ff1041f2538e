/** Relations between attaching and everything else. */
import type { Handle } from "../../../spec/handle";
import { OPTION_HUGE_PAGES, OPTION_OP_SET } from "../../../spec/uapi/flags";
import { type Bytes, type Iova, U64_MAX } from "../../../spec/units";
import type { Composer } from "../../arbitrary/composer";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, freeDevices, noMemory, type Plan, permuted } from "../plan";
import { relation } from "../relation";
import { type Attached, compareSides, type Side } from "../side";

/** Intervals that touch, nest, and lie at both ends of the address space. */
const drawReserved = (c: Composer): readonly (readonly [bigint, bigint])[] => {
  const at = 0x7000_0000n;
  const all = [
    [at, 4n * PAGE],
    [at + 4n * PAGE, PAGE],
    [at + PAGE, PAGE],
    [at - PAGE, 2n * PAGE],
    [0n, PAGE],
    [U64_MAX - PAGE + 1n, PAGE],
    [at + 16n * PAGE, 1n],
  ] as const;
  const some = all.filter(() => c.draw.chance(50));
  return some.length > 1 ? some : all.slice(0, 2);
};

const reserve = (side: Side, ioas: Handle, [start, length]: readonly [bigint, bigint]): void => {
  const args = { ioas_id: ioas, start: start as Iova, length: length as Bytes };
  side.make({ call: "ADD_RESERVED", fd: side.fd(), in: args });
};

/** Somewhere that the next device to be attached forbids; undefined: it forbids nothing. */
const forbidden = (c: Composer, devices: readonly number[]): Iova | undefined => {
  const device = c.platform.devices[devices[0] ?? -1];
  const reserved = device?.reserved[0]?.[0];
  if (reserved !== undefined) return reserved;
  const [first, last] = c.platform.iommus[device?.iommu ?? 0]?.aperture ?? [0n, U64_MAX];
  if (first >= PAGE) return (first - PAGE) as Iova;
  return last <= U64_MAX - PAGE ? ((last + 1n) as Iova) : undefined;
};

const lookAt = (side: Side, ioas: Handle, to: Attached | undefined, plan: Plan): void => {
  side.ranges(ioas, "ranges");
  side.translate(to, plan.window, "translations");
  side.pins(plan.maps, "pins");
  side.locked("locked");
};

export const ATTACHMENTS = [
  relation("I-05", (tail) => {
    const { c } = tail;
    const intervals = c.can("ADD_RESERVED") ? drawReserved(c) : [];
    const other = permuted(c, intervals);
    const arriving = (order: typeof intervals, withGuest: boolean) => (side: Side) => {
      const ioas = side.ioas();
      const [one, ...rest] = order;
      // The second device stays; the first came for a while, or not at all.
      const guest = withGuest ? side.attach(ioas) : side.skip();
      if (one !== undefined) reserve(side, ioas, one);
      side.attach(ioas);
      for (const interval of rest) reserve(side, ioas, interval);
      guest?.detach();
      side.ranges(ioas, "ranges");
    };
    compareSides(tail, freeDevices(c), arriving(intervals, false), arriving(other, true));
  }),
  relation(
    "I-23",
    (tail) => {
      const { c } = tail;
      const plan = drawPlan(c, c.draw.int(1, 3));
      const early = c.draw.int(0, plan.maps.length - 1);
      const attachedAfter = (count: number) => (side: Side) => {
        const ioas = side.ioas();
        for (const one of plan.maps.slice(0, count)) side.map(ioas, one);
        const to = side.attach(ioas, "attach");
        for (const one of plan.maps.slice(count)) side.map(ioas, one);
        lookAt(side, ioas, to, plan);
        if (to !== undefined) to.detach("detach");
        side.pins(plan.maps, "pins afterwards");
      };
      compareSides(tail, freeDevices(c), attachedAfter(early), attachedAfter(plan.maps.length));
    },
    ["TRANSLATE"],
  ),
  relation("I-26", (tail) => {
    const { c } = tail;
    const plan = drawPlan(c, c.draw.int(1, 3), true);
    const attach = c.draw.chance(85);
    const withPages = (val64: bigint, limit: number) => (side: Side) => {
      const fd = side.fd();
      if (c.can("SET_TEMP_MEMORY_LIMIT")) {
        side.make({ call: "SET_TEMP_MEMORY_LIMIT", fd, in: { limit } });
      }
      const ioas = side.ioas();
      const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: ioas, val64 };
      side.make({ call: "OPTION", fd, in: option });
      const to = attach ? side.attach(ioas) : undefined;
      for (const [i, one] of plan.maps.entries()) side.map(ioas, one, `map ${i}`);
      const [first] = plan.maps;
      if (first !== undefined) side.map(ioas, first, "again");
      lookAt(side, ioas, to, plan);
      for (const [i, { at, bytes }] of plan.maps.entries()) side.unmap(ioas, at, bytes, `un ${i}`);
    };
    const few = c.draw.of(12, 16, 40);
    compareSides(tail, freeDevices(c), withPages(0n, few), withPages(1n, 65_536));
  }),
  relation(
    "I-34",
    (tail) => {
      const { c } = tail;
      const plan = drawPlan(c, 1);
      const [one] = plan.maps;
      const devices = freeDevices(c);
      const count = c.can("MOCK_DOMAIN") ? 3 : Math.min(3, devices.length);
      if (one === undefined || count === 0) return;
      const order = Array.from({ length: count }, (_, i) => i);
      const other = permuted(c, order);
      const leaving = (leavers: readonly number[]) => (side: Side) => {
        const source = side.ioas();
        side.map(source, one);
        const holders = order.map((i) => {
          const ioas = i === 0 ? source : side.ioas();
          if (i > 0) side.copy(source, ioas, one);
          return { ioas, to: side.attach(ioas) };
        });
        side.pins([one], "pins of all");
        for (const [left, i] of leavers.entries()) {
          const holder = holders[i];
          if (i === 1) holder && side.unmap(holder.ioas, one.at, one.bytes);
          else holder?.to?.detach();
          side.pins([one], `pins after ${left}`);
          side.locked(`locked after ${left}`);
        }
      };
      compareSides(tail, devices, leaving(order), leaving(other));
    },
    ["PAGE_REFS"],
  ),
  relation("I-55", (tail) => {
    const { c } = tail;
    const plan = drawPlan(c, c.draw.int(1, 2));
    const devices = freeDevices(c);
    const count = c.can("MOCK_DOMAIN") ? 2 : Math.min(2, devices.length);
    const ends = (first: boolean) => (side: Side) => {
      const [source, copy] = [side.ioas(), side.ioas()];
      for (const one of plan.maps) side.map(source, one);
      for (const one of plan.maps) side.copy(source, copy, one);
      const order = first ? [source, copy] : [copy, source];
      const attached = [source, copy].slice(0, count).map((ioas) => side.attach(ioas));
      const destroy = (ioas: Handle, key: string): void => {
        const name = ioas === source ? "source" : "copy";
        side.make({ call: "DESTROY", fd: side.fd(), in: { id: ioas } }, `${key} ${name}`);
      };
      if (first) for (const one of attached) one?.detach();
      for (const ioas of order) {
        // Either everything is detached before anything is destroyed, or each in its turn.
        if (!first) attached[ioas === source ? 0 : 1]?.detach();
        destroy(ioas, "destroy");
      }
      for (const ioas of order) destroy(ioas, "again");
      side.pins(plan.maps, "pins");
      side.locked("locked");
    };
    compareSides(tail, devices, ends(true), ends(false));
  }),
  relation("I-104", (tail) => {
    const { c } = tail;
    const plan = drawPlan(c, c.draw.int(1, 2));
    const [one] = plan.maps;
    const devices = freeDevices(c);
    if (one === undefined) return;
    const reserved = c.can("MOCK_DOMAIN") || devices.length > 0 ? forbidden(c, devices) : undefined;
    const obstacle = c.draw.pick([
      // Where the device must not reach, or where there is no memory: both keep it away.
      ...(reserved === undefined ? [] : [{ ...one, at: reserved }]),
      { ...one, at: (plan.window[1] + PAGE + 1n) as Iova, va: noMemory(one) },
      // In the way of the mapping itself.
      one,
    ]);
    if (obstacle === undefined) return;
    const after = (failure: boolean) => (side: Side) => {
      const ioas = side.ioas();
      const device = side.arrive();
      if (failure) {
        side.map(ioas, obstacle);
        if (obstacle === one) side.tryMap(ioas, one);
        else device?.tryAttach(ioas);
        side.unmap(ioas, obstacle.at, obstacle.bytes);
      }
      for (const [i, each] of plan.maps.entries()) side.map(ioas, each, `map ${i}`);
      const to = device?.attach(ioas, "attach");
      lookAt(side, ioas, to, plan);
    };
    compareSides(tail, devices, after(false), after(true));
  }),
];
