/** One number for everything that was called and answered: equal seeds must give equal bytes. */
import { createHash, type Hash } from "node:crypto";
import { Handle } from "../spec/handle";
import type { Run } from "../spec/iut";
import type { Trace } from "../spec/trace";

/** A text that two histories share exactly when they are the same. */
export const fingerprint = (trace: Trace, run: Run): string => {
  let text = `${trace.platform.name}\n`;
  for (const [i, step] of trace.steps.entries()) {
    const outcome = run.outcomes[i];
    text += `${step.call} ${step.as ?? ""} ${step.fd ?? ""}${flat(step.in)}`;
    text += outcome === undefined ? "\n" : ` ${outcome.errno}${flat(outcome.out)}\n`;
  }
  return run.ending === undefined ? text : `${text}${run.ending.kind} ${run.ending.reason}\n`;
};

const flat = (value: unknown): string => {
  if (typeof value === "bigint") return ` ${value.toString(16)}`;
  if (typeof value !== "object" || value === null) return ` ${value}`;
  if (value instanceof Handle) return ` ${value}`;
  let text = "{";
  for (const key in value) text += `${key}:${flat((value as Record<string, unknown>)[key])}`;
  return `${text}}`;
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
