/**
 * The resolver: turns the handles of a step into numbers, by what has been answered before it.
 *
 * This is the only place that knows what a handle means, for every IUT, the model and the
 * recordings alike. A handle whose call failed, was dropped, or has not been made yet resolves
 * to a fixed value that never works: `LOST`.
 */
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "./calls";
import { ABSENT, type FieldType } from "./fields";
import { Handle } from "./handle";
import type { Platform } from "./platform";
import type { Step } from "./trace";
import { type IovaRange, wrap64 } from "./units";

/**
 * What a lost handle resolves to: no object has id 0 (OBJ-02), no file is open at -1, and the
 * 64-bit value is an IOVA and a user address that no platform ever uses.
 */
export const LOST = { id: 0, fd: -1, u64: 0x00de_ad00_0000_0000n } as const;

/** By field: what stands in for a value that is not there. */
type Missing = Readonly<Record<string, unknown>>;

/** All arguments of one call: what `given` holds, with handles looked up by `names`. */
type Arguments = (given: object, names: Names) => object;

/** What the resolver needs to know of a call, looked up once. */
interface Template {
  readonly args: Arguments;
  /** The output that a bare handle of this call means. */
  readonly first: string;
}

const lostOf = (type: FieldType): number | bigint => {
  if (type === "fd" || type === "s32") return LOST.fd;
  return typeof ABSENT[type] === "bigint" ? LOST.u64 : LOST.id;
};

/**
 * A function of its own for each call, with the fields written out: `{ iova: names.value(…), … }`.
 * Each call is resolved three times, and a loop over the fields of whatever call it is takes as
 * long as judging it.
 */
const argumentsOf = (fields: readonly (readonly [string, FieldType])[]): Arguments => {
  const absent: Missing = Object.fromEntries(fields.map(([field, type]) => [field, ABSENT[type]]));
  const lost: Missing = Object.fromEntries(fields.map(([field, type]) => [field, lostOf(type)]));
  const items = fields.map(
    ([field]) => `${field}: names.value(given.${field}, absent.${field}, lost.${field})`,
  );
  const make = new Function("absent", "lost", `return (given, names) => ({ ${items.join(", ")} })`);
  return make(absent, lost) as Arguments;
};

const templateOf = (call: CallName): Template => ({
  args: argumentsOf(Object.entries(shapeOf(call).in)),
  first: Object.keys(shapeOf(call).out)[0] ?? "",
});

const TEMPLATES = Object.fromEntries(
  CALL_NAMES.map((call) => [call, templateOf(call)]),
) as Readonly<Record<CallName, Template>>;

/** Named memory of a platform; shared by all that resolve its traces. */
const REGIONS = new WeakMap<Platform, ReadonlyMap<string, bigint>>();

const regionsOf = (platform: Platform): ReadonlyMap<string, bigint> => {
  let regions = REGIONS.get(platform);
  if (regions === undefined) {
    const memory = platform.processes.flatMap((process) => process.memory);
    regions = new Map(memory.map(({ name, va }) => [name, va]));
    REGIONS.set(platform, regions);
  }
  return regions;
};

interface Outputs {
  readonly first: unknown;
  readonly all: Readonly<Record<string, unknown>>;
}

/** The names a trace can use so far, and what they stand for. */
class Names {
  readonly #regions: ReadonlyMap<string, bigint>;
  readonly #outputs = new Map<string, Outputs>();

  constructor(platform: Platform) {
    this.#regions = regionsOf(platform);
  }

  note(name: string, outputs: Outputs | undefined): void {
    if (outputs === undefined) this.#outputs.delete(name);
    else this.#outputs.set(name, outputs);
  }

  /**
   * What an argument is now.
   * @param absent what it is when the step does not give it
   * @param lost what it is when its handle stands for nothing of the same type
   */
  value(arg: unknown, absent: unknown, lost: unknown): unknown {
    if (typeof arg !== "object" || arg === null) return arg === undefined ? absent : arg;
    if (arg instanceof Handle) return this.#standsFor(arg, lost);
    // A machine that sorts its argument must not sort the trace.
    return Array.isArray(arg) ? arg.map((range: IovaRange) => [...range]) : arg;
  }

  /** Its type says whether a bigint is wanted. */
  #standsFor(handle: Handle, lost: unknown): unknown {
    const outputs = this.#outputs.get(handle.name);
    const value =
      outputs === undefined
        ? this.#regions.get(handle.name)
        : handle.output === ""
          ? outputs.first
          : outputs.all[handle.output];
    if (typeof value === "bigint" && typeof lost === "bigint") {
      return handle.add === 0n ? value : wrap64(value + handle.add);
    }
    return typeof value === "number" && typeof lost === "number" ? value : lost;
  }
}

export class Resolver {
  readonly #names: Names;

  constructor(platform: Platform) {
    this.#names = new Names(platform);
  }

  /** The call that `step` makes now. */
  resolve(step: Step): Call {
    const names = this.#names;
    return {
      call: step.call,
      proc: step.proc ?? 0,
      thread: step.thread ?? 0,
      fd: names.value(step.fd, LOST.fd, LOST.fd),
      in: TEMPLATES[step.call].args(step.in, names),
    } as Call;
  }

  /** Notes what `step` answered, for the handles of later steps. */
  note(step: Step, outcome: Outcome): void {
    if (step.as === undefined) return;
    const all = outcome.errno === 0 ? (outcome.out as Outputs["all"] | undefined) : undefined;
    // `null` comes from an IUT that keeps to no form; see malformed.
    const outputs = all && { first: all[TEMPLATES[step.call].first], all };
    this.#names.note(step.as, outputs ?? undefined);
  }
}

/** The output that a bare handle of this call means; "": the call has none. */
export const firstOutput = (call: CallName): string => TEMPLATES[call].first;
