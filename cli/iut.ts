/** From an IUT spec of the command line to an IUT. */
import fs from "node:fs";
import path from "node:path";
import { guarded } from "../properties/guard";
import { type Iut, inProcess } from "../spec/iut";
import { decodeTrace, encodeTrace, parseDocument } from "../spec/json/trace";
import { isNeed, NEEDS } from "../spec/needs";
import { VERSION } from "../spec/version";
import { EXIT, firstLine, Stop } from "./exit";
import { loadMutant, mutantNames } from "./mutant";
import { didYouMean } from "./near";
import { loadModule, placeOf } from "./ts-loader";

export const DEFAULT_IUT = "radix";

/** What can stand in --iut, with what it is. */
export const IUT_SPECS: Readonly<Record<string, string>> = {
  radix: "the performance-focused implementation of this package",
  model: "the reference model as IUT, to check the harness itself",
  "mutant:NAME": "radix with one planted bug (list mutants)",
  "ts:./file.ts": "a TypeScript or JavaScript module that exports an Iut",
  linux: "the iommufd of a Linux kernel in a VM: the one of `kernel build`",
  "linux:PATH": "the same for any vmlinux or bzImage",
};

/** @throws Stop with one line when there is no such IUT, or it does not load */
export const loadIut = (spec: string, cwd: string): Iut => {
  const [kind = "", rest = ""] = splitOnce(spec, ":");
  if (spec === "radix") return loadRadix();
  if (spec === "model") return loadModel();
  if (kind === "mutant" && rest !== "") return loadMutant(rest);
  if (kind === "ts" && rest !== "") return loadTs(rest, cwd);
  if (spec === "linux") return loadLinux(spec, undefined);
  if (kind === "linux" && rest !== "") return loadLinux(spec, path.resolve(cwd, rest));
  const known = ["radix", "model", "linux", ...mutantNames().map((name) => `mutant:${name}`)];
  const expected = `expected ${Object.keys(IUT_SPECS).join(", ")}`;
  throw new Stop(
    EXIT.usage,
    `--iut ${JSON.stringify(spec)}: ${expected}${didYouMean(spec, known)}`,
  );
};

/** True for what has the form of a spec, whether or not there is such an IUT. */
export const isIutSpec = (spec: string): boolean =>
  ["radix", "model", "linux"].includes(spec) || /^(?:mutant|ts|linux):./.test(spec);

/** True for those that are to do what Linux 6.12 does, its deviations from the documents included. */
export const isLikeLinux = (spec: string): boolean => /^(?:model|linux)(?::|$)/.test(spec);

const splitOnce = (text: string, at: string): [string, string] => {
  const cut = text.indexOf(at);
  return cut === -1 ? [text, ""] : [text.slice(0, cut), text.slice(cut + 1)];
};

const loadRadix = (): Iut => {
  const { radix }: typeof import("../impl/radix/index") = require("../impl/radix/index");
  return radix;
};

const loadModel = (): Iut => {
  const { MODEL_CAPABILITIES: capabilities, modelMachine }: typeof import("../model/machine") =
    require("../model/machine");
  return inProcess({ name: "model", version: VERSION, capabilities }, modelMachine);
};

const loadLinux = (spec: string, image: string | undefined): Iut => {
  const { linux, Missing }: typeof import("../impl/linux/index") = require("../impl/linux/index");
  try {
    return linux(image);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    throw new Stop(EXIT.unavailable, `IUT ${spec} is unavailable: ${error.message}`);
  }
};

const loadTs = (given: string, cwd: string): Iut => {
  const file = path.resolve(cwd, given);
  const refuse = (what: string): Stop =>
    new Stop(EXIT.unavailable, `IUT ts:${given} is unavailable: ${what}`);
  const found = fs.statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw refuse(`there is no file ${file}`);
  if (found.isDirectory()) throw refuse(`${file} is a folder; name the module in it`);
  let exported: unknown;
  try {
    exported = loadModule(file);
  } catch (error) {
    const isEsm = (error as NodeJS.ErrnoException).code === "ERR_REQUIRE_ESM";
    const hint = isEsm ? '; its package.json says "type": "module": name it .cts or .cjs' : "";
    const place = placeOf(error);
    const at = place === undefined ? "" : ` (${place.replace(`${cwd}/`, "")})`;
    // A compiler begins its messages with a cross.
    const what = firstLine(error).replace(/^[x×] /, "");
    throw refuse(`loading it failed: ${what}${at}${hint}`);
  }
  const { default: byDefault, iut } = (exported ?? {}) as { default?: unknown; iut?: unknown };
  const own = [byDefault, iut, exported].find(isIut);
  if (own === undefined) {
    throw refuse(
      "it must export an Iut {info: {name, version, capabilities}, run}, name and version as " +
        "texts, by default or as `iut`; see inProcess",
    );
  }
  const unknown = own.info.capabilities.find((need) => !isNeed(need));
  if (unknown !== undefined) {
    const known = Object.keys(NEEDS);
    throw refuse(`it declares an unknown capability ${unknown}${didYouMean(unknown, known)}`);
  }
  const flaw = flawOfPlatforms(own.platforms);
  if (flaw !== undefined) throw refuse(`its platforms cannot be used: ${flaw}`);
  return guarded(own);
};

/** Traces are drawn, and runs of them compared, for pages of this size only. */
const PAGE_SIZE = 4096;

/** Platforms must be what a file may hold: a failure on one is kept in a file. */
const flawOfPlatforms = (platforms: unknown): string | undefined => {
  if (platforms === undefined) return undefined;
  if (!Array.isArray(platforms) || platforms.length === 0) {
    return "expected a list of at least one; leave it out for the usual ones";
  }
  for (const [i, platform] of platforms.entries()) {
    const name = `platforms[${i}]`;
    try {
      const text = JSON.stringify(encodeTrace({ platform, steps: [] }));
      const { pageSize } = decodeTrace(parseDocument(text, name).json, name).platform;
      if (pageSize !== PAGE_SIZE) return `${name}: pageSize: a run needs ${PAGE_SIZE}`;
    } catch (error) {
      return firstLine(error);
    }
  }
  return undefined;
};

/** The shape of an Iut; what it does is for the oracle to judge. */
const isIut = (value: unknown): value is Iut => {
  if (typeof value !== "object" || value === null) return false;
  const { info, run } = value as { info?: unknown; run?: unknown };
  if (typeof run !== "function" || typeof info !== "object" || info === null) return false;
  const { name, version, capabilities } = info as Record<string, unknown>;
  return (
    typeof name === "string" &&
    typeof version === "string" &&
    Array.isArray(capabilities) &&
    capabilities.every((need) => typeof need === "string")
  );
};
