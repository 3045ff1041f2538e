/**
 * The trace arbitrary (DESIGN §7): command sequences that know the state they meet.
 *
 * fast-check owns seeds, runs and paths; the sequence itself is drawn here. A predicted state
 * (the model with canonical choices) runs along, so that most calls mean something and a chosen
 * part breaks a rule on purpose. Each sequence draws its own subset and weights of calls
 * (swarm), so that sequences differ in kind and not only in detail. Shrinking is not done by
 * fast-check: it would need the draws, and shrink.ts needs only the data.
 */
import fc from "fast-check";
import type { CallName } from "../../spec/calls";
import type { Need } from "../../spec/needs";
import type { Platform } from "../../spec/platform";
import type { Trace } from "../../spec/trace";
import { relate } from "../algebra/relate";
import type { Aim, Family } from "./aim";
import { AIMS } from "./aims/all";
import { availableCalls, Composer } from "./composer";
import { Draw } from "./draw";
import { fullScan, probeAllPins } from "./probes";

export interface TraceSpace {
  readonly platforms: readonly Platform[];
  /** What the IUT declares; calls that need more are never drawn. */
  readonly capabilities: readonly Need[];
  /** Calls per trace, probes not counted. */
  readonly length: readonly [min: number, max: number];
}

/** A platform, and what can be called there. */
interface Ground {
  readonly platform: Platform;
  readonly available: ReadonlySet<CallName>;
  readonly aims: readonly Aim[];
  readonly families: ReadonlySet<Family>;
}

const groundOf = (platform: Platform, capabilities: readonly Need[]): Ground => {
  const available = availableCalls(platform, capabilities);
  const aims = AIMS.filter((aim) => aim.calls.every((call) => available.has(call)));
  const families = new Set(aims.flatMap(({ family }) => family ?? []));
  if (available.has("RAW")) families.add("framing");
  return { platform, available, aims, families };
};

class TraceArbitrary extends fc.Arbitrary<Trace> {
  readonly #grounds: readonly Ground[];
  readonly #length: TraceSpace["length"];

  constructor({ platforms, capabilities, length }: TraceSpace) {
    super();
    this.#grounds = platforms.map((platform) => groundOf(platform, capabilities));
    this.#length = length;
  }

  override generate(random: fc.Random): fc.Value<Trace> {
    const draw = new Draw(random);
    const ground = draw.pick(this.#grounds);
    if (ground === undefined) throw new Error("a trace space needs a platform");
    return new fc.Value(drawTrace(ground, this.#length, draw), undefined);
  }

  override canShrinkWithoutContext(_value: unknown): _value is Trace {
    return false;
  }

  override shrink(): fc.Stream<fc.Value<Trace>> {
    return fc.Stream.nil();
  }
}

export const traceArbitrary = (space: TraceSpace): fc.Arbitrary<Trace> => new TraceArbitrary(space);

/** How much a swarm wants a call, in percent of its usual weight. */
const SWARM = [0, 30, 100, 100, 100, 250] as const;

/** Share of sequences that end with a relation between two runs (algebra/), in percent. */
const RELATED = 25;

const drawTrace = (ground: Ground, length: TraceSpace["length"], draw: Draw): Trace => {
  const { platform, available, aims } = ground;
  const c = new Composer(platform, available, draw);
  const families = familiesOf(ground, draw);
  const dwell = families.size === 1 ? DWELL : 1;
  const weights = aims.map((aim) => {
    const share = Math.round(aim.weight * swarmOf(aim, draw));
    if (aim.family === undefined) return share;
    return families.has(aim.family) ? share * dwell : 0;
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const [min, max] = length;
  const wanted = draw.int(min, max);
  open(c);
  if (families.has("framing")) c.framed = families.size === 1 ? FRAMED : SOME_FRAMED;
  c.spoilt = SPOILT;
  // Without a call for so long, this swarm has come to a state in which it can do nothing.
  let misses = 0;
  while (c.calls < wanted && misses < 200) {
    const scene = c.scene;
    if (scene.fds.length === 0) open(c);
    else if (aims[draw.weighted(weights, total)]?.make(c, scene) !== true) misses++;
    else misses = 0;
  }
  c.framed = 0;
  c.spoilt = 0;
  // What a relation compares is the memory of one process.
  const alone = c.model.state.processes.length === 1;
  const twins = draw.chance(RELATED) && alone ? relate(c) : [];
  fullScan(c);
  tearDown(c);
  return { platform, steps: c.steps, ...(twins.length > 0 && { twins }) };
};

/** Share of sequences that stay with the plain calls, and of those that mix all families. */
const PLAIN = 22;
const MIXED = 15;
/** How much more a sequence that has one family only wants it. */
const DWELL = 3;

/** Share of ioctls that are made of bytes where that is the only family, or one of all. */
const FRAMED = 35;
const SOME_FRAMED = 8;

/** Share of calls before which the same call is made with a wrong argument. */
const SPOILT = 20;

const familiesOf = ({ families: all }: Ground, draw: Draw): ReadonlySet<Family> => {
  const kind = draw.int(0, 99);
  if (all.size === 0 || kind < PLAIN) return new Set();
  const one = draw.pick([...all]);
  return kind < PLAIN + MIXED || one === undefined ? all : new Set([one]);
};

/** Without address spaces and mappings nothing else means much: these are never switched off. */
const swarmOf = (aim: Aim, draw: Draw): number => {
  const share = draw.pick(SWARM) ?? 100;
  return aim.name === "map" || aim.name === "alloc" ? Math.max(share, 100) : share;
};

const open = (c: Composer): void => {
  const { outcome } = c.make({ call: "OPEN", in: {} });
  const { fd } = (outcome.out ?? { fd: -1 }) as { fd: number };
  for (let n = c.draw.int(1, 2); n > 0; n--)
    c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
};

/** Closing everything, in any order, must give everything back (OBJ-07, I-32, I-54). */
const tearDown = (c: Composer): void => {
  if (c.draw.chance(30)) return;
  const { processes, fds, cdevs, accesses, queues } = c.scene;
  const closing = [
    ...fds.map((fd) => () => c.make({ call: "CLOSE", fd: c.fileOf(fd), in: {} })),
    ...cdevs.map(
      ({ devfd }) =>
        () =>
          c.make({ call: "DEVICE_CLOSE", in: { devfd: c.cdev(devfd) } }),
    ),
    ...accesses.map(
      ({ file }) =>
        () =>
          c.make({ call: "CLOSE_ACCESS", in: { access_fd: c.accessFile(file) } }),
    ),
    ...queues.flatMap(({ file }) =>
      file === undefined
        ? []
        : () => c.make({ call: "CLOSE_FAULT", in: { fault_fd: c.faultFile(file) } }),
    ),
  ];
  for (const proc of processes) {
    if (proc !== c.proc) closing.push(() => c.make({ call: "EXIT", proc, in: {} }));
  }
  while (closing.length > 0) {
    const [close] = closing.splice(c.draw.int(0, closing.length - 1), 1);
    close?.();
  }
  const { outcome } = c.make({ call: "OPEN", in: {} });
  probeAllPins(c, (outcome.out as { fd: number } | undefined)?.fd ?? -1);
};
