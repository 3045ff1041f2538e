/** `kernel build` and `kernel status`: the kernel that --iut linux boots. */
import os from "node:os";
import path from "node:path";
import { Missing } from "../impl/linux/agent-build";
import { buildKernel, missingPackages } from "../impl/linux/build";
import { cacheFolder, currentKernel, type StoredKernel, storedKernels } from "../impl/linux/store";
import { renderJson } from "../reports/json";
import { EXIT, Stop } from "./exit";
import { readInput } from "./files";
import type { Io } from "./io";

export interface KernelBuildFlags {
  readonly json?: true;
  readonly source?: string;
  readonly configFragment?: string;
  readonly jobs?: number;
}

export interface KernelStatusFlags {
  readonly json?: true;
}

export const kernelBuild = async (flags: KernelBuildFlags, io: Io): Promise<number> => {
  const { source, configFragment, jobs = os.availableParallelism() } = flags;
  const say = flags.json ? io.stderr : io.stdout;
  const fragment = configFragment === undefined ? undefined : readInput(io.cwd, configFragment);
  let built: StoredKernel;
  try {
    built = await buildKernel({
      cache: cacheFolder(io.env),
      ...(source !== undefined && { source: path.resolve(io.cwd, source) }),
      ...(fragment !== undefined && { fragment }),
      jobs,
      say: (line) => say.write(`${line}\n`),
    });
  } catch (error) {
    if (error instanceof Missing)
      throw new Stop(EXIT.unavailable, `kernel build: ${error.message}`);
    throw error;
  }
  if (flags.json) io.stdout.write(renderJson(built));
  return EXIT.conformant;
};

/** Exits 69 when there is none, so that scripts can ask. */
export const kernelStatus = async (flags: KernelStatusFlags, io: Io): Promise<number> => {
  const cache = cacheFolder(io.env);
  const current = currentKernel(cache);
  const kernels = storedKernels(cache);
  const missing = missingPackages(false);
  if (flags.json) {
    io.stdout.write(renderJson({ cache, current: current ?? null, kernels, missing }));
  } else {
    const lines = kernels.map(
      ({ key, release, source }) =>
        `${key === current?.key ? "*" : " "} ${key}  ${release}  from ${source}`,
    );
    io.stdout.write(`kernels in ${cache}${lines.length === 0 ? ": none" : ""}\n`);
    for (const line of lines) io.stdout.write(`${line}\n`);
    if (missing.length > 0) io.stdout.write(`missing packages: ${missing.join(" ")}\n`);
  }
  return current === undefined ? EXIT.unavailable : EXIT.conformant;
};
