/**
 * A trace in the making: steps, the predicted state (the model with canonical choices), and the
 * names of everything made so far.
 */
import type { Broken } from "../../model/judge";
import { hasJudge } from "../../model/judges";
import { Model } from "../../model/model";
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "../../spec/calls";
import { Coverage } from "../../spec/coverage";
import { type Arg, Handle } from "../../spec/handle";
import type { Need } from "../../spec/needs";
import { offersOf, type Platform } from "../../spec/platform";
import { callMade, type RawEdits, rawCall } from "../../spec/raw";
import { Resolver } from "../../spec/resolve";
import type { Step, StepOf } from "../../spec/trace";
import { harmless } from "./avoid";
import type { Draw } from "./draw";
import { frameFor } from "./framing";
import { sceneOf } from "./scene";
import { spoilt } from "./spoil";
import type { SceneView } from "./view";

/** What a step is made of; it is named here, and by whom it is made. */
export type Given<K extends CallName> = Pick<StepOf<K>, "call" | "proc" | "fd" | "in" | "raw">;

/** A made step with what the model says about it. */
export interface Made {
  readonly call: Call;
  readonly outcome: Outcome;
}

export class Composer {
  readonly platform: Platform;
  readonly draw: Draw;
  readonly model: Model;
  readonly steps: Step[] = [];
  /** Calls so far, probes not counted. */
  calls = 0;
  /** Share of ioctls that are made of bytes, in percent (framing.ts). */
  framed = 0;
  /** Share of calls before which a spoilt one is made, in percent (spoil.ts). */
  spoilt = 0;
  /** The process that makes the calls. */
  proc = 0;
  readonly #resolver: Resolver;
  readonly #available: ReadonlySet<CallName>;
  /** By the number of an iommufd that is a duplicate: the first number of its file. */
  readonly #duplicates = new Map<number, number>();
  /** Objects by #keyOf(iommufd, id). */
  readonly #objects = new Map<number, Handle>();
  /** Files by number: those of each output that hands them out are numbers of their own. */
  readonly #files = new Map<string, Map<number, Handle>>();
  /** Pinned ranges of in-kernel users, by the file and then by number. */
  readonly #items = new Map<number, Map<number, Handle>>();
  /** Faults that were read, by the file and then by cookie. */
  readonly #cookies = new Map<number, Map<number, Handle>>();
  /** By the IOAS and then by the first IOVA. */
  readonly #areas = new Map<number, Map<bigint, Handle>>();
  readonly #next = new Map<string, number>();
  /** What there is now; asked for often between two calls that change it. */
  #scene: SceneView | undefined;

  constructor(platform: Platform, available: ReadonlySet<CallName>, draw: Draw) {
    this.platform = platform;
    this.draw = draw;
    this.model = new Model(platform, "linux-6.12", UNCOUNTED);
    this.#resolver = new Resolver(platform);
    this.#available = available;
  }

  /** True when IUT and platform have what the call needs. */
  can(call: CallName): boolean {
    return this.#available.has(call);
  }

