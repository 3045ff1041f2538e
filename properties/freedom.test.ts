/**
 * What the documents leave open (section 26) is free: an implementation that does all of it
 * unlike Linux conforms, even if it does it differently each time.
 */
import { expect, test } from "@jest/globals";
import seedrandom from "seedrandom";
import { MODEL_CAPABILITIES } from "../model/machine";
import { Model } from "../model/model";
import type { Ioas } from "../model/state/objects";
import { type Call, type CallOf, FD_NOT_OPEN, type Outcome, shapeOf } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { PageFault } from "../spec/fields";
import { inProcess } from "../spec/iut";
import type { Platform } from "../spec/platform";
import { MAP_FIXED_IOVA } from "../spec/uapi/flags";
import type { Iova } from "../spec/units";
import { runCampaign } from "./campaign";
import { quickRun } from "./options";

/** Numbers of its own for those of another machine; each is drawn when it is first given out. */
class Names {
  readonly #draw: () => number;
  readonly #theirs = new Map<number, number>();
  readonly #ours = new Map<number, number>();

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  give(theirs: number): number {
    let ours = this.#ours.get(theirs);
    if (ours === undefined) {
      do ours = this.#draw();
      while (this.#theirs.has(ours));
      this.#ours.set(theirs, ours);
      this.#theirs.set(ours, theirs);
    }
    return ours;
  }

  take(ours: number, none: number): number {
    return this.#theirs.get(ours) ?? none;
  }
}

const NO_OBJECT = 0xffff_fff0;

/**
 * Ids, files, cookies and numbers of pinned ranges are random (UNS-01), automatic IOVAs the
 * highest that fit (UNS-02), and an unmap that fails has done nothing (UNS-04).
 */
class FreeMachine {
  readonly #model: Model;
  readonly #names: { readonly [type: string]: Names };

  constructor(platform: Platform, seed: string) {
    this.#model = new Model(platform, "linux-6.12", new Coverage());
    const random = seedrandom(seed);
    const below = (most: number) => () => 100 + Math.floor(random() * most);
    const id = new Names(below(0x7000_0000));
    const fd = new Names(below(100_000));
    this.#names = { id, fd, item: new Names(below(0x7000_0000)), cookie: new Names(below(1e6)) };
  }

  call(call: Call): Outcome {
    const types = shapeOf(call.call).in;
    const args = Object.entries(call.in).map(([name, value]) => [
      name,
      this.#inward(name === "iommufd" ? "fd" : types[name], value),
    ]);
    const fd = this.#inward("fd", call.fd) as number;
    return this.#outward(this.#answer({ ...call, fd, in: Object.fromEntries(args) } as Call), call);
  }

  #inward(type: string | undefined, value: unknown): unknown {
    if (type === "responses") {
      const responses = value as readonly { cookie: number; code: number }[];
      const cookies = this.#names["cookie"];
      return responses.map((r) => ({ ...r, cookie: cookies?.take(r.cookie, NO_OBJECT) ?? 0 }));
    }
    const names = type === undefined ? undefined : this.#names[type];
    if (names === undefined || typeof value !== "number") return value;
    if (type !== "fd") return value === 0 && type === "id" ? 0 : names.take(value, NO_OBJECT);
    return value < 0 || value >= FD_NOT_OPEN ? value : names.take(value, FD_NOT_OPEN);
  }

  #outward(outcome: Outcome, { call }: Call): Outcome {
    if (outcome.out === undefined) return outcome;
    const types = shapeOf(call).out;
    const out = Object.entries(outcome.out).map(([name, value]): [string, unknown] => {
      const type = types[name] ?? "";
      if (type === "faults") return [name, (value as PageFault[]).map((f) => this.#fault(f))];
      const names = this.#names[type];
      return [name, names === undefined ? value : names.give(value as number)];
    });
    return { ...outcome, out: Object.fromEntries(out) } as Outcome;
  }

  #fault(fault: PageFault): PageFault {
    const { id, cookie } = this.#names;
    return {
      ...fault,
      dev_id: id?.give(fault.dev_id) ?? 0,
      cookie: cookie?.give(fault.cookie) ?? 0,
    };
  }

  #answer(call: Call): Outcome {
    const foreseen = this.#model.foresee(call);
    if (call.call === "IOAS_UNMAP" || call.call === "VFIO_UNMAP_DMA") {
      if (foreseen.errno !== 0) return { errno: foreseen.errno };
    }
    const isAutomatic = call.call === "IOAS_MAP" && (call.in.flags & MAP_FIXED_IOVA) === 0;
    return this.#model.predict((isAutomatic && foreseen.errno === 0 && this.#top(call)) || call);
  }

  /** The same MAP at the highest place there is. */
  #top(call: CallOf<"IOAS_MAP">): Call | undefined {
    const ioas = this.#model.state.fds.get(call.fd)?.objects.get(call.in.ioas_id);
    if (ioas?.type !== "ioas") return undefined;
    const flags = call.in.flags | MAP_FIXED_IOVA;
    for (const iova of places(ioas, call.in.length, call.in.user_va)) {
      const fixed: Call = { ...call, in: { ...call.in, flags, iova: iova as Iova } };
      if (this.#model.foresee(fixed).errno === 0) return fixed;
    }
    return undefined;
  }
}

const HUGE = 0x20_0000n;

/** Free places, from the top; no more than one in each gap. */
const places = function* (ioas: Ioas, length: bigint, userVa: bigint): Generator<bigint> {
  // AUT-03, and AUT-07 for what is aligned so itself.
  const own = length & -length;
  const wanted = own <= HUGE && userVa % own === 0n ? own : 1n;
  const unit = wanted > ioas.alignment ? wanted : ioas.alignment;
  const spans =
    ioas.allowedSpans.length > 0 ? [...ioas.allowedSpans].reverse() : [{ first: 0n, last: -1n }];
  for (const [first, last] of [...ioas.usable].reverse()) {
    for (const span of spans) {
      const from = span.last < 0n || first > span.first ? first : span.first;
      const to = span.last < 0n || last < span.last ? last : span.last;
      const ends = [to, ...ioas.areas.map((area) => area.first - 1n).reverse()];
      for (const end of ends) {
        if (end > to || end + 1n < from + length) continue;
        const iova = ((end + 1n - length) / unit) * unit;
        if (iova >= from) yield iova;
      }
    }
  }
};

// Bytes hold ids that would have to be found in them. And where 6.12 knows dirty pages, it keeps
// some of them to itself (DTY-21), which is no freedom.
const capabilities = MODEL_CAPABILITIES.filter((need) => need !== "raw-bytes" && need !== "dirty");

test("an implementation that uses all its freedom, anew each time, conforms", async () => {
  let boots = 0;
  const info = { name: "free", version: "1", capabilities };
  const iut = inProcess(info, (platform) => new FreeMachine(platform, String(++boots)));
  const results = await runCampaign(
    quickRun({ iut, seed: 20, sequences: 250, profile: "documented" }),
  );
  expect(results.failures).toEqual([]);
  expect(results.sequences).toBe(250);
  expect(results.reason).not.toContain("two different histories");
});

test("the same implementation is not Linux 6.12", async () => {
  const info = { name: "free", version: "1", capabilities };
  const iut = inProcess(info, (platform) => new FreeMachine(platform, "1"));
  const { failures } = await runCampaign(quickRun({ iut, seed: 20, sequences: 40 }));
  const blamed = failures.map(({ clause }) => clause);
  expect(blamed.some((clause) => clause.startsWith("AUT-") || clause.startsWith("UNM-"))).toBe(
    true,
  );
});
