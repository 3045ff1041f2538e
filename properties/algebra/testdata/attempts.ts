/** Traces that try one relation each, after a varied past. */
import fc from "fast-check";
import type { Need } from "../../../spec/needs";
import type { Platform } from "../../../spec/platform";
import type { Trace } from "../../../spec/trace";
import { AIMS } from "../../arbitrary/aims/all";
import { availableCalls, Composer } from "../../arbitrary/composer";
import { Draw } from "../../arbitrary/draw";
import { compose } from "../relate";
import type { Relation } from "../relation";

export interface Attempts {
  readonly platform: Platform;
  readonly capabilities: readonly Need[];
  /** Calls before the relation. */
  readonly past: number;
}

class AttemptArbitrary extends fc.Arbitrary<Trace> {
  readonly #relation: Relation;
  readonly #space: Attempts;

  constructor(relation: Relation, space: Attempts) {
    super();
    this.#relation = relation;
    this.#space = space;
  }

  override generate(random: fc.Random): fc.Value<Trace> {
    const { platform, capabilities, past } = this.#space;
    const c = new Composer(platform, availableCalls(platform, capabilities), new Draw(random));
    const { outcome } = c.make({ call: "OPEN", in: {} });
    const { fd } = outcome.out as { fd: number };
    c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
    const aims = AIMS.filter((aim) => aim.calls.every((call) => c.can(call)));
    const weights = aims.map(({ weight }) => Math.round(10 * weight));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let tries = 0; c.calls < past && tries < 200; tries++) {
      const scene = c.scene;
      if (scene.fds.length === 0) c.make({ call: "OPEN", in: {} });
      else aims[c.draw.weighted(weights, total)]?.make(c, scene);
    }
    const twins = compose(c, this.#relation);
    return new fc.Value({ platform, steps: c.steps, twins }, undefined);
  }

  override canShrinkWithoutContext(_value: unknown): _value is Trace {
    return false;
  }

  override shrink(): fc.Stream<fc.Value<Trace>> {
    return fc.Stream.nil();
  }
}

export const attempts = (
  relation: Relation,
  space: Attempts,
  count: number,
  seed: number,
): readonly Trace[] => fc.sample(new AttemptArbitrary(relation, space), { seed, numRuns: count });