  /** All rules that a step would break now. */
  breaks<K extends CallName>(given: Given<K>, args: Given<K>["in"]): readonly Broken[] {
    return this.model.foreseeAll(this.#resolver.typed(this.#step(given, args)));
  }

  /**
   * Appends a step, now and then after a spoilt one, and predicts its outcome.
   * @param args its arguments, if they are not those that it was given
   */
  make<K extends CallName>(given: Given<K>, args: Given<K>["in"] = given.in): Made {
    if (this.spoilt > 0 && !shapeOf(given.call).probe && this.draw.chance(this.spoilt)) {
      const bad = spoilt(given.call, args, this.draw);
      if (bad !== undefined) this.#append(given, bad);
    }
    return this.#append(given, args);
  }

  /** Appends a probe: it changes nothing, so nobody here needs to know what it will show. */
  look<K extends CallName>(given: Given<K>): void {
    // Bytes may be those of any call.
    if (this.framed > 0) this.make(given);
    else this.steps.push(this.#step(given, given.in));
  }

  /** Handles are named here. */
  #append<K extends CallName>(given: Given<K>, args: Given<K>["in"]): Made {
    const { handle, probe } = shapeOf(given.call);
    const as = handle === undefined ? undefined : this.#name(handle);
    const raw = this.#frame(given, args);
    let step = this.#step(given, args, as, raw);
    let typed = this.#resolver.typed(step);
    const instead = harmless(typed, this.model.state);
    if (instead !== undefined) {
      step = this.#step(given, { ...args, ...instead }, as, raw);
      typed = this.#resolver.typed(step);
    }
    const call = step.raw === undefined ? typed : rawCall(typed, step.raw);
    const outcome = this.model.predict(call);
    const outputs = this.#resolver.note(step, outcome);
    this.steps.push(step);
    if (!probe) {
      this.calls++;
      this.#scene = undefined;
    }
    if (outputs !== undefined && as !== undefined) this.#remember(typed, outputs, as);
    return { call, outcome };
  }

  /** All steps have one form: each is read many times before it is judged. */
  #step<K extends CallName>(
    { call, proc = this.proc === 0 ? undefined : this.proc, fd }: Given<K>,
    args: Given<K>["in"],
    as?: string,
    raw?: RawEdits,
  ): Step {
    return { call, as, proc, fd, in: args, raw } as Step;
  }

  /** The predicted state, as it is after the calls made so far. */
  get scene(): SceneView {
    this.#scene ??= sceneOf(this.model);
    return this.#scene;
  }

