/** `replay`: runs one trace again and compares what fails now with what failed then. */
import { traceOfPath } from "../properties/campaign";
import { statementOf } from "../properties/conclude";
import { QUICK } from "../properties/options";
import { type Replayed, replayTrace } from "../properties/replay";
import { renderSteps } from "../reports/console/steps";
import { type Style, wrap } from "../reports/console/text";
import { renderJson } from "../reports/json";
import type { Capsule } from "../spec/capsule";
import { DataError } from "../spec/data-error";
import { inert } from "../spec/inert";
import type { Iut } from "../spec/iut";
import {
  decodeCapsule,
  decodeHistory,
  decodeTrace,
  encodeHistory,
  parseDocument,
} from "../spec/json/trace";
import { PLATFORMS } from "../spec/platform";
import type { Trace } from "../spec/trace";
import { type Deviation, type Profile, signatureOf } from "../spec/verdict";
import { EXIT, messageOf, Stop } from "./exit";
import { readInput } from "./files";
import { type Io, styleFor } from "./io";
import { DEFAULT_IUT, isIutSpec, loadIut } from "./iut";
import { commandLine, runsForeignCode } from "./shell";
import { DEFAULT_PROFILE, parseSeed } from "./values";

export interface ReplayFlags {
  readonly json?: true;
  readonly iut?: string;
  readonly profile?: Profile;
  readonly length?: readonly [min: number, max: number];
}

/** What is replayed: a capsule knows more than its trace. */
interface Subject {
  readonly traceFor: (iut: Iut) => Trace;
  readonly capsule?: Capsule;
}

export const replay = async (what: string, flags: ReplayFlags, io: Io): Promise<number> => {
  const { traceFor, capsule } = drawnSubject(what, flags) ?? fileSubject(what, io);
  const iutSpec = flags.iut ?? iutOf(capsule, what);
  const profile = flags.profile ?? capsule?.profile ?? DEFAULT_PROFILE;
  if (flags.iut === undefined && !isIutSpec(iutSpec)) {
    const shown = JSON.stringify(iutSpec);
    throw new DataError(what, "iut", `no IUT is called ${shown}; name the one to use with --iut`);
  }
  const iut = loadIut(iutSpec, io.cwd);
  let trace: Trace;
  let replayed: Replayed;
  try {
    trace = traceFor(iut);
    replayed = await replayTrace(iut, trace, profile);
  } finally {
    await iut.close?.();
  }
  const { history, finding, rows } = replayed;
  const came = cameOf(replayed, capsule);
  const isOpen = came === "unknown" || came === "cut short";
  const passed = isOpen ? EXIT.inconclusive : EXIT.conformant;
  const exit = finding === undefined ? passed : EXIT.failed;
  const say = flags.json ? io.stderr : io.stdout;
  const title = `${what} on ${iutSpec}, profile ${profile}, platform ${trace.platform.name}`;
  // Of an argument such as -3:12 the parser must be told that it is no flag.
  const subject = what.startsWith("-") ? ["--", what] : [what];
  const again = commandLine("replay", ...given(flags), ...subject);
  say.write(render(title, came, replayed, capsule, again, styleFor(say, io.env)));
  if (flags.json) {
    const found = finding === undefined ? null : { step: finding.step, ...finding.deviation };
    const run = { what, iut: iutSpec, profile, came, exitCode: exit };
    io.stdout.write(
      renderJson({ ...run, finding: found, steps: rows, history: encodeHistory(history) }),
    );
  }
  return exit;
};

/** What decides about the outcome, as it was given. */
const given = ({ iut, profile, length }: ReplayFlags): string[] => [
  ...(iut === undefined ? [] : ["--iut", iut]),
  ...(profile === undefined ? [] : ["--profile", profile]),
  ...(length === undefined ? [] : ["--length", length.join("-")]),
];

const SEED_PATH = /^(-?\d+):(\d+(?::\d+)*)$/;
/** Farther than any run goes; drawing up to there would take hours. */
const RUN_MAX = 10_000_000;

