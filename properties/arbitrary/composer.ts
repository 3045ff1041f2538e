/**
 * A trace in the making: steps, the predicted state (the model with canonical choices), and the
 * names of everything made so far.
 */
import { Model } from "../../model/model";
import { type Call, type CallName, type Outcome, shapeOf } from "../../spec/calls";
import { Coverage } from "../../spec/coverage";
import { type Arg, Handle } from "../../spec/handle";
import type { Need } from "../../spec/needs";
import { offersOf, type Platform } from "../../spec/platform";
import { Resolver } from "../../spec/resolve";
import type { Step, StepOf } from "../../spec/trace";
import type { Draw } from "./draw";
import { sceneOf } from "./scene";

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
  readonly #available: ReadonlySet<Need>;
  readonly #objects = new Map<string, Handle>();
  readonly #areas = new Map<string, Handle>();
  readonly #next = new Map<string, number>();

  constructor(platform: Platform, capabilities: readonly Need[], draw: Draw) {
    this.platform = platform;
    this.draw = draw;
    this.model = new Model(platform, "linux-6.12", new Coverage());
    this.#resolver = new Resolver(platform);
    const offers = offersOf(platform);
    this.#available = new Set(capabilities.filter((need) => offers.has(need)));
  }

  /** True when IUT and platform have what the call needs. */
  can(call: CallName): boolean {
    return shapeOf(call).needs.every((need) => this.#available.has(need));
  }

  /** What the model would answer, without making the call. */
  foresee(step: Step): ReturnType<Model["foresee"]> {
    return this.model.foresee(this.#resolver.resolve(step));
  }

  /** Appends a step and predicts its outcome. Handles are named here. */
  make<K extends CallName>(step: StepOf<K>): Made {
    const prefix = shapeOf(step.call).handle;
    const named = (prefix === undefined ? step : { ...step, as: this.#name(prefix) }) as Step;
    const call = this.#resolver.resolve(named);
    const outcome = this.model.predict(call);
    this.#resolver.note(named, outcome);
    this.steps.push(named);
    if (!shapeOf(call.call).probe) this.calls++;
    if (outcome.errno === 0) this.#remember(call, outcome, named.as);
    return { call, outcome };
  }

  #name(prefix: string): string {
    const n = this.#next.get(prefix) ?? 0;
    this.#next.set(prefix, n + 1);
    return `${prefix}${n}`;
  }

  #remember(call: Call, outcome: Outcome, as: string | undefined): void {
    if (as === undefined) return;
    const out = (outcome.out ?? {}) as Readonly<Record<string, unknown>>;
    const [first] = Object.keys(shapeOf(call.call).out);
    for (const [name, type] of Object.entries(shapeOf(call.call).out)) {
      const value = out[name];
      const handle = new Handle(as, name === first ? "" : name);
      if (type === "id") this.#objects.set(`${this.#contextOf(call)}/${value}`, handle);
      if (type === "fd") this.#objects.set(`${call.call}/${value}`, handle);
    }
    if (call.call === "IOAS_MAP") {
      this.#areas.set(`${call.fd}/${call.in.ioas_id}/${out["iova"]}`, new Handle(as));
    }
    if (call.call === "IOAS_COPY") {
      this.#areas.set(`${call.fd}/${call.in.dst_ioas_id}/${out["dst_iova"]}`, new Handle(as));
    }
  }

  /** The iommufd whose ids a call hands out. */
  #contextOf(call: Call): number {
    if (call.call === "VFIO_BIND") return call.in.iommufd;
    if (call.call !== "VFIO_ATTACH") return call.fd;
    const { devfd } = call.in;
    return sceneOf(this.model).cdevs.find((cdev) => cdev.devfd === devfd)?.fd ?? -1;
  }

  /** How the trace names an object, or its bare id when nothing names it. */
  object(fd: number, id: number): Arg<number> {
    return this.#objects.get(`${fd}/${id}`) ?? id;
  }

  iommufd(fd: number): Arg<number> {
    return this.#objects.get(`OPEN/${fd}`) ?? fd;
  }

  cdev(devfd: number): Arg<number> {
    return this.#objects.get(`DEVICE_OPEN/${devfd}`) ?? devfd;
  }

  /** How the trace names an address inside an area that starts at `start`. */
  inArea(fd: number, ioas: number, start: bigint, offset: bigint): Arg<bigint> {
    const area = this.#areas.get(`${fd}/${ioas}/${start}`);
    return area === undefined
      ? start + offset
      : new Handle(area.name, area.output, area.add + offset);
  }
}
