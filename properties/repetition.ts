/**
 * Whether an IUT that ran one trace twice decided by more than the trace.
 *
 * What the documents leave to it may come out anew each time: ids, file descriptors, physical
 * pages, automatic IOVAs (UNS-01, UNS-02). All else must be the same, for as long as the two
 * machines are alike: behind another automatic IOVA, where a literal number names something in
 * one run only, or once a slow write has failed among small batches, different answers may both
 * be right, and there is nothing more to compare.
 */
import { type Call, type Outcome, shapeOf } from "../spec/calls";
import type { PageResponse } from "../spec/fields";
import { Handle } from "../spec/handle";
import { outputsOf, Resolver } from "../spec/resolve";
import type { History, Step } from "../spec/trace";
import { compare, isName } from "./algebra/agree";

export const behavedAlike = (once: History, again: History): boolean => {
  const { trace } = once;
  const [a, b] = [new Side(once), new Side(again)];
  for (const [i, step] of trace.steps.entries()) {
    const [first, second] = [a.make(i, step), b.make(i, step)];
    if (first === undefined || second === undefined) return first === second && sameEnd(a, b);
    if (a.knows(step) !== b.knows(step)) return true;
    const verdict = compare([first], second, {}, trace.platform.pageSize);
    if (typeof verdict === "object") return false;
    if (chosenIova(step, first.outcome) !== chosenIova(step, second.outcome)) return true;
    // How many pages fill a batch depends on which of them lie side by side (TST-06).
    if (a.inSmallBatches && step.call === "ACCESS_RW" && first.outcome.errno !== 0) return true;
    a.note(step, first.outcome);
    b.note(step, second.outcome);
  }
  return sameEnd(a, b);
};

const sameEnd = ({ history: a }: Side, { history: b }: Side): boolean =>
  a.ending?.kind === b.ending?.kind && a.ending?.reason === b.ending?.reason;

/** One of the two runs. */
class Side {
  readonly history: History;
  readonly #resolver: Resolver;
  /** Ids and file descriptors given out so far. */
  readonly #given = new Set<unknown>();
  /** The mock driver was told to work with less memory. */
  inSmallBatches = false;

  constructor(history: History) {
    this.history = history;
    this.#resolver = new Resolver(history.trace.platform);
  }

  make(i: number, step: Step): { step: number; call: Call; outcome: Outcome } | undefined {
    const outcome = this.history.outcomes[i];
    return outcome && { step: i, call: this.#resolver.resolve(step), outcome };
  }

  /** The literal ids and file descriptors of the step that name something. */
  knows(step: Step): string {
    const types = shapeOf(step.call).in;
    const literals = Object.entries(step.in).flatMap(([name, value]): readonly unknown[] => {
      if (types[name] === "responses") {
        return (value as readonly PageResponse[]).map(({ cookie }) => cookie);
      }
      return isName(types[name]) ? [value] : [];
    });
    // What is put into bytes may be anything.
    for (const [, bytes] of step.raw?.put ?? []) literals.push(Buffer.from(bytes, "hex")[0]);
    return literals
      .filter((value) => !(value instanceof Handle))
      .map((value) => this.#given.has(value))
      .join(" ");
  }

  note(step: Step, outcome: Outcome): void {
    this.#resolver.note(step, outcome);
    if (step.call === "SET_TEMP_MEMORY_LIMIT") this.inSmallBatches ||= outcome.errno === 0;
    const types = shapeOf(step.call).out;
    for (const [name, value] of Object.entries(outputsOf(step, outcome) ?? {})) {
      if (isName(types[name]) || step.call === "FAULT_READ") this.#given.add(value);
    }
  }
}

const chosenIova = (step: Step, outcome: Outcome): unknown => {
  const outputs = outputsOf(step, outcome) ?? {};
  const [iova] = Object.entries(shapeOf(step.call).out).find(([, type]) => type === "iova") ?? [];
  return iova === undefined ? undefined : outputs[iova];
};
