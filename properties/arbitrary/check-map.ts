/**
 * What a domain translates, asked with the mock driver's own check: for an IUT that cannot walk
 * its page tables (TRANSLATE), such as a kernel.
 *
 * The check compares IOVAs with the pages at a user address and says yes or no. So it can show
 * that something is translated which should not be only where it is told the page that a mistake
 * would leave there: the one that was mapped there before, the one that a failed map was given,
 * or the one that a neighbour would show if it were longer than it is.
 */
import type { Arg } from "../../spec/handle";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import type { Composer } from "./composer";
import { type AreaView, type IoasView, userVaOf } from "./view";

/** Areas of one address space that one look takes in, so that traces stay short. */
const MAX_AREAS = 4;

/** Units into an area that went away, for a look at its inside. */
const FAR = 0xffff;

const unitOf = (c: Composer): bigint => BigInt(c.platform.iommus[0]?.ioPageSize ?? 4096);

const covers = (area: AreaView, iova: bigint): boolean => area.first <= iova && iova <= area.last;

/** One question about one domain: `length` bytes from `offset` of an area, or beside it. */
interface Question {
  readonly area: AreaView;
  readonly offset: bigint;
  readonly length: bigint;
}

const whole = (area: AreaView): Question => ({
  area,
  offset: 0n,
  length: area.last - area.first + 1n,
});

/** Elsewhere an IUT may have memory of its own, of which a trace knows nothing. */
const isMemory = (c: Composer, uptr: bigint, length: bigint): boolean =>
  (c.platform.processes[0]?.memory ?? []).some(
    (region) => region.va <= uptr && uptr + length <= region.va + region.length,
  );

const ask = (c: Composer, ioas: IoasView, questions: readonly Question[]): void => {
  for (const hwpt of ioas.hwpts) {
    for (const { area, offset, length } of questions) {
      const uptr = userVaOf(area) + offset;
      if (!isMemory(c, uptr, length)) continue;
      c.look({
        call: "MD_CHECK_MAP",
        fd: c.iommufd(ioas.fd),
        in: {
          hwpt_id: c.object(ioas.fd, hwpt),
          iova: c.inArea(ioas.fd, ioas.id, area.first, offset) as Arg<Iova>,
          length: length as Bytes,
          uptr: uptr as UserVa,
        },
      });
    }
  }
};

/** The unit at `iova`, told the page that `areas` would have there; nothing is known far from them. */
const unitAt = (areas: readonly AreaView[], iova: bigint, unit: bigint): Question | undefined => {
  const area =
    areas.find((one) => covers(one, iova)) ??
    areas.find((one) => covers(one, iova - unit) || covers(one, iova + unit));
  return area && { area, offset: iova - area.first, length: unit };
};

/**
 * Asks about [start, start + length) and one unit beyond each end.
 * @param gone areas that a call took away, or would have made if it had not failed
 */
export const checkRange = (
  c: Composer,
  { fd, id }: IoasView,
  start: bigint,
  length: bigint,
  gone: readonly AreaView[],
): void => {
  // The call may have changed which domains there are.
  const ioas = c.scene.ioases.find((one) => one.fd === fd && one.id === id);
  if (ioas === undefined || ioas.hwpts.length === 0) return;
  const unit = unitOf(c);
  const down = (iova: bigint): bigint => iova - (iova % unit);
  const last = start + (length === 0n ? 1n : length) - 1n;
  const touched = (areas: readonly AreaView[]): readonly AreaView[] =>
    areas.filter((area) => area.first <= last && start <= area.last).slice(0, MAX_AREAS);
  const mapped = touched(ioas.areas);
  const spots = new Set([down(start) - unit, down(last) + unit]);
  for (const area of touched(gone)) {
    const units = Number((area.last - area.first) / unit);
    spots.add(area.first).add(down(area.last));
    spots.add(area.first + unit * BigInt(c.draw.int(0, Math.min(units, FAR))));
  }
  const known = [...ioas.areas, ...gone];
  const single = [...spots].flatMap((iova) => {
    if (iova < 0n || iova > U64_MAX || mapped.some((area) => covers(area, iova))) return [];
    return unitAt(known, iova, unit) ?? [];
  });
  ask(c, ioas, [...mapped.map(whole), ...single]);
};

/** Asks about every area of an address space, and about the units beside it. */
export const checkWholeDomains = (c: Composer, ioas: IoasView): void => {
  const unit = unitOf(c);
  const { areas } = ioas;
  // Not always the first ones.
  const from = c.draw.int(0, Math.max(0, areas.length - MAX_AREAS));
  const questions = areas.slice(from, from + MAX_AREAS).flatMap((area) => {
    const beside = [area.first - unit, area.last + 1n].filter(
      (iova) => iova >= 0n && iova <= U64_MAX && !areas.some((other) => covers(other, iova)),
    );
    return [
      whole(area),
      ...beside.map((iova) => ({ area, offset: iova - area.first, length: unit })),
    ];
  });
  ask(c, ioas, questions);
};
