/**
 * The resolver: a trace and the outcomes so far become numbers.
 *
 * This is the only place that knows what a handle means, for every IUT, the model and the
 * recordings alike. A handle whose call failed, was dropped, or has not been made yet resolves
 * to a fixed value that never works: `LOST`.
 */
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "./calls";
import { ABSENT, type Fields, type FieldType } from "./fields";
import { Handle } from "./handle";
import type { Platform } from "./platform";
import type { Step } from "./trace";
import { wrap64 } from "./units";

/**
 * What a lost handle resolves to: no object has id 0 (OBJ-02), no file is open at -1, and the
 * 64-bit value is an IOVA and a user address that no platform ever uses.
 */
export const LOST = { id: 0, fd: -1, u64: 0x00de_ad00_0000_0000n } as const;

const lost = (type: FieldType): number | bigint => {
  if (type === "fd" || type === "s32") return LOST.fd;
  return typeof ABSENT[type] === "bigint" ? LOST.u64 : LOST.id;
};

interface Template {
  readonly types: Fields;
  /** Every argument, as if the step gave none: copying it is faster than adding one by one. */
  readonly absent: Readonly<Record<string, unknown>>;
}

const TEMPLATES = Object.fromEntries(
  CALL_NAMES.map((call): [CallName, Template] => {
    const types = shapeOf(call).in;
    const absent = Object.entries(types).map(([field, type]) => [field, ABSENT[type]]);
    return [call, { types, absent: Object.fromEntries(absent) }];
  }),
) as Readonly<Record<CallName, Template>>;

/** The names a trace can use so far, and what they stand for. */
export class Resolver {
  readonly #regions = new Map<string, bigint>();
  readonly #outputs = new Map<string, { first: string; out: Readonly<Record<string, unknown>> }>();

  constructor(platform: Platform) {
    for (const process of platform.processes) {
      for (const region of process.memory) this.#regions.set(region.name, region.va);
    }
  }

  /** The call that `step` makes now. */
  resolve(step: Step): Call {
    const given = step.in as Readonly<Record<string, unknown>>;
    const { types, absent } = TEMPLATES[step.call];
    const args: Record<string, unknown> = { ...absent };
    for (const field in given) {
      const value = given[field];
      args[field] = value instanceof Handle ? this.#value(value, types[field] as FieldType) : value;
    }
    const fd = step.fd ?? -1;
    return {
      call: step.call,
      proc: step.proc ?? 0,
      thread: step.thread ?? 0,
      fd: fd instanceof Handle ? this.#value(fd, "fd") : fd,
      in: args,
    } as Call;
  }

  /** Notes what `step` answered, for the handles of later steps. */
  note(step: Step, outcome: Outcome): void {
    if (step.as === undefined) return;
    if (outcome.errno !== 0 || outcome.out === undefined) {
      this.#outputs.delete(step.as);
      return;
    }
    this.#outputs.set(step.as, { first: firstOutput(step.call), out: outcome.out });
  }

  #value(handle: Handle, type: FieldType): number | bigint {
    const region = this.#regions.get(handle.name);
    const base = region ?? this.#output(handle);
    if (base === undefined) return lost(type);
    const wantsBigint = typeof ABSENT[type] === "bigint";
    if (typeof base === "bigint") {
      return wantsBigint ? (handle.add === 0n ? base : wrap64(base + handle.add)) : lost(type);
    }
    return wantsBigint ? lost(type) : base;
  }

  #output(handle: Handle): number | bigint | undefined {
    const made = this.#outputs.get(handle.name);
    if (made === undefined) return undefined;
    const value = made.out[handle.output === "" ? made.first : handle.output];
    return typeof value === "number" || typeof value === "bigint" ? value : undefined;
  }
}

/** The output that a bare handle of this call means. */
export const firstOutput = (call: CallName): string => Object.keys(shapeOf(call).out)[0] ?? "";
