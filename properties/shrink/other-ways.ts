/**
 * The same thing done in the plainest of the ways there are. Most bugs do not care which it is,
 * and would otherwise end in as many traces.
 */
import type { CallName } from "../../spec/calls";
import { Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { DMA_UNMAP_ALL, MAP_FLAGS } from "../../spec/uapi/flags";
import { U64_MAX } from "../../spec/units";
import { handlesIn, renamed, uses } from "./handles";
import { inAperture } from "./mock-devices";
import { FIRST_BYTE, flattened } from "./whole-trace";

const replaced = (steps: readonly Step[], at: number, step: Step): readonly Step[] => [
  ...steps.slice(0, at),
  step,
  ...steps.slice(at + 1),
];

/** Another call by whoever makes this one; arguments that are undefined are left out. */
const instead = (
  { raw: _, as: __, failNth: ___, ...step }: Step,
  call: CallName,
  args: Readonly<Record<string, unknown>>,
  as?: string,
): Step => {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  return { ...step, call, ...(as !== undefined && { as }), in: Object.fromEntries(given) } as Step;
};

/** A name that nobody else has. */
const unused = (kind: string, steps: readonly Step[]): string => {
  const names = handlesIn(steps);
  for (let n = names.length; ; n++) if (!names.includes(`${kind}${n}`)) return `${kind}${n}`;
};

/** Step by step, and for each address space that is there then: what `other` does instead. */
const onEachSpace = function* (
  steps: readonly Step[],
  other: (step: Step, ioas: Handle, alloc: Step) => Step | undefined,
): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    for (const alloc of steps.slice(0, i)) {
      if (alloc.call !== "IOAS_ALLOC" || alloc.as === undefined) continue;
      // Another file knows no space of this one; where there is no file, the call is about any.
      if (step.fd !== undefined && String(step.fd) !== String(alloc.fd)) continue;
      const plainer = other(step, new Handle(alloc.as), alloc);
      if (plainer !== undefined) yield replaced(steps, i, plainer);
    }
  }
};

const LETTING_GO: readonly CallName[] = [
  "CLOSE",
  "DESTROY",
  "VFIO_DETACH",
  "DEVICE_CLOSE",
  "MOCK_DOMAIN_REPLACE",
];

/** Mappings that go because something else goes, unmapped instead: there are many ways to do it. */
export const unmapped = (steps: readonly Step[]): Generator<readonly Step[]> =>
  onEachSpace(steps, ({ call }, ioas_id, alloc) =>
    LETTING_GO.includes(call)
      ? instead(alloc, "IOAS_UNMAP", { ioas_id, length: U64_MAX })
      : undefined,
  );

/** Calls of the VFIO container as those of the iommufd. */
export const natively = (steps: readonly Step[]): Generator<readonly Step[]> =>
  onEachSpace(steps, (step, ioas_id) => {
    if (step.call === "VFIO_MAP_DMA") {
      const { vaddr: user_va, size: length, iova } = step.in;
      const args = { flags: MAP_FLAGS, ioas_id, user_va, length, iova };
      return instead(step, "IOAS_MAP", args, unused("map", steps));
    }
    if (step.call !== "VFIO_UNMAP_DMA") return undefined;
    const { flags, size, iova } = step.in;
    const range = flags === DMA_UNMAP_ALL ? { length: U64_MAX } : { length: size, iova };
    return instead(step, "IOAS_UNMAP", { ioas_id, ...range });
  });

const moved = (place: unknown, by: bigint): unknown => {
  if (place instanceof Handle) return new Handle(place.name, place.output, place.add + by);
  return by === 0n ? place : FIRST_BYTE;
};

/** A copy as a further mapping of the same memory, or of any. */
export const mappedAgain = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, copy] of steps.entries()) {
    if (copy.call !== "IOAS_COPY") continue;
    const { flags, dst_ioas_id: ioas_id, length, dst_iova: iova, src_iova } = copy.in;
    const { name: of = "", add = 0n } = src_iova instanceof Handle ? src_iova : {};
    const source = steps.find(({ as }) => as === of);
    const user_va = source?.call === "IOAS_MAP" ? moved(source.in.user_va, add) : FIRST_BYTE;
    const name = unused("map", steps);
    const map = instead(copy, "IOAS_MAP", { flags, ioas_id, user_va, length, iova }, name);
    const mapped = replaced(steps, i, map);
    yield copy.as === undefined ? mapped : renamed(mapped, copy.as, name);
  }
};

/** Pages that an in-kernel user pins, pinned by a domain: one call instead of two. */
export const byDomain = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, pages] of steps.entries()) {
    if (pages.call !== "ACCESS_PAGES" || !(pages.in.access_fd instanceof Handle)) continue;
    const { name } = pages.in.access_fd;
    const user = steps.find(({ as }) => as === name);
    if (user?.call !== "CREATE_ACCESS") continue;
    const mock = unused("mock", steps);
    const domain = instead(user, "MOCK_DOMAIN", { pt_id: user.in.ioas_id }, mock);
    const pinned = steps.flatMap((step, j) => {
      if (j === i) return [domain];
      if (step.call === "CLOSE_ACCESS" && uses(step, name)) {
        return [instead(user, "DESTROY", { id: new Handle(mock) })];
      }
      return step === user || uses(step, name) ? [] : [step];
    });
    yield pinned;
    yield* inAperture(pinned);
  }
};

const FILLING: readonly CallName[] = ["IOAS_MAP", "IOAS_COPY", "VFIO_MAP_DMA", "ACCESS_PAGES"];

/** A limit of no page at all, without a call that filled the one there was, or all of one page. */
export const tightened = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const [i, step] of steps.entries()) {
    if (step.call !== "SETRLIMIT_MEMLOCK" || step.in.cur === undefined) continue;
    const { max } = step.in;
    const none: Step = { ...step, in: max === undefined ? {} : { max } };
    const limited = replaced(steps, i, none);
    for (const [j, { call }] of steps.entries()) {
      if (FILLING.includes(call)) yield limited.filter((_, k) => k !== j);
    }
    const [small = limited] = flattened(limited);
    yield small;
  }
};
