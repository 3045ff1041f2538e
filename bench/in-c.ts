/** The yardstick in C: compiled when the benchmark runs, since it must be this machine's. */
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

export interface TableInC {
  readonly compiler: string;
  run(pages: number, rounds: number): TableTimes;
  end(): void;
}

/** undefined when there is no gcc. */
export const tableInC = (): TableInC | undefined => {
  const version = spawnSync("gcc", ["--version"], { encoding: "utf8" });
  if (version.status !== 0) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-"));
  const program = path.join(folder, "page-table");
  execFileSync("gcc", ["-O2", "-o", program, path.join(__dirname, "page-table.c")]);
  return {
    compiler: `${version.stdout.split("\n")[0]} -O2`,
    run: (pages, rounds) =>
      JSON.parse(execFileSync(program, [`${pages}`, `${rounds}`], { encoding: "utf8" })),
    end: () => fs.rmSync(folder, { recursive: true }),
  };
};
