/**
 * A trace in the making: steps, the predicted state (the model with canonical choices), and the
 * names of everything made so far.
 */
import { Model } from "../../model/model";
import { CALL_NAMES, type Call, type CallName, type Outcome, shapeOf } from "../../spec/calls";
import { Coverage } from "../../spec/coverage";
import { type Arg, Handle } from "../../spec/handle";
import type { Need } from "../../spec/needs";
import { offersOf, type Platform } from "../../spec/platform";
import { Resolver } from "../../spec/resolve";
import type { Step, StepOf } from "../../spec/trace";
import { isUnfathomable } from "./avoid";
import type { Draw } from "./draw";
import { sceneOf } from "./scene";
import type { SceneView } from "./view";

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
  readonly #resolver: Resolver;
  readonly #available: ReadonlySet<CallName>;
  /** Objects by keyOf(iommufd, id), files by number. */
  readonly #objects = new Map<number, Handle>();
  readonly #iommufds = new Map<number, Handle>();
  readonly #cdevs = new Map<number, Handle>();
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

  /** Appends a step and predicts its outcome. Handles are named here. */
  make<K extends CallName>(step: StepOf<K>): Made {
    const { handle, probe } = shapeOf(step.call);
    const as = handle === undefined ? undefined : this.#name(handle);
    // All steps have one form: each is read many times before it is judged.
    const { call: name, proc, thread, fd, failNth } = step;
    let named = { call: name, as, proc, thread, fd, failNth, in: step.in } as Step;
    let call = this.#resolver.resolve(named);
    if (call.call === "IOAS_COPY" && isUnfathomable(call, this.scene, this.platform.pageSize)) {
      // Nothing is copied instead (CPY-05).
      named = { ...named, in: { ...named.in, length: 0n } } as Step;
      call = this.#resolver.resolve(named);
    }
    const outcome = this.model.predict(call);
    this.#resolver.note(named, outcome);
    this.steps.push(named);
    if (!probe) {
      this.calls++;
      this.#scene = undefined;
    }
    if (outcome.errno === 0 && named.as !== undefined) this.#remember(call, outcome, named.as);
    return { call, outcome };
  }

  /** The predicted state, as it is after the calls made so far. */
  get scene(): SceneView {
    this.#scene ??= sceneOf(this.model);
    return this.#scene;
  }

  #name(prefix: string): string {
    const n = this.#next.get(prefix) ?? 0;
    this.#next.set(prefix, n + 1);
    return `${prefix}${n}`;
  }

  #remember(call: Call, outcome: Outcome, as: string): void {
    const out = (outcome.out ?? {}) as Readonly<Record<string, unknown>>;
    switch (call.call) {
      case "OPEN":
        this.#iommufds.set(out["fd"] as number, new Handle(as));
        return;
      case "DEVICE_OPEN":
        this.#cdevs.set(out["devfd"] as number, new Handle(as));
        return;
      case "IOAS_MAP":
        this.#rememberArea(call.fd, call.in.ioas_id, out["iova"] as bigint, as);
        return;
      case "IOAS_COPY":
        this.#rememberArea(call.fd, call.in.dst_ioas_id, out["dst_iova"] as bigint, as);
        return;
      default:
        this.#rememberObjects(call, out, as);
    }
  }

  #rememberArea(fd: number, ioas: number, iova: bigint, as: string): void {
    const key = keyOf(fd, ioas);
    let areas = this.#areas.get(key);
    if (areas === undefined) {
      areas = new Map();
      this.#areas.set(key, areas);
    }
    areas.set(iova, new Handle(as));
  }

  #rememberObjects(call: Call, out: Readonly<Record<string, unknown>>, as: string): void {
    const fd = this.#contextOf(call);
    let output = "";
    for (const name in shapeOf(call.call).out) {
      this.#objects.set(keyOf(fd, out[name] as number), new Handle(as, output && name));
      // Only the first output goes without its name.
      output = "named";
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
    return this.#objects.get(keyOf(fd, id)) ?? id;
  }

  iommufd(fd: number): Arg<number> {
    return this.#iommufds.get(fd) ?? fd;
  }

  cdev(devfd: number): Arg<number> {
    return this.#cdevs.get(devfd) ?? devfd;
  }

  /** How the trace names an address inside an area that starts at `start`. */
  inArea(fd: number, ioas: number, start: bigint, offset: bigint): Arg<bigint> {
    const area = this.#areas.get(keyOf(fd, ioas))?.get(start);
    if (area === undefined) return start + offset;
    return offset === 0n ? area : new Handle(area.name, area.output, area.add + offset);
  }
}

/** Predicted ids and files are small numbers. */
const keyOf = (fd: number, id: number): number => id * 64 + fd;

/** The generator counts nothing: what a trace exercises, the judge says. */
const UNCOUNTED = new Coverage();

/** The calls for which IUT and platform have what is needed. */
export const availableCalls = (
  platform: Platform,
  capabilities: readonly Need[],
): ReadonlySet<CallName> => {
  const offers = offersOf(platform);
  const has = new Set(capabilities.filter((need) => offers.has(need)));
  return new Set(CALL_NAMES.filter((call) => shapeOf(call).needs.every((need) => has.has(need))));
};
