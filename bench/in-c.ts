/** The yardsticks in C: compiled when the benchmark runs, since they must be this machine's. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Nanoseconds per page. */
export interface TableTimes {
  readonly map: number;
  readonly unmap: number;
  readonly mapOne: number;
  readonly lookUp: number;
  readonly lookUpRandom: number;
}

/** A workload of growth.c. */
export type GrowthInC = "scattered" | "areas";

export interface InC {
  readonly compiler: string;
  table(pages: number, rounds: number): TableTimes;
  /** Nanoseconds per run, by size. */
  growth(workload: GrowthInC, rounds: number, sizes: readonly number[]): number[];
  end(): void;
}

/** undefined when there is no gcc. */
export const programsInC = (): InC | undefined => {
  const version = spawnSync("gcc", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-"));
  const compiled = (source: string): ((...args: unknown[]) => unknown) => {
    const program = path.join(folder, source);
    execFileSync("gcc", ["-O2", "-o", program, path.join(__dirname, `${source}.c`)]);
    return (...args) => JSON.parse(execFileSync(program, args.map(String), { encoding: "utf8" }));
  };
  const table = compiled("page-table");
  const growth = compiled("growth");
  return {
    compiler: `${version.stdout.split("\n")[0]} -O2`,
    table: (pages, rounds) => table(pages, rounds) as TableTimes,
    growth: (workload, rounds, sizes) => growth(workload, rounds, ...sizes) as number[],
    end: () => fs.rmSync(folder, { recursive: true }),
  };
};