  /** Edits that make bytes of a call, if it is to be made of bytes and can be. */
  #frame<K extends CallName>({ call, raw }: Given<K>, args: object): RawEdits | undefined {
    let edits = raw;
    if (this.framed > 0 && this.draw.chance(this.framed)) {
      // A size of its own makes the bytes of a typed call too few for its fields.
      const hasSize = shapeOf(call).in["size"] === "u32" && Object.hasOwn(args, "size");
      if (!hasSize) edits ??= frameFor(this.draw, call);
    }
    return edits !== undefined && this.can(callMade({ call, raw: edits })) ? edits : undefined;
  }

  #name(prefix: string): string {
    const n = this.#next.get(prefix) ?? 0;
    this.#next.set(prefix, n + 1);
    return `${prefix}${n}`;
  }

  #remember(call: Call, out: Readonly<Record<string, unknown>>, as: string): void {
    switch (call.call) {
      case "IOAS_MAP":
        this.#rememberArea(call.fd, call.in.ioas_id, out["iova"] as bigint, as);
        return;
      case "IOAS_COPY":
        this.#rememberArea(call.fd, call.in.dst_ioas_id, out["dst_iova"] as bigint, as);
        return;
      case "ACCESS_PAGES": {
        const items = inner(this.#items, call.in.access_fd);
        items.set(out["out_access_pages_id"] as number, new Handle(as));
        return;
      }
      case "FAULT_READ": {
        const cookies = inner(this.#cookies, call.in.fault_fd);
        for (const name in out) cookies.set(out[name] as number, new Handle(as, name));
        return;
      }
      default:
        this.#rememberOutputs(call, out, as);
    }
  }

  #rememberArea(fd: number, ioas: number, iova: bigint, as: string): void {
    inner(this.#areas, this.#keyOf(fd, ioas)).set(iova, new Handle(as));
  }

  /** Objects and files; other outputs name nothing. */
  #rememberOutputs(call: Call, out: Readonly<Record<string, unknown>>, as: string): void {
    const fd = this.#contextOf(call);
    if (call.call === "DUP") this.#duplicates.set(out["fd"] as number, this.#original(fd));
    for (const { name, type, output } of NAMING.get(call.call) ?? []) {
      const number = out[name] as number;
      const handle = new Handle(as, output);
      if (type === "id") this.#objects.set(this.#keyOf(fd, number), handle);
      else inner(this.#files, name).set(number, handle);
    }
  }

  /** The iommufd whose ids a call hands out. */
  #contextOf(call: Call): number {
    if (call.call === "VFIO_BIND") return call.in.iommufd;
    if (call.call !== "VFIO_ATTACH") return call.fd;
    const { devfd } = call.in;
    return this.scene.cdevs.find((cdev) => cdev.devfd === devfd)?.fd ?? -1;
  }

  /** How the trace names an object, or its bare id when nothing names it. */
  object(fd: number, id: number): Arg<number> {
    return this.#objects.get(this.#keyOf(fd, id)) ?? id;
  }

  /** How the trace names an iommufd, by any of its numbers. */
  iommufd(fd: number): Arg<number> {
    if (this.#duplicates.size === 0) return this.#file("fd", fd);
    const original = this.#original(fd);
    const numbers = this.scene.fds.filter((other) => this.#original(other) === original);
    return this.#file("fd", this.draw.pick(numbers) ?? fd);
  }

  /** The same by this very number, for what must be asked of one number twice. */
  fileOf(fd: number): Arg<number> {
    return this.#file("fd", fd);
  }

  cdev(devfd: number): Arg<number> {
    return this.#file("devfd", devfd);
  }

  accessFile(file: number): Arg<number> {
    return this.#file("out_access_fd", file);
  }

  faultFile(file: number): Arg<number> {
    return this.#file("out_fault_fd", file);
  }

  #file(output: string, file: number): Arg<number> {
    return this.#files.get(output)?.get(file) ?? file;
  }

  #original(fd: number): number {
    return this.#duplicates.get(fd) ?? fd;
  }

  #keyOf(fd: number, id: number): number {
    return keyOf(this.#original(fd), id);
  }

  /** How the trace names what an in-kernel user has pinned. */
  pinned(file: number, item: number): Arg<number> {
    return this.#items.get(file)?.get(item) ?? item;
  }

  /** How the trace names a fault that was read. */
  cookie(file: number, cookie: number): number {
    // A trace may have handles there, which the type of the field does not say.
    return (this.#cookies.get(file)?.get(cookie) ?? cookie) as number;
  }

  /** How the trace names an address inside an area that starts at `start`. */
  inArea(fd: number, ioas: number, start: bigint, offset: bigint): Arg<bigint> {
    const area = this.#areas.get(this.#keyOf(fd, ioas))?.get(start);
    if (area === undefined) return start + offset;
    return offset === 0n ? area : new Handle(area.name, area.output, area.add + offset);
  }
}

/** By call: its outputs that name objects and files. Only the first goes without its name. */
const NAMING = new Map(
  CALL_NAMES.map((call) => [
    call,
    Object.entries(shapeOf(call).out).flatMap(([name, type], i) =>
      type === "id" || type === "fd" ? [{ name, type, output: i === 0 ? "" : name }] : [],
    ),
  ]),
);

/** The map within a map, made when first asked for. */
const inner = <K, J, V>(maps: Map<K, Map<J, V>>, key: K): Map<J, V> => {
  let found = maps.get(key);
  if (found === undefined) {
    found = new Map();
    maps.set(key, found);
  }
  return found;
};

/** Predicted ids and files are small numbers. */
const keyOf = (fd: number, id: number): number => id * 64 + fd;

/** The generator counts nothing: what a trace exercises, the judge says. */
const UNCOUNTED = new Coverage();

/** The calls that can be judged and for which IUT and platform have what is needed. */
export const availableCalls = (
  platform: Platform,
  capabilities: readonly Need[],
): ReadonlySet<CallName> => {
  const offers = offersOf(platform);
  const has = new Set(capabilities.filter((need) => offers.has(need)));
  const able = (call: CallName): boolean => shapeOf(call).needs.every((need) => has.has(need));
  return new Set(CALL_NAMES.filter((call) => hasJudge({ call } as Call) && able(call)));
};
