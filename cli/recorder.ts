/** `run --record FILE`: every history of a run, as recordings that `judge` reads. */
import fs from "node:fs";
import path from "node:path";
import { plural } from "../reports/summary";
import { recordHistory } from "../spec/record";
import type { History } from "../spec/trace";

export class Recorder {
  readonly #file: string;
  readonly #fd: number;
  #whole = 0;
  /** Why traces are there in part, or not at all, and how often. */
  readonly #short = new Map<string, number>();
  readonly #left = new Map<string, number>();

  constructor(file: string) {
    this.#file = file;
    fs.mkdirSync(path.dirname(file), { recursive: true });
    this.#fd = fs.openSync(file, "w");
  }

  /** @param at its fast-check path */
  add(history: History, seed: number, at: number): void {
    const name = `${history.trace.platform.name}-${seed}-${at}`;
    const recorded = recordHistory(history, name, { seed, mix: "random" });
    if (typeof recorded === "string") {
      count(this.#left, recorded);
      return;
    }
    fs.writeSync(this.#fd, `${recorded.line}\n`);
    const { cut = history.ending?.reason } = recorded;
    if (cut === undefined) this.#whole++;
    else count(this.#short, cut);
  }

  /** Closes the file; says what is in it. */
  end(): string {
    fs.closeSync(this.#fd);
    const lines = [
      `${plural(this.#whole, "trace")} recorded in ${this.#file}`,
      ...told(this.#short, "recorded up to what the format has no word for"),
      ...told(this.#left, "not recorded"),
    ];
    return `${lines.join("\n")}\n`;
  }
}

const count = (reasons: Map<string, number>, reason: string): void =>
  void reasons.set(reason, (reasons.get(reason) ?? 0) + 1);

const told = (reasons: ReadonlyMap<string, number>, what: string): string[] =>
  [...reasons].map(([reason, times]) => `${plural(times, "trace")} ${what}: ${reason}`);
