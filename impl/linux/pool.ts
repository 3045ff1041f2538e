/**
 * The machines that are up: one of each kind, which serves until it is retired. Once machines
 * are renewed, a spare one of each kind boots while its predecessor is at work.
 */
import type { MachineKind } from "./vm";

export interface Machine {
  /** It ended by itself. */
  readonly isGone: boolean;
  stop(): Promise<void>;
}

/** Answers why there is no machine when there is none. */
export type Boot<M extends Machine> = (kind: MachineKind) => Promise<M | string>;

export class Pool<M extends Machine> {
  readonly #boot: Boot<M>;
  readonly #up = new Map<MachineKind, M>();
  readonly #spare = new Map<MachineKind, Promise<M | string>>();
  #renews = false;

  constructor(boot: Boot<M>) {
    this.#boot = boot;
  }

  async get(kind: MachineKind): Promise<M | string> {
    const up = this.#up.get(kind);
    if (up?.isGone === false) return up;
    await this.retire(kind);
    const machine = await this.#next(kind);
    if (typeof machine === "string") return machine;
    this.#up.set(kind, machine);
    // Nobody waits for it yet, so that what it throws would end the harness.
    if (this.#renews) this.#spare.set(kind, this.#boot(kind).catch(String));
    return machine;
  }

  async #next(kind: MachineKind): Promise<M | string> {
    const spare = await this.#spare.get(kind);
    this.#spare.delete(kind);
    return typeof spare === "object" && !spare.isGone ? spare : this.#boot(kind);
  }

  async retire(kind: MachineKind): Promise<void> {
    const machine = this.#up.get(kind);
    this.#up.delete(kind);
    await machine?.stop();
  }

  /** Every kind gets a machine that nothing has run on, and will again: spares are worth it. */
  async renew(): Promise<void> {
    this.#renews = true;
    await Promise.all([...this.#up.keys()].map((kind) => this.retire(kind)));
  }

  async close(): Promise<void> {
    this.#renews = false;
    const spares = [...this.#spare.values()];
    this.#spare.clear();
    await Promise.all([
      ...[...this.#up.keys()].map((kind) => this.retire(kind)),
      ...spares.map(async (spare) => {
        const machine = await spare;
        if (typeof machine === "object") await machine.stop();
      }),
    ]);
  }
}