/** SEED:PATH, for the defaults of `run` but for --length. */
const drawnSubject = (what: string, { length }: ReplayFlags): Subject | undefined => {
  const [, seed, path] = SEED_PATH.exec(what) ?? [];
  if (seed === undefined || path === undefined) return undefined;
  if (path.split(":").some((part) => Number(part) > RUN_MAX)) {
    const why = "no run is that long; expected SEED:PATH as a failure names it";
    throw new Stop(EXIT.usage, `replay ${what}: ${why}, up to ${RUN_MAX}`);
  }
  const seedNumber = parseSeed(seed);
  const traceFor = (iut: Iut): Trace => {
    const space = { iut, platforms: iut.platforms ?? PLATFORMS, length: length ?? QUICK.length };
    const none = new Stop(EXIT.noInput, `${what}: there is no such run`);
    let trace: Trace | undefined;
    try {
      trace = traceOfPath(space, Number(seedNumber), path);
    } catch (error) {
      // fast-check's word for a path that leads nowhere.
      if (messageOf(error).startsWith("Unable to replay")) throw none;
      throw error;
    }
    if (trace === undefined) throw none;
    return trace;
  };
  return { traceFor };
};

const fileSubject = (what: string, io: Io): Subject => {
  const { format, json } = parseDocument(readInput(io.cwd, what), what);
  if (format === "iommufd-capsule/1") {
    const capsule = decodeCapsule(json, what);
    return { capsule, traceFor: () => capsule.history.trace };
  }
  const trace =
    format === "iommufd-trace/1" ? decodeTrace(json, what) : decodeHistory(json, what).trace;
  return { traceFor: () => trace };
};

/** The IUT that a capsule names, unless that would run code that the file has chosen. */
const iutOf = (capsule: Capsule | undefined, what: string): string => {
  if (capsule === undefined) return DEFAULT_IUT;
  if (!runsForeignCode(capsule.iut)) return capsule.iut;
  const allow = commandLine("replay", what, "--iut", capsule.iut);
  const why = `${what} was found on ${capsule.iut}, which is not started on a file's word`;
  throw new Stop(EXIT.usage, `${why}; to allow it: ${allow}`);
};

type Came =
  | "conformant"
  | "failure"
  | "same failure"
  | "another failure"
  | "failure gone"
  | "cut short"
  | "unknown";

const cameOf = ({ history, finding, isLost }: Replayed, capsule: Capsule | undefined): Came => {
  if (isLost) return "unknown";
  // What came before was right; of the rest nobody knows.
  if (finding === undefined && history.ending?.kind === "inconclusive") return "cut short";
  return compare(finding?.deviation, capsule?.deviation);
};

const compare = (now: Deviation | undefined, then: Deviation | undefined): Came => {
  if (then === undefined) return now === undefined ? "conformant" : "failure";
  if (now === undefined) return "failure gone";
  const [a, b] = [signatureOf(now), signatureOf(then)];
  return a.clause === b.clause && a.kind === b.kind ? "same failure" : "another failure";
};

const SAID: Readonly<Record<Came, string>> = {
  conformant: "Conformant: every call answered as documented",
  failure: "Not conformant",
  "same failure": "The same failure came back",
  "another failure": "Another failure came instead",
  "failure gone": "The failure did not come back",
  "cut short": "Inconclusive: the IUT did not get to the end of the trace",
  unknown: "Inconclusive: the answers leave more states open than the model follows",
};

/** Ends as every failure does: clause and its text, the step table, the replay command. */
const render = (
  title: string,
  came: Came,
  { finding, history, rows }: Replayed,
  capsule: Capsule | undefined,
  again: string,
  style: Style,
): string => {
  const { bold, green, red, yellow } = style.colors;
  const was = capsule === undefined ? "" : ` (it was ${capsule.deviation.clauses.join(", ")})`;
  const verdict = `${SAID[came]}${came === "same failure" ? "" : inert(was)}`;
  const isOpen = came === "unknown" || came === "cut short";
  const color = finding ? red : isOpen ? yellow : green;
  const why = came === "cut short" ? wrap(inert(history.ending?.reason ?? ""), style.width) : [];
  const lines = [`${bold("replay")} ${inert(title)}`, color(bold(verdict)), ...why, ""];
  if (finding === undefined) return [...lines, renderSteps(rows, style), ""].join("\n");
  const [clause] = finding.deviation.clauses;
  const text = wrap(inert(`${clause}  ${statementOf(clause)}`), style.width);
  const replayLine = `replay: ${style.colors.cyan(inert(again))}`;
  return [...lines, ...text, "", renderSteps(rows, style), "", replayLine, ""].join("\n");
};
