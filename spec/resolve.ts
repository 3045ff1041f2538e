/**
 * The resolver: turns the handles of a step into numbers, by what has been answered before it.
 *
 * This is the only place that knows what a handle means, for every IUT, the model and the
 * recordings alike. A handle whose call failed, was dropped, or has not been made yet resolves
 * to a fixed value that never works: `LOST`.
 */
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "./calls";
import { ABSENT, type FieldType, type PageFault } from "./fields";
import { Handle } from "./handle";
import type { Platform } from "./platform";
import { rawCall } from "./raw";
import type { Step } from "./trace";
import { decodeStruct } from "./uapi/codec";
import { IOCTLS, type IoctlName } from "./uapi/ioctls";
import { LAYOUTS } from "./uapi/layouts";
import { wrap64 } from "./units";

/**
 * What a lost handle resolves to: no object has id 0 (OBJ-02) and no fault that cookie, no file
 * is open at -1, nothing pinned gets the last item number, and the 64-bit value is an IOVA and a
 * user address that no platform ever uses.
 */
export const LOST = { id: 0, fd: -1, item: 0xffff_ffff, u64: 0x00de_ad00_0000_0000n } as const;

/** By field: what stands in for a value that is not there. */
type Missing = Readonly<Record<string, unknown>>;

/** All arguments of one call: what `given` holds, with handles looked up by `names`. */
type Arguments = (given: object, names: Names) => object;

/** What the resolver needs to know of a call, looked up once. */
interface Template {
  readonly args: Arguments;
  /** The same where no value is a handle. */
  readonly plain: (given: object) => object;
  /** The output that a bare handle of this call means. */
  readonly first: string;
}

const lostOf = (type: FieldType): number | bigint => {
  if (type === "fd" || type === "s32") return LOST.fd;
  if (type === "item") return LOST.item;
  return typeof ABSENT[type] === "bigint" ? LOST.u64 : LOST.id;
};

/**
 * A function of its own for each call, with the fields written out: `{ iova: names.value(…), … }`.
 * Each call is resolved three times, and a loop over the fields of whatever call it is takes as
 * long as judging it.
 */
const written = (
  fields: readonly (readonly [string, FieldType])[],
  value: (field: string) => string,
): unknown => {
  const absent: Missing = Object.fromEntries(fields.map(([field, type]) => [field, ABSENT[type]]));
  const lost: Missing = Object.fromEntries(fields.map(([field, type]) => [field, lostOf(type)]));
  const names = fields.map(([field]) => field).join(", ");
  const items = fields.map(([field]) => `${field}: ${value(field)}`);
  const body = `return ({ ${names} }, handles) => ({ ${items.join(", ")} })`;
  return new Function("absent", "lost", body)(absent, lost);
};

const templateOf = (call: CallName): Template => {
  const { in: args, out } = shapeOf(call);
  const fields = Object.entries(args);
  return {
    // Few arguments are handles or lists: all others are taken as they are.
    args: written(
      fields,
      (f) =>
        `typeof ${f} === "object" ? handles.value(${f}, absent.${f}, lost.${f})` +
        ` : ${f} ?? absent.${f}`,
    ) as Arguments,
    plain: written(fields, (f) => `${f} ?? absent.${f}`) as Template["plain"],
    first: Object.keys(out)[0] ?? "",
  };
};

const TEMPLATES: ReadonlyMap<CallName, Template> = new Map(
  CALL_NAMES.map((call) => [call, templateOf(call)]),
);
const template = (call: CallName): Template => TEMPLATES.get(call) as Template;

/** All arguments of a call that `values` gives as numbers; what it leaves out is absent. */
export const argumentsFrom = (call: CallName, values: object): object =>
  template(call).plain(values);

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
    return Array.isArray(arg) ? arg.map((item) => this.#item(item)) : arg;
  }

  /** An element of a list: a range, or an answer to a page fault. */
  #item(item: unknown): unknown {
    if (Array.isArray(item)) return [...item];
    const { cookie, ...rest } = item as { readonly cookie: unknown };
    return { cookie: this.value(cookie, LOST.id, LOST.id), ...rest };
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

/** What the outputs of a step are for its handle, a raw one's as well; undefined: it has none. */
export const outputsOf = (step: Step, outcome: Outcome): Outputs["all"] | undefined => {
  // `null` comes from an IUT that keeps to no form; see malformed.
  if (outcome.errno !== 0 || outcome.out == null) return undefined;
  const out = outcome.out as Outputs["all"];
  if (step.raw !== undefined) {
    if (typeof out["bytes"] !== "string" || !Object.hasOwn(IOCTLS, step.call)) return undefined;
    return decodeStruct(LAYOUTS[step.call as IoctlName], Buffer.from(out["bytes"], "hex"));
  }
  if (step.call !== "FAULT_READ") return out;
  const records = (out["records"] ?? []) as readonly PageFault[];
  return Object.fromEntries(records.map(({ cookie }, i) => [`cookie${i}`, cookie]));
};

export class Resolver {
  readonly #names: Names;

  constructor(platform: Platform) {
    this.#names = new Names(platform);
  }

  /** The call that `step` makes now. */
  resolve(step: Step): Call {
    const call = this.typed(step);
    return step.raw === undefined ? call : rawCall(call, step.raw);
  }

  /** The same before its bytes are edited. */
  typed(step: Step): Call {
    const names = this.#names;
    return {
      call: step.call,
      proc: step.proc ?? 0,
      thread: step.thread ?? 0,
      fd: names.value(step.fd, LOST.fd, LOST.fd),
      in: template(step.call).args(step.in, names),
    } as Call;
  }

  /** Notes what `step` answered, for the handles of later steps, and says what it is to them. */
  note(step: Step, outcome: Outcome): Outputs["all"] | undefined {
    if (step.as === undefined) return undefined;
    const all = outputsOf(step, outcome);
    const outputs = all && { first: all[template(step.call).first], all };
    this.#names.note(step.as, outputs);
    return all;
  }
}

/** The output that a bare handle of this call means; "": the call has none. */
export const firstOutput = (call: CallName): string => template(call).first;
