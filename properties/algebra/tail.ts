/**
 * The end of a trace that tries one relation: its steps, and the label that says which belong
 * together. What is composed here must hold in every state that can come before it, because the
 * shrinker takes away what came before: so it brings its own objects, names what it unmaps by
 * handle, and says of each step on which it relies that it must have succeeded.
 */
import type { CallName } from "../../spec/calls";
import { shapeOf } from "../../spec/calls";
import { Handle } from "../../spec/handle";
import type { StepOf, Twins } from "../../spec/trace";
import type { InvariantId } from "../../spec/verdict";
import type { Composer } from "../arbitrary/composer";

/** Answers of one side by what they are about; equal keys belong together. */
export type Answers = Map<string, number>;

export interface Done {
  readonly step: number;
  readonly handle: (output?: string, add?: bigint) => Handle;
}

export class Tail {
  readonly c: Composer;
  readonly #relation: InvariantId;
  readonly #given: number[] = [];
  readonly #same: number[][] = [];

  constructor(c: Composer, relation: InvariantId) {
    this.c = c;
    this.#relation = relation;
  }

  /** A step on which everything after it relies. */
  do<K extends CallName>(step: StepOf<K>): Done {
    const done = this.try(step);
    this.#given.push(done.step);
    return done;
  }

  /** A step whose answer is to be compared; if it is meant to succeed, the rest relies on it. */
  tell<K extends CallName>(step: StepOf<K>): Done {
    const { outcome } = this.c.make(step);
    const done = this.#last();
    if (outcome.errno === 0 && !shapeOf(step.call).probe) this.#given.push(done.step);
    return done;
  }

  /** A step on which nothing relies, whatever it answers. */
  try<K extends CallName>(step: StepOf<K>): Done {
    this.c.make(step);
    return this.#last();
  }

  #last(): Done {
    const step = this.c.steps.length - 1;
    const name = this.c.steps[step]?.as ?? "none0";
    return { step, handle: (output = "", add = 0n) => new Handle(name, output, add) };
  }

  /** Ascending: the last must answer as the others imply. */
  same(...steps: readonly number[]): void {
    this.#same.push([...steps]);
  }

  pair(first: Answers, second: Answers): void {
    for (const [key, step] of first) {
      const other = second.get(key);
      if (other !== undefined) this.same(step, other);
    }
  }

  /** Empty when nothing is there to be compared. */
  twins(): readonly Twins[] {
    if (this.#same.length === 0) return [];
    return [{ relation: this.#relation, given: this.#given, same: this.#same }];
  }
}
