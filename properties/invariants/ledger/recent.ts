/**
 * Answers of probes since the last call that may have changed anything. The same question must
 * get the same answer, however many calls failed and however many probes were made in between.
 */
import {
  CALL_NAMES,
  type Call,
  type CallOf,
  type Outcome,
  type OutcomeOf,
  shapeOf,
} from "../../../spec/calls";
import type { Contradiction, HELD } from "../finding";
import type { Ioas } from "./ioas";
import { sameAnswer, sameQuestion } from "./sameness";
import type { LedgerState } from "./state";

/** What happened between two equal questions, as bits. */
export const NOTHING_FAILED = 1;
export const FAILED = 2;
export const FAILED_ELSEWHERE = 4;
export const FAILED_ATTACH = 8;
export const FAILED_REPLACE = 16;

interface Entry {
  readonly call: Call;
  readonly outcome: Outcome;
  failed: number;
}

export interface Repetition {
  /** Everything that happened in between. */
  readonly between: number;
  /** What is to blame for a difference: one bit. */
  readonly blame: number;
  readonly finding: Contradiction | typeof HELD;
}

const PROBES: ReadonlySet<string> = new Set(CALL_NAMES.filter((name) => shapeOf(name).probe));

/** More probes than this in a row are not compared: a scan is not made twice. */
const MOST = 16;

export class Recent {
  #entries: Entry[] = [];
  #asked: Call | undefined;
  #found: Entry | undefined;
  #repetition: Repetition | undefined;

  forget(): void {
    if (this.#entries.length > 0) this.#entries = [];
    this.#asked = undefined;
  }

  remember(call: Call, outcome: Outcome, ledger: LedgerState): void {
    if (PROBES.has(call.call)) {
      const scratch = call.call === "MEM_READ" && ledger.memory.isScratch(call.in.va);
      if (!scratch && this.#entries.length < MOST) {
        if (this.#asked !== call) this.#ask(call, outcome);
        if (this.#found === undefined) this.#entries.push({ call, outcome, failed: 0 });
      }
    } else if (outcome.errno !== 0 && this.#entries.length > 0) {
      const kind = kindOf(call, ledger);
      for (const entry of this.#entries) {
        const elsewhere = kind === FAILED && isElsewhere(call, entry.call, ledger);
        entry.failed |= elsewhere ? FAILED_ELSEWHERE : kind;
      }
    }
    this.#asked = undefined;
  }

  /** The earlier answer to the same question, compared with this one; several want to know it. */
  repetition(call: Call, outcome: Outcome): Repetition | undefined {
    if (this.#asked !== call) this.#ask(call, outcome);
    return this.#repetition;
  }

  /** What another domain of the same IOAS translates in the same window, just asked. */
  mirror(
    call: CallOf<"TRANSLATE">,
    ioas: Ioas,
    ledger: LedgerState,
  ): OutcomeOf<"TRANSLATE"> | undefined {
    for (const entry of this.#entries) {
      const { call: other } = entry;
      if (other.call !== "TRANSLATE" || other.in.hwpt_id === call.in.hwpt_id) continue;
      if (other.in.iova !== call.in.iova || other.in.last !== call.in.last) continue;
      const hwpt = ledger.object(other.fd, other.in.hwpt_id);
      if (hwpt?.kind === "hwpt" && hwpt.ioas === ioas && entry.outcome.errno === 0) {
        return entry.outcome as OutcomeOf<"TRANSLATE">;
      }
    }
    return undefined;
  }

  #ask(call: Call, outcome: Outcome): void {
    this.#asked = call;
    this.#found = this.#entries.find((entry) => sameQuestion(entry.call, call));
    this.#repetition = this.#found && repetitionOf(this.#found, call, outcome);
  }
}

const repetitionOf = (entry: Entry, call: Call, outcome: Outcome): Repetition | undefined => {
  const finding = sameAnswer(call, entry.outcome, outcome);
  if (finding === undefined) return undefined;
  const between = entry.failed === 0 ? NOTHING_FAILED : entry.failed;
  return { between, blame: blameOf(between), finding };
};

/** Calls that failed and may have changed something do not come here: see Ledger. */
const kindOf = (call: Call, ledger: LedgerState): number => {
  switch (call.call) {
    case "VFIO_ATTACH":
      return ledger.files.get(call.in.devfd)?.device?.hwpt ? FAILED_REPLACE : FAILED_ATTACH;
    case "MOCK_DOMAIN_REPLACE":
      return FAILED_REPLACE;
    case "MOCK_DOMAIN":
    case "MOCK_DOMAIN_FLAGS":
      return FAILED_ATTACH;
    default:
      return FAILED;
  }
};

/** True when the failed call was made on another context or IOAS than the probe. */
const isElsewhere = (failed: Call, probe: Call, { contexts }: LedgerState): boolean => {
  if (failed.fd < 0 || probe.fd < 0) return false;
  if (contexts.get(failed.fd) !== contexts.get(probe.fd)) return true;
  return "ioas_id" in failed.in && "ioas_id" in probe.in && failed.in.ioas_id !== probe.in.ioas_id;
};

const blameOf = (between: number): number => {
  for (const kind of [FAILED_REPLACE, FAILED_ATTACH, FAILED, FAILED_ELSEWHERE]) {
    if ((between & kind) !== 0) return kind;
  }
  return NOTHING_FAILED;
};
