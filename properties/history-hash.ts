/**
 * One number for everything that was called and answered: equal seeds must give equal histories.
 *
 * A fingerprint is a 64-bit mix of all values of one history, cheap enough to be taken of every
 * sequence; the hash of a run is SHA-256 over its fingerprints in order. Nobody attacks it: it
 * has to differ when two histories differ by accident.
 */
import { createHash, type Hash } from "node:crypto";
import { CALL_NAMES, type CallName } from "../spec/calls";
import { Handle } from "../spec/handle";
import type { Run } from "../spec/iut";
import type { Trace } from "../spec/trace";
import { LOW_HALF } from "../spec/units";

/** A 64-bit number, and its halves. */
const WORD = new BigUint64Array(1);
const HALVES = new Int32Array(WORD.buffer);

/** Two 32-bit lanes that take in one value after the other. */
class Mixer {
  #a = 0x811c9dc5;
  #b = 0x1b873593;

  number(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = Math.imul((this.#b << 13) | (this.#b >>> 19), 0x85ebca6b) ^ value;
  }

  /** The same as number() for each character. Half of all time goes by here: no lane in memory. */
  text(value: string): void {
    this.number(value.length);
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul((b << 13) | (b >>> 19), 0x85ebca6b) ^ code;
    }
    this.#a = a;
    this.#b = b;
  }

  /** Any value of a trace or an outcome. Names of fields are fixed by the call. */
  value(value: unknown): void {
    if (typeof value === "number") this.number(value);
    else if (typeof value === "bigint") this.#wide(value);
    else if (typeof value === "string") this.text(value);
    else if (typeof value === "object" && value !== null) this.#fields(value);
  }

  #wide(value: bigint): void {
    WORD[0] = value;
    this.number(HALVES[LOW_HALF] as number);
    this.number(HALVES[1 - LOW_HALF] as number);
  }

  #fields(value: object): void {
    if (value instanceof Handle) {
      this.text(value.name);
      this.text(value.output);
      this.value(value.add);
      return;
    }
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) this.value(value[i]);
      this.number(value.length);
      return;
    }
    let count = 0;
    for (const key in value) {
      this.value((value as Readonly<Record<string, unknown>>)[key]);
      count++;
    }
    this.number(count);
  }

  digest(): string {
    return (
      (this.#a >>> 0).toString(16).padStart(8, "0") + (this.#b >>> 0).toString(16).padStart(8, "0")
    );
  }
}

const CALL_NUMBER = Object.fromEntries(CALL_NAMES.map((call, i) => [call, i])) as Readonly<
  Record<CallName, number>
>;

/** Two histories have the same exactly when they are the same, but for accidents. */
export const fingerprint = (trace: Trace, run: Run): string => {
  const mixer = new Mixer();
  mixer.text(trace.platform.name);
  for (let i = 0; i < trace.steps.length; i++) {
    const step = trace.steps[i];
    if (step === undefined) break;
    mixer.number(CALL_NUMBER[step.call]);
    mixer.value(step.fd);
    mixer.value(step.in);
    if (step.raw !== undefined) mixer.value(step.raw);
    const outcome = run.outcomes[i];
    if (outcome === undefined) continue;
    mixer.value(outcome.errno);
    mixer.value(outcome.out);
  }
  if (run.ending !== undefined) mixer.text(`${run.ending.kind} ${run.ending.reason}`);
  return mixer.digest();
};

export class HistoryHash {
  readonly #hash: Hash = createHash("sha256");

  add(fingerprintOfHistory: string): void {
    this.#hash.update(fingerprintOfHistory);
  }

  digest(): string {
    return this.#hash.copy().digest("hex");
  }
}
