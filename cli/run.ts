/** `run`: from flags to a campaign, and from its results to files, a summary and an exit code. */
import path from "node:path";
import seedrandom from "seedrandom";
import { runCampaign } from "../properties/campaign";
import { AS_LINUX_6_12 } from "../properties/expectation";
import { allIds } from "../properties/ids";
import { type CampaignOptions, QUICK } from "../properties/options";
import { renderHeader } from "../reports/console/header";
import { renderSummary } from "../reports/console/summary";
import { labelled } from "../reports/console/text";
import { renderResultsJson } from "../reports/json";
import type { Reproduce } from "../reports/reproduce";
import { count, plural } from "../reports/summary";
import { inert } from "../spec/inert";
import { PLATFORMS } from "../spec/platform";
import type { Results } from "../spec/results";
import type { Profile } from "../spec/verdict";
import { VERSION } from "../spec/version";
import { readCorpus, saveCapsule, saveUnshrunk } from "./capsules";
import { EXIT } from "./exit";
import { parseExpectations } from "./expectations";
import { mustBeWritable, mustBeWritableFile, readInput, writeWhole } from "./files";
import { type Io, styleFor } from "./io";
import { DEFAULT_IUT, isLikeLinux, loadIut } from "./iut";
import { progressOn } from "./progress";
import { Recorder } from "./recorder";
import { selectClauses } from "./selection";
import { reproduceOf } from "./shell";
import type { ReportFile } from "./values";

export interface RunFlags {
  readonly json?: true;
  readonly iut?: string;
  readonly profile: Profile;
  readonly campaign: string;
  readonly seed: number | "random";
  readonly sequences?: number;
  readonly length?: readonly [min: number, max: number];
  readonly time?: number;
  readonly clause?: readonly string[];
  readonly shard?: readonly [index: number, of: number];
  readonly db: string;
  readonly knownFailing?: string;
  readonly format?: readonly ReportFile[];
  readonly record?: string;
}

const DEFAULT_REPORTS: readonly ReportFile[] = [
  { format: "json", file: "reports/out/results.json" },
  { format: "html", file: "reports/out/index.html" },
];

export const run = async (flags: RunFlags, io: Io): Promise<number> => {
  const ids = allIds();
  const clauseGlobs = flags.clause ?? [];
  const clauses = selectClauses(clauseGlobs, ids);
  const given =
    flags.knownFailing === undefined
      ? []
      : parseExpectations(readInput(io.cwd, flags.knownFailing), flags.knownFailing, ids);
  const reports = flags.format ?? DEFAULT_REPORTS;
  const db = path.resolve(io.cwd, flags.db);
  mustBeWritable(db, "--db");
  for (const { file } of reports) mustBeWritableFile(path.resolve(io.cwd, file), "--format");
  const recording = flags.record === undefined ? undefined : path.resolve(io.cwd, flags.record);
  if (recording !== undefined) mustBeWritableFile(recording, "--record");

  const { iut: iutSpec = DEFAULT_IUT, profile, shard = [1, 1], time: timeMs = null } = flags;
  const doesAsLinux = profile === "documented" && isLikeLinux(iutSpec);
  const knownFailing = doesAsLinux ? [...given, ...AS_LINUX_6_12] : given;
  const seed = flags.seed === "random" ? seedrandom().int32() >>> 1 : flags.seed;
  const iut = loadIut(iutSpec, io.cwd);
  const { sequences = QUICK.sequences, length = QUICK.length } = flags;
  const say = flags.json ? io.stderr : io.stdout;
  const style = styleFor(say, io.env);
  const budget = { sequences, length, shard, clauseGlobs, seed, profile, iutSpec };
  const platforms = iut.platforms ?? PLATFORMS;
  const plan = { ...budget, version: VERSION, info: iut.info, timeMs, selected: clauses.size };
  say.write(`${renderHeader({ ...plan, platforms: platforms.map((p) => p.name) }, style)}\n`);
  const corpus = readCorpus(db);
  for (const note of corpus.notes) io.stderr.write(`${inert(note)}\n`);

  const stop = new AbortController();
  const progress = progressOn(io);
  const ignoreInterrupts = io.onInterrupt(() => {
    stop.abort("interrupted");
    progress.stop();
    io.stderr.write("stopping after this sequence; once more ends the run at once\n");
  });
  const recorder = recording === undefined ? undefined : new Recorder(recording);
  const start = io.now();
  // Also while one failure is being shrunk, which takes as long as many sequences.
  const timer = timeMs === null ? undefined : setTimeout(() => stop.abort("time"), timeMs);
  const options: CampaignOptions = {
    ...{ iut, iutSpec, profile, seed, sequences, length, platforms, clauses, shard },
    ...{ knownFailing, corpus: corpus.capsules, signal: stop.signal },
    saveCapsule: (capsule) => saveCapsule(db, capsule),
    saveUnshrunk: (capsule) => saveUnshrunk(db, capsule),
    onReplayed: (capsules, failing) => {
      if (capsules === 0) return;
      const came = failing === 0 ? "none fails any more" : `${count(failing)} still failing`;
      const text = `${plural(capsules, "capsule")} of ${flags.db} first: ${came}`;
      say.write(`${labelled("replayed", inert(text), style)}\n\n`);
    },
    onHistory: (history, at) => recorder?.add(history, seed, at),
    onProgress: (done, total, failures) => {
      progress.update(done, total, failures);
      if (timeMs !== null && io.now() - start >= timeMs) stop.abort("time");
    },
  };
  let results: Results;
  try {
    results = withExit(await runCampaign(options), stop.signal);
  } finally {
    progress.stop();
    clearTimeout(timer);
    ignoreInterrupts();
    await iut.close?.();
    if (recorder !== undefined) say.write(recorder.end());
  }
  const elapsedMs = io.now() - start;
  const reproduce = reproduceOf({ ...budget, db: flags.db });
  const written: string[] = [];
  try {
    for (const report of reports) {
      writeWhole(path.resolve(io.cwd, report.file), render(report, results, reproduce));
      written.push(report.file);
    }
  } finally {
    // Also when the disk is full: the summary may then be all that is left of the run.
    say.write(renderSummary(results, { elapsedMs, files: written }, reproduce, style));
  }
  if (flags.json) io.stdout.write(renderResultsJson(results));
  return results.exitCode;
};

/** An interrupted run is 130 whatever it had found by then; its verdict stays. */
const withExit = (results: Results, signal: AbortSignal): Results =>
  signal.aborted && signal.reason === "interrupted"
    ? { ...results, exitCode: EXIT.interrupted, reason: results.reason || "interrupted" }
    : results;

const render = ({ format }: ReportFile, results: Results, reproduce: Reproduce): string => {
  if (format === "json") return renderResultsJson(results);
  const { renderHtml }: typeof import("../reports/html/render") = require("../reports/html/render");
  return renderHtml(results, reproduce);
};
