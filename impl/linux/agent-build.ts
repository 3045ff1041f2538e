/** The agent as an initial file system, built once per version of its sources. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { initramfsOf } from "./initramfs";
import { keyOf, ownFile } from "./store";

const COMPILER = "gcc";
const FLAGS = ["-O2", "-static", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];

/** Something that is needed and not there; the message says how to get it. */
export class Missing extends Error {}

/** @throws Missing when there is no compiler, or it fails */
export const agentInitramfs = (cache: string, folder = ownFile("agent")): string => {
  if (!fs.existsSync(folder)) throw new Missing(`the agent's sources are not at ${folder}`);
  const names = fs.readdirSync(folder).sort();
  const key = keyOf(
    ...FLAGS,
    ...names.flatMap((name) => [name, fs.readFileSync(path.join(folder, name))]),
  );
  const target = path.join(cache, "agents", key);
  const file = path.join(target, "agent.cpio");
  if (fs.existsSync(file)) return file;
  fs.mkdirSync(target, { recursive: true });
  const program = path.join(target, `agent.${process.pid}`);
  const sources = names.filter((name) => name.endsWith(".c")).map((n) => path.join(folder, n));
  try {
    const gcc = spawnSync(COMPILER, [...FLAGS, "-o", program, ...sources], { encoding: "utf8" });
    if (gcc.error !== undefined) {
      throw new Missing("no C compiler for the agent: apt-get install gcc libc6-dev");
    }
    if (gcc.status !== 0) throw new Missing(`building the agent failed: ${gcc.stderr.trim()}`);
    // Renamed into place, so that two runs at once do not see half a file.
    fs.writeFileSync(`${program}.cpio`, initramfsOf(fs.readFileSync(program)));
    fs.renameSync(`${program}.cpio`, file);
  } finally {
    fs.rmSync(program, { force: true });
  }
  return file;
};
