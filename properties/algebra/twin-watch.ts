/**
 * Judges the twins of a trace: answers that must be alike because the calls before them were.
 *
 * It trusts the labels of the trace (spec/trace.ts, Twins) for what belongs together, and the
 * history for whether it applies: a comparison is made only when every step that it builds on
 * has succeeded. It knows no model state. Any call may run out of memory (UNS-12), after which
 * two runs are no longer alike; then there is nothing to compare.
 */
import type { Call, Outcome } from "../../spec/calls";
import type { Trace, Twins } from "../../spec/trace";
import type { Deviation, Profile } from "../../spec/verdict";
import { WATCHED } from "../invariants/catalogue";
import type { InvariantTally } from "../invariants/watch";
import { compare, type Seen } from "./agree";
import { relationInfo } from "./catalogue";

const INDEX = new Map(WATCHED.map(({ id }, index) => [id, index]));

interface Comparison {
  readonly twins: Twins;
  readonly group: readonly number[];
}

export class TwinWatch {
  readonly #pageSize: number;
  readonly #profile: Profile;
  readonly #tally: InvariantTally;
  /** By the last step of the group. */
  readonly #due = new Map<number, Comparison[]>();
  /** Answers that will be asked about. */
  readonly #seen = new Map<number, Seen | undefined>();
  /** Steps among them for which memory ran out; mostly there are none. */
  readonly #ranOut: number[] = [];

  constructor({ platform, twins }: Trace, profile: Profile, tally: InvariantTally) {
    this.#pageSize = platform.pageSize;
    this.#profile = profile;
    this.#tally = tally;
    for (const label of twins ?? []) {
      for (const step of label.given) this.#seen.set(step, undefined);
      for (const group of label.same) {
        for (const step of group) this.#seen.set(step, undefined);
        const last = group.at(-1) ?? -1;
        this.#due.set(last, [...(this.#due.get(last) ?? []), { twins: label, group }]);
      }
    }
  }

  /** undefined: nothing contradicts anything so far. */
  step(step: number, call: Call, outcome: Outcome): Deviation | undefined {
    if (!this.#seen.has(step)) return undefined;
    this.#seen.set(step, { step, call, outcome });
    if (outcome.errno === "ENOMEM") this.#ranOut.push(step);
    for (const due of this.#due.get(step) ?? []) {
      const deviation = this.#compare(due, step);
      if (deviation !== undefined) return deviation;
    }
    return undefined;
  }

  #compare({ twins, group }: Comparison, step: number): Deviation | undefined {
    const { relation, given, same } = twins;
    const info = relationInfo(relation);
    const before: Seen[] = [];
    for (const i of group) {
      const seen = this.#seen.get(i);
      if (seen === undefined) return undefined;
      before.push(seen);
    }
    const last = before.pop();
    if (info === undefined || last === undefined || before.length === 0) return undefined;
    if (!given.every((i) => i >= step || this.#seen.get(i)?.outcome.errno === 0)) return undefined;
    if (this.#ranOut.some((i) => given.includes(i) || same.some((each) => each.includes(i)))) {
      return undefined;
    }
    const verdict = compare(before as [Seen, ...Seen[]], last, info.compares, this.#pageSize);
    if (verdict === "no") return undefined;
    this.#count(relation);
    const binds = info.only === undefined || info.only === this.#profile;
    if (verdict === "agree" || !binds) return undefined;
    return { clauses: [relation, ...info.clauses], kind: "invariant", ...verdict };
  }

  #count(relation: Twins["relation"]): void {
    const { checked } = this.#tally;
    const index = INDEX.get(relation);
    if (index !== undefined) checked[index] = (checked[index] ?? 0) + 1;
  }
}
