/** For tests: calls with few words, and a model to make them on. */
import type { Call, CallName, In, Out } from "../spec/calls";
import { shapeOf } from "../spec/calls";
import type { ClauseId } from "../spec/clauses/registry";
import { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import { ABSENT } from "../spec/fields";
import { MOCK_PLATFORM, type Platform } from "../spec/platform";
import type { Deviation, Profile } from "../spec/verdict";
import { Model } from "./model";

type Loose<T> = { readonly [K in keyof T]?: T[K] extends bigint ? bigint : T[K] };

/** A call with the arguments given and 0 for the rest, on fd 0 unless `fd` says otherwise. */
export const make = <K extends CallName>(name: K, given: Loose<In<K>>, fd = 0): Call => {
  const { on, in: fields } = shapeOf(name);
  const args: Record<string, unknown> = {};
  for (const [field, type] of Object.entries(fields)) args[field] = ABSENT[type];
  Object.assign(args, given);
  return { call: name, proc: 0, thread: 0, fd: on === "iommufd" ? fd : -1, in: args } as Call;
};

/** The buffers of the platforms. */
export const buf = (index: number, offset = 0n): bigint =>
  0x2000_0000_0000n + BigInt(index) * 0x10_0000n + offset;

export class Bench {
  readonly coverage = new Coverage();
  readonly model: Model;

  constructor(platform: Platform = MOCK_PLATFORM, profile: Profile = "linux-6.12") {
    this.model = new Model(platform, profile, this.coverage);
    this.done("OPEN", {});
  }

  /** Makes the call as linux-6.12 would answer it, which must be success; gives the outputs. */
  done<K extends CallName>(name: K, given: Loose<In<K>>, fd = 0): Out<K> {
    const call = make(name, given, fd);
    const foreseen = this.model.foresee(call);
    if (foreseen.errno !== 0) throw new Error(`${name} fails: ${JSON.stringify(foreseen)}`);
    return this.model.predict(call).out as Out<K>;
  }

  /** Judges a success; undefined if it is right. */
  ok<K extends CallName>(
    name: K,
    given: Loose<In<K>>,
    out: Loose<Out<K>> = {},
    fd = 0,
  ): Deviation | undefined {
    const outputs = Object.keys(out).length === 0 ? {} : { out };
    return this.model.judge(make(name, given, fd), { errno: 0, ...outputs } as never);
  }

  /** Judges a failure; undefined if it is right. */
  fails<K extends CallName>(
    name: K,
    given: Loose<In<K>>,
    errno: Errno,
    out: Loose<Out<K>> = {},
    fd = 0,
  ): Deviation | undefined {
    const outputs = Object.keys(out).length === 0 ? {} : { out };
    return this.model.judge(make(name, given, fd), { errno, ...outputs } as never);
  }

  /** How often a clause was exercised by success and by violation. */
  counts(id: ClauseId): readonly [number, number] {
    const { success, violation } = this.coverage.of(id);
    return [success, violation];
  }
}

/** The clause that a deviation names first. */
export const blamed = (deviation: Deviation | undefined): string | undefined =>
  deviation?.clauses[0];
