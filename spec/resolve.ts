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

/** What the resolver needs to know of a call, looked up once. */
interface Template {
  /** Every argument, as if the step gave none: copying it is faster than adding one by one. */
  readonly absent: Readonly<Record<string, unknown>>;
  /** What a lost handle is in each argument. Its type says whether the argument is a bigint. */
  readonly lost: Readonly<Record<string, number | bigint>>;
  /** The output that a bare handle of this call means. */
  readonly first: string;
}

const lostOf = (type: FieldType): number | bigint => {
  if (type === "fd" || type === "s32") return LOST.fd;
  return typeof ABSENT[type] === "bigint" ? LOST.u64 : LOST.id;
};

const templateOf = (call: CallName): Template => {
  const fields = Object.entries(shapeOf(call).in);
  return {
    absent: Object.fromEntries(fields.map(([field, type]) => [field, ABSENT[type]])),
    lost: Object.fromEntries(fields.map(([field, type]) => [field, lostOf(type)])),
    first: Object.keys(shapeOf(call).out)[0] ?? "",
  };
};

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
export class Resolver {
  readonly #regions: ReadonlyMap<string, bigint>;
  readonly #outputs = new Map<string, Outputs>();

  constructor(platform: Platform) {
    this.#regions = regionsOf(platform);
  }

  /** The call that `step` makes now. */
  resolve(step: Step): Call {
    const given = step.in as Readonly<Record<string, unknown>>;
    const { absent, lost } = TEMPLATES[step.call];
    const args: Record<string, unknown> = { ...absent };
    for (const field in given) {
      const value = given[field];
      if (value instanceof Handle) args[field] = this.#value(value, lost[field] ?? LOST.id);
      // A machine that sorts its argument must not sort the trace.
      else args[field] = Array.isArray(value) ? value.map((range: IovaRange) => [...range]) : value;
    }
    const fd = step.fd ?? -1;
    return {
      call: step.call,
      proc: step.proc ?? 0,
      thread: step.thread ?? 0,
      fd: fd instanceof Handle ? this.#value(fd, LOST.fd) : fd,
      in: args,
    } as Call;
  }

  /** Notes what `step` answered, for the handles of later steps. */
  note(step: Step, outcome: Outcome): void {
    if (step.as === undefined) return;
    const all = outcome.errno === 0 ? (outcome.out as Outputs["all"] | undefined) : undefined;
    // `null` comes from an IUT that keeps to no form; see malformed.
    if (all === undefined || all === null) this.#outputs.delete(step.as);
    else this.#outputs.set(step.as, { first: all[TEMPLATES[step.call].first], all });
  }

  /** @param lost what it is when the handle stands for nothing of the same type */
  #value(handle: Handle, lost: number | bigint): number | bigint {
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

/** The output that a bare handle of this call means; "": the call has none. */
export const firstOutput = (call: CallName): string => TEMPLATES[call].first;
