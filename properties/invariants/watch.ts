/**
 * Watches one machine's life, call by call, and reports answers that contradict one another.
 *
 * The watch knows nothing but the calls and the IUT's own answers. What the model believes is no
 * evidence about the IUT.
 */

import { callInside, typedStep } from "../../model/raw/raw";
import { CALL_NAMES, type Call, type CallName, type Outcome } from "../../spec/calls";
import type { Platform } from "../../spec/platform";
import type { Deviation, InvariantId } from "../../spec/verdict";
import { WATCHED } from "./catalogue";
import { type Contradiction, type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import { Ledger } from "./ledger/ledger";

/** How often each invariant was really compared with something; shared by all watches of a run. */
export class InvariantTally {
  readonly checked = new Uint32Array(WATCHED.length);

  add(other: InvariantTally): void {
    for (let i = 0; i < this.checked.length; i++) {
      this.checked[i] = (this.checked[i] ?? 0) + (other.checked[i] ?? 0);
    }
  }

  of(id: InvariantId): number {
    return this.checked[WATCHED.findIndex((invariant) => invariant.id === id)] ?? 0;
  }
}

interface Entry {
  readonly index: number;
  readonly check: (call: Call, outcome: Outcome, ledger: Ledger) => Finding;
}

const entriesFor = (name: CallName): readonly Entry[] => {
  const interested = WATCHED.flatMap(({ on, general }, index) => {
    const check = on[name] as Entry["check"] | undefined;
    return check ? [{ index, check, general: general === true }] : [];
  });
  // The first contradiction is reported: better the one that says precisely what is wrong.
  return [
    ...interested.filter(({ general }) => !general),
    ...interested.filter(({ general }) => general),
  ];
};

/** The invariants interested in each call, so that a call pays for no others. */
const TABLE = new Map(CALL_NAMES.map((name) => [name, entriesFor(name)]));

export class InvariantWatch {
  readonly #ledger: Ledger;
  readonly #tally: InvariantTally;
  readonly #hasMock: boolean;

  constructor(platform: Platform, tally: InvariantTally) {
    this.#ledger = new Ledger(platform);
    this.#tally = tally;
    this.#hasMock = platform.frontEnd === "mock";
  }

  /** undefined: nothing contradicts anything so far. */
  step(call: Call, outcome: Outcome): Deviation | undefined {
    if (this.#ledger.lost) return undefined;
    if (call.call !== "RAW" && call.call !== "DEVICE_RAW") return this.#typed(call, outcome);
    const wrong = this.#check(call, outcome);
    if (wrong !== undefined) return wrong;
    // What a raw call did, it did as the typed one that it comes to.
    const typed = typedStep(call, outcome, this.#hasMock);
    if (typed === "unknown") this.#unanswered(callInside(call, this.#hasMock), outcome);
    else if (typed !== undefined) return this.#typed(typed.call, typed.outcome);
    return undefined;
  }

  #unanswered(inside: Call | undefined, outcome: Outcome): void {
    if (inside && this.#ledger.enter(inside, outcome)) this.#ledger.noteUnanswered(inside, outcome);
  }

  #typed(call: Call, outcome: Outcome): Deviation | undefined {
    if (!this.#ledger.enter(call, outcome)) return undefined;
    const wrong = this.#check(call, outcome);
    if (wrong === undefined) this.#ledger.note(call, outcome);
    return wrong;
  }

  #check(call: Call, outcome: Outcome): Deviation | undefined {
    const { checked } = this.#tally;
    const entries = TABLE.get(call.call) as readonly Entry[];
    for (let i = 0; i < entries.length; i++) {
      const { index, check } = entries[i] as Entry;
      const finding = check(call, outcome, this.#ledger);
      if (finding === undefined) continue;
      checked[index] = (checked[index] ?? 0) + 1;
      if (finding !== HELD) return deviation(index, finding);
    }
    return undefined;
  }
}

const deviation = (index: number, { expected, actual }: Contradiction): Deviation => {
  const { id, clauses } = WATCHED[index] as Invariant;
  return { clauses: [id, ...clauses], kind: "invariant", expected, actual };
};
